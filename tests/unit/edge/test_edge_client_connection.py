"""One client connection: deadlines, keep-alive, what waits behind, how it ends."""

import gc

import pytest

from nbgate.audit.events import HttpReject, HttpRequest
from nbgate.config.schema import Limits
from nbgate.edge.client_connection import ClientConnection
from nbgate.edge.repeats import Repeats
from nbgate.edge.tunnel import Tunnel
from nbgate.link.messages import SessionsRevoked
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.stub_upstream import ReadBytes, ReadRequest, ReadToEnd, Send, answer
from nbgate.testing.wait import wait_until

SHORT = Limits(
    head_seconds=0.3,
    body_idle_seconds=0.3,
    keepalive_seconds=0.3,
    write_stall_seconds=0.5,
    upstream_answer_seconds=0.3,
    upstream_body_seconds=0.3,
    tls_handshake_seconds=0.3,
    upstream_idle_seconds=0.2,
)


@pytest.fixture
def short(stub):
    with edge_rig(stub.port, limits=SHORT) as rig:
        yield rig


def get(path="/api/x", *, cookie="", extra="", method="GET", version="1.1"):
    lines = f"{method} {path} HTTP/{version}\r\nHost: {HOST}\r\n{extra}"
    return (lines + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()


def test_a_head_that_does_not_end_gets_408(short, stub):
    with short.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: gw.te")
        assert 408 == client.read_answer().status
        client.read_to_end()
    assert "head-timeout" == short.wait_for(HttpReject)[0].reason


def test_a_connection_that_says_nothing_ends(short, stub):
    with short.client() as client:
        assert b"" == client.read_to_end()


def test_a_body_that_pauses_gets_408_and_its_upstream_leg_ends(short, stub):
    cookie = short.login()
    extra = f"Origin: https://{HOST}\r\nContent-Length: 10\r\n"
    with short.client() as client:
        client.send(get(method="POST", cookie=cookie, extra=extra) + b"abc")
        assert 408 == client.read_answer().status
    assert "body-timeout" == short.wait_for(HttpRequest)[0].reason
    wait_until(stub.connections[0].ended.is_set, what="the upstream leg ends")


def test_an_upstream_that_does_not_answer_gives_504(short, stub):
    cookie = short.login()
    stub.script(ReadRequest(), ReadToEnd())
    with short.client() as client:
        client.send(get(cookie=cookie))
        assert 504 == client.read_answer().status


def test_an_upstream_that_stops_in_its_answer_is_cut(short, stub):
    cookie = short.login()
    stub.script(ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), ReadToEnd())
    with short.client() as client:
        client.send(get(cookie=cookie))
        assert client.read_to_end().endswith(b"abc")
    assert "upstream-timeout" == short.wait_for(HttpRequest)[0].reason


def test_a_client_that_stops_reading_is_cut(stub):
    stub.default_answer = answer(b"z" * 30_000_000)
    with edge_rig(stub.port, limits=Limits(write_stall_seconds=0.5)) as short:
        cookie = short.login()
        with short.client() as client:
            client.send(get(cookie=cookie))
            short.wait_for(HttpRequest)
    assert "write-timeout" == short.of(HttpRequest)[0].reason


def test_a_client_that_goes_away_releases_the_upstream(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), ReadToEnd())
    with rig.client() as client:
        client.send(get(cookie=cookie))
        wait_until(lambda: stub.requests, what="the request is there")
    wait_until(stub.connections[0].ended.is_set, what="the upstream leg ends")
    assert "client-gone" == rig.wait_for(HttpRequest)[0].reason


@pytest.mark.parametrize(
    ("version", "extra", "kept"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: close\r\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: keep-alive\r\n", True),
    ],
)
@pytest.mark.parametrize("path", ["/api/x", "/_nbgate/health"])
def test_the_connection_is_kept_as_asked(rig, stub, version, extra, kept, path):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(path, cookie=cookie, extra=extra, version=version))
        got = client.read_answer()
        assert 200 == got.status
        if kept:
            client.send(get(path, cookie=cookie))
            assert 200 == client.read_answer().status
        else:
            assert ["close"] == got.values("connection")
            assert b"" == client.read_to_end()


def test_an_http_1_0_client_gets_a_chunked_answer_unframed(rig, stub):
    cookie = rig.login()
    stub.default_answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with rig.client() as client:
        client.send(get(cookie=cookie, version="1.0"))
        data = client.read_to_end()
    assert data.endswith(b"\r\n\r\nabc")
    assert b"chunked" not in data


def test_continue_is_answered_by_the_gateway_and_only_with_a_session(rig, stub):
    extra = f"Origin: https://{HOST}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
    with rig.client() as client:
        client.send(get(method="PUT", extra=extra))
        assert 401 == client.read_answer().status
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(method="PUT", cookie=cookie, extra=extra))
        assert 100 == client.read_answer().status
        client.send(b"abc")
        assert 200 == client.read_answer().status
    assert [b"abc"] == [request.body for request in stub.requests]
    assert [] == stub.requests[0].values("expect")


def test_a_request_with_a_body_that_is_refused_ends_the_connection(rig, stub):
    with rig.client() as client:
        client.send(get(method="POST", extra="Content-Length: 37\r\n") + b"GET /smug HTTP/1.1\r\nHost: gw.test\r\n\r\n")
        assert 401 == client.read_answer().status
        assert b"" == client.read_to_end()
    assert 1 == len(rig.wait_for(HttpRequest))
    assert 0 == stub.received_bytes


def test_a_revoked_session_ends_a_download_under_way(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), ReadToEnd())
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_until(b"abc")
        ids = tuple(rig.sessions)
        rig.sessions.clear()
        rig.send(SessionsRevoked(ack=1, ids=ids, generation=1 << 62, reason="logged-out"))
        client.read_to_end()
    assert "logged-out" == rig.wait_for(HttpRequest)[0].reason


def test_a_session_past_its_absolute_end_is_no_session(rig, stub):
    cookie = rig.login(absolute_seconds=60)
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert 200 == client.read_answer().status
        rig.clock.advance(61)
        client.send(get(cookie=cookie))
        assert 401 == client.read_answer().status


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_request_in_pieces_is_the_same_request(rig, stub, size):
    cookie = rig.login()
    extra = f"Origin: https://{HOST}\r\nTransfer-Encoding: chunked\r\n"
    raw = get(method="POST", cookie=cookie, extra=extra) + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + get(cookie=cookie)
    with rig.client() as client:
        for start in range(0, len(raw), size):
            client.send(raw[start : start + size])
        assert [200, 200] == [client.read_answer().status for _ in range(2)]
    assert [b"abcde", b""] == [request.body for request in stub.requests]


def test_an_early_answer_ends_both_connections_after_it(rig, stub):
    cookie = rig.login()
    extra = f"Origin: https://{HOST}\r\nContent-Length: 1000000\r\n"
    stub.script(ReadBytes(10), Send(answer(b"no", status="413 Too Large")), ReadToEnd())
    with rig.client() as client:
        client.send(get(method="POST", cookie=cookie, extra=extra) + b"abc")
        got = client.read_answer()
        assert (413, b"no") == (got.status, got.body)
        client.read_to_end()


def test_when_the_audit_cannot_be_written_nothing_is_changed_and_after_ten_minutes_nothing_read(rig, stub):
    from nbgate.link.messages import AuditState

    cookie = rig.login()
    rig.send(AuditState(failing_since_unix=rig.clock.unix()))
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert 200 == client.read_answer().status
        client.send(get(cookie=cookie, method="DELETE", extra=f"Origin: https://{HOST}\r\n"))
        assert 503 == client.read_answer().status
        rig.clock.advance(601)
        client.send(get(cookie=cookie))
        assert 503 == client.read_answer().status
        rig.send(AuditState(failing_since_unix=0.0))
        client.send(get(cookie=cookie))
        assert 200 == client.read_answer().status


def held_in_memory() -> int:
    return sum(isinstance(it, ClientConnection | Repeats | Tunnel) for it in gc.get_objects())


@pytest.mark.parametrize("requests", [0, 1, 5])
def test_a_connection_that_is_gone_is_freed_at_once_and_does_not_wait_for_the_collector(rig, requests):
    """Requests leave the collector next to nothing to do, so it comes rarely: what waits for it piles up for hours."""
    cookie = rig.login()
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with rig.client() as client:
                for number in range(requests):
                    client.send(get(f"/api/x?{number}", cookie=cookie))
                    assert 200 == client.read_answer().status
        wait_until(lambda: not rig.call(held_in_memory), what="nothing of them is left")
    finally:
        gc.enable()
