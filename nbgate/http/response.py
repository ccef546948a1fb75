"""Read the head of an upstream's answer: status, lines that may go on, and how its body is framed.

Refuses what would leave doubt about where the body ends, and every byte that could split a header at the client
(D29). It strips nothing but hop-by-hop and framing lines: hygiene is the rewrite's.
"""

import re
from enum import Enum

import httptools
from msgspec import Struct

from nbgate.errors import UpstreamProtocolError
from nbgate.http.framing import Body, ChunkedBody, EofBody, LengthBody, NoBody
from nbgate.http.headers import HOP_BY_HOP, split_list
from nbgate.reasons import Reason

_MAX_LINES = 256
_HEAD = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*+))?\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n)*+)\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,15}")
_DATE_BEGINS = b"\r\nDate: "
_DATE = re.compile(
    rb"Date: [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT\r\n"
)  # RFC 9110 section 5.6.7
_DATE_BYTES = 37
_NOT_FORWARDED = HOP_BY_HOP | {"content-length"}

# Two of these could mean one thing to the gateway and another to the browser.
_SINGLETONS = frozenset(
    {
        "content-length",
        "content-type",
        "location",
        "sec-websocket-accept",
        "sec-websocket-protocol",
        "transfer-encoding",
        "upgrade",
    }
)


Line = tuple[str, bytes, str]  # lower-case name, the line with its CRLF, value as latin-1


class BodyFraming(Enum):
    """How the end of a body is found (RFC 9112 section 6.3)."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    EOF = "eof"


class ResponseHead(Struct, frozen=True, gc=False):
    """A checked response head.

    Attributes:
        phrase: The reason phrase, free of control bytes, as latin-1.
        lines: (lower-case name, the line with its CRLF, value as latin-1) of every header that is neither
            hop-by-hop, nor framing, nor named by Connection; in order and as spelled.
        length: Content-Length as sent; also where no body follows (HEAD, 304).
        keep_alive: Whether the connection may serve another request once the body is read.
        content_type: Lower case.
        upgrade: Upgrade, lower case, when Connection says upgrade.
        set_cookies: The values of Set-Cookie, which also stand in `lines`.
    """

    status: int
    minor: int
    phrase: str
    lines: tuple[Line, ...]
    length: int | None
    framing: BodyFraming
    keep_alive: bool
    content_type: str | None
    upgrade: str | None
    set_cookies: tuple[str, ...] = ()

    @property
    def is_informational(self) -> bool:
        """Say whether another head follows this one (101 is final)."""
        return self.status < 200 and self.status != 101

    def value(self, name: str) -> str | None:
        """Return the value of the forwarded header `name` (lower case), several joined by a comma, or None."""
        values = [value for lower, _, value in self.lines if lower == name]
        return ", ".join(values) if values else None


class KnownHeads:
    """Heads that were read before: an upstream that is polled repeats its whole head, but for the Date.

    Reading is a pure function of the bytes, so equal bytes are read once. Holds at most `MAX_HEADS` of at most
    `MAX_HEAD_BYTES` and starts anew when full. Heads that set cookies are not kept: they are somebody's.
    """

    MAX_HEADS = 256
    MAX_HEAD_BYTES = 4096

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[tuple[bool, bytes], ResponseHead] = {}

    def read(self, head: bytes, *, method: str) -> tuple[ResponseHead, bytes]:
        """Return what `parse_response_head` says of `head` without its Date, and the Date line with its CRLF, or b"".

        Raises:
            UpstreamProtocolError: As `parse_response_head`.
        """
        date = b""
        at = head.find(_DATE_BEGINS)
        if at >= 0 and _DATE.match(head, at + 2) is not None:
            end = at + 2 + _DATE_BYTES
            date = head[at + 2 : end]
            head = head[: at + 2] + head[end:]
        key = (method == "HEAD", head)
        known = self._heads.get(key)
        if known is None:
            known = parse_response_head(head, method=method)
            if len(head) <= self.MAX_HEAD_BYTES and not known.set_cookies:
                if len(self._heads) >= self.MAX_HEADS:
                    self._heads.clear()
                self._heads[key] = known
        return known, date


def parse_response_head(head: bytes, *, method: str) -> ResponseHead:
    """Read a complete response head.

    Args:
        head: From the status line to the empty line, inclusive.
        method: Of the request it answers; an answer to HEAD has no body.

    Raises:
        UpstreamProtocolError: UPSTREAM_BAD_RESPONSE, when anything about it is unclear.
    """
    match = _HEAD.fullmatch(head)
    if match is None or not _llhttp_agrees(head):
        raise _bad()
    minor, status = (1 if match[1] == b"1" else 0), int(match[2])
    values: dict[str, str] = {}
    lines: list[Line] = []
    for line in match[4].splitlines(keepends=True):
        entry = _read_line(line)
        name, _, value = entry
        if name not in values:
            values[name] = value
        elif name in _SINGLETONS:
            raise _bad()
        else:
            values[name] += ", " + value
        if name not in _NOT_FORWARDED:
            lines.append(entry)
    if len(lines) > _MAX_LINES:
        raise _bad()
    get = values.get
    options = split_list(values["connection"].lower()) if "connection" in values else []
    if options:
        lines = [line for line in lines if line[0] not in options]
    length, framing = _read_framing(get("content-length"), get("transfer-encoding"), status, minor, method)
    persistent = "close" not in options and (minor == 1 or "keep-alive" in options)
    content_type = get("content-type")
    return ResponseHead(
        status,
        minor,
        (match[3] or b"").decode("latin-1"),
        tuple(lines),
        length,
        framing,
        persistent and framing is not BodyFraming.EOF and status != 101,
        None if content_type is None else content_type.lower(),
        values.get("upgrade", "").lower() or None if "upgrade" in options else None,
        tuple(value for name, _, value in lines if name == "set-cookie") if "set-cookie" in values else (),
    )


def _read_line(line: bytes) -> Line:
    name, _, value = line.partition(b":")
    return name.decode("ascii").lower(), line, value.strip(b" \t\r\n").decode("latin-1")


def _bad() -> UpstreamProtocolError:
    return UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)


def _llhttp_agrees(head: bytes) -> bool:
    """Say whether llhttp takes the head too: what two readers disagree on is how responses are split."""
    try:
        httptools.HttpResponseParser(None).feed_data(head)
    except httptools.HttpParserUpgrade:
        return True  # it stops after the head of a 101
    except httptools.HttpParserError:
        return False
    return True


def _read_framing(
    length: str | None, coding: str | None, status: int, minor: int, method: str
) -> tuple[int | None, BodyFraming]:
    """Return the announced length and where the body ends (RFC 9112 section 6.3)."""
    if coding is not None and (coding.lower() != "chunked" or length is not None or minor == 0):
        raise _bad()
    if length is not None and _LENGTH.fullmatch(length) is None:
        raise _bad()
    announced = None if length is None else int(length)
    if status < 200 or status == 204:
        if announced or coding is not None:
            raise _bad()
        return None, BodyFraming.NONE
    if method == "HEAD" or status == 304:
        return announced, BodyFraming.NONE
    if coding is not None:
        return None, BodyFraming.CHUNKED
    if announced is not None:
        return announced, BodyFraming.LENGTH
    return None, BodyFraming.EOF


def body_of(head: ResponseHead) -> Body:
    """Return what reads the body behind `head`."""
    match head.framing:
        case BodyFraming.NONE:
            return NoBody()
        case BodyFraming.LENGTH:
            return LengthBody(head.length or 0)
        case BodyFraming.CHUNKED:
            return ChunkedBody(strict=False)
        case BodyFraming.EOF:
            return EofBody()
