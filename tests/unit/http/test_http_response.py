"""Response heads: framing without doubt, nothing that could split a header at the client (THREATS D29)."""

import pytest

from nbgate.errors import UpstreamProtocolError
from nbgate.http.response import BodyFraming, KnownHeads, parse_response_head
from nbgate.reasons import Reason


def answer(*lines, status=b"HTTP/1.1 200 OK"):
    return b"\r\n".join((status, *lines, b"", b""))


def test_lines_keep_their_order_and_spelling_without_hop_by_hop_and_framing():
    head = parse_response_head(
        answer(
            b"SERVER: x",
            b"Connection: keep-alive, X-Hop",
            b"Keep-Alive: timeout=5",
            b"X-Hop: 1",
            b"Content-Type: Text/HTML; charset=UTF-8",
            b"Set-Cookie: a=1",
            b"Content-Length:  5 ",
            b"Set-Cookie: b=\xe9",
        ),
        method="GET",
    )
    assert (
        ("server", b"SERVER: x\r\n", "x"),
        ("content-type", b"Content-Type: Text/HTML; charset=UTF-8\r\n", "Text/HTML; charset=UTF-8"),
        ("set-cookie", b"Set-Cookie: a=1\r\n", "a=1"),
        ("set-cookie", b"Set-Cookie: b=\xe9\r\n", "b=\xe9"),
    ) == head.lines
    assert (200, 1, "OK", 5, "text/html; charset=utf-8", None) == (
        head.status,
        head.minor,
        head.phrase,
        head.length,
        head.content_type,
        head.upgrade,
    )
    assert ("a=1, b=\xe9", None) == (head.value("set-cookie"), head.value("x-hop"))


@pytest.mark.parametrize(
    ("status", "lines", "method", "framing", "length", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK", (b"Content-Length: 5",), "GET", BodyFraming.LENGTH, 5, True),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 0",), "GET", BodyFraming.LENGTH, 0, True),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: chunked",), "GET", BodyFraming.CHUNKED, None, True),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: Chunked",), "GET", BodyFraming.CHUNKED, None, True),
        (b"HTTP/1.1 200 OK", (), "GET", BodyFraming.EOF, None, False),
        (b"HTTP/1.0 200 OK", (b"Connection: keep-alive",), "GET", BodyFraming.EOF, None, False),
        (b"HTTP/1.0 200 OK", (b"Content-Length: 5",), "GET", BodyFraming.LENGTH, 5, False),
        (b"HTTP/1.0 200 OK", (b"Content-Length: 5", b"Connection: Keep-Alive"), "GET", BodyFraming.LENGTH, 5, True),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 5", b"Connection: close"), "GET", BodyFraming.LENGTH, 5, False),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 5",), "HEAD", BodyFraming.NONE, 5, True),
        (b"HTTP/1.1 200 OK", (b"Transfer-Encoding: chunked",), "HEAD", BodyFraming.NONE, None, True),
        (b"HTTP/1.1 200 OK", (), "HEAD", BodyFraming.NONE, None, True),
        (b"HTTP/1.1 304 Not Modified", (b"Content-Length: 5",), "GET", BodyFraming.NONE, 5, True),
        (b"HTTP/1.1 204 No Content", (), "GET", BodyFraming.NONE, None, True),
        (b"HTTP/1.1 204 No Content", (b"Content-Length: 0",), "GET", BodyFraming.NONE, None, True),
        (b"HTTP/1.1 100 Continue", (), "POST", BodyFraming.NONE, None, True),
        (b"HTTP/1.1 101 S", (b"Upgrade: websocket", b"Connection: upgrade"), "GET", BodyFraming.NONE, None, False),
    ],
)
def test_the_end_of_the_body_is_known(status, lines, method, framing, length, keep_alive):
    head = parse_response_head(answer(*lines, status=status), method=method)
    assert (framing, length, keep_alive) == (head.framing, head.length, head.keep_alive)


@pytest.mark.parametrize(
    ("status", "informational"), [(b"100 Continue", True), (b"103 Early", True), (b"101 S", False), (b"200 OK", False)]
)
def test_a_head_before_the_answer_is_told_apart(status, informational):
    head = answer(b"Upgrade: websocket", b"Connection: upgrade", status=b"HTTP/1.1 " + status)
    assert informational is parse_response_head(head, method="GET").is_informational


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        (b"HTTP/1.1 404 Not Found", "Not Found"),
        (b"HTTP/1.1 200 ", ""),
        (b"HTTP/1.1 200", ""),
        (b"HTTP/1.1 200 \xe9", "\xe9"),
    ],
)
def test_a_reason_phrase_may_be_anything_printable(line, phrase):
    assert phrase == parse_response_head(answer(status=line), method="GET").phrase


@pytest.mark.parametrize(
    ("connection", "upgrade"), [(b"Upgrade", "websocket"), (b"keep-alive, upgrade", "websocket"), (b"close", None)]
)
def test_an_upgrade_counts_only_with_its_connection_option(connection, upgrade):
    head = parse_response_head(answer(b"Upgrade: WebSocket", b"Connection: " + connection), method="GET")
    assert (upgrade, ()) == (head.upgrade, head.lines)


@pytest.mark.parametrize(
    "head",
    [
        answer(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        answer(b"Content-Length: 5", b"Content-Length: 5"),
        answer(b"Content-Length: 5, 5"),
        answer(b"Content-Length: +5"),
        answer(b"Content-Length: "),
        answer(b"Content-Length: 1234567890123456"),
        answer(b"Transfer-Encoding: chunked, x"),
        answer(b"Transfer-Encoding: gzip, chunked"),
        answer(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        answer(b"Transfer-Encoding: identity"),
        answer(b"Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK"),
        answer(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 204 No Content"),
        answer(b"Content-Length: 5", status=b"HTTP/1.1 204 No Content"),
        answer(b"Content-Length: 5", status=b"HTTP/1.1 100 Continue"),
        answer(b"Content-Type: text/plain", b"Content-Type: text/html"),
        answer(b"Location: /a", b"Location: /b"),
        answer(b"X-A: b", b" c"),
        answer(b" X-A: b"),
        answer(b"X-A : b"),
        answer(b"X-A"),
        answer(b": b"),
        answer(b"X-A: b\rc"),
        answer(b"X-A: b\nc"),
        answer(b"X-A: b\x00c"),
        answer(b"X-A: b\x7fc"),
        answer(b"X\xe9: b"),
        answer(status=b"HTTP/2.0 200 OK"),
        answer(status=b"HTTP/1.1 099 OK"),
        answer(status=b"HTTP/1.1 600 OK"),
        answer(status=b"HTTP/1.1 20 OK"),
        answer(status=b"HTTP/1.1  200 OK"),
        answer(status=b"HTTP/1.1 200 O\x00K"),
        answer(status=b"HTTP/1.1 200 O\rK"),
        answer(status=b"\r\nHTTP/1.1 200 OK"),
        answer(status=b"ICY 200 OK"),
        answer(status=b"HTTP/1.1 101 Switching Protocols"),
        answer(b"Upgrade: websocket", status=b"HTTP/1.1 101 Switching Protocols"),
        b"HTTP/1.1 200 OK\n\n",
        b"",
        answer(*(b"X-A: b" for _ in range(257))),
        answer(b"X-A: b") + b"rest",
    ],
)
def test_an_unclear_head_is_refused(head):
    with pytest.raises(UpstreamProtocolError) as caught:
        parse_response_head(head, method="GET")
    assert Reason.UPSTREAM_BAD_RESPONSE == caught.value.reason


DATE = b"Date: Mon, 23 Nov 2026 07:38:05 GMT"


def test_a_head_read_before_is_the_same_object_but_for_its_date():
    known = KnownHeads()
    first, date = known.read(answer(b"Server: x", DATE, b"Content-Length: 5"), method="GET")
    again, later = known.read(answer(b"Server: x", DATE.replace(b":05", b":06"), b"Content-Length: 5"), method="GET")
    assert first is again
    assert (DATE + b"\r\n", DATE.replace(b":05", b":06") + b"\r\n") == (date, later)
    assert parse_response_head(answer(b"Server: x", b"Content-Length: 5"), method="GET") == first


@pytest.mark.parametrize("line", [b"Date: yesterday", b"date: Mon, 23 Nov 2026 07:38:05 GMT", b"X: y"])
def test_what_is_no_date_stays_in_the_head(line):
    head = answer(line, b"Content-Length: 5")
    assert (parse_response_head(head, method="GET"), b"") == KnownHeads().read(head, method="GET")


def test_the_answer_to_head_is_another_one():
    known = KnownHeads()
    head = answer(b"Content-Length: 5")
    assert BodyFraming.LENGTH == known.read(head, method="GET")[0].framing
    assert BodyFraming.NONE == known.read(head, method="HEAD")[0].framing


def test_heads_with_cookies_and_long_ones_are_not_kept_and_the_memory_is_bounded():
    known = KnownHeads()
    for head in (answer(b"Set-Cookie: a=1"), answer(b"X: " + b"y" * KnownHeads.MAX_HEAD_BYTES)):
        assert known.read(head, method="GET")[0] is not known.read(head, method="GET")[0]
    first = known.read(answer(b"X: y"), method="GET")[0]
    for number in range(KnownHeads.MAX_HEADS):
        known.read(answer(b"ETag: %d" % number), method="GET")
    assert first is not known.read(answer(b"X: y"), method="GET")[0]


def test_cookies_are_told_apart():
    assert ("a=1", "b=2") == parse_response_head(
        answer(b"Set-Cookie: a=1", b"Set-Cookie: b=2"), method="GET"
    ).set_cookies
