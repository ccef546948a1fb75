"""Read a request head: request line and header block become one checked value, or one ProtocolError.

The checks come in two passes, so that the outcome does not depend on how the bytes were cut into packets: first the
shape, strictly in the order of the bytes (`judge_partial`, which can be asked before the head is complete), then the
meaning, once it is complete (`HeadParser`). This module decides nothing about sessions, routes or origins; it says
what was asked and refuses what could be read in two ways (THREATS 1.D).
"""

import re

from msgspec import Struct

from nbgate.errors import ProtocolError
from nbgate.http.fields import Fields, WebsocketOffer, read_fields
from nbgate.http.headers import NAME_BYTES, HeaderTables
from nbgate.http.target import Target, parse_target
from nbgate.reasons import Reason

__all__ = [
    "Fields",
    "HeadLimits",
    "HeadParser",
    "RequestHead",
    "WebsocketOffer",
    "find_head_end",
    "judge_partial",
]

_HEAD_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"(?:\r\n)?([A-Z]{3,10}) ([!-~]+) HTTP/1\.([01])\r\n")
_FIELD_LINE = re.compile(rb"[" + NAME_BYTES.encode() + rb"]++:[\t -~]*+")
_BLOCK = re.compile(rb"(?:" + _FIELD_LINE.pattern + rb"\r\n)*+\r\n")
_NOT_TEXT = re.compile(rb"[^\t -~]")
_METHOD = re.compile(rb"[A-Z]{3,10}")
_VERSION = re.compile(rb"HTTP/1\.[01]")
_BODYLESS_METHODS = frozenset({"GET", "HEAD"})


class HeadLimits(Struct, frozen=True, kw_only=True):
    """How large a head may be: all of it, its longest line (without CRLF), and its number of header lines."""

    head_bytes: int = 32768
    line_bytes: int = 8190
    headers: int = 64


class RequestHead(Struct, frozen=True, gc=False):
    """A checked request head; `minor` is the minor version of HTTP/1."""

    method: str
    target: Target
    minor: int
    fields: Fields

    @property
    def keep_alive(self) -> bool:
        """Say whether the client expects the connection to stay open (RFC 9112 section 9.3)."""
        if self.fields.close_token:
            return False
        return self.minor == 1 or self.fields.keep_alive_token

    @property
    def has_body(self) -> bool:
        """Say whether bytes of a body follow the head."""
        return self.fields.chunked or bool(self.fields.content_length)

    @property
    def wants_continue(self) -> bool:
        """Say whether the client waits for a 100 before it sends its body (never over HTTP/1.0: RFC 9110 10.1.1)."""
        return self.fields.expect_continue and self.minor == 1 and self.has_body


def find_head_end(buffer: bytes | bytearray, start: int) -> int:
    """Return the index after the empty line that ends the head, or -1.

    Args:
        buffer: All bytes of the head so far.
        start: Index of the bytes that came last: what stands before was searched already.
    """
    found = buffer.find(_HEAD_END, start - 3 if start > 3 else 0)
    return found + 4 if found >= 0 else -1


def judge_partial(buffer: bytes | bytearray, limits: HeadLimits, judged: int = 0) -> int:
    """Refuse an incomplete head as soon as no continuation could make it valid.

    Args:
        buffer: All bytes of the head so far, without its end.
        limits: What it may grow to.
        judged: What the last call for this head returned, so that each line is judged once.

    Returns:
        How many bytes at the beginning are complete, good lines.

    Raises:
        ProtocolError: For the first fault in the order of the bytes, the same that the complete head would get.
    """
    if len(buffer) > limits.head_bytes:
        _judge_lines(bytes(buffer[: limits.head_bytes]), limits, judged)
        raise ProtocolError(Reason.HEAD_TOO_LARGE, 431)
    return _judge_lines(bytes(buffer), limits, judged)


class HeadParser:
    """Reads the heads of one connection; remembers the last header block, because clients repeat theirs."""

    __slots__ = ("_block", "_fields", "_limits", "_tables")

    def __init__(self, limits: HeadLimits, tables: HeaderTables) -> None:
        self._limits = limits
        self._tables = tables
        self._block = b""
        self._fields: Fields | None = None

    @property
    def last_block(self) -> bytes:
        """Return the header block of the last head that was good, from after the request line."""
        return self._block

    def parse(self, head: bytes) -> RequestHead:
        """Read a complete head.

        Args:
            head: From the first byte of the request line to the empty line, inclusive; one CRLF may stand before
                (RFC 9112 section 2.2).

        Raises:
            ProtocolError: When anything about it is not exactly as it must be; the reason and status say what.
        """
        limits = self._limits
        match = _REQUEST_LINE.match(head)
        if match is None or match.end() > limits.line_bytes or len(head) > limits.head_bytes:
            _judge_complete(head, limits)
            match = _REQUEST_LINE.match(head)
            if match is None:
                raise ProtocolError(Reason.BAD_REQUEST_LINE)
        method_bytes, raw_target, minor_bytes = match.groups()
        method = method_bytes.decode("ascii")
        target = parse_target(raw_target) if method != "CONNECT" else None
        block = head[match.end() :]
        fields = self._fields if block == self._block else None
        if fields is None and (
            _BLOCK.fullmatch(block) is None or len(head) > limits.line_bytes or block.count(b"\n") > limits.headers
        ):
            _judge_complete(head, limits)
        if method not in self._tables.methods or target is None:
            raise ProtocolError(Reason.METHOD_NOT_ALLOWED, 405)
        if fields is None:
            fields = self._fields = read_fields(block, self._tables)
            self._block = block
        request = RequestHead(method, target, 1 if minor_bytes == b"1" else 0, fields)
        _judge_together(request)
        return request


def _judge_together(request: RequestHead) -> None:
    """Refuse what only the request line and the header block together show."""
    fields = request.fields
    if fields.chunked and request.minor == 0:
        raise ProtocolError(Reason.BAD_TRANSFER_ENCODING)
    if request.has_body and (request.method in _BODYLESS_METHODS or fields.websocket is not None):
        raise ProtocolError(Reason.BODY_NOT_ALLOWED)
    if fields.websocket is not None and (request.method != "GET" or request.minor == 0):
        raise ProtocolError(Reason.BAD_UPGRADE)


def _judge_complete(head: bytes, limits: HeadLimits) -> None:
    """Refuse a complete head for the first fault of its shape in the order of the bytes; pass when there is none."""
    if len(head) > limits.head_bytes:
        judge_partial(head, limits)
    _judge_lines(head[:-2], limits, 0)


def _judge_lines(buffer: bytes, limits: HeadLimits, judged: int) -> int:
    """Judge what stands in `buffer` from `judged` on, line by line; return where the last, incomplete line begins."""
    first = 2 if buffer.startswith(b"\r\n") else 0
    at = max(judged, first)
    number = buffer.count(b"\r\n", first, at)
    while (end := buffer.find(b"\r\n", at)) >= 0:
        _judge_line(buffer[at:end], number, limits, complete=True)
        number += 1
        at = end + 2
    tail = buffer[at:].removesuffix(b"\r")
    if tail:
        _judge_line(tail, number, limits, complete=False)
    return at


def _judge_line(line: bytes, number: int, limits: HeadLimits, *, complete: bool) -> None:
    """Judge one line (0 is the request line), or the beginning of one.

    Number, then bytes, then length, then form: a fault that shows earlier in the bytes is reported first, however
    the line arrives.
    """
    if number > limits.headers:
        raise ProtocolError(Reason.TOO_MANY_HEADERS, 431)
    if _NOT_TEXT.search(line, 0, limits.line_bytes) is not None:
        raise ProtocolError(Reason.BAD_REQUEST_LINE if number == 0 else Reason.BAD_HEADER)
    if len(line) > limits.line_bytes:
        raise ProtocolError(Reason.LINE_TOO_LONG, 414 if number == 0 else 431)
    if not complete:
        return
    if number == 0:
        _judge_request_line(line)
    elif _FIELD_LINE.fullmatch(line) is None:
        raise ProtocolError(Reason.BAD_HEADER)


def _judge_request_line(line: bytes) -> None:
    """Judge a complete request line (RFC 9112 section 3), with single spaces and nothing left out."""
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if _METHOD.fullmatch(method) is None or b"\t" in line:
        raise ProtocolError(Reason.BAD_REQUEST_LINE)
    if _VERSION.fullmatch(version) is None:
        raise ProtocolError(Reason.BAD_VERSION)
    if not target or b" " in target:
        raise ProtocolError(Reason.BAD_REQUEST_LINE)
    if method != b"CONNECT":
        parse_target(target)
