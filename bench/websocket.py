"""Load that is no request: small websocket messages there and back, websockets that say nothing, TLS handshakes."""

import asyncio
import base64
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

from bench.echo_service import HEAD_BYTES, HEAD_END, MASKED, NO_MASK
from bench.load import FailedRunError, browser_headers
from bench.side import Side

PATH = "/terminals/websocket/1"
MESSAGE_BYTES = 120
SOCKETS = 16
HANDSHAKES_AT_ONCE = 8
OPENED_AT_ONCE = 32
ANSWER_SECONDS = 10.0
_TEXT = 0x81
_PAYLOAD = b"m" * MESSAGE_BYTES
_SENT = bytes((_TEXT, MASKED | MESSAGE_BYTES)) + NO_MASK + _PAYLOAD
_ECHO = bytes((_TEXT, MESSAGE_BYTES)) + _PAYLOAD
assert len(_SENT) == HEAD_BYTES + MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of them were done in which time."""

    count: int
    seconds: float


def client_context() -> ssl.SSLContext:
    """Return a TLS context that believes everybody: every handshake of it is a full one."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class _Socket(asyncio.Protocol):
    """One websocket; with `until` (loop time) it sends the next message when the last one has come back."""

    def __init__(self, handshake: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._handshake = handshake
        self._held = b""
        self._until = 0.0
        self.transport = None
        self.opened = loop.create_future()
        self.finished = loop.create_future()
        self.count = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self._handshake)

    def echo(self, until: float) -> None:
        """Begin to send."""
        self._until = until
        self.transport.write(_SENT)

    def data_received(self, data):
        self._held += data
        if not self.opened.done():
            self._open()
            return
        if len(self._held) < len(_ECHO):
            return
        if self._held != _ECHO:
            self._fail(f"{self._held!r} came back")
            return
        self._held = b""
        self.count += 1
        if self._loop.time() < self._until:
            self.transport.write(_SENT)
        else:
            self.finished.set_result(None)

    def _open(self) -> None:
        head, found, self._held = self._held.partition(HEAD_END)
        if not found:
            self._held = head
        elif head.startswith(b"HTTP/1.1 101 "):
            self.opened.set_result(None)
        else:
            self._fail(f"{head!r} instead of a websocket")

    def connection_lost(self, exc):
        self._fail(f"the connection ended: {exc}")

    def _fail(self, why: str) -> None:
        for future in (self.opened, self.finished):
            if not future.done():
                future.set_exception(FailedRunError(why))
                future.exception()  # one of the two is waited for


def _handshake(side: Side) -> bytes:
    headers = browser_headers(side.port) | {"Connection": "Upgrade"}
    headers |= {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-Fetch-Mode": "websocket"}
    headers |= {"Sec-WebSocket-Key": base64.b64encode(bytes(range(16))).decode(), "Cookie": side.cookie}
    headers |= {"Origin": f"https://localhost:{side.port}"}
    lines = [f"GET {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _open_sockets(side: Side, count: int) -> list[_Socket]:
    loop, context, handshake = asyncio.get_running_loop(), client_context(), _handshake(side)
    at_once = asyncio.Semaphore(OPENED_AT_ONCE)

    async def open_one() -> _Socket:
        async with at_once, asyncio.timeout(ANSWER_SECONDS):
            made = loop.create_connection(
                lambda: _Socket(handshake), "127.0.0.1", side.port, ssl=context, server_hostname="localhost"
            )
            _, websocket = await made
            await websocket.opened
            return websocket

    return await asyncio.gather(*(open_one() for _ in range(count)))


def run_echo(side: Side, seconds: float) -> Counted:
    """Send messages on `SOCKETS` websockets for `seconds`, each when the one before has come back.

    Raises:
        FailedRunError: Something else came back, or a connection ended.
    """

    async def run() -> Counted:
        sockets = await _open_sockets(side, SOCKETS)
        begun = time.monotonic()
        for websocket in sockets:
            websocket.echo(asyncio.get_running_loop().time() + seconds)
        async with asyncio.timeout(seconds + ANSWER_SECONDS):
            await asyncio.gather(*(websocket.finished for websocket in sockets))
        taken = time.monotonic() - begun
        for websocket in sockets:
            websocket.transport.abort()
        return Counted(sum(websocket.count for websocket in sockets), taken)

    return _run(side, run)


def with_idle_sockets(side: Side, count: int, look: Callable[[], float]) -> float:
    """Return what `look` sees while `count` websockets are open that say nothing."""

    async def run() -> float:
        sockets = await _open_sockets(side, count)
        seen = look()
        if any(websocket.finished.done() for websocket in sockets):
            raise FailedRunError(f"{side.name}: a websocket ended by itself")
        for websocket in sockets:
            websocket.transport.abort()
        return seen

    return _run(side, run)


class _Handshake(asyncio.Protocol):
    """A connection that only wants to have been one."""

    def __init__(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc):  # noqa: ARG002 - asyncio's signature
        if not self.ended.done():
            self.ended.set_result(None)


def run_handshakes(side: Side, seconds: float) -> Counted:
    """Connect, shake hands in full and end, `HANDSHAKES_AT_ONCE` at a time, for `seconds`.

    Raises:
        FailedRunError: One failed, or took up a session of another one.
    """

    async def connect_often(until: float) -> int:
        loop, context, count = asyncio.get_running_loop(), client_context(), 0
        while loop.time() < until:
            async with asyncio.timeout(ANSWER_SECONDS):
                transport, protocol = await loop.create_connection(
                    _Handshake, "127.0.0.1", side.port, ssl=context, server_hostname="localhost"
                )
                if transport.get_extra_info("ssl_object").session_reused:
                    raise FailedRunError(f"{side.name}: this was no full handshake")
                transport.close()
                await protocol.ended
            count += 1
        return count

    async def run() -> Counted:
        begun, until = time.monotonic(), asyncio.get_running_loop().time() + seconds
        counts = await asyncio.gather(*(connect_often(until) for _ in range(HANDSHAKES_AT_ONCE)))
        return Counted(sum(counts), time.monotonic() - begun)

    return _run(side, run)


def _run(side: Side, run):
    try:
        return uvloop.run(run())
    except (OSError, TimeoutError) as error:
        raise FailedRunError(f"{side.name}: {error!r}") from error
