"""Rows that need more than one piece of bytes: pauses, pipelining, upgrades, bodies on addresses that read none.

To a gateway of its own, whose deadlines are short. Each test shows the bytes the STUB saw. The rows that are one piece
of bytes are files, read by `test_wire_tls.py`; what upstreams do wrong is in `test_wire_answers.py`.
"""

import re

import pytest
from stub_saw import fields
from talk import TOKEN, head

from nbgate.testing.stub_upstream import Echo, ReadToEnd, Send, answer
from nbgate.testing.wait import wait_until

CHANNEL = "/api/kernels/0a/channels"
SMUG = b"GET /smug HTTP/1.1\r\nHost: gw.test\r\n\r\n"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
ASKS = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"


def test_d14_a_bad_end_of_a_chunked_body_is_refused_while_the_client_waits(client, watch, session, told):
    sent = head(b"POST /x", b"Transfer-Encoding: chunked\r\n", session=session)
    client.send(sent)
    wait_until(lambda: watch.size, what="the head at the STUB")
    client.send(b"2\r\nab\r\n0\r\nX")
    got = client.read_answer()
    assert (400, b"") == (got.status, client.read_to_end())
    assert [] == watch.requests
    wait_until(watch.stub.connections[-1].ended.is_set, what="the upstream's side is closed")
    told.row("d14 with a pause", sent + b"2\r\nab\r\n0\r\nX", "400, close", watch.told())


@pytest.mark.parametrize(
    ("line", "cookie", "answered", "status"),
    [
        (b"POST /static/x.js", True, b"", 200),
        (b"POST /x", True, b"HTTP/1.1 304 Not Modified\r\n\r\n", 304),
        (b"POST /x", True, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
        (b"POST /x", True, b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", 302),
        (b"POST /x", False, b"", 401),
        (b"POST /_nbgate/nowhere", False, b"", 403),
        (b"POST /favicon.ico", False, b"", 405),
        (b"DELETE /_nbgate/health", False, b"", 405),
    ],
)  # fmt: skip
def test_d15_a_body_that_is_a_request_is_never_read_as_one(
    client, upstream, watch, session, told, line, cookie, answered, status
):
    if answered:
        upstream.plays["/x"] = (Send(answered),)
    sent = head(line, b"Content-Length: %d\r\n" % len(SMUG), session=session if cookie else b"") + SMUG
    client.send(sent)
    got = client.read_answer()
    assert status == got.status
    behind = head(b"GET /behind", b"Connection: close\r\n")
    client.send(behind)
    rest = client.read_to_end()
    assert rest.count(b"HTTP/1.1 ") <= 1  # to the request behind; never a third answer
    lines = watch.lines()
    assert ([f"{line.decode()} {len(SMUG)}"] if cookie else []) == lines
    told.row(f"d15 {line.decode()} answered {status}", sent, f"{status}", watch.told())


def test_d20_an_upgrade_to_http_2_is_dropped_and_the_upstream_sees_nothing_of_it(client, watch, session, told):
    sent = head(
        b"GET /x",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        session=session,
    )
    client.send(sent)
    assert 200 == client.read_answer().status
    ((got, _),) = watch.requests
    assert {"upgrade", "http2-settings", "connection"}.isdisjoint(name for name, _ in fields(got))
    told.row("d20 h2c", sent, "200", watch.told() + ", without Upgrade, Connection, HTTP2-Settings")


@pytest.mark.parametrize(
    ("asks", "status"),
    [
        (ASKS.replace(b"Version: 13", b"Version: 777"), 426),
        (ASKS.replace(b"Sec-WebSocket-Key: " + KEY + b"\r\n", b""), 400),
        (ASKS + b"Content-Length: 37\r\n", 400),
    ],
)
def test_d22_what_is_behind_a_refused_handshake_is_never_tunnelled(client, watch, session, told, asks, status):
    sent = head(b"GET /api/kernels/0a/channels", asks, session=session) + SMUG
    client.send(sent)
    got = client.read_answer()
    rest = client.read_to_end()
    assert (status, b"") == (got.status, rest)
    assert 0 == watch.size
    told.row(f"d22 refused with {status}", sent, f"{status}, close", watch.told())


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
FAKES = {
    "200": answer(),
    "400": answer(status="400 Bad Request"),
    "401": answer(status="401 Unauthorized"),
    "426": answer(status="426 Upgrade Required"),
    "302": b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
    "101 without accept": SWITCH + b"\r\n",
    "101 with another accept": SWITCH + ACCEPT.replace(b"s3pP", b"s3pQ") + b"\r\n",
    "101 with two accepts": SWITCH + ACCEPT + ACCEPT + b"\r\n",
    "101 to foo": SWITCH.replace(b"websocket", b"foo") + ACCEPT + b"\r\n",
    "101 to two": SWITCH.replace(b"websocket", b"websocket, foo") + ACCEPT + b"\r\n",
    "101 without Upgrade": SWITCH.replace(b"Upgrade: websocket\r\n", b"") + ACCEPT + b"\r\n",
    "101 without Connection": SWITCH.replace(b"Connection: Upgrade\r\n", b"") + ACCEPT + b"\r\n",
    "101 over HTTP/1.0": SWITCH.replace(b"1.1", b"1.0") + ACCEPT + b"\r\n",
    "101 with a length": SWITCH + ACCEPT + b"Content-Length: 5\r\n\r\n",
    "101 with chunks": SWITCH + ACCEPT + b"Transfer-Encoding: chunked\r\n\r\n",
    "101 with another protocol": SWITCH + ACCEPT + b"Sec-WebSocket-Protocol: x\r\n\r\n",
    "101 with an extension": SWITCH + ACCEPT + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    "100, then 101 without accept": b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCH + b"\r\n",
}


@pytest.mark.parametrize("name", FAKES)
def test_d23_a_switch_that_is_none_is_never_believed(client, upstream, watch, session, told, name):
    upstream.plays[CHANNEL] = (Send(FAKES[name]), ReadToEnd())
    sent = head(b"GET " + CHANNEL.encode(), ASKS, session=session)
    client.send(sent)
    got = client.read_answer()
    assert 502 == got.status
    client.send(b"GET /admin HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n")
    assert not re.search(rb"HTTP/1\.1 [123]", client.read_to_end())
    assert [f"GET {CHANNEL} 0"] == watch.lines()
    told.row(f"d23 {name}", sent, f"{got.status}", watch.told())


def test_d23_a_real_switch_passes(client, upstream, watch, session, told):
    """What the rows above are measured against: the same handshake with a true answer is a tunnel."""
    upstream.plays[CHANNEL] = (Echo(),)
    sent = head(b"GET " + CHANNEL.encode(), ASKS, session=session)
    client.send(sent)
    client.read_until(b"\r\n\r\n")
    client.send(b"\x81\x82\0\0\0\0hi")
    assert client.read_until(b"\x81\x02hi").startswith(b"HTTP/1.1 101 ")
    told.row("d23 a true 101", sent, "101", "the handshake, then the frame as sent")


@pytest.mark.parametrize("with_accept", [True, False])
def test_d24_a_switch_nobody_asked_for_is_no_answer(client, upstream, watch, session, told, with_accept):
    upstream.plays["/x"] = (Send(SWITCH + (ACCEPT if with_accept else b"") + b"\r\n"), ReadToEnd())
    sent = head(b"GET /x", session=session)
    client.send(sent)
    assert 502 == client.read_answer().status
    client.send(b"GET /admin HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n")
    client.read_to_end()
    assert ["GET /x 0"] == watch.lines()
    told.row(f"d24 {with_accept}", sent, "502", watch.told())


@pytest.mark.parametrize(("method", "length"), [(b"POST", b"1073741824"), (b"PUT", b"2")])
def test_d25_a_stranger_is_never_asked_to_go_on(client, watch, told, method, length):
    sent = head(method + b" /api/contents/x", b"Expect: 100-continue\r\nContent-Length: " + length + b"\r\n")
    client.send(sent)
    received = client.read_to_end()
    assert received.startswith(b"HTTP/1.1 401 ")
    assert (1, 0) == (received.count(b"HTTP/1.1 "), watch.size)
    told.row(f"d25 {length.decode()}", sent, "401, close, no 100", watch.told())


def test_d25_who_may_is_asked_to_go_on_by_the_gateway_and_the_upstream_sees_no_expectation(
    client, watch, session, told
):
    sent = head(b"PUT /x", b"Expect: 100-continue\r\nContent-Length: 2\r\n", session=session)
    client.send(sent)
    client.read_until(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.send(b"ab")
    client.received.clear()
    assert 200 == client.read_answer().status
    ((got, body),) = watch.requests
    assert b"ab" == body
    assert "expect" not in dict(fields(got))
    told.row("d25 with a session", sent + b"ab", "100, 200", watch.told() + ", without Expect")


def test_d26_forty_pipelined_requests_are_judged_alone_and_answered_in_order(client, watch, session, told):
    sent = b"".join(head(b"GET /%d" % number, session=b"" if number == 2 else session) for number in range(40))
    client.send(sent)
    statuses = [client.read_answer().status for _ in range(40)]
    assert [200, 200, 401] + [200] * 37 == statuses
    assert [f"GET /{number} 0" for number in range(40) if number != 2] == watch.lines()
    told.row("d26 the third a stranger's", sent, "200, 200, 401, 37 times 200", "exactly 39, in order, without GET /2")


def test_d26_what_is_behind_a_request_that_ends_the_connection_is_not_read(client, watch, session, told):
    sent = head(b"GET /1", b"Connection: close\r\n", session=session) + head(b"GET /2", session=session)
    client.send(sent)
    assert 1 == client.read_to_end().count(b"HTTP/1.1 ")
    assert ["GET /1 0"] == watch.lines()
    told.row("d26 behind close", sent, "200, close", watch.told())


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_d27_a_body_that_does_not_come_ends_both_sides(client, upstream, watch, session, told, framing):
    sent = head(b"POST /x", framing, session=session)
    client.send(sent)
    wait_until(lambda: watch.size, what="the head at the STUB")
    connection = upstream.connections[-1]
    received = client.read_to_end()
    assert received.startswith(b"HTTP/1.1 408 ")
    wait_until(connection.ended.is_set, what="the upstream's side is closed")
    assert [] == watch.requests
    told.row(f"d27 {framing.decode().split(':')[0]}", sent, "408, close", watch.told())


def test_d27_a_head_that_does_not_end_is_refused(client, watch, told):
    sent = b"GET /x HTTP/1.1\r\nHost: gw.test\r\n"
    client.send(sent)
    assert client.read_to_end().startswith(b"HTTP/1.1 408 ")
    assert 0 == watch.size
    told.row("d27 head", sent, "408, close", watch.told())


def test_d28_a_connection_keeps_to_the_host_it_began_with(client, watch, session, told):
    other = b"GET /2 HTTP/1.1\r\nHost: other.test\r\n\r\n"
    sent = head(b"GET /1", session=session) + other
    client.send(sent)
    assert [200, 421] == [client.read_answer().status, client.read_answer().status]
    assert ["GET /1 0"] == watch.lines()
    told.row("d28", sent, "200, 421", watch.told())


SPOOFED = (
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Uri", "X-Forwarded-User", "X-Forwarded-Prefix", "Forwarded",
    "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Original-URL", "X-Original-Forwarded-For", "X-Rewrite-URL",
    "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-Scheme", "Remote-User", "Remote-Groups", "X-Remote-User",
    "X-Auth-Request-User", "X-User", "X-User-Id", "X-Nbgate-Session", "X-Nbgate-Client", "Proxy-Authorization", "Proxy-Connection", "TE",
    "Trailer", "Keep-Alive", "X-ProxyContextPath", "X-JupyterHub-User", "X-Request-ID", "Via", "Max-Forwards",
)  # fmt: skip
OWN_VALUES = {"x-forwarded-for": "127.0.0.1", "x-forwarded-host": "gw.test", "x-forwarded-proto": "https"}


def test_t27_none_of_a_client_s_words_about_itself_reaches_the_upstream(client, watch, session, told):
    sent = head(
        b"GET /x",
        *(f"{name}: spoofed\r\n".encode() for name in SPOOFED),
        b"Authorization: token spoofed\r\n",
        session=session,
    )
    client.send(sent)
    assert 200 == client.read_answer().status
    ((got, _),) = watch.requests
    assert b"spoofed" not in got
    own = {name: value for name, value in fields(got) if name in {spoofed.lower() for spoofed in SPOOFED}}
    assert OWN_VALUES == {name: value for name, value in own.items() if name != "x-request-id"}
    assert re.fullmatch(r"[0-9a-f]+", own["x-request-id"])
    told.row("t27", sent, "200", f"{watch.told()}, with {len(SPOOFED) + 1} spoofed lines gone")


@pytest.mark.parametrize(
    "line",
    [b"X-Forwarded-Uri: /_nbgate/health\r\n", b"User-Agent: GoogleHC/1.0\r\n", b"X-Original-URL: /_nbgate/login\r\n"],
)
def test_t27_no_header_opens_a_door(client, watch, told, line):
    sent = head(b"GET /lab", line)
    client.send(sent)
    assert 401 == client.read_answer().status
    assert 0 == watch.size
    told.row(f"t27 {line[:16].decode()}", sent, "401", watch.told())


def test_t28_connection_takes_nothing_away_that_is_the_gateway_s(client, watch, session, told):
    named = b"close, Authorization, X-Forwarded-For, X-Forwarded-Host, X-Request-ID, Cookie, Host, X-Mine"
    sent = head(b"GET /x", b"Connection: " + named + b"\r\nX-Mine: 1\r\n", session=session)
    client.send(sent)
    assert 200 == client.read_answer().status
    ((got, _),) = watch.requests
    values = dict(fields(got))
    assert ("127.0.0.1", "gw.test", f"token {TOKEN}") == (
        values["x-forwarded-for"],
        values["x-forwarded-host"],
        values["authorization"],
    )
    assert {"x-mine", "connection"}.isdisjoint(values)
    assert values["host"] == f"127.0.0.1:{watch.stub.port}"
    told.row("t28", sent, "200", watch.told() + ", with our Authorization, Host and X-Forwarded-*, without X-Mine")


def test_t29_a_value_the_gateway_has_none_for_is_deleted_too(client, watch, session, told):
    lines = b"Remote-User: root\r\nX-Auth-Request-Groups: admin\r\nX-XSRFToken: mine\r\n"
    sent = head(b"GET /x", lines, session=session)
    client.send(sent)
    assert 200 == client.read_answer().status
    ((got, _),) = watch.requests
    assert {"remote-user", "x-auth-request-groups", "cookie"}.isdisjoint(name for name, _ in fields(got))
    told.row("t29", sent, "200", watch.told() + ", without Remote-User, X-Auth-*, Cookie")


def test_bytes_of_a_tunnel_are_frames_and_never_a_request(client, upstream, watch, session, told):
    """A client that speaks HTTP where frames are due is closed; not one byte of it reaches the upstream (D23)."""
    upstream.plays[CHANNEL] = (Send(SWITCH + ACCEPT + b"\r\n"), ReadToEnd())
    sent = head(b"GET " + CHANNEL.encode(), ASKS, session=session) + SMUG
    client.send(sent)
    client.read_to_end()
    wait_until(upstream.connections[-1].ended.is_set, what="the upstream's side is closed")
    (received,) = watch.connections
    assert b"smug" not in received
    told.row("d22 HTTP behind a good handshake", sent, "101, close 1002", "the handshake, then a close frame")
