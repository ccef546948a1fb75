"""Requests on their way up: connecting, bodies in pieces, second tries, and what is waited for."""

import asyncio
import socket

import pytest

from nbgate.audit.events import HttpRequest
from nbgate.config.schema import Limits
from nbgate.edge.pool import Pool
from nbgate.link.messages import SessionsRevoked, UpstreamSuspect
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.stub_upstream import ReadBytes, ReadRequest, ReadToEnd, Reset, Send, StubUpstream, answer
from nbgate.testing.wait import wait_until

ORIGIN = f"Origin: https://{HOST}\r\n"


def get(path="/api/x", *, cookie="", extra="", method="GET"):
    lines = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{extra}"
    return (lines + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()


@pytest.mark.parametrize(
    ("method", "framing"),
    [
        ("GET", None),
        ("HEAD", None),
        ("DELETE", None),
        ("OPTIONS", None),
        ("POST", "0"),
        ("PUT", "0"),
        ("PATCH", "0"),
    ],
)
def test_a_request_without_a_body_says_so_where_the_upstream_would_wait_for_one(rig, stub, method, framing):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(cookie=cookie, method=method, extra=ORIGIN))
        assert 200 == client.read_answer(to_head=method == "HEAD").status
    assert ([framing] if framing else []) == stub.requests[0].values("content-length")
    assert [] == stub.requests[0].values("transfer-encoding")


@pytest.mark.parametrize(
    ("method", "last", "status"),
    [
        ("GET", (), 200),
        ("GET", (Reset(),), 200),
        ("HEAD", (), 200),
        ("OPTIONS", (), 200),
        ("POST", (), 502),
        ("DELETE", (), 502),
    ],
)
def test_only_what_changes_nothing_is_asked_twice_on_a_stale_connection(rig, stub, method, last, status):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer(b"1")), ReadRequest(), *last)
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_answer()
        client.send(get(cookie=cookie, method=method, extra=ORIGIN))
        assert status == client.read_answer(to_head=method == "HEAD").status
    assert (2 if status == 200 else 1) == len(stub.connections)


def test_a_second_connection_that_breaks_too_is_an_answer(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer(b"1")), ReadRequest())
    stub.script(ReadRequest())
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_answer()
        client.send(get(cookie=cookie))
        assert 502 == client.read_answer().status
    assert 2 == len(stub.connections)
    rig.wait_for(UpstreamSuspect)


def test_a_stale_connection_that_had_begun_to_answer_is_not_asked_again(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer(b"1")), ReadRequest(), Send(b"HTTP/1.1 2"))
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_answer()
        client.send(get(cookie=cookie))
        assert 502 == client.read_answer().status
    assert "upstream-lost" == rig.wait_for(HttpRequest, 2)[1].reason
    assert 1 == len(stub.connections)


def test_a_second_try_has_the_time_to_connect_of_its_own_and_the_connection_goes_on(stub, monkeypatch):
    first = [True]

    async def slow(pool, *args):
        if not first:
            await asyncio.sleep(0.8)
            raise TimeoutError
        first.clear()
        return await connect(pool, *args)

    connect = Pool.connect
    monkeypatch.setattr(Pool, "connect", slow)
    stub.script(ReadRequest(), Send(answer(b"1")), ReadRequest())
    with edge_rig(stub.port, limits=Limits(upstream_answer_seconds=0.2)) as rig, rig.client() as client:
        cookie = rig.login()
        for status in (200, 504):
            client.send(get(cookie=cookie))
            assert status == client.read_answer().status
        client.send(get("/_nbgate/health"))
        assert 200 == client.read_answer().status


def test_an_upstream_that_does_not_take_the_connection_in_time_gives_504(rig, stub, monkeypatch):
    async def late(*_args):
        raise TimeoutError

    monkeypatch.setattr(Pool, "connect", late)
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert 504 == client.read_answer().status
    assert "upstream-timeout" == rig.wait_for(HttpRequest)[0].reason
    rig.wait_for(UpstreamSuspect)


@pytest.mark.parametrize("error", [None, ConnectionRefusedError(), TimeoutError()])
def test_a_client_that_is_gone_when_the_connection_is_there_leaves_nothing(rig, stub, monkeypatch, error):
    """Neither a connection that nobody uses, nor a second record."""
    whole, waiting, made = Pool.connect, [], []

    async def slow(pool, upstream, limits):
        import asyncio

        event = asyncio.Event()
        waiting.append(event)
        await event.wait()
        if error is not None:
            raise error
        made.append(await whole(pool, upstream, limits))
        return made[-1]

    monkeypatch.setattr(Pool, "connect", slow)
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(cookie=cookie))
        wait_until(lambda: waiting, what="connecting")
        rig.send(SessionsRevoked(ack=1, ids=tuple(rig.sessions), generation=1 << 62, reason="logged-out"))
        client.read_to_end()
    rig.call(waiting[0].set)
    wait_until(lambda: not rig.call(lambda: rig.core._context._tasks), what="the task ends")
    wait_until(lambda: all(not connection.is_open for connection in made), what="the connection is closed")
    assert [("logged-out", 401)] == [(event.reason, event.status) for event in rig.wait_for(HttpRequest)]


@pytest.mark.parametrize(
    ("length", "body", "status"),
    [
        ("Content-Length: 8193\r\n", b"", 413),
        ("Transfer-Encoding: chunked\r\n", b"2001\r\n" + b"x" * 8193, 413),
    ],
)
def test_a_long_body_for_our_own_pages_is_refused(stub, tmp_path, length, body, status):
    path = str(tmp_path / "pages.sock")
    with socket.socket(socket.AF_UNIX) as pages, edge_rig(stub.port, own_socket=path) as rig, rig.client() as client:
        pages.bind(path)
        pages.listen()
        client.send(get("/_nbgate/login", method="POST", extra=ORIGIN + length) + body)
        assert status == client.read_answer().status
        assert b"" == client.read_to_end()
        assert "body-too-large" == rig.wait_for(HttpRequest)[0].reason


@pytest.mark.parametrize(
    ("framing", "pieces"),
    [
        ("Content-Length: 6\r\n", [b"abc", b"def"]),
        ("Transfer-Encoding: chunked\r\n", [b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n"]),
        ("Content-Length: 6\r\nExpect: 100-continue\r\n", [b"", b"abcdef"]),
    ],
)
def test_the_keeper_is_asked_when_the_body_is_whole(tmp_path, framing, pieces):
    """Who is slow with a login body holds no connection of the keeper's."""
    path = str(tmp_path / "pages.sock")
    with StubUpstream(path=path).in_thread() as pages, edge_rig(1, own_socket=path) as rig, rig.client() as client:
        client.send(get("/_nbgate/login", method="POST", extra=ORIGIN + framing) + pieces[0])
        wait_until(
            lambda: rig.call(
                lambda: any(
                    connection.exchange and connection.exchange.request_bytes == 3 * bool(pieces[0])
                    for connection in rig.core._context.connections
                )
            ),
            what="the first piece is taken",
        )
        assert [] == pages.connections
        client.send(pieces[1])
        if "Expect" in framing:
            assert 100 == client.read_answer().status
        assert 200 == client.read_answer().status
    (request,) = pages.requests
    assert (b"abcdef", ["6"]) == (request.body, request.values("content-length"))
    assert [] == request.values("transfer-encoding")


def test_a_body_for_the_keeper_that_breaks_its_framing_never_reaches_it(tmp_path):
    path = str(tmp_path / "pages.sock")
    with StubUpstream(path=path).in_thread() as pages, edge_rig(1, own_socket=path) as rig, rig.client() as client:
        client.send(get("/_nbgate/login", method="POST", extra=ORIGIN + "Transfer-Encoding: chunked\r\n") + b"3\r\nabc")
        client.send(b"defg\r\n")
        assert 400 == client.read_answer().status
        assert b"" == client.read_to_end()
    assert [] == pages.connections


def test_own_pages_without_a_keeper_are_a_503_and_no_upstream_is_suspected(rig):
    with rig.client() as client:
        client.send(get("/_nbgate/login", extra="Accept: text/html\r\n"))
        got = client.read_answer()
    assert (503, True) == (got.status, b"keeper-unavailable" in got.body)
    assert [] == rig.of(UpstreamSuspect)


def test_a_body_that_comes_while_the_session_is_asked_for_is_not_lost(rig, stub):
    rig.answers = False
    cookie = rig.login(push=False)
    from nbgate.link.messages import SessionAsk, SessionPut

    with rig.client() as client:
        client.send(get(cookie=cookie, method="PUT", extra=ORIGIN + "Content-Length: 6\r\n") + b"abc")
        rig.wait_for(SessionAsk)
        client.send(b"def")
        (session,) = rig.sessions.values()
        rig.send(SessionPut(session=session))
        assert 200 == client.read_answer().status
    assert b"abcdef" == stub.requests[0].body


def test_a_request_that_follows_a_chunked_body_in_the_same_bytes_is_the_next_one(rig, stub):
    cookie = rig.login()
    extra = ORIGIN + "Transfer-Encoding: chunked\r\n"
    with rig.client() as client:
        client.send(
            get(cookie=cookie, method="POST", extra=extra)
            + b"3\r\nabc\r\n0\r\n\r\n"
            + get("/api/second", cookie=cookie)
        )
        assert [200, 200] == [client.read_answer().status for _ in range(2)]
    assert [b"abc", b""] == [request.body for request in stub.requests]


def test_a_body_that_is_late_after_the_answer_began_cuts_both(stub):
    stub.script(ReadBytes(100), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), ReadToEnd())
    with edge_rig(stub.port, limits=Limits(body_idle_seconds=0.3)) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(get(cookie=cookie, method="POST", extra=ORIGIN + "Content-Length: 10\r\n") + b"abc")
            assert client.read_to_end().endswith(b"abc")
        assert (200, "body-timeout") == ((event := rig.wait_for(HttpRequest)[0]).status, event.reason)
    wait_until(stub.connections[0].ended.is_set, what="the upstream leg ends")


def test_while_an_upload_is_under_way_the_upstream_need_not_answer(stub):
    with edge_rig(stub.port, limits=Limits(upstream_answer_seconds=0.3, body_idle_seconds=5)) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(get(cookie=cookie, method="POST", extra=ORIGIN + "Content-Length: 2\r\n") + b"a")
            wait_until(lambda: stub.received_bytes, what="the upload began")
            exchange = rig.call(lambda: next(iter(rig.core._context.connections)).exchange)
            assert float("inf") == exchange.deadline
            rig.call(lambda: exchange.uplink.upstream_full(full=True))
            assert exchange.deadline < float("inf")
            rig.call(lambda: exchange.uplink.upstream_full(full=False))
            assert float("inf") == exchange.deadline
            client.send(b"b")
            assert 200 == client.read_answer().status
