"""People at work, all on one loop: requests at a rate, websockets that talk or are silent. What fails is counted."""

import asyncio
import base64
import contextlib
import itertools
import ssl
import time
from collections.abc import AsyncIterator

from bench.websocket import PATH
from nbgate.testing.gateway import Gateway

ANSWER_SECONDS = 15.0
AGAIN_SECONDS = 1.0
OPENED_AT_ONCE = 16
MESSAGE = b"\x81\x90" + bytes(4) + b"0123456789abcdef"
ECHO = b"\x81\x10" + b"0123456789abcdef"
_PING, _PONG, _CLOSE, _MASKED = 0x89, 0x8A, 0x88, 0x80


class Websocket(asyncio.Protocol):
    """One websocket to the echo: answers pings, says when it was closed.

    Attributes:
        closed: The close code, or 1006 when the connection just ended; 0 while it is open.
    """

    def __init__(self, handshake: bytes) -> None:
        self._handshake = handshake
        self._held = b""
        self._is_open = False
        self._came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.closed = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self._handshake)

    async def came(self) -> None:
        """Wait for what was asked for last: the handshake, or the echo."""
        await asyncio.wait_for(asyncio.shield(self._came), ANSWER_SECONDS)

    async def echo(self) -> float:
        """Send a message; return the seconds until it came back."""
        self._came = asyncio.get_running_loop().create_future()
        if self.closed:
            raise ConnectionResetError(self.closed)
        begun = time.monotonic()
        self.transport.write(MESSAGE)
        await self.came()
        return time.monotonic() - begun

    def data_received(self, data):
        self._held += data
        if not self._is_open:
            head, found, rest = self._held.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._end(1006, head.decode("latin-1"))
                return
            self._is_open, self._held = True, rest
            self._came.set_result(None)
        while len(self._held) >= 2 and len(self._held) >= (size := 2 + self._held[1]):
            frame, self._held = self._held[:size], self._held[size:]
            self._take(frame)

    def _take(self, frame: bytes) -> None:
        if frame[0] == _PING:
            self.transport.write(bytes((_PONG, _MASKED | frame[1])) + bytes(4) + frame[2:])
        elif frame[0] == _CLOSE:
            self._end(int.from_bytes(frame[2:4], "big"), frame[4:].decode())
        elif frame == ECHO and not self._came.done():
            self._came.set_result(None)
        else:
            self._end(1006, repr(frame))

    def connection_lost(self, exc):
        self._end(1006, str(exc))

    def _end(self, code: int, why: str) -> None:
        self.closed = self.closed or code
        if not self._came.done():
            self._came.set_exception(ConnectionResetError(f"{code}: {why}"))
            self._came.exception()  # nobody may be waiting
        if self.transport is not None:
            self.transport.abort()


async def open_websockets(gateway: Gateway, cookie: str, count: int) -> list[Websocket]:
    """Open `count` of them.

    Raises:
        ConnectionResetError: One was refused.
    """
    at_once, context = asyncio.Semaphore(OPENED_AT_ONCE), gateway.certificate.client_context()
    key = base64.b64encode(bytes(16)).decode()
    lines = [f"GET {PATH} HTTP/1.1", f"Host: {gateway.host}", f"Cookie: {cookie}", f"Origin: {gateway.base_url}"]
    lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    handshake = "\r\n".join([*lines, "", ""]).encode()

    async def open_one() -> Websocket:
        async with at_once:
            _, websocket = await asyncio.get_running_loop().create_connection(
                lambda: Websocket(handshake), "127.0.0.1", gateway.port, ssl=context, server_hostname="localhost"
            )
            await websocket.came()
            return websocket

    return await asyncio.gather(*(open_one() for _ in range(count)))


@contextlib.asynccontextmanager
async def talking(websockets: list[Websocket], pause_seconds: float) -> AsyncIterator[list[float]]:
    """Let each websocket say something every `pause_seconds`; give the list of the times it took."""
    taken: list[float] = []

    async def talk(websocket: Websocket, wait_seconds: float) -> None:
        await asyncio.sleep(wait_seconds)
        with contextlib.suppress(OSError, TimeoutError):  # a socket that is lost is counted as lost
            while True:
                taken.append(await websocket.echo())
                await asyncio.sleep(pause_seconds)

    spread = enumerate(websockets)
    async with _background(talk(it, pause_seconds * index / len(websockets)) for index, it in spread):
        yield taken


class Requests:
    """`connections` clients that together ask `per_second` times; every `fresh_every`th time on a new connection."""

    def __init__(
        self, gateway: Gateway, cookie: str, *, per_second: float, connections: int = 10, fresh_every: int = 50
    ) -> None:
        self.taken: list[float] = []
        self.failed: list[str] = []
        self._gateway = gateway
        self._context = gateway.certificate.client_context()
        self._request = f"GET /api/contents HTTP/1.1\r\nHost: {gateway.host}\r\nCookie: {cookie}\r\n\r\n".encode()
        self._pause_seconds = connections / per_second
        self._connections, self._fresh_every = connections, fresh_every
        self._due: dict[int, float] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask for as long as the block takes."""
        async with _background(self._ask_on(number) for number in range(self._connections)):
            yield

    async def all_connected(self) -> None:
        """Wait until every client has had answers: before that what they hold grows."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(self.taken) < 2 * self._connections:
                await asyncio.sleep(0.05)

    async def _ask_on(self, number: int) -> None:
        self._due[number] = time.monotonic() + number * self._pause_seconds / self._connections
        first = self._fresh_every * (number + 1) // self._connections  # so that they do not all connect at once
        for count in itertools.chain([first], itertools.repeat(self._fresh_every)):
            try:
                await self._wait(number)
                async with connected(self._gateway, self._context) as (reader, writer):
                    for _ in range(count):
                        await self._ask(reader, writer)
                        await self._wait(number)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.failed.append(repr(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _wait(self, number: int) -> None:
        """Wait until this client's next request is due; after a hold-up there is no flood."""
        due = max(self._due[number], time.monotonic() - self._pause_seconds)
        self._due[number] = due + self._pause_seconds
        await asyncio.sleep(due - time.monotonic())

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun = time.monotonic()
        writer.write(self._request)
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(length.partition(b":")[2]))
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ValueError(head)
        self.taken.append(time.monotonic() - begun)


@contextlib.asynccontextmanager
async def connected(
    gateway: Gateway, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a connection with its handshake done."""
    async with asyncio.timeout(ANSWER_SECONDS):
        opening = asyncio.open_connection("127.0.0.1", gateway.port, ssl=context, server_hostname="localhost")
        reader, writer = await opening
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def _background(coroutines) -> AsyncIterator[None]:
    tasks = [asyncio.get_running_loop().create_task(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
