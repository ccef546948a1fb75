"""Any bytes give a value or one typed error, and the same one however they are cut (STYLE: fuzz invariants)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nbgate.errors import ProtocolError, UpstreamProtocolError
from nbgate.http.cookies import Lookup, find_one, parse_cookies
from nbgate.http.framing import LAST_CHUNK, ChunkedBody, encode_chunk
from nbgate.http.head import HeadLimits, HeadParser
from nbgate.http.response import parse_response_head
from nbgate.http.target import parse_target
from nbgate.rules.tables import shipped_tables
from nbgate.testing.replay import Replayer, replay

TABLES = shipped_tables()
LIMITS = HeadLimits(head_bytes=300, line_bytes=60, headers=6)

PARTS = st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\x00",
        b"\x7f",
        b"\xff",
        b";",
        b",",
        b"GET",
        b"POST",
        b"CONNECT",
        b" /x",
        b" /a%2Fb",
        b" /..",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"HTTP/1.1 200 OK",
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\n",
        b"Host: gw.test\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        b"Expect: 100-continue\r\n",
        b"X-A: b\r\n",
        b"X_A: b\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"a" * 70,
        b"A: " + b"a" * 57,
    ]
)
ROUGH = st.lists(PARTS | st.binary(max_size=3), max_size=14).map(b"".join)
REQUESTS = st.builds(
    lambda line, lines, body: line + b"Host: gw.test\r\n" + b"".join(lines) + b"\r\n" + body,
    st.sampled_from([b"GET /x HTTP/1.1\r\n", b"POST /x?y HTTP/1.1\r\n", b"\r\nPUT /%61 HTTP/1.0\r\n"]),
    st.lists(PARTS, max_size=4),
    ROUGH,
)
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def pieces(data, cuts):
    at, turn = 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def replay_cut(data, cuts):
    replayer = Replayer(LIMITS, TABLES)
    try:
        for piece in pieces(data, cuts):
            replayer.feed(piece)
    except ProtocolError as error:
        return tuple(replayer.requests), (error.status, error.reason)
    return tuple(replayer.requests), None


@settings(max_examples=400, deadline=None)
@given(data=ROUGH | REQUESTS | st.binary(max_size=200), cuts=CUTS)
def test_a_connection_s_bytes_come_to_the_same_however_they_are_cut(data, cuts):
    whole = replay(data, LIMITS, TABLES)
    single = replay(data, LIMITS, TABLES, step=1)
    assert whole == single
    assert (whole.requests, whole.fault) == replay_cut(data, cuts)


@settings(max_examples=200, deadline=None)
@given(data=ROUGH | st.binary(max_size=200))
def test_any_bytes_as_a_head_give_a_head_or_a_protocol_error(data):
    parser = HeadParser(LIMITS, TABLES)
    for _ in range(2):
        try:
            head = parser.parse(data)
        except ProtocolError:
            continue
        assert head.target.path.startswith("/")
        assert head.fields.forward.isascii()
        assert b"\r\n" == (head.fields.forward or b"\r\n")[-2:]


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=60)
    | st.lists(st.sampled_from([b"/", b".", b"%2f", b"%2e", b"a", b"%", b"\\", b"?", b"%c3%a9"]), max_size=12).map(
        lambda parts: b"/" + b"".join(parts)
    )
)
def test_any_bytes_as_a_target_give_clear_segments_or_a_protocol_error(data):
    try:
        target = parse_target(data)
    except ProtocolError:
        return
    assert "/" + "/".join(target.segments) == target.path
    assert {".", ".."}.isdisjoint(target.segments)
    assert "" not in target.segments[:-1]
    assert not any(character < " " or character in "\x7f\\" for character in target.path)


@settings(max_examples=300, deadline=None)
@given(
    data=ROUGH
    | st.builds(
        lambda status, lines: b"HTTP/1.1 " + status + b"\r\n" + b"".join(lines) + b"\r\n",
        st.sampled_from([b"200 OK", b"204", b"304 ", b"101 S", b"100 C"]),
        st.lists(PARTS, max_size=4),
    ),
    method=st.sampled_from(["GET", "HEAD"]),
)
def test_any_bytes_as_an_answer_give_a_head_or_an_upstream_protocol_error(data, method):
    try:
        head = parse_response_head(data, method=method)
    except UpstreamProtocolError:
        return
    for _, line, value in head.lines:
        assert line.endswith(b"\r\n")
        assert not set(line[:-2]) & {0, 10, 13}
        assert value == value.strip(" \t")


def drain(body, parts):
    payload, rest = b"", b""
    for part in parts:
        if body.finished:
            rest += part
            continue
        piece, rest, _ = body.feed(part)
        payload += piece
    return payload, rest, body.finished


CHUNKY = st.lists(
    st.sampled_from(
        [b"0\r\n\r\n", b"3\r\nabc\r\n", b"1;x=y\r\na\r\n", b"0\r\nT: 1\r\n\r\n", b"\r\n", b"\n", b"a", b"5\r\n", b";"]
    )
    | st.binary(max_size=4),
    max_size=10,
).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(data=CHUNKY, cuts=CUTS, strict=st.booleans())
def test_a_chunked_body_comes_to_the_same_however_it_is_cut(data, cuts, strict):
    expected = ProtocolError if strict else UpstreamProtocolError
    outcomes = []
    for parts in ([data], pieces(data, cuts), pieces(data, [1])):
        try:
            outcomes.append(drain(ChunkedBody(strict=strict), parts))
        except expected as error:
            outcomes.append((error.reason, error.status))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(payloads=st.lists(st.binary(max_size=50), max_size=6), cuts=CUTS)
def test_what_is_framed_as_chunks_is_read_back(payloads, cuts):
    data = b"".join(map(encode_chunk, payloads)) + LAST_CHUNK
    assert (b"".join(payloads), b"", True) == drain(ChunkedBody(strict=True), pieces(data, cuts))


@given(header=st.text(max_size=40), name=st.sampled_from(["a", "", "b"]))
def test_any_cookie_header_gives_pairs_and_one_value_or_none(header, name):
    pairs = parse_cookies(header)
    found = find_one(pairs, name)
    values = [value for given_name, value in pairs if given_name == name]
    assert ([found] == values) is (len(values) == 1)
    assert isinstance(found, Lookup) is (len(values) != 1)
