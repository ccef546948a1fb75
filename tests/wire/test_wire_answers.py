"""What an upstream does wrong: answers that could be read in two ways, that lie about their length, or that break off.

The client gets a 502 or a visibly broken answer, never a header with a control byte in it; the upstream's connection is
not used again. Each test shows the bytes the STUB saw.
"""

import re

import pytest
from talk import head

from nbgate.testing.raw_client import parse_answer
from nbgate.testing.stub_upstream import HangUp, ReadToEnd, Reset, Send, answer

OK = b"HTTP/1.1 200 OK\r\n"
BAD_HEADS = {
    "length and chunked": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "the same length twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\nab",
    "a signed length": OK + b"Content-Length: +2\r\n\r\nab",
    "a length of 16 digits": OK + b"Content-Length: 1000000000000000\r\n\r\n",
    "an empty length": OK + b"Content-Length:\r\n\r\n",
    "chunked, x": OK + b"Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "x, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\nab",
    "chunked over HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked with a 204": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length with a 204": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab",
    "a folded line": OK + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nab",
    "a folded first line": OK + b" X-A: b\r\nContent-Length: 2\r\n\r\nab",
    "NUL in a value": OK + b"X-A: b\x00c\r\nContent-Length: 2\r\n\r\nab",
    "CR in a value": OK + b"X-A: b\rSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nab",
    "LF in a value": OK + b"X-A: b\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nab",
    "DEL in a value": OK + b"X-A: b\x7fc\r\nContent-Length: 2\r\n\r\nab",
    "ESC in a value": OK + b"X-A: b\x1b[31m\r\nContent-Length: 2\r\n\r\nab",
    "CR in the phrase": b"HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nab",
    "NUL in the phrase": b"HTTP/1.1 200 O\x00K\r\nContent-Length: 2\r\n\r\nab",
    "a blank before the colon": OK + b"Content-Length : 2\r\n\r\nab",
    "no colon": OK + b"X-A\r\nContent-Length: 2\r\n\r\nab",
    "an empty name": OK + b": b\r\nContent-Length: 2\r\n\r\nab",
    "a name that is no token": OK + b"X(A: b\r\nContent-Length: 2\r\n\r\nab",
    "only LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab\r\n\r\n",
    "LF after a line": OK + b"X-A: b\nContent-Length: 2\r\n\r\nab",
    "two types": OK + b"Content-Type: text/html\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nab",
    "two places": b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: //evil.test\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/0.9": b"<html>ab</html>\r\n\r\n",
    "no version": b"200 OK\r\nContent-Length: 2\r\n\r\nab",
    "status 099": b"HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nab",
    "status 600": b"HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nab",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nab",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nab",
    "a signed status": b"HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nab",
    "a leading blank": b" HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
    "a leading empty line": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
    "a flood of 1xx": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + answer(),
    "a head of 70 KiB": OK + b"X-A: " + b"b" * 71680 + b"\r\nContent-Length: 2\r\n\r\nab",
    "300 lines": OK + b"X-A: b\r\n" * 300 + b"Content-Length: 2\r\n\r\nab",
}
BAD_BODIES = {
    "a length larger than the body": OK + b"Content-Length: 10\r\n\r\nabc",
    "closed in a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "closed between chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    "closed before the last line": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
    "a chunk size that is none": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nxx\r\n",
    "a signed chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n+2\r\nab\r\n0\r\n\r\n",
    "a chunk size of 16 digits": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nffffffffffffffff\r\nab",
    "a chunk longer than its size": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\nabc\r\n0\r\n\r\n",
    "a chunk that ends with LF": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\nab\n0\r\n\r\n",
    "a trailer that is none": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX\r\n\r\n",
    "a trailer of 20 KiB": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: " + b"y" * 20480 + b"\r\n\r\n",
}
TOO_MUCH = {
    "more than the length": (
        b"GET",
        OK + b"Content-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        200,
        b"ab",
    ),
    "more than the chunks": (
        b"GET",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" + answer(b"evil"),
        200,
        b"ab",
    ),
    "a body with a 204": (b"GET", b"HTTP/1.1 204 No Content\r\n\r\nevil", 204, b""),
    "a body with a 304": (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", 304, b""),
    "a body to HEAD": (b"HEAD", OK + b"Content-Length: 4\r\n\r\nevil", 200, b""),
    "chunks to HEAD": (b"HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", 200, b""),
    "a second answer": (b"GET", answer(b"ab") + answer(b"evil"), 200, b"ab"),
}
GOOD = {
    "chunk extensions": (OK + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0;c\r\n\r\n", b"ab"),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-T: 1\r\nSet-Cookie: a=b\r\n\r\n", b"ab"),
    "Chunked": (OK + b"Transfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"ab"),
    "the end of HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nab", b"ab"),
    "a few 1xx": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"ab"),
        b"ab",
    ),
    "no phrase": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab", b"ab"),
    "bytes above ASCII": (OK + b"X-A: caf\xe9\r\nContent-Length: 2\r\n\r\nab", b"ab"),
}
CLEAN_HEAD = re.compile(rb"HTTP/1\.1 \d{3} [ -~\x80-\xff]*\r\n(?:[A-Za-z0-9-]+: [\t -~\x80-\xff]*\r\n)+\r\n")


def asked(client, upstream, session, played, method=b"GET"):
    """Ask for /bad, which the upstream plays; return what was sent."""
    upstream.plays["/bad"] = played
    sent = head(method + b" /bad", session=session)
    client.send(sent)
    return sent


def is_used_no_more(client, upstream, session, before):
    """Ask again, on a connection of its own, and say whether the upstream got that on another connection than before."""
    client.send(head(b"GET /after", b"Connection: close\r\n", session=session))
    return (200, b"ok") == ((got := client.read_answer()).status, got.body) and not any(
        b"/bad" in connection.received and b"/after" in connection.received
        for connection in upstream.connections[before:]
    )


@pytest.mark.parametrize("name", BAD_HEADS)
def test_d29_a_head_that_could_be_read_in_two_ways_is_a_502(gateway, client, upstream, watch, session, told, name):
    before = len(upstream.connections)
    sent = asked(client, upstream, session, (Send(BAD_HEADS[name]), ReadToEnd()))
    got = client.read_answer()
    assert (502, True) == (got.status, CLEAN_HEAD.fullmatch(got.head) is not None)
    assert b"ab" != got.body
    client.read_to_end()
    assert ["GET /bad 0"] == watch.lines()
    with gateway.client() as other:
        assert is_used_no_more(other, upstream, session, before)
    told.row(f"d29 {name}", sent, "502", watch.told())


@pytest.mark.parametrize("end", [HangUp(), Reset()], ids=["closed", "reset"])
@pytest.mark.parametrize("name", BAD_BODIES)
def test_d30_a_body_that_breaks_off_is_seen_to_break_off(gateway, client, upstream, watch, session, told, name, end):
    before = len(upstream.connections)
    sent = asked(client, upstream, session, (Send(BAD_BODIES[name]), end))
    received = client.read_to_end()
    if received.startswith(b"HTTP/1.1 502 "):  # all of it came at once, with the fault: nothing was passed on yet
        assert CLEAN_HEAD.match(received)
    else:
        assert received.startswith(b"HTTP/1.1 200 ") or received == b""
        with pytest.raises(ValueError, match="end"):
            parse_answer(received, ended=True)
    assert ["GET /bad 0"] == watch.lines()
    with gateway.client() as other:
        assert is_used_no_more(other, upstream, session, before)
    got = received[9:12].decode() or "nothing"
    told.row(f"d30 {name}, {type(end).__name__}", sent, f"{got}, broken off", watch.told())


@pytest.mark.parametrize("name", TOO_MUCH)
def test_d29_what_stands_behind_an_answer_is_nobody_s(gateway, client, upstream, watch, session, told, name):
    method, data, status, body = TOO_MUCH[name]
    before = len(upstream.connections)
    sent = asked(client, upstream, session, (Send(data), ReadToEnd()), method)
    got = client.read_answer(to_head=method == b"HEAD")
    assert (status, body) == (got.status, got.body)
    assert is_used_no_more(client, upstream, session, before)
    assert b"evil" not in client.read_to_end()
    assert [f"{method.decode()} /bad 0", "GET /after 0"] == watch.lines()
    told.row(f"d29 {name}", sent, f"{status}, {len(body)} bytes", watch.told())


@pytest.mark.parametrize("name", GOOD)
def test_what_is_only_unusual_passes_framed_anew(client, upstream, watch, session, told, name):
    data, body = GOOD[name]
    sent = asked(client, upstream, session, (Send(data), *([HangUp()] if data.startswith(b"HTTP/1.0") else [])))
    got = client.read_answer()
    assert (200, body) == (got.status, got.body)
    assert CLEAN_HEAD.fullmatch(got.head)
    assert {"trailer", "link"}.isdisjoint(line.partition(b":")[0].lower().decode() for line in got.head.split(b"\r\n"))
    told.row(f"d29 {name}", sent, "200", watch.told())


def test_d29_an_answer_before_the_body_is_read_ends_both_connections(gateway, client, upstream, watch, session, told):
    """The upstream answers early and keeps reading: what is left of the body must not become a request there."""
    before = len(upstream.connections)
    body = b"GET /smug HTTP/1.1\r\nHost: gw.test\r\n\r\n"
    sent = head(b"POST /bad", b"Content-Length: 1000000\r\n", session=session)
    upstream.early["/bad"] = (Send(answer(status="413 Content Too Large")), ReadToEnd())
    client.send(sent + body)
    received = client.read_to_end()
    assert (1, True) == (received.count(b"HTTP/1.1 "), received.startswith(b"HTTP/1.1 413 "))
    assert [] == watch.requests
    with gateway.client() as other:
        assert is_used_no_more(other, upstream, session, before)
    told.row("d29 an early answer", sent, "413, close", watch.told())


HYGIENE = (
    b"Server: secret/1.0", b"X-Powered-By: secret", b"Via: 1.1 secret", b"Strict-Transport-Security: max-age=0", b"Public-Key-Pins: secret",
    b"Clear-Site-Data: *", b"Alt-Svc: h3=secret", b"NEL: secret", b"Report-To: secret", b"Refresh: 0; url=//secret.test",
    b"Access-Control-Allow-Origin: secret", b"Access-Control-Allow-Credentials: true", b"Service-Worker-Allowed: /", b"Keep-Alive: secret",
    b"Proxy-Authenticate: secret", b"Proxy-Connection: secret", b"Trailer: secret", b"X-Nbgate-User: secret", b"Upgrade: secret",
    b"X-Accel-Redirect: /secret", b"X-Hop: secret",
)  # fmt: skip


def test_t30_what_an_upstream_may_not_say_to_a_browser_is_left_out(client, upstream, watch, session, told):
    data = OK + b"\r\n".join(HYGIENE) + b"\r\nConnection: keep-alive, X-Hop\r\nContent-Length: 2\r\n\r\nab"
    sent = asked(client, upstream, session, (Send(data),))
    got = client.read_answer()
    assert (200, b"ab") == (got.status, got.body)
    names = {line.partition(b":")[0].lower() for line in got.head.split(b"\r\n")[1:]}
    assert set() == names & {line.partition(b":")[0].lower() for line in HYGIENE} - {b"strict-transport-security"}
    assert b"secret" not in got.head
    assert b"max-age=0" not in got.head
    told.row("t30", sent, f"200, {len(HYGIENE)} lines left out", watch.told())
