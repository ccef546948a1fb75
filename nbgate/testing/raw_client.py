"""A TLS client that sends exactly the bytes it is told, in the pieces it is told, and shows every byte of the answer.

It never retries, never follows, adds nothing. It blocks: in a test with a loop of its own, run it in a thread.
"""

import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

DEADLINE_SECONDS = 10.0
HEAD_END = b"\r\n\r\n"
BODILESS = frozenset({204, 304})
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Send:
    """Step: send these bytes in one piece."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendEachByte:
    """Step: send these bytes one at a time, each in a TLS record of its own."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Step: do nothing for so long; only for deadlines of the gateway that are set short."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ReadUntil:
    """Step: read until these bytes have come."""

    mark: bytes


@dataclass(frozen=True, slots=True)
class ReadToEnd:
    """Step: read until the gateway closes."""


Step = Send | SendEachByte | Pause | ReadUntil | ReadToEnd


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `body` without chunk framing."""

    status: int
    head: bytes
    body: bytes

    def values(self, name: str) -> list[str]:
        """Return the values of every header line called `name`, in order."""
        pairs = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:] if line)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


@dataclass(slots=True)
class RawClient:
    """One connection.

    Attributes:
        server_name: What the TLS handshake asks for; None for nothing, as of a client that was given an address. A
            request must be for the name that was asked for.
        source: Address to come from; "" leaves it to the system.
        preamble: Bytes to send before the TLS handshake: a PROXY header.
        received: Every byte that came, decrypted.
        closed: The gateway has ended the connection; `reset` when it did so without a TLS close.
    """

    port: int
    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    server_name: str | None = None
    deadline_seconds: float = DEADLINE_SECONDS
    source: str = ""
    preamble: bytes = b""
    received: bytearray = field(default_factory=bytearray)
    closed: bool = False
    reset: bool = False
    _socket: socket.socket | None = None

    def __enter__(self) -> Self:
        plain = socket.create_connection(
            (self.host, self.port),
            timeout=self.deadline_seconds,
            source_address=(self.source, 0) if self.source else None,
        )
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.sendall(self.preamble)
        self._socket = plain
        if self.context:
            self.context.check_hostname = self.server_name is not None
            self.context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # set by Python before 3.11.4: no end would be broken
            self._socket = self.context.wrap_socket(plain, server_hostname=self.server_name)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._socket is not None:
            self._socket.close()

    @property
    def socket(self) -> socket.socket:
        """Return the open socket."""
        if self._socket is None:
            message = "the client is used outside its with block"
            raise RuntimeError(message)
        return self._socket

    def run(self, steps: Iterable[Step]) -> bytes:
        """Perform the steps in order; return everything received so far."""
        for step in steps:
            match step:
                case Send(data):
                    self.send(data)
                case SendEachByte(data):
                    self.send_each_byte(data)
                case Pause(seconds):
                    time.sleep(seconds)
                case ReadUntil(mark):
                    self.read_until(mark)
                case ReadToEnd():
                    self.read_to_end()
        return bytes(self.received)

    def send(self, data: bytes) -> None:
        """Send `data` in one piece; a gateway that no longer listens is not an error: reading will tell."""
        try:
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError):
            self.reset = True

    def send_each_byte(self, data: bytes) -> None:
        """Send `data` one byte at a time, until the gateway stops listening."""
        for index in range(len(data)):
            if self.reset:
                return
            self.send(data[index : index + 1])

    def read_until(self, mark: bytes) -> bytes:
        """Read until `mark` has come; return everything received.

        Raises:
            ConnectionError: The gateway closed first.
            TimeoutError: It did not come within `deadline_seconds`.
        """
        while mark not in self.received:
            if not self.read_some():
                message = f"closed before {mark!r} came, after {bytes(self.received[-200:])!r}"
                raise ConnectionError(message)
        return bytes(self.received)

    def read_to_end(self) -> bytes:
        """Read until the gateway closes; return everything received.

        Raises:
            TimeoutError: It stayed open and silent for `deadline_seconds`.
        """
        while self.read_some():
            pass
        return bytes(self.received)

    def read_answer(self, *, to_head: bool = False) -> Answer:
        """Read one whole answer, take it off `received`, and return it; `to_head` says the request was a HEAD.

        Raises:
            ValueError: The gateway closed before the end of an answer.
            TimeoutError: It stayed open and silent for `deadline_seconds`.
        """
        while (parsed := parse_answer(bytes(self.received), ended=self.closed, to_head=to_head)) is None:
            self.read_some()
        answer, used = parsed
        del self.received[:used]
        return answer

    def read_some(self) -> bool:
        """Read once, however much there is; return whether anything came.

        Raises:
            TimeoutError: The gateway stayed open and silent for `deadline_seconds`.
        """
        if self.closed:
            return False
        try:
            data = self.socket.recv(_PIECE)
        except (ConnectionError, ssl.SSLEOFError):
            self.reset, data = True, b""
        except ssl.SSLError as error:  # as Python before 3.11.4 says it
            if error.reason != "UNEXPECTED_EOF_WHILE_READING":
                raise
            self.reset, data = not getattr(self.socket, "suppress_ragged_eofs", True), b""
        self.received += data
        self.closed = not data
        return bool(data)


def parse_answer(data: bytes, *, ended: bool, to_head: bool = False) -> tuple[Answer, int] | None:
    """Return the first answer of `data` and its length there, or None while it is incomplete.

    Raises:
        ValueError: The bytes are no HTTP answer, or they end in the middle of one.
    """
    parsed = _parse(data, ended=ended, to_head=to_head)
    if parsed is None and ended:
        message = "the connection ended before the end of an answer"
        raise ValueError(message)
    return parsed


def _parse(data: bytes, *, ended: bool, to_head: bool) -> tuple[Answer, int] | None:
    head_end = data.find(HEAD_END) + len(HEAD_END)
    if head_end < len(HEAD_END):
        return None
    head, rest = data[:head_end], data[head_end:]
    answer = Answer(int(head.split(b" ", 2)[1]), head, b"")
    if to_head or answer.status in BODILESS or answer.status < 200:
        return answer, head_end
    if answer.values("transfer-encoding"):
        return _parse_chunks(answer, rest)
    if lengths := answer.values("content-length"):
        length = int(lengths[0])
        return (Answer(answer.status, head, rest[:length]), head_end + length) if len(rest) >= length else None
    return (Answer(answer.status, head, rest), len(data)) if ended else None


def _parse_chunks(answer: Answer, rest: bytes) -> tuple[Answer, int] | None:
    body, at = b"", 0
    while (line_end := rest.find(b"\r\n", at)) >= 0:
        size = int(rest[at:line_end], 16)
        start, at = line_end + 2, line_end + 2 + size + 2
        if at > len(rest):
            return None
        body += rest[start : start + size]
        if size == 0:
            return Answer(answer.status, answer.head, body), len(answer.head) + at
    return None
