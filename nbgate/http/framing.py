"""Find where a body ends, and take the framing off it; put our own on.

One reader per body, all alike: `feed` returns the payload in the bytes given, the bytes after the body's end, and
whether it has ended. Nothing is buffered but a chunk's size line. This room forwards no framing: what one side sent
never decides how the other side is framed.
"""

import re
from enum import Enum

from nbgate.errors import NbgateError, ProtocolError, UpstreamProtocolError
from nbgate.reasons import Reason

LAST_CHUNK = b"0\r\n\r\n"
_MAX_EXTENSION_BYTES = 4096
_MAX_TRAILER_BYTES = 16384
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}")  # 281 TB in one chunk; sixteen digits overflow some reader (D11)
_EXTENSION = re.compile(rb"[\t -~\x80-\xff]*")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*")


class NoBody:
    """A message that ends with its head."""

    __slots__ = ()
    finished = True

    def feed(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return (payload, rest after the end, whether it ended)."""
        return b"", data, True

    def eof(self) -> bool:
        """Say whether the connection may end here."""
        return True


class LengthBody:
    """A body of `length` bytes; a piece that lies inside it is handed back as the same object."""

    __slots__ = ("finished", "remaining")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.finished = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return (payload, rest after the end, whether it ended)."""
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return data, b"", False
        payload, rest = (data, b"") if size == self.remaining else (data[: self.remaining], data[self.remaining :])
        self.remaining = 0
        self.finished = True
        return payload, rest, True

    def eof(self) -> bool:
        """Say whether the connection may end here."""
        return self.finished


class EofBody:
    """A response body that ends with its connection."""

    __slots__ = ()
    finished = False

    def feed(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return (payload, rest after the end, whether it ended)."""
        return data, b"", False

    def eof(self) -> bool:
        """Say whether the connection may end here."""
        return True


class _Expect(Enum):
    """What a chunked body must go on with."""

    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3


class ChunkedBody:
    """A chunked body (RFC 9112 section 7.1).

    `strict` is for requests: no extensions, no trailers, and faults are the client's. Otherwise it is an upstream's:
    extensions are ignored and trailers dropped, both bounded. Sizes are plain hex digits either way.
    """

    __slots__ = ("_expect", "_held", "_remaining", "_strict", "_trailer_bytes", "finished")

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._expect = _Expect.SIZE
        self._remaining = 0
        self._held = b""
        self._trailer_bytes = 0
        self.finished = False

    def feed(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return (payload, rest after the end, whether it ended).

        Raises:
            ProtocolError: BAD_CHUNK or BAD_TRAILER, when `strict`.
            UpstreamProtocolError: UPSTREAM_BAD_RESPONSE, otherwise.
        """
        if self.finished:
            return b"", data, True
        if self._expect is _Expect.DATA and len(data) < self._remaining:
            self._remaining -= len(data)
            return data, b"", False
        if self._held:
            data = self._held + data
            self._held = b""
        payload: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.finished:
            if self._expect is _Expect.DATA:
                end = min(size, at + self._remaining)
                payload.append(data[at:end])
                self._remaining -= end - at
                at = end
                if self._remaining == 0:
                    self._expect = _Expect.DATA_END
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._judge_incomplete(data[at:])
                self._held = data[at:]
                at = size
            else:
                self._read_line(data[at:end])
                at = end + 2
        return b"".join(payload), data[at:] if self.finished else b"", self.finished

    def eof(self) -> bool:
        """Say whether the connection may end here."""
        return self.finished

    def _read_line(self, line: bytes) -> None:
        """Take one complete line that is not payload."""
        if self._expect is _Expect.DATA_END:
            if line:
                raise self._bad(Reason.BAD_CHUNK)
            self._expect = _Expect.SIZE
        elif self._expect is _Expect.SIZE:
            digits, semicolon, extension = line.partition(b";")
            if _SIZE.fullmatch(digits) is None or (semicolon and not self._takes_extension(extension)):
                raise self._bad(Reason.BAD_CHUNK)
            self._remaining = int(digits, 16)
            self._expect = _Expect.DATA if self._remaining else _Expect.TRAILER
        elif line:
            self._trailer_bytes += len(line) + 2
            if self._strict or self._trailer_bytes > _MAX_TRAILER_BYTES or _TRAILER.fullmatch(line) is None:
                raise self._bad(Reason.BAD_TRAILER)
        else:
            self.finished = True

    def _takes_extension(self, extension: bytes) -> bool:
        return (
            not self._strict and len(extension) <= _MAX_EXTENSION_BYTES and _EXTENSION.fullmatch(extension) is not None
        )

    def _judge_incomplete(self, line: bytes) -> None:
        """Refuse the beginning of a line as soon as no continuation could make it good."""
        line = line.removesuffix(b"\r")
        if self._expect is _Expect.DATA_END:
            if line:
                raise self._bad(Reason.BAD_CHUNK)
        elif self._expect is _Expect.SIZE:
            digits, semicolon, extension = line.partition(b";")
            if _SIZE.fullmatch(digits) is None or (semicolon and not self._takes_extension(extension)):
                raise self._bad(Reason.BAD_CHUNK)
        elif line and (self._strict or self._trailer_bytes + len(line) > _MAX_TRAILER_BYTES or b"\n" in line):
            raise self._bad(Reason.BAD_TRAILER)

    def _bad(self, reason: Reason) -> NbgateError:
        return ProtocolError(reason) if self._strict else UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)


Body = NoBody | LengthBody | EofBody | ChunkedBody


def encode_chunk(payload: bytes) -> bytes:
    """Frame `payload` as one chunk; nothing for nothing, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""
