"""Requests through a real worker over real TLS, in front of an upstream that shows every byte it got."""

import pytest

from nbgate.audit.events import HttpReject, HttpRequest
from nbgate.link.messages import SessionAsk, UpstreamSuspect
from nbgate.model.route import Condition
from nbgate.testing.edge_rig import HOST, TOKEN, edge_rig
from nbgate.testing.stub_upstream import ReadRequest, Send, answer


def get(path="/", *, cookie="", extra="", method="GET"):
    lines = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{extra}"
    return (lines + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()


def test_a_request_with_a_session_reaches_the_upstream_with_its_token_and_without_our_cookie(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get("/api/status?x=1", cookie=cookie + "; other=1", extra="X-Custom: a b\r\n"))
        got = client.read_answer()
    assert (200, b"ok") == (got.status, got.body)
    request = stub.requests[0]
    assert "GET /api/status?x=1 HTTP/1.1" == request.line
    assert [f"token {TOKEN}"] == request.values("authorization")
    assert [f"127.0.0.1:{stub.port}"] == request.values("host")
    assert ["a b"] == request.values("x-custom")
    assert [] == request.values("cookie")
    assert b"nbgate" not in request.head


def test_one_event_is_recorded_for_a_request(rig):
    cookie = rig.login("ada")
    with rig.client() as client:
        client.send(get("/api/status?secret=1", cookie=cookie, extra="User-Agent: probe/1\r\n"))
        got = client.read_answer()
    (event,) = rig.wait_for(HttpRequest)
    assert ("GET", "/api/status", 200, "ada", 2) == (
        event.method, event.path, event.status, event.user, event.response_bytes,
    )  # fmt: skip
    assert got.values("x-request-id") == [event.request_id]
    assert "probe/1" == event.user_agent


UNKNOWN = "__Host-Http-nbgate=" + "A" * 43


@pytest.mark.parametrize(
    ("path", "extra", "status", "location"),
    [
        ("/lab", "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", 303, "/_nbgate/login?next=/lab"),
        ("/lab?a=b&c", "Accept: text/html\r\n", 303, "/_nbgate/login?next=/lab%3Fa%3Db%26c"),
        ("/", "Accept: text/html\r\n", 303, "/_nbgate/login"),
        ("/api/kernels", "Sec-Fetch-Mode: cors\r\n", 401, None),
        ("/static/a.js", "", 401, None),
        ("/nothing/here", "", 401, None),
        ("/lab?x=/_nbgate/health", "", 401, None),
    ],
)
@pytest.mark.parametrize("cookie", ["", UNKNOWN, "__Host-Http-nbgate=x; __Host-Http-nbgate=y"])
def test_without_a_session_nothing_reaches_the_upstream(rig, stub, path, extra, status, location, cookie):
    with rig.client() as client:
        client.send(get(path, extra=extra, cookie=cookie))
        got = client.read_answer()
    assert status == got.status
    assert ([location] if location else []) == got.values("location")
    assert 0 == stub.received_bytes


def test_a_websocket_handshake_without_a_session_gets_401(rig, stub):
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += f"Sec-WebSocket-Key: {'A' * 22}==\r\nOrigin: https://{HOST}\r\n"
    with rig.client() as client:
        client.send(get("/api/kernels/1/channels", extra=upgrade))
        assert 401 == client.read_answer().status
    assert 0 == stub.received_bytes


def test_a_session_the_worker_does_not_know_is_asked_for_once(rig, stub):
    cookie = rig.login(push=False)
    with rig.client() as client:
        for _ in range(3):
            client.send(get("/api/status", cookie=cookie))
            assert 200 == client.read_answer().status
    assert 1 == len(rig.of(SessionAsk))


def test_a_keeper_that_does_not_answer_gives_503_and_never_a_way_through(rig, stub):
    rig.answers = False
    cookie = rig.login(push=False)
    with rig.client() as client:
        client.send(get("/api/status", cookie=cookie))
        assert 503 == client.read_answer().status
    assert 0 == stub.received_bytes


@pytest.mark.parametrize(
    ("condition", "status"),
    [(Condition.UNKNOWN, 503), (Condition.OPEN, 503), (Condition.TOKEN_UNKNOWN, 502), (Condition.DOWN, 503)],
)
def test_an_upstream_that_is_not_known_to_be_guarded_gets_no_request(stub, condition, status):
    with edge_rig(stub.port, condition=condition) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(get("/lab", cookie=cookie, extra="Accept: text/html\r\n"))
            got = client.read_answer()
    assert status == got.status
    assert got.values("x-request-id")[0].encode() in got.body
    assert 0 == stub.received_bytes


@pytest.mark.parametrize(
    "extra",
    ["Origin: https://evil.example\r\n", "Origin: null\r\n", f"Origin: https://{HOST}.evil.example\r\n", ""],
)
def test_a_forged_write_is_refused(rig, stub, extra):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get("/api/contents", method="POST", cookie=cookie, extra=extra + "Content-Length: 2\r\n") + b"{}")
        got = client.read_answer()
    assert 403 == got.status
    assert 0 == stub.received_bytes
    assert "failure" == rig.wait_for(HttpRequest)[0].outcome


@pytest.mark.parametrize("size", [0, 1, 5, 70_000, 1_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_are_relayed_whole_and_framed_anew(rig, stub, size, chunked):
    cookie = rig.login()
    body = bytes(index % 251 for index in range(size))
    framing = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {size}\r\n"
    sent = (b"%x\r\n%b\r\n" % (size, body) if size else b"") + b"0\r\n\r\n" if chunked else body
    stub.default_answer = answer(body)
    with rig.client() as client:
        client.send(
            get("/api/contents/x", method="PUT", cookie=cookie, extra=f"Origin: https://{HOST}\r\n{framing}") + sent
        )
        got = client.read_answer()
    assert (200, body) == (got.status, got.body)
    assert body == stub.requests[0].body
    (event,) = rig.wait_for(HttpRequest)
    assert (size, size) == (event.request_bytes, event.response_bytes)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n",
            b"abcde",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", b""),
    ],
)
def test_answers_of_every_framing_arrive(rig, stub, raw, body):
    cookie = rig.login()
    stub.default_answer = raw
    with rig.client() as client:
        for _ in range(2):  # the second one shows that both connections are kept
            client.send(get("/api/x", cookie=cookie))
            assert body == client.read_answer().body
    assert 1 == len(stub.connections)


def test_an_answer_that_ends_with_its_connection_arrives_chunked(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"))
    with rig.client() as client:
        client.send(get("/api/x", cookie=cookie))
        got = client.read_answer()
    assert (b"until the end", ["chunked"]) == (got.body, got.values("transfer-encoding"))


def test_head_gets_the_length_and_no_body(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    with rig.client() as client:
        client.send(get("/files/x", method="HEAD", cookie=cookie))
        got = client.read_answer(to_head=True)
    assert (["5"], b"") == (got.values("content-length"), got.body)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
    ],
)
def test_an_answer_that_is_no_clean_http_becomes_502(rig, stub, raw):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(raw))
    with rig.client() as client:
        client.send(get("/api/x", cookie=cookie))
        got = client.read_answer()
    assert 502 == got.status
    assert "upstream-bad-response" == rig.wait_for(HttpRequest)[0].reason


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_broken_off_answer_is_seen_broken_off(rig, stub, raw):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(raw))
    with rig.client() as client:
        client.send(get("/api/x", cookie=cookie))
        data = client.read_to_end()
    assert not data.endswith(b"0\r\n\r\n")
    assert "upstream-truncated" == rig.wait_for(HttpRequest)[0].reason


def test_a_stale_kept_connection_is_replaced_for_a_safe_request(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer(b"1")), ReadRequest())  # ends without an answer to the second
    stub.script(ReadRequest(), Send(answer(b"2")))
    with rig.client() as client:
        for body in (b"1", b"2"):
            client.send(get("/api/x", cookie=cookie))
            assert body == client.read_answer().body
    assert 2 == len(stub.connections)


def test_a_write_is_never_sent_twice(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer(b"1")), ReadRequest())
    extra = f"Origin: https://{HOST}\r\nContent-Length: 0\r\n"
    with rig.client() as client:
        client.send(get("/api/x", cookie=cookie))
        client.read_answer()
        client.send(get("/api/x", method="POST", cookie=cookie, extra=extra))
        assert 502 == client.read_answer().status
    assert 1 == len(stub.connections)


def test_an_upstream_that_is_not_there_gives_503_and_is_reported(rig, stub):
    cookie = rig.login()
    with edge_rig(1) as other:
        cookie = other.login()
        with other.client() as client:
            client.send(get("/api/x", cookie=cookie))
            assert 503 == client.read_answer().status
        other.wait_for(UpstreamSuspect)


def test_pipelined_requests_are_answered_in_order_and_judged_alone(rig, stub):
    cookie = rig.login()
    stub.default_answer = answer(b"yes")
    requests = [get(f"/api/{index}", cookie=cookie if index != 3 else "") for index in range(40)]
    with rig.client() as client:
        client.send(b"".join(requests))
        statuses = [client.read_answer().status for _ in range(40)]
    assert [401 if index == 3 else 200 for index in range(40)] == statuses
    assert 39 == len(stub.requests)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST /x HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"CONNECT gw.test:443 HTTP/1.1\r\nHost: gw.test\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: gw.test\nX: y\r\n\r\n", 400),
        (b"\x00\x01\x02", 400),
    ],
)
def test_bytes_that_are_no_request_get_a_fixed_answer_and_the_end(rig, stub, raw, status):
    with rig.client() as client:
        client.send(raw)
        got = client.read_answer()
        assert b"" == client.read_to_end()
    assert status == got.status
    assert ["close"] == got.values("connection")
    assert status == rig.wait_for(HttpReject)[0].status
    assert 0 == stub.received_bytes


def test_a_broken_chunk_ends_the_exchange_and_the_upstream_never_takes_it_for_whole(rig, stub):
    cookie = rig.login()
    extra = f"Origin: https://{HOST}\r\nTransfer-Encoding: chunked\r\n"
    with rig.client() as client:
        client.send(get("/api/x", method="POST", cookie=cookie, extra=extra) + b"2\r\nab\r\n0x2\r\nab\r\n0\r\n\r\n")
        assert 400 == client.read_answer().status
    assert [] == stub.requests


def test_a_fault_of_ours_is_a_500_with_an_error_id_and_never_a_way_through(rig, stub, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("injected")

    cookie = rig.login()
    monkeypatch.setattr("nbgate.edge.exchange.decide", broken)
    with rig.client() as client:
        client.send(get("/api/x", cookie=cookie))
        got = client.read_answer()
        assert b"" == client.read_to_end()
    assert 500 == got.status
    assert [rig.wait_for(HttpRequest)[0].request_id] == got.values("x-request-id")
    assert ("internal", 500) == (rig.wait_for(HttpRequest)[0].reason, rig.of(HttpRequest)[0].status)
    assert 0 == stub.received_bytes


def test_the_token_in_a_page_is_scrubbed_and_in_json_of_user_content_untouched(rig, stub):
    cookie = rig.login()
    page = f'<html><script id="jupyter-config-data" type="application/json">{{"token": "{TOKEN}"}}</script></html>'
    stub.default_answer = answer(page.encode(), content_type="text/html; charset=UTF-8")
    with rig.client() as client:
        client.send(
            get("/lab", cookie=cookie, extra="Accept: text/html\r\nAccept-Encoding: gzip\r\nIf-None-Match: x\r\n")
        )
        got = client.read_answer()
    assert page.replace(TOKEN, "").encode() == got.body
    assert ["no-store"] == got.values("cache-control")
    request = stub.requests[0]
    assert (["identity"], []) == (request.values("accept-encoding"), request.values("if-none-match"))


def test_a_page_that_would_show_the_token_is_cut(rig, stub):
    cookie = rig.login()
    stub.default_answer = answer(f"<p>{TOKEN}</p>".encode(), content_type="text/html")
    with rig.client() as client:
        client.send(get("/lab", cookie=cookie))
        data = client.read_to_end()
    assert TOKEN.encode() not in data
    assert "secret-in-response" == rig.wait_for(HttpRequest)[0].reason


def test_a_redirect_to_the_upstreams_login_is_a_502_and_reported(rig, stub):
    cookie = rig.login()
    stub.default_answer = b"HTTP/1.1 302 Found\r\nLocation: /login?next=%2Flab\r\nContent-Length: 0\r\n\r\n"
    with rig.client() as client:
        client.send(get("/lab", cookie=cookie))
        assert 502 == client.read_answer().status
    rig.wait_for(UpstreamSuspect)


def test_upstream_cookies_come_back_to_the_upstream_and_stay_sealed_outside(rig, stub):
    cookie = rig.login()
    stub.default_answer = answer(extra=b"Set-Cookie: username-x=secret; Path=/\r\nSet-Cookie: _xsrf=tok; Path=/\r\n")
    with rig.client() as client:
        client.send(get("/api/x", cookie=cookie))
        lines = client.read_answer().values("set-cookie")
        assert not any("secret" in line for line in lines)
        given = "; ".join(line.split(";")[0] for line in lines)
        client.send(get("/api/x", cookie=f"{cookie}; {given}"))
        client.read_answer()
    assert ["username-x=secret; _xsrf=tok"] == stub.requests[1].values("cookie")
    assert all("Secure" in line and "SameSite=Lax" in line for line in lines)
