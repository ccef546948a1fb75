"""Send many connections' bytes at once, to a gateway over TLS or to anybody on a Unix socket, and keep what comes back.

Each connection sends its bytes in one piece, reads until the other end closes, and gives up after a silence. It knows
nothing of HTTP but how an answer's end is found, which it reads as a browser would have to.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from nbgate.testing.raw_client import Answer, parse_answer

SILENCE_SECONDS = 8.0
LANES = 12
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Door:
    """Where to connect: a TLS port on loopback, or a Unix socket."""

    port: int = 0
    context: ssl.SSLContext | None = None
    path: str = ""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect; end the connection at once afterwards."""
        if self.path:
            reader, writer = await asyncio.open_unix_connection(self.path)
        else:
            if self.context is not None:
                self.context.check_hostname = False  # no server name: a request may be for any Host
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context, server_hostname="")
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def send(self, data: bytes) -> bytes:
        """Send `data` on a connection of its own; return all that came until its end."""
        async with self.open() as (reader, writer):
            writer.write(data)
            received = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                while piece := await asyncio.wait_for(reader.read(1 << 16), SILENCE_SECONDS):
                    received += piece
            return received


async def in_lanes(work: Iterable[T], do: Callable[[T], Awaitable[R]], *, lanes: int = LANES) -> list[R]:
    """Do all of `work`, `lanes` at a time; return the results in the order of the work."""
    waiting = enumerate(work)
    results: dict[int, R] = {}

    async def lane() -> None:
        for place, item in waiting:
            results[place] = await do(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return [results[place] for place in sorted(results)]


def read_answers(received: bytes, methods: Iterable[str]) -> list[Answer]:
    """Return the final answers in `received`; `methods` are those of the requests they belong to, as far as known.

    Raises:
        ValueError: The bytes are not a row of whole answers.
    """
    answers: list[Answer] = []
    asked = list(methods)
    while received:
        to_head = len(answers) < len(asked) and asked[len(answers)] == "HEAD"
        parsed = parse_answer(received, ended=True, to_head=to_head)
        if parsed is None:
            raise ValueError("an answer without an end")
        answer, used = parsed
        received = received[used:]
        if answer.status >= 200:
            answers.append(answer)
    return answers
