"""Request heads: shape in the order of the bytes, meaning when complete, and the memory of the last block."""

import pytest

from nbgate.errors import ProtocolError
from nbgate.http.head import HeadLimits, HeadParser, WebsocketOffer, find_head_end, judge_partial
from nbgate.reasons import Reason
from nbgate.rules.tables import shipped_tables

TABLES = shipped_tables()
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"


def parse(head, limits=None):
    return HeadParser(limits or HeadLimits(), TABLES).parse(head)


def request(*lines, line=b"GET /x HTTP/1.1", host=True):
    return b"\r\n".join((line, *([b"Host: gw.test"] if host else []), *lines, b"", b""))


def fault(head, limits=None):
    with pytest.raises(ProtocolError) as caught:
        parse(head, limits)
    return caught.value.reason, caught.value.status


def first_partial_fault(head, limits):
    for size in range(len(head)):
        try:
            judge_partial(head[:size], limits)
        except ProtocolError as error:
            return error.reason, error.status
    return None


def test_forwarded_lines_keep_their_order_and_spelling():
    head = request(
        b"aCCept: */*",
        b"Cookie: a=b",
        b"X-Forwarded-For: 1.2.3.4",
        b"X-Two:  2 \t",
        b"Accept: text/html",
        b"Referer: https://gw.test/lab",
        b"TE: trailers",
        b"Range: bytes=0-1",
        b'If-None-Match: "e"',
        b"x-empty:",
        b"Accept-Encoding: gzip",
    )
    fields = parse(head).fields
    assert b"aCCept: */*\r\nX-Two: 2\r\nAccept: text/html\r\nx-empty: \r\n" == fields.forward
    assert b'Range: bytes=0-1\r\nIf-None-Match: "e"\r\n' == fields.conditional
    assert ("a=b", "https://gw.test/lab", "gzip", "*/*, text/html") == (
        fields.cookie,
        fields.referer,
        fields.accept_encoding,
        fields.accept,
    )


def test_what_connection_names_is_not_forwarded_and_takes_nothing_else_away():
    """CVE-2024-45410: naming a header must not remove what the gateway reads."""
    head = request(b"X-A: 1", b"X-B: 2", b"Cookie: a=b", b"Connection: close, x-a, Cookie, Host")
    fields = parse(head).fields
    assert (b"X-B: 2\r\n", "a=b", "gw.test") == (fields.forward, fields.cookie, fields.host)


def test_what_connection_names_of_the_conditions_is_not_forwarded_either():
    fields = parse(request(b'If-None-Match: "a"', b"Range: bytes=0-1", b"Connection: range")).fields
    assert b'If-None-Match: "a"\r\n' == fields.conditional


@pytest.mark.parametrize(
    ("extra", "forwarded_for", "preflight", "service_worker"),
    [
        ((), None, False, False),
        ((b"X-Forwarded-For: 1.2.3.4", b"x-forwarded-for: 5.6.7.8"), "1.2.3.4, 5.6.7.8", False, False),
        ((b"X-Forwarded-For:",), "", False, False),
        ((b"Access-Control-Request-Method: PUT",), None, True, False),
        ((b"Access-Control-Request-Headers: x-a",), None, False, False),
        ((b"Service-Worker: script",), None, False, True),
        ((b"service-worker: anything",), None, False, True),
        ((b"Sec-Fetch-Dest: ServiceWorker",), None, False, True),
        ((b"Sec-Fetch-Dest: worker",), None, False, False),
    ],
)
def test_what_hops_preflights_and_service_workers_say_is_read(extra, forwarded_for, preflight, service_worker):
    fields = parse(request(*extra)).fields
    assert (forwarded_for, preflight, service_worker) == (fields.forwarded_for, fields.preflight, fields.service_worker)
    assert b"forwarded" not in fields.forward.lower()


def test_fetch_metadata_and_content_type_are_lower_case():
    head = request(
        b"Sec-Fetch-Site: Same-Origin",
        b"Sec-Fetch-Mode: NAVIGATE",
        b"Sec-Fetch-Dest: Document",
        b"Content-Type: Text/HTML",
        b"User-Agent: Me",
    )
    fields = parse(head).fields
    assert ("same-origin", "navigate", "document", "text/html", "Me") == (
        fields.fetch_site,
        fields.fetch_mode,
        fields.fetch_dest,
        fields.content_type,
        fields.user_agent,
    )


def test_every_origin_is_kept_for_the_guard():
    assert ("https://a", "null") == parse(request(b"Origin: https://a", b"origin: null")).fields.origins


def test_absent_headers_are_none():
    fields = parse(request()).fields
    assert (None, None, None, None, None, (), b"") == (
        fields.content_length,
        fields.cookie,
        fields.accept,
        fields.websocket,
        fields.content_type,
        fields.origins,
        fields.forward,
    )


@pytest.mark.parametrize(
    ("line", "extra", "keep"),
    [
        (b"GET /x HTTP/1.1", (), True),
        (b"GET /x HTTP/1.1", (b"Connection: Close",), False),
        (b"GET /x HTTP/1.1", (b"Connection: keep-alive",), True),
        (b"GET /x HTTP/1.1", (b"Connection: keep-alive", b"Connection: close"), False),
        (b"GET /x HTTP/1.0", (), False),
        (b"GET /x HTTP/1.0", (b"Connection: keep-alive",), True),
        (b"GET /x HTTP/1.0", (b"Connection: keep-alive, close",), False),
    ],
)
def test_a_connection_is_kept_as_the_client_says(line, extra, keep):
    assert keep is parse(request(*extra, line=line)).keep_alive


@pytest.mark.parametrize(
    ("extra", "minor", "has_body", "wants_continue"),
    [
        ((), b"1", False, False),
        ((b"Content-Length: 0",), b"1", False, False),
        ((b"Content-Length: 5",), b"1", True, False),
        ((b"Transfer-Encoding: chunked",), b"1", True, False),
        ((b"Content-Length: 5", b"Expect: 100-continue"), b"1", True, True),
        ((b"Content-Length: 5", b"Expect: 100-continue"), b"0", True, False),
        ((b"Expect: 100-continue",), b"1", False, False),
    ],
)
def test_a_body_is_announced_by_its_framing(extra, minor, has_body, wants_continue):
    head = parse(request(*extra, line=b"POST /x HTTP/1." + minor))
    assert (has_body, wants_continue) == (head.has_body, head.wants_continue)


def test_a_websocket_offer_is_read_whole():
    head = request(
        b"Upgrade: foo, WebSocket",
        b"Connection: keep-alive, Upgrade",
        KEY[:-2],
        b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org, under_score",
        b"Sec-WebSocket-Protocol: c",
        b"Sec-WebSocket-Extensions: permessage-deflate",
    )
    fields = parse(head).fields
    offer = WebsocketOffer(
        "dGhlIHNhbXBsZSBub25jZQ==",
        ("v1.kernel.websocket.jupyter.org", "under_score", "c"),
        "permessage-deflate",
        "13",
    )
    assert (offer, b"") == (fields.websocket, fields.forward)


@pytest.mark.parametrize("extra", [(b"Upgrade: h2c", b"Connection: Upgrade"), (b"Upgrade: websocket",)])
def test_any_other_upgrade_is_dropped(extra):
    fields = parse(request(*extra)).fields
    assert (None, b"") == (fields.websocket, fields.forward)


def test_the_same_block_is_judged_once_and_another_one_again():
    parser = HeadParser(HeadLimits(), TABLES)
    first = parser.parse(request(b"X-A: 1"))
    same = parser.parse(request(b"X-A: 1", line=b"GET /y HTTP/1.0"))
    other = parser.parse(request(b"X-A: 2"))
    assert first.fields is same.fields
    assert ("/y", 0, b"X-A: 2\r\n") == (same.target.path, same.minor, other.fields.forward)


def test_a_remembered_block_does_not_excuse_the_request_line():
    parser = HeadParser(HeadLimits(), TABLES)
    parser.parse(request(b"Content-Length: 2", line=b"POST /x HTTP/1.1"))
    for line, reason, status in (
        (b"GET /x HTTP/1.1", Reason.BODY_NOT_ALLOWED, 400),
        (b"TRACE /x HTTP/1.1", Reason.METHOD_NOT_ALLOWED, 405),
        (b"POST x HTTP/1.1", Reason.BAD_TARGET, 400),
        (b"POST /x HTTP/2.0", Reason.BAD_VERSION, 400),
    ):
        with pytest.raises(ProtocolError) as caught:
            parser.parse(request(b"Content-Length: 2", line=line))
        assert (reason, status) == (caught.value.reason, caught.value.status)


def test_a_block_refused_once_is_refused_again():
    parser = HeadParser(HeadLimits(), TABLES)
    for _ in range(2):
        with pytest.raises(ProtocolError):
            parser.parse(request(b"Content-Length: x"))


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        (name, b"a", b"b")
        for name in (
            b"Authorization",
            b"Content-Type",
            b"Cookie",
            b"Range",
            b"Referer",
            b"Sec-Fetch-Site",
            b"Service-Worker",
            b"Upgrade",
            b"User-Agent",
        )
    ],
)
def test_a_singleton_may_not_repeat(name, first, second):
    head = request(name + b": " + first, name.lower() + b": " + second)
    assert (Reason.DUPLICATE_HEADER, 400) == fault(head)


def test_the_first_fault_in_the_bytes_is_reported():
    long = b"X: " + b"a" * 9000
    assert (Reason.BAD_HEADER, 400) == fault(request(b"X-A : b", long))
    assert (Reason.LINE_TOO_LONG, 431) == fault(request(long, b"X-A : b"))
    assert (Reason.BAD_TARGET, 400) == fault(request(b"X-A : b", line=b"GET x HTTP/1.1"))


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ((b"A: 1", b"B: 2"), None),
        ((b"A: 1", b"B: 2", b"C: 3"), (Reason.TOO_MANY_HEADERS, 431)),
        ((b"A: " + b"1" * 37,), None),
        ((b"A: " + b"1" * 38,), (Reason.LINE_TOO_LONG, 431)),
        ((b"A: " + b"1" * 37, b"B: " + b"1" * 37), (Reason.HEAD_TOO_LARGE, 431)),
        ((b"A: " + b"1" * 37, b"B: " + b"1" * 20 + b"\x00"), (Reason.BAD_HEADER, 400)),
        ((b"A: " + b"1" * 37, b"B: " + b"1" * 36 + b"\x00"), (Reason.HEAD_TOO_LARGE, 431)),
    ],
)
def test_limits_hold_to_the_byte(lines, outcome):
    limits = HeadLimits(head_bytes=112, line_bytes=40, headers=3)
    head = request(*lines)
    if outcome is None:
        assert b"gw.test" == parse(head, limits).fields.host.encode()
        return
    assert outcome == fault(head, limits)
    assert outcome == first_partial_fault(head, limits)


def test_a_partial_head_is_judged_from_where_the_last_call_ended():
    buffer = bytearray(b"\r\nGET /x HTTP/1.1\r\nHost: gw.test\r\nX-A")
    judged = judge_partial(buffer, HeadLimits())
    assert buffer.index(b"X-A") == judged
    buffer += b": \x00"
    with pytest.raises(ProtocolError) as caught:
        judge_partial(buffer, HeadLimits(), judged)
    assert Reason.BAD_HEADER == caught.value.reason


@pytest.mark.parametrize(
    "partial", [b"", b"\r", b"\r\n", b"\r\n\r", b"GET", b"GET /x HTTP/1.1\r", b"GET /x HTTP/1.1\r\n\r"]
)
def test_a_good_beginning_is_waited_for(partial):
    assert judge_partial(partial, HeadLimits()) <= len(partial)


@pytest.mark.parametrize(
    ("buffer", "start", "end"),
    [
        (b"", 0, -1),
        (b"a\r\n\r\nb", 0, 5),
        (b"a\r\n\r\nb", 4, 5),
        (bytearray(b"a\r\n\r\n"), 3, 5),
        (b"a\r\n\r", 0, -1),
    ],
)
def test_the_end_of_a_head_is_found_across_pieces(buffer, start, end):
    assert end == find_head_end(buffer, start)


def test_an_empty_request_line_is_refused():
    assert (Reason.BAD_REQUEST_LINE, 400) == fault(b"\r\n\r\n")


def test_a_block_that_llhttp_reads_otherwise_is_refused():
    """Two readers must agree, even where our own check finds nothing: llhttp takes the tab for part of the coding."""
    assert (Reason.BAD_HEADER, 400) == fault(request(b"Transfer-Encoding: chunked\t", line=b"POST /x HTTP/1.1"))
