"""What must hold of any bytes, one function for each kind of input; what raises anything is a finding.

Bytes in, nothing out. An expected refusal is the one typed error of its room, and is caught here; every other exception,
and every AssertionError, is what a fuzzer looks for. The outcome must be the same however the bytes are cut.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from nbgate.crypto.sealing import Keyring
from nbgate.errors import FrameError, NbgateError, ProtocolError, UpstreamProtocolError
from nbgate.http.cookies import Lookup, find_one, parse_cookies
from nbgate.http.framing import LAST_CHUNK, ChunkedBody, encode_chunk
from nbgate.http.head import HeadLimits, HeadParser
from nbgate.http.proxy_protocol import MAX_V2_BYTES, ProxyHeader
from nbgate.http.target import parse_target
from nbgate.model.keys import SealingKey
from nbgate.model.route import Route, Upstream
from nbgate.rewrite.cookies import PURPOSE, client_set_cookies, upstream_cookie
from nbgate.rewrite.request import strip_token
from nbgate.routing.table import upstream_target
from nbgate.rules.tables import shipped_tables
from nbgate.testing.replay import replay, replay_answer
from nbgate.websocket.close_codes import may_be_sent
from nbgate.websocket.frames import Control, FrameLimits, FrameTracker, parse_close

Judge = Callable[[bytes], None]

TABLES = shipped_tables()
LIMITS = HeadLimits(head_bytes=600, line_bytes=120, headers=8)
ROUTE = Route(name="lab", prefix="/lab/", base_url="/base/", upstream=Upstream(host="127.0.0.1", port=8888))
ROOT = Route(name="main", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888))
KEYRING = Keyring((SealingKey(id=0, secret=bytes(32)),), purpose=PURPOSE)
CLEAN_LINES = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*")
STRICT_CHUNKS = re.compile(rb"([0-9A-Fa-f]{1,12})\r\n")


def pieces(data: bytes) -> Iterator[list[bytes]]:
    """Yield `data` whole, byte by byte, and cut by its own first byte."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    size = 2 + (data[0] if data else 0) % 17
    yield [data[at : at + size] for at in range(0, len(data), size)]


def judge_request(data: bytes) -> None:
    """A connection's bytes are requests, then perhaps one fault; nothing of it depends on packets."""
    whole = replay(data, LIMITS, TABLES)
    assert whole == replay(data, LIMITS, TABLES, step=1)
    assert whole == replay(data, LIMITS, TABLES, step=7)
    for request in whole.requests:
        fields = request.head.fields
        assert CLEAN_LINES.fullmatch(fields.forward + fields.conditional)
        assert request.head.method in TABLES.methods
        assert fields.content_length is None or len(request.body) == fields.content_length
        assert not (fields.chunked and fields.content_length is not None)


def judge_head(data: bytes) -> None:
    """A complete head is a value or a ProtocolError, and the second time the same."""
    parser = HeadParser(HeadLimits(), TABLES)
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(parser.parse(data))
        except ProtocolError as error:
            outcomes.append(error.status)
    assert outcomes[0] == outcomes[1]
    assert not isinstance(outcomes[0], int) or outcomes[0] in {400, 405, 414, 417, 426, 431}


def judge_body(data: bytes) -> None:
    """A chunked body is the same however it is cut; a strict one is what a reader of four lines takes it for."""
    for strict in (True, False):
        outcomes = [_drained(parts, strict=strict) for parts in pieces(data)]
        assert outcomes[0] == outcomes[1] == outcomes[2]
    strictly = _drained([data], strict=True)
    assert _reference(data) == strictly
    if isinstance(strictly[0], bytes) and strictly[2]:
        framed = encode_chunk(strictly[0]) + LAST_CHUNK
        assert (strictly[0], b"", True) == _drained([framed], strict=True)
        assert strictly[:3] == _drained([data], strict=False)[:3]  # what is good strictly is good


def _drained(parts: list[bytes], *, strict: bool) -> tuple[object, ...]:
    body, expected = ChunkedBody(strict=strict), ProtocolError if strict else UpstreamProtocolError
    payload = rest = b""
    try:
        for part in parts:
            if body.finished:
                rest += part
                continue
            piece, rest, _ = body.feed(part)
            payload += piece
    except NbgateError as error:
        assert isinstance(error, expected)  # noqa: PT017 - whose fault it is depends on whose body it is
        return (None,)
    return payload, rest, body.finished


def _reference(data: bytes) -> tuple[object, ...]:
    """Read strict chunks the plain way: whole, with nothing kept between calls."""
    payload, at = b"", 0
    while True:
        line = STRICT_CHUNKS.match(data, at)
        if line is None:
            partial = re.fullmatch(rb"(?:[0-9A-Fa-f]{1,12}\r?)?", data[at:])
            return (payload, b"", False) if partial else (None,)
        size, at = int(line[1], 16), line.end()
        if size == 0:
            end = data[at : at + 2]
            if end == b"\r\n":
                return payload, data[at + 2 :], True
            return (payload, b"", False) if b"\r\n".startswith(end) else (None,)
        payload += data[at : at + size]
        at += size
        end = data[at : at + 2]
        if end != b"\r\n":
            return (payload, b"", False) if b"\r\n".startswith(end) else (None,)
        at += 2


def judge_answer(data: bytes) -> None:
    """An upstream's bytes are one answer or one fault; no line of it could split a header at the client."""
    for method in ("GET", "HEAD"):
        whole = replay_answer(data, method=method, head_bytes=600)
        assert whole == replay_answer(data, method=method, head_bytes=600, step=1)
        assert whole == replay_answer(data, method=method, head_bytes=600, step=7)
        if whole.head is None:
            continue
        assert CLEAN_LINES.fullmatch(b"".join(line for _, line, _ in whole.head.lines) + whole.date)
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", whole.head.phrase)
        assert method != "HEAD" or whole.payload == b""


def judge_frames(data: bytes) -> None:
    """What is handed out of a direction's bytes are those bytes, to the first fault, however they are cut."""
    first, data = data[:1] or b"\0", data[1:]
    from_client, extensions = bool(first[0] & 1), bool(first[0] & 2)
    limits = FrameLimits(message_bytes=300, fragments=4) if first[0] & 4 else FrameLimits()
    outcomes = []
    for parts in pieces(data):
        tracker = FrameTracker(from_client=from_client, limits=limits, extensions=extensions)
        raw, controls, fault = b"", [], None
        for part in parts:
            try:
                found = tracker.feed(part)
            except FrameError as error:
                found, fault = tracker.salvaged, (error.reason, error.close_code)
            raw += b"".join(piece.raw for piece in found)
            controls += [(piece.opcode, piece.payload) for piece in found if isinstance(piece, Control)]
            if fault:
                break
        outcomes.append((raw, controls, fault, tracker.closed, tracker.frames, tracker.payload_bytes))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert data.startswith(outcomes[0][0])
    try:
        code = parse_close(data)
    except FrameError as error:
        code = error.close_code
    assert code is None or code in {1002, 1007} or may_be_sent(code)


def judge_cookies(data: bytes) -> None:
    """A Cookie header gives pairs; what goes up, and what comes down of any Set-Cookie, is lines of clean text."""
    text = data.decode("latin-1")
    pairs = parse_cookies(text)
    for name, value in pairs:
        same = [given for key, given in pairs if key == name]
        assert find_one(pairs, name) == (value if len(same) == 1 else Lookup.REPEATED)
    up = upstream_cookie(text, route=ROUTE, user="ada", keyring=KEYRING)
    assert up is None or (up.isascii() and up.isprintable())
    assert not any("nbgate" in name.lower() for name, _ in parse_cookies(up or ""))
    down = client_set_cookies(
        [text, *text.split("\n")], route=ROUTE, user="ada", keyring=KEYRING, nonce=lambda: bytes(12)
    )
    assert CLEAN_LINES.fullmatch(down)
    for line in down.splitlines():
        assert b"; Path=/lab/" in line
        assert b"; domain" not in line.lower()
        assert line.endswith(b"; Secure; SameSite=Lax")
        assert b"nbgate" not in line.lower().partition(b"=")[0]


def judge_target(data: bytes) -> None:
    """A target has clear segments or is refused; what goes upstream of it has the same, and no token."""
    try:
        target = parse_target(data)
    except ProtocolError:
        return
    assert "/" + "/".join(target.segments) == target.path
    assert {".", ".."}.isdisjoint(target.segments)
    assert "" not in target.segments[:-1]
    assert not re.search(r"[\x00-\x1f\x7f\\]", target.path)
    assert upstream_target(ROOT, target) == data
    if target.segments[0] == "lab" and len(target.segments) > 1:
        inner = parse_target(upstream_target(ROUTE, target))
        assert ("base", *target.segments[1:]) == inner.segments
        assert target.query == inner.query
    stripped = strip_token(data, logged_in=True)
    again = parse_target(stripped)
    assert (target.raw_path, target.segments) == (again.raw_path, again.segments)
    assert strip_token(stripped, logged_in=True) == stripped
    assert not re.search(r"(?:^|&)(?:access_)?token=", again.query)


def judge_proxy(data: bytes) -> None:
    """A PROXY header names an address, or nobody, or is refused; within its bound, and however it is cut."""
    outcomes = []
    for parts in pieces(data):
        reader, found, fault = ProxyHeader(), None, None
        for part in parts:
            try:
                found = reader.feed(part)
            except ProtocolError as error:
                fault = error.reason
            if found or fault:
                break
        outcomes.append((found, fault))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    found, _ = outcomes[0]
    if found is not None:
        assert 0 < found.length <= min(len(data), MAX_V2_BYTES)
        assert found.address is None or ip_address(found.address)
        assert 0 <= found.port <= 65535


JUDGES: dict[str, Judge] = {
    "answer": judge_answer,
    "body": judge_body,
    "cookies": judge_cookies,
    "frames": judge_frames,
    "head": judge_head,
    "proxy": judge_proxy,
    "request": judge_request,
    "target": judge_target,
}
