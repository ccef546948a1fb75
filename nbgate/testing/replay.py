"""Read recorded bytes of a client, or of an upstream, with the pure core alone, cut into pieces of any size.

What the worker does with a connection, without a connection: heads, bodies, the first fault. Judges nothing itself.
"""

from msgspec import Struct

from nbgate.errors import ProtocolError, UpstreamProtocolError
from nbgate.http.framing import Body, ChunkedBody, LengthBody, NoBody
from nbgate.http.head import HeadLimits, HeadParser, RequestHead, find_head_end, judge_partial
from nbgate.http.headers import HeaderTables
from nbgate.http.response import KnownHeads, ResponseHead, body_of
from nbgate.reasons import Reason


class Request(Struct, frozen=True):
    """One complete request."""

    head: RequestHead
    body: bytes


class Replay(Struct, frozen=True):
    """What the bytes were: complete requests, then a fault, or an unfinished request, or nothing."""

    requests: tuple[Request, ...]
    fault: tuple[int, Reason] | None
    unfinished: bool


class Replayer:
    """Reads one connection's bytes."""

    def __init__(self, limits: HeadLimits, tables: HeaderTables) -> None:
        self._limits = limits
        self._parser = HeadParser(limits, tables)
        self._buffer = b""
        self._scanned = 0
        self._judged = 0
        self._head: RequestHead | None = None
        self._body: ChunkedBody | LengthBody = LengthBody(0)
        self._payload = b""
        self.requests: list[Request] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises ProtocolError at the first fault."""
        self._buffer += data
        while self._buffer:
            if self._head is None and not self._take_head():
                return
            if not self._take_body():
                return

    @property
    def unfinished(self) -> bool:
        """Say whether a request is under way."""
        return self._head is not None or self._buffer not in {b"", b"\r\n"}

    def _take_head(self) -> bool:
        end = find_head_end(self._buffer, self._scanned)
        if end < 0:
            self._judged = judge_partial(self._buffer, self._limits, self._judged)
            self._scanned = len(self._buffer)
            return False
        head, self._buffer = self._buffer[:end], self._buffer[end:]
        self._scanned = self._judged = 0
        self._head = self._parser.parse(head)
        fields = self._head.fields
        self._body = ChunkedBody(strict=True) if fields.chunked else LengthBody(fields.content_length or 0)
        return True

    def _take_body(self) -> bool:
        payload, self._buffer, finished = self._body.feed(self._buffer)
        self._payload += payload
        if not finished or self._head is None:
            return False
        self.requests.append(Request(self._head, self._payload))
        self._head, self._payload = None, b""
        return True


def replay(data: bytes, limits: HeadLimits, tables: HeaderTables, *, step: int = 0) -> Replay:
    """Read `data` in pieces of `step` bytes, at once when 0."""
    replayer = Replayer(limits, tables)
    size = step or max(len(data), 1)
    try:
        for at in range(0, len(data), size):
            replayer.feed(data[at : at + size])
    except ProtocolError as error:
        return Replay(tuple(replayer.requests), (error.status, error.reason), unfinished=False)
    return Replay(tuple(replayer.requests), None, replayer.unfinished)


class Answer(Struct, frozen=True):
    """What an upstream's bytes were: a final head and its payload, or a fault; `rest` is how much stood behind."""

    head: ResponseHead | None = None
    date: bytes = b""
    payload: bytes = b""
    rest: int = 0
    finished: bool = False
    may_end: bool = False
    fault: Reason | None = None


class AnswerReader:
    """Reads the answer to one request."""

    def __init__(self, *, method: str, head_bytes: int, known: KnownHeads) -> None:
        self._method = method
        self._head_bytes = head_bytes
        self._known = known
        self._buffer = b""
        self._body: Body = NoBody()
        self.head: ResponseHead | None = None
        self.date = b""
        self.payload = b""
        self.rest = 0
        self.finished = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises UpstreamProtocolError at the first fault."""
        if self.finished:
            self.rest += len(data)
            return
        if self.head is None:
            data = self._take_heads(self._buffer + data)
        if self.head is not None:
            payload, rest, self.finished = self._body.feed(data)
            self.payload += payload
            self.rest += len(rest)

    def result(self) -> Answer:
        """Return what came so far."""
        may_end = self.head is not None and self._body.eof()
        return Answer(self.head, self.date, self.payload, self.rest, self.finished, may_end)

    def _take_heads(self, buffer: bytes) -> bytes:
        """Read heads up to the final one; return what follows it."""
        while self.head is None:
            end = find_head_end(buffer, 0)
            if (end if end >= 0 else len(buffer)) > self._head_bytes:
                raise UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)
            if end < 0:
                self._buffer = buffer
                return b""
            head, self.date = self._known.read(buffer[:end], method=self._method)
            buffer = buffer[end:]
            if not head.is_informational:
                self.head, self._body = head, body_of(head)
        return buffer


def replay_answer(data: bytes, *, method: str = "GET", head_bytes: int = 65536, step: int = 0) -> Answer:
    """Read an upstream's `data` as the answer to `method`, in pieces of `step` bytes, at once when 0."""
    reader = AnswerReader(method=method, head_bytes=head_bytes, known=KnownHeads())
    size = step or max(len(data), 1)
    try:
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
    except UpstreamProtocolError as error:
        return Answer(fault=error.reason)
    return reader.result()
