"""A raw TCP upstream that records every byte it gets, per connection, and answers from a script.

It judges nothing: what a gateway lets through is seen here as it came. It uses none of nbgate's own parsers, so that a
mistake in those cannot hide itself.
"""

import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

HEAD_END = b"\r\n\r\n"
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OP_CLOSE, _OP_PING, _OP_PONG = 0x8, 0x9, 0xA
_LENGTH_16, _LENGTH_64 = 126, 127


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Step: wait until one whole request (head and body) has come."""


@dataclass(frozen=True, slots=True)
class ReadBytes:
    """Step: wait until `count` more bytes have come, whatever they are."""

    count: int


@dataclass(frozen=True, slots=True)
class Send:
    """Step: send these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Step: go on when the test sets this event."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class ReadToEnd:
    """Step: record everything until the peer closes."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Step: accept the websocket handshake that was read last, then send every data frame back until the end."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Step: end the connection with a TCP reset instead of a close."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Step: close the connection in order."""


Step = ReadRequest | ReadBytes | Send | WaitFor | ReadToEnd | Echo | Reset | HangUp


@dataclass(frozen=True, slots=True)
class StubRequest:
    """One request as its bytes came: `head` with its blank line, `body` without chunk framing."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """Return the request line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def target(self) -> str:
        """Return what stands between the first and the last blank of the request line."""
        return self.line.partition(" ")[2].rpartition(" ")[0]

    def values(self, name: str) -> list[str]:
        """Return the values of every header line called `name`, in order."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


@dataclass(slots=True)
class StubConnection:
    """What came on one connection."""

    received: bytearray = field(default_factory=bytearray)
    requests: list[StubRequest] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    read: int = 0  # how much of `received` the script has taken


def answer(
    body: bytes = b"ok", *, status: str = "200 OK", content_type: str = "text/plain", extra: bytes = b""
) -> bytes:
    """Return a whole answer with Content-Length; `extra` is further header lines with their CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode("latin-1") + extra + b"\r\n" + body


class StubUpstream:
    """The upstream; `async with StubUpstream() as stub`, or `in_thread` for tests without a loop.

    It listens on a loopback port, by TLS where it has a context for that, or on the Unix socket `path`.

    Every connection plays the next script of `scripts`; without one it answers each request by the script that `plays`
    has for its target, else with `default_answer` or what `respond` makes of it, and websocket handshakes with an echo.
    """

    def __init__(
        self,
        *,
        default_answer: bytes = b"",
        path: str = "",
        tls: ssl.SSLContext | None = None,
        respond: Callable[[StubRequest], bytes] | None = None,
    ) -> None:
        self.default_answer = default_answer or answer()
        self.respond = respond
        self.scripts: deque[tuple[Step, ...]] = deque()
        self.plays: dict[str, tuple[Step, ...]] = {}
        self.early: dict[str, tuple[Step, ...]] = {}  # the same, played before the body is read
        self.connections: list[StubConnection] = []
        self.requests: list[StubRequest] = []  # of all connections, in the order in which they were complete
        self.port = 0
        self._path = path
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        if self._path:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=1 << 20)
            return self
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def script(self, *steps: Step) -> None:
        """Say what the next new connection does."""
        self.scripts.append(steps)

    @property
    def received_bytes(self) -> int:
        """Return how many bytes ever came."""
        return sum(len(connection.received) for connection in self.connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        connection = StubConnection()
        self.connections.append(connection)
        steps = self.scripts.popleft() if self.scripts else None
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _Player(self, connection, reader, writer).play(steps)
        connection.ended.set()
        writer.close()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run on a loop of its own in a thread: for tests that block, or whose gateway is another process."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="stub-upstream", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.__aenter__(), loop).result(10)
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self.__aexit__(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()


class _Player:
    """Plays one script on one connection."""

    def __init__(
        self,
        stub: StubUpstream,
        connection: StubConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._stub = stub
        self._connection = connection
        self._reader = reader
        self._writer = writer

    async def play(self, steps: tuple[Step, ...] | None) -> None:
        if steps is None:
            await self._answer_for_ever()
            return
        for step in steps:
            await self._perform(step)

    async def _answer_for_ever(self) -> None:
        while True:
            await self._read_request()
            request = self._connection.requests[-1]
            if (steps := self._stub.plays.get(request.target)) is not None:
                await self.play(steps)
                continue
            if request.values("upgrade") == ["websocket"] and request.values("sec-websocket-key"):
                await self._echo()
                return
            respond = self._stub.respond
            whole = self._stub.default_answer if respond is None else respond(request)
            head_only = request.line.startswith("HEAD ")
            await self._send(whole[: whole.find(HEAD_END) + len(HEAD_END)] if head_only else whole)

    async def _perform(self, step: Step) -> None:
        match step:
            case ReadRequest():
                await self._read_request()
            case ReadBytes(count):
                await self._take(count)
            case Send(data):
                await self._send(data)
            case WaitFor(event):
                await event.wait()
            case ReadToEnd():
                while await self._more():
                    pass
            case Echo():
                await self._echo()
            case Reset():
                self._reset()
            case HangUp():
                self._writer.close()

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def _reset(self) -> None:
        transport = self._writer.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        transport.abort()

    async def _more(self) -> bool:
        """Record what comes next; False at the end."""
        data = await self._reader.read(1 << 16)
        self._connection.received += data
        return bool(data)

    async def _need(self) -> None:
        if not await self._more():
            raise asyncio.IncompleteReadError(b"", None)

    async def _take(self, count: int) -> bytes:
        connection = self._connection
        while len(connection.received) - connection.read < count:
            await self._need()
        connection.read += count
        return bytes(connection.received[connection.read - count : connection.read])

    async def _take_through(self, mark: bytes) -> bytes:
        connection = self._connection
        while (end := connection.received.find(mark, connection.read)) < 0:
            await self._need()
        return await self._take(end + len(mark) - connection.read)

    async def _read_request(self) -> None:
        head = await self._take_through(HEAD_END)
        request = StubRequest(head, b"")
        await self.play(self._stub.early.get(request.target, ()))
        body = b""
        if request.values("transfer-encoding"):
            body = await self._read_chunks()
        elif lengths := request.values("content-length"):
            body = await self._take(int(lengths[0]))
        whole = StubRequest(head, body)
        self._connection.requests.append(whole)
        self._stub.requests.append(whole)

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int(await self._take_through(b"\r\n"), 16):
            body += await self._take(size)
            await self._take(2)
        await self._take_through(b"\r\n")
        return body

    async def _echo(self) -> None:
        key = self._connection.requests[-1].values("sec-websocket-key")[0].encode("ascii")
        accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET_GUID).digest()).decode("ascii")
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += f"Sec-WebSocket-Accept: {accept}\r\n"
        if offered := self._connection.requests[-1].values("sec-websocket-protocol"):
            head += f"Sec-WebSocket-Protocol: {offered[0].split(',')[0].strip()}\r\n"
        await self._send(head.encode("ascii") + b"\r\n")
        opcode = 0
        while opcode != _OP_CLOSE:
            opcode = await self._echo_frame()

    async def _echo_frame(self) -> int:
        first, second = await self._take(2)
        length = second & 0x7F
        if length in (_LENGTH_16, _LENGTH_64):
            length = int.from_bytes(await self._take(2 if length == _LENGTH_16 else 8), "big")
        mask = await self._take(4)
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(await self._take(length)))
        opcode = first & 0x0F
        if opcode != _OP_PONG:
            reply = _OP_PONG if opcode == _OP_PING else opcode
            await self._send(frame_head(first & 0xF0 | reply, length) + payload)
        return opcode


def frame_head(first: int, length: int) -> bytes:
    """Return the head of an unmasked frame with this first byte and payload length."""
    if length < _LENGTH_16:
        return bytes((first, length))
    if length < 1 << 16:
        return bytes((first, _LENGTH_16)) + length.to_bytes(2, "big")
    return bytes((first, _LENGTH_64)) + length.to_bytes(8, "big")
