"""Make requests whose framing is wrong, or unusual, in two places at once; the same number always makes the same one.

A request is drafted in its parts (request line, header lines, body, chunks, every line end); a change spoils one part.
Two changes are drawn for each number, because what one reader repairs and another believes shows in pairs. Only bytes
are made here: nothing is sent, and nothing is judged.

Each request carries its number in its target, in `X-Mark`, in the request that its body looks like (`/smug/NUMBER`) and
in the one behind it (`/end/NUMBER`), so that every request an upstream sees says where it came from.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

HOST = b"gw.test"
CRLF = b"\r\n"


@dataclass(slots=True)
class Line:
    """One header line: `name`, what stands between, `value`, line end."""

    name: bytes
    value: bytes
    between: bytes = b": "
    end: bytes = CRLF

    def render(self) -> bytes:
        """Return its bytes."""
        return self.name + self.between + self.value + self.end


@dataclass(slots=True)
class Chunk:
    """One chunk: size line and its end, data and its end."""

    size: bytes
    data: bytes
    size_end: bytes = CRLF
    data_end: bytes = CRLF

    def render(self) -> bytes:
        """Return its bytes."""
        return self.size + self.size_end + self.data + self.data_end


@dataclass(slots=True)
class Draft:
    """A request in parts; `spare` is a body for one that has none."""

    method: bytes
    target: bytes
    lines: list[Line]
    body: bytes = b""
    chunks: list[Chunk] = field(default_factory=list)
    last: bytes = b""
    before: bytes = b""
    blanks: tuple[bytes, bytes] = (b" ", b" ")
    version: bytes = b"HTTP/1.1"
    line_end: bytes = CRLF
    head_end: bytes = CRLF
    spare: bytes = b""

    def render(self) -> bytes:
        """Return its bytes."""
        first = self.before + self.method + self.blanks[0] + self.target + self.blanks[1] + self.version
        body = self.body + b"".join(chunk.render() for chunk in self.chunks) + self.last
        return first + self.line_end + b"".join(line.render() for line in self.lines) + self.head_end + body

    def line(self, name: bytes) -> Line | None:
        """Return the first header line called `name` as it was drafted."""
        return next((line for line in self.lines if line.name.lower().strip() == name), None)


Change = Callable[[Draft], None]


@dataclass(frozen=True, slots=True)
class Mutation:
    """`data` is the spoilt request, then one that ends the connection."""

    number: int
    name: str
    data: bytes


def plain(place: bytes, number: int, lines: bytes) -> bytes:
    """Return a request for `/PLACE/NUMBER` with nothing wrong about it."""
    return b"GET /%b/%d HTTP/1.1\r\nHost: %b\r\nX-Mark: %d\r\n%b\r\n" % (place, number, HOST, number, lines)


def drafts(number: int, lines: bytes) -> dict[str, Draft]:
    """Return the requests that are spoilt; `lines` is what a session adds to a head (Cookie and Origin)."""
    common = [Line(b"Host", HOST), Line(b"X-Mark", b"%d" % number)]
    common += [Line(*line.split(b": ", 1)) for line in lines.split(CRLF) if line]
    target, body = b"/m/%d/x" % number, plain(b"smug", number, lines)
    half = len(body) // 2
    chunks = [Chunk(b"%x" % len(part), part) for part in (body[:half], body[half:])]
    return {
        "length": Draft(b"POST", target, [*common, Line(b"Content-Length", b"%d" % len(body))], body),
        "chunks": Draft(
            b"POST",
            target,
            [*common, Line(b"Transfer-Encoding", b"chunked")],
            chunks=chunks,
            last=b"0\r\n\r\n",
        ),
        "get": Draft(b"GET", target, common, spare=body),
    }


# what is spoilt, as tables: each row is one change

METHODS = (
    b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PROPFIND", b"M-SEARCH", b"PRI", b"GE",
    b"get", b"Post", b"G\x00T", b"PO ST", b"", b"POST\t", b" POST", b"\xffOST", b"POSTPOSTPOST", b"GET,POST", b"\x16\x03\x01",
)  # fmt: skip
TARGETS = (  # %b: the target as drafted
    b"%b?q=1", b"%b?a=http://b.test/", b"%b?a=/../b", b"%b?%%0d%%0aX:%%20y", b"%b;a=b", b"%b/%%61", b"%b/%%25%%32%%66",
    b"%b/\xc3\xa9", b"%b/%%c3%%a9", b"%b/..", b"%b/../y", b"%b/%%2e%%2e/y", b"%b/.%%2e/y", b"%b/./y", b"%b//y", b"/%b",
    b"%b/%%2fy", b"%b/%%5cy", b"%b/\\y", b"%b#z", b"%b/%%zz", b"%b/%%", b"%b/%%00", b"%b/\x00", b"%b/\x7f", b"%b/\xff",
    b"%b/%%c0%%ae", b"%b/%%u002e", b"%b y", b"%b\ty", b"%b\x0by", b'%b/{}|^`<>"', b"%b?\x80", b"%b?a\\b", b"%b?a b",
    b"%b?a\r\nX-A: b", b"http://gw.test%b", b"http://evil.test%b", b"https://gw.test%b", b"http://a@gw.test%b",
    b"//gw.test%b", b"gw.test:443%b", b"*%b", b"?%b", b"x%b", b"%b/@evil.test", b"%b HTTP/1.1", b"%b/" + b"a" * 8300,
    b"%b/:8080", b"%b?tok=1", b"%b/%%20", b"%b/ ", b"%b?", b"%b??", b"%b/...", b"%b/.x", b"%b/~", b"%b/'(),",
)  # fmt: skip
VERSIONS = (
    b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3", b"http/1.1", b"HTTP/1.1 ", b"HTTP/1", b"HTTP/1.", b"HTTP/1.10",
    b"HTTP/01.1", b"HTTP/1,1", b"", b"HTTQ/1.1", b"HTTP/1.1\t", b"RTSP/1.0", b"HTTP /1.1", b"HTTP/ 1.1", b"HTTP/1.+1",
    b"HTTP/-1.1", b"HTTP/1.1\x00", b"HTTP/11", b"HTTP/1.1x", b"HTTP/\xef\xbc\x91.1",
)  # fmt: skip
BLANKS = (b"  ", b"\t", b"\x0b", b"\x0c", b"\x00", b"\xa0", b"", b" \t", b"\r", b"\n")
ENDS = (
    b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\r", b"\x00\r\n", b"\x0b\r\n", b"\x0c\r\n", b"\x85", b" \r\n", b"\t\r\n", b"\r\n ",
    b"\r\n\t", b"", b"\n\n", b"\r\n\r\n", b"\r\n \r\n", b"\x00\n", b"\xe2\x80\xa8",
)  # fmt: skip
BEFORE = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\r\n\n",
    b" ",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\r\r\n",
    b"0\r\n\r\n",
    b"\t",
    b"\r\n ",
)
BETWEEN = (
    b":",
    b" : ",
    b"\t: ",
    b" :",
    b":\t",
    b":\t ",
    b": \t",
    b":\r\n ",
    b":\r\n\t",
    b" ",
    b"",
    b"::",
    b": :",
    b"\x00:",
    b":\x0b",
    b":\xa0",
)
LENGTHS = (  # %d: the length as drafted
    b"0", b"1", b"+%d", b"-%d", b"0x%x", b"%d, %d", b"%d,%d", b"%d;", b"%d ", b"\t%d", b"0%d", b"000000%d", b"%d.0", b"%d_",
    b"0_%d", b"1e1", b"", b"999999999999999", b"9999999999999999", b"18446744073709551616", b"18446744073709551615", b"-1",
    b"\xb2", b"\xd9\xa3", b"%d %d", b"%d\x0b", b"%d\x00", b"'%d'", b'"%d"', b"%d\xa0", b"chunked", b"%d, 0", b"0, %d", b"%o",
)  # fmt: skip
CODINGS = (
    b"chunked", b"Chunked", b"CHUNKED", b"\tchunked", b"chunked\t", b"xchunked", b"chunkedx", b"chunked, identity", b"identity, chunked",
    b"identity", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked;q=1", b"chunked ;q=1", b'"chunked"', b"'chunked'",
    b"chunked,", b",chunked", b", chunked", b"\x0bchunked", b"\x0cchunked", b"\xa0chunked", b"chunked\x00", b"", b"chunk ed",
    b"trailers, chunked", b"deflate", b"chunked\x0b", b"\xffchunked", b"ch\xc3\xbcnked", b"chun\r\n ked", b"0",
)  # fmt: skip
NAMES = (  # %b: the name as drafted
    b"%b ", b"%b\t", b" %b", b"\t%b", b"%b\x00", b"\x00%b", b"%b\x0b", b"\x0b%b", b"%b\xa0", b"%b:", b"(%b", b"%b)", b'"%b"', b"@%b",
    b"%b\xc3\xa9", b"X-%b", b"%b-X", b"[%b]", b"%b\r", b"\r%b", b"\n%b", b"%b,", b"%b;", b"%b/", b"%b{", b"=%b", b"%b'", b"!%b", b"\x7f%b",
)  # fmt: skip
ADDED = (
    (b"Host", b"gw.test"), (b"Host", b"evil.test"), (b"host", b"gw.test"), (b"Connection", b"close"), (b"Connection", b"keep-alive"),
    (b"Connection", b"Content-Length"), (b"Connection", b"Transfer-Encoding, close"), (b"Connection", b"Host"), (b"Connection", b"X-Mark"),
    (b"Connection", b"upgrade"), (b"Connection", b"close, keep-alive"), (b"Connection", b",,"), (b"Connection", b"a b"), (b"Connection", b""),
    (b"Upgrade", b"h2c"), (b"Upgrade", b"websocket"), (b"HTTP2-Settings", b"AAMAAABkAARAAAAAAAIAAAAA"), (b"Expect", b"100-continue"),
    (b"Expect", b"100-Continue"), (b"Expect", b"foo"), (b"Expect", b""), (b"Expect", b"100-continue, foo"), (b"Trailer", b"X-T"),
    (b"TE", b"trailers"), (b"TE", b"chunked"), (b"Content-Encoding", b"gzip"), (b"Keep-Alive", b"timeout=5"), (b"Proxy-Connection", b"close"),
    (b"Transfer_Encoding", b"chunked"), (b"Content_Length", b"3"), (b"Transfer.Encoding", b"chunked"), (b"Content-Length2", b"3"),
    (b"X-Transfer-Encoding", b"chunked"), (b"Transfer-Encoding-X", b"chunked"), (b"X-A", b""), (b"X-A", b"\tb\t"), (b"X-A", b"b\x00c"),
    (b"X-A", b"b\rc"), (b"X-A", b"b\nc"), (b"X-A", b"b\x7fc"), (b"X-A", b"b\xffc"), (b"X-A", b"b\xc3\xa9"), (b"X-A", b"b\x1bc"), (b"", b"x"),
    (b"X-A", b"b" * 8300), (b"Host:", b"gw.test"), (b"Host", b""), (b"Host", b"gw.test:443"), (b"Host", b"gw.test, evil.test"),
    (b"Content-Type", b"text/plain"), (b"Content-Type", b"a\x01b"), (b"Range", b"bytes=0-1"), (b"Max-Forwards", b"0"), (b"Via", b"1.1 x"),
    (b"Sec-WebSocket-Version", b"777"), (b"Cookie", b"a=b"), (b"Authorization", b"token x"), (b"X-HTTP-Method-Override", b"PUT"),
    (b"X-Original-URL", b"/evil"), (b"X-Rewrite-URL", b"/evil"), (b"Date", b"x"), (b"Referer", b"//x"), (b"If-None-Match", b"*"),
)  # fmt: skip
SIZES = (  # %x: the size as drafted
    b"0x%x", b"+%x", b"-%x", b" %x", b"%x ", b"\t%x", b"%x\t", b"0%x", b"00000000000%x", b"0000000000000000000000%x", b"%x;a=b", b"%x;", b"%x ;a",
    b"%x; a", b'%x;a="b"', b"%x;\n", b"%x;\xff", b"%x;a\x00", b"", b"g", b"%x\n", b"%x\r", b"0", b"ffffffffffffffff", b"7fffffffffffffff",
    b"100000000000000%x", b"%x\x00", b"%x,%x", b"0_%x", b"%d", b"%X", b"%xh", b"\x0b%x", b"%x\xa0", b"1", b"fffffffffff%x", b"%x;" + b"a" * 8300,
)  # fmt: skip
CHUNK_ENDS = (
    b"\n",
    b"\r",
    b"\r\r\n",
    b"\n\r",
    b"",
    b"\r\n\r\n",
    b"X\r\n",
    b"\r\nX",
    b" \r\n",
    b"\x00\r\n",
    b"XX",
    b"\r\x00",
)
LASTS = (
    b"0\r\n", b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"00\r\n\r\n", b"0000000000000\r\n\r\n", b"0;a\r\n\r\n", b"0;\r\n\r\n", b"0 \r\n\r\n", b" 0\r\n\r\n",
    b"-0\r\n\r\n", b"+0\r\n\r\n", b"0x0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nContent-Length: 9\r\n\r\n",
    b"0\r\nHost: evil.test\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\n \r\n\r\n", b"0\r\n\r", b"0\r\nX", b"",
    b"0\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b"0\r\r\n\r\n", b"0\x00\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX : y\r\n\r\n",
)  # fmt: skip
BODIES = (b"", b"%b%b", b"%b\r\n", b"\r\n%b", b"0\r\n\r\n%b", b"5\r\nabcde\r\n0\r\n\r\n", b"%b\x00")


def _fill(pattern: bytes, size: int) -> bytes:
    """Write `size` wherever `pattern` has a place for it."""
    return pattern % ((size,) * sum(pattern.count(place) for place in (b"%d", b"%x", b"%X", b"%o")))


def _method(value: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.method = value

    return change


def _target(pattern: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.target = pattern % draft.target

    return change


def _version(value: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.version = value

    return change


def _blank(value: bytes, place: int) -> Change:
    def change(draft: Draft) -> None:
        draft.blanks = (value, draft.blanks[1]) if place == 0 else (draft.blanks[0], value)

    return change


def _before(value: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.before = value

    return change


def _line_end(value: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.line_end = value

    return change


def _head_end(value: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.head_end = value

    return change


def _all_ends(value: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.line_end = draft.head_end = value
        for line in draft.lines:
            line.end = value

    return change


def _of_framing(step: Callable[[Line], None]) -> Change:
    """Change the line that says how the body is framed; of a request without one, its last line."""

    def change(draft: Draft) -> None:
        step(draft.line(b"content-length") or draft.line(b"transfer-encoding") or draft.lines[-1])

    return change


def _of_host(step: Callable[[Line], None]) -> Change:
    def change(draft: Draft) -> None:
        step(draft.line(b"host") or draft.lines[0])

    return change


def _named(pattern: bytes) -> Callable[[Line], None]:
    def step(line: Line) -> None:
        line.name = pattern % line.name

    return step


def _between(value: bytes) -> Callable[[Line], None]:
    def step(line: Line) -> None:
        line.between = value

    return step


def _ended(value: bytes) -> Callable[[Line], None]:
    def step(line: Line) -> None:
        line.end = value

    return step


def _length(pattern: bytes, *, add: bool) -> Change:
    """Say another length: in place of the framing line, or in a line of its own."""

    def change(draft: Draft) -> None:
        line = draft.line(b"content-length") or draft.line(b"transfer-encoding")
        value = _fill(pattern, len(draft.body or draft.spare))
        if add or line is None:
            draft.lines.append(Line(b"Content-Length", value))
        else:
            line.name, line.value = b"Content-Length", value

    return change


def _coding(value: bytes, *, first: bool | None) -> Change:
    """Say another transfer coding: in place of the framing line (None), or before or after all lines."""

    def change(draft: Draft) -> None:
        line = draft.line(b"content-length") or draft.line(b"transfer-encoding")
        added = Line(b"Transfer-Encoding", value)
        if first is None and line is not None:
            line.name, line.value = added.name, added.value
        else:
            draft.lines.insert(0 if first else len(draft.lines), added)

    return change


def _add(name: bytes, value: bytes, *, first: bool) -> Change:
    def change(draft: Draft) -> None:
        draft.lines.insert(0 if first else len(draft.lines), Line(name, value))

    return change


def _remove(name: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.lines = [line for line in draft.lines if line.name.lower() != name]

    return change


def _size(pattern: bytes, place: int) -> Change:
    def change(draft: Draft) -> None:
        if draft.chunks:
            draft.chunks[place].size = _fill(pattern, len(draft.chunks[place].data))

    return change


def _resize(by: int) -> Change:
    """Announce one byte more or less than there is, in whichever way the body is framed."""

    def change(draft: Draft) -> None:
        if draft.chunks:
            draft.chunks[-1].size = b"%x" % (len(draft.chunks[-1].data) + by)
        elif (line := draft.line(b"content-length")) is not None and line.value.isdigit():
            line.value = b"%d" % max(0, len(draft.body) + by)

    return change


def _chunk_end(value: bytes, *, of_data: bool) -> Change:
    def change(draft: Draft) -> None:
        for chunk in draft.chunks[:1]:
            if of_data:
                chunk.data_end = value
            else:
                chunk.size_end = value

    return change


def _last(value: bytes) -> Change:
    def change(draft: Draft) -> None:
        draft.last = value if draft.chunks else draft.last

    return change


def _body(pattern: bytes) -> Change:
    def change(draft: Draft) -> None:
        if not draft.chunks:
            body = draft.body or draft.spare
            draft.body = pattern % ((body,) * pattern.count(b"%b"))

    return change


Group = dict[str, Change]


def _groups() -> dict[str, Group]:
    """Return every change by name, in groups: what is drawn first is the group, so that long tables do not rule."""
    groups: dict[str, Group] = {}

    def rows(kind: str, table: tuple[bytes, ...], make: Callable[[bytes], Change]) -> None:
        groups[kind] = {f"{kind} {row[:24]!r}": make(row) for row in table}

    rows("method", METHODS, _method)
    rows("target", TARGETS, _target)
    rows("version", VERSIONS, _version)
    rows("blank before target", BLANKS, lambda row: _blank(row, 0))
    rows("blank after target", BLANKS, lambda row: _blank(row, 1))
    rows("before", BEFORE, _before)
    rows("end of request line", ENDS, _line_end)
    rows("end of head", ENDS, _head_end)
    rows("every end", ENDS, _all_ends)
    rows("end of framing line", ENDS, lambda row: _of_framing(_ended(row)))
    rows("name of framing line", NAMES, lambda row: _of_framing(_named(row)))
    rows("colon of framing line", BETWEEN, lambda row: _of_framing(_between(row)))
    rows("end of host", ENDS, lambda row: _of_host(_ended(row)))
    rows("name of host", NAMES, lambda row: _of_host(_named(row)))
    rows("colon of host", BETWEEN, lambda row: _of_host(_between(row)))
    rows("length", LENGTHS, lambda row: _length(row, add=False))
    rows("another length", LENGTHS, lambda row: _length(row, add=True))
    rows("coding", CODINGS, lambda row: _coding(row, first=None))
    rows("another coding first", CODINGS, lambda row: _coding(row, first=True))
    rows("another coding last", CODINGS, lambda row: _coding(row, first=False))
    rows("chunk size", SIZES, lambda row: _size(row, 0))
    rows("last chunk size", SIZES, lambda row: _size(row, -1))
    rows("end of chunk size", CHUNK_ENDS, lambda row: _chunk_end(row, of_data=False))
    rows("end of chunk data", CHUNK_ENDS, lambda row: _chunk_end(row, of_data=True))
    rows("last chunk", LASTS, _last)
    rows("body", BODIES, _body)
    groups["add"] = {f"add {name[:20]!r} {value[:20]!r}": _add(name, value, first=False) for name, value in ADDED}
    groups["add first"] = {
        f"first {name[:20]!r} {value[:20]!r}": _add(name, value, first=True) for name, value in ADDED
    }
    groups["remove"] = {
        f"no {name.decode()}": _remove(name) for name in (b"host", b"content-length", b"transfer-encoding")
    }
    groups["size"] = {f"size {by:+d}": _resize(by) for by in (-3, -2, -1, 1, 2, 3, 64)}
    return groups


GROUPS = _groups()
OF_CHUNKS = (
    "chunk size",
    "last chunk size",
    "end of chunk size",
    "end of chunk data",
    "last chunk",
    "size",
    "add",
    "target",
)
OF_LENGTH = ("length", "another length", "another coding last", "body", "size", "add", "add first", "target", "method")
FAVOURED = {"chunks": OF_CHUNKS, "length": OF_LENGTH, "get": ("method", "target", "add", "add first")}
"""Groups that leave more of a draft alive: drawn half of the time, or nearly all would end at their first line."""


def mutation(number: int, *, seed: int = 0, lines: bytes = b"") -> Mutation:
    """Return mutation `number` of `seed`; one in eight is changed in one place only."""
    draw = random.Random(seed * 1_000_003 + number)  # the same bytes every time are the point
    kind, draft = draw.choice(sorted(drafts(number, lines).items()))
    names = []
    for _ in range(1 if draw.random() < 0.125 else 2):
        group = GROUPS[draw.choice(FAVOURED[kind] if draw.random() < 0.5 else sorted(GROUPS))]
        names.append(draw.choice(sorted(group)))
        group[names[-1]](draft)
    end = plain(b"end", number, lines + b"Connection: close\r\n")
    return Mutation(number, f"{kind}: {' + '.join(names)}", draft.render() + end)


def mutations(count: int, *, seed: int = 0, lines: bytes = b"") -> Iterator[Mutation]:
    """Return `count` mutations."""
    return (mutation(number, seed=seed, lines=lines) for number in range(count))
