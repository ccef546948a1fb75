"""Expectations, requests in a row, and upstreams that answer before they have been asked to the end."""

import asyncio
import contextlib
import socket
import threading

import pytest

from nbgate.audit.events import HttpReject, HttpRequest
from nbgate.config.schema import Limits
from nbgate.edge.pool import Pool
from nbgate.link.messages import UpstreamSuspect
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.raw_client import parse_answer
from nbgate.testing.stub_upstream import ReadBytes, ReadToEnd, Reset, Send, StubUpstream, answer
from nbgate.testing.wait import wait_until

ORIGIN = f"Origin: https://{HOST}\r\n"
BIG = 48 << 20
LONG = b"z" * (1 << 20)


def head(path="/api/x", *, cookie="", extra="", method="GET"):
    lines = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{extra}"
    return (lines + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()


# Expect (D25)


@pytest.mark.parametrize(
    ("value", "logged_in", "statuses"),
    [
        ("100-continue", False, [401]),
        ("100-continue", True, [100, 200]),
        ("100-Continue", True, [100, 200]),
        ("foo", False, [417]),
        ("foo", True, [417]),
        ("100-continue, foo", True, [417]),
        ("", True, [417]),
    ],
)
def test_who_may_send_is_asked_to_and_nobody_else(rig, stub, value, logged_in, statuses):
    cookie = rig.login() if logged_in else ""
    size = 3 if logged_in else 1 << 30
    with rig.client() as client:
        client.send(head(method="PUT", cookie=cookie, extra=ORIGIN + f"Content-Length: {size}\r\nExpect: {value}\r\n"))
        first = client.read_answer()
        if first.status == 100:
            assert [] == stub.requests
            client.send(b"abc")
            assert statuses == [first.status, client.read_answer().status]
        else:
            assert (statuses, ["close"]) == ([first.status], first.values("connection"))
            assert b"" == client.read_to_end()
            assert 0 == stub.received_bytes


REFUSED = {
    "an origin": {"extra": "Origin: https://evil.example\r\n"},
    "no upstream to spare": {"extra": ORIGIN},
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_a_session_that_is_refused_is_not_asked_to_send_either(stub, refused):
    with edge_rig(stub.port, limits=Limits(upstream_requests=1)) as rig, rig.client() as client:
        cookie = rig.login()
        rig.call(lambda: setattr(rig.core._context.admission.waiting("main"), "n", 1))
        extra = refused["extra"] + "Content-Length: 1000\r\nExpect: 100-continue\r\n"
        client.send(head(**{**refused, "extra": extra}, method="PUT", cookie=cookie))
        assert client.read_answer().status in {403, 503}
        assert b"" == client.read_to_end()


def test_over_http_1_0_nobody_waits_for_a_100(rig, stub):
    cookie = rig.login()
    request = head(method="PUT", cookie=cookie, extra=ORIGIN + "Content-Length: 3\r\nExpect: 100-continue\r\n")
    with rig.client() as client:
        client.send(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
        client.send(b"abc")
        assert 200 == client.read_answer().status


# requests in a row (D26)


def test_forty_requests_in_one_piece_are_answered_in_order_each_judged_alone(rig, stub):
    ada, bob = rig.login("ada"), rig.login("bob")
    stub.default_answer = answer(b"ok")
    cookies = [{2: "", 7: bob, 8: "", 20: f"{ada}x"}.get(number, ada) for number in range(40)]
    raw = b"".join(head(f"/api/{number}", cookie=cookie) for number, cookie in enumerate(cookies))
    with rig.client() as client:
        client.send(raw)
        answers = [client.read_answer() for _ in range(40)]
    assert [401 if number in {2, 8, 20} else 200 for number in range(40)] == [got.status for got in answers]
    seen = [request.line.split(" ")[1] for request in stub.requests]
    assert [f"/api/{number}" for number in range(40) if number not in {2, 8, 20}] == seen
    events = rig.wait_for(HttpRequest, 40)
    assert [f"/api/{number}" for number in range(40)] == [event.path for event in events]
    assert [got.values("x-request-id") for got in answers] == [[event.request_id] for event in events]
    assert "bob" == events[7].user


def test_what_waits_behind_a_request_is_bounded():
    """One more piece may be read while the first request is at work; then the socket is left alone."""
    with socket.create_server(("127.0.0.1", 0)) as slow, edge_rig(slow.getsockname()[1]) as rig, rig.client() as client:
        cookie = rig.login()
        client.send(head(cookie=cookie))
        upstream, _ = slow.accept()
        with upstream:
            upstream.recv(65536)
            flood = threading.Thread(target=lambda: client.send(head(cookie=cookie) * 200_000), daemon=True)
            flood.start()
            (connection,) = rig.call(lambda: list(rig.core._context.connections))
            wait_until(lambda: "behind" in connection._holds, what="reading is held")
            assert len(connection.buffer) <= 1 << 20
            rig.call(connection.abort)
            flood.join(10)
    assert not flood.is_alive()


# answers before the end of the request


async def upload(rig, cookie, *, size=BIG, framing="Content-Length", read_first=True):
    """Send a long request and read at the same time, or only afterwards; return all that came.

    Two threads on one TLS connection race with each other (Python 3.11), so this is one loop.
    """
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", rig.port, ssl=rig.client_context(), server_hostname=HOST
    )
    extra = f"Content-Length: {size}\r\n" if framing == "Content-Length" else "Transfer-Encoding: chunked\r\n"
    extra += "" if read_first else "Connection: close\r\n"  # all of it may be through before the answer comes
    piece = b"x" * 65536 if framing == "Content-Length" else b"10000\r\n" + b"x" * 65536 + b"\r\n"

    async def send():
        with contextlib.suppress(ConnectionError):
            writer.write(head(method="PUT", cookie=cookie, extra=ORIGIN + extra))
            for _ in range(size // 65536):
                if reader.at_eof() or writer.is_closing():
                    return
                writer.write(piece)
                await writer.drain()

    async with asyncio.timeout(20):
        sending = asyncio.ensure_future(send())
        if not read_first:
            await sending
        received = await reader.read(-1)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await sending
    return received


ENDS = [
    pytest.param((ReadToEnd(),), b"no", id="short, and reads on"),
    pytest.param((ReadToEnd(),), LONG, id="long, and reads on"),
    pytest.param((), b"no", id="and closes"),
    pytest.param((Reset(),), b"no", id="and resets"),
]


@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
@pytest.mark.parametrize(("end", "body"), ENDS)
def test_an_early_answer_arrives_whole_and_ends_both_connections(stub, framing, end, body):
    """The one that closes is Tornado with a body over its limit: our writing fails while its answer is unread."""
    stub.script(ReadBytes(1 << 20), Send(answer(body, status="413 Content Too Large")), *end)
    with edge_rig(stub.port) as rig:
        cookie = rig.login()
        got, used = parse_answer(data := asyncio.run(upload(rig, cookie, framing=framing)), ended=True)
        assert (413, len(body), ["close"]) == (got.status, len(got.body), got.values("connection"))
        assert used == len(data)
        assert 413 == rig.wait_for(HttpRequest)[0].status
        with rig.client() as other:
            other.send(head(cookie=cookie))
            assert 200 == other.read_answer().status
    assert 2 == len(stub.connections)
    wait_until(stub.connections[0].ended.is_set, what="the upstream leg ends")


def test_a_client_that_reads_only_when_it_has_sent_everything_gets_the_answer_too(stub):
    stub.script(ReadBytes(1000), Send(answer(b"no", status="413 Content Too Large")), ReadToEnd())
    with edge_rig(stub.port) as rig:
        data = asyncio.run(upload(rig, rig.login(), size=8 << 20, read_first=False))
    assert data.startswith(b"HTTP/1.1 413 ")
    assert data.endswith(b"\r\n\r\nno")


def test_an_early_answer_that_goes_on_is_passed_on_while_the_request_goes_on(rig, stub):
    cookie = rig.login()
    stub.script(
        ReadBytes(100),
        Send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"),
        ReadBytes(3),
        Send(b"def"),
        ReadToEnd(),
    )
    with rig.client() as client:
        client.send(head(method="PUT", cookie=cookie, extra=ORIGIN + "Content-Length: 2000\r\n") + b"x" * 997)
        client.read_until(b"abc")
        client.send(b"x" * 1003)
        assert client.read_until(b"def").endswith(b"abcdef")


# faults


@pytest.mark.parametrize("error", [RuntimeError("injected"), ValueError("a name that is none"), UnicodeError("idna")])
def test_whatever_fails_in_connecting_the_request_is_answered(rig, stub, monkeypatch, error):
    async def broken(*_args):
        raise error

    cookie = rig.login()
    monkeypatch.setattr(Pool, "connect", broken)
    with rig.client() as client:
        client.send(head(cookie=cookie))
        assert 500 == client.read_answer().status
        assert b"" == client.read_to_end()
    assert ("internal", 500) == ((event := rig.wait_for(HttpRequest)[0]).reason, event.status)
    assert {} == rig.call(lambda: rig.core._context.admission._uses)


def test_without_descriptors_it_is_our_fault_and_not_the_upstream_s(rig, stub, monkeypatch):
    async def exhausted(*_args):
        import errno

        raise OSError(errno.EMFILE, "too many open files")

    cookie = rig.login()
    monkeypatch.setattr(Pool, "connect", exhausted)
    with rig.client() as client:
        client.send(head(cookie=cookie))
        got = client.read_answer()
    assert (503, ["2"]) == (got.status, got.values("retry-after"))
    assert "worker-full" == rig.wait_for(HttpRequest)[0].reason
    assert [] == rig.of(UpstreamSuspect)


# bodies that come too slowly


def test_a_body_that_trickles_is_ended_with_a_reason_of_its_own(stub):
    limits = Limits(body_grace_seconds=0.5, body_bytes_per_second=1000, body_idle_seconds=30)
    with edge_rig(stub.port, limits=limits) as rig, rig.client() as client:
        cookie = rig.login()
        client.send(head(method="PUT", cookie=cookie, extra=ORIGIN + "Content-Length: 1000\r\n"))
        stop = threading.Event()

        def trickle():
            while not (stop.wait(0.05) or client.reset):
                client.send(b"x")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        assert 408 == client.read_answer().status
        stop.set()
        thread.join(5)
        assert "body-too-slow" == rig.wait_for(HttpRequest)[0].reason
    wait_until(stub.connections[0].ended.is_set, what="the upstream leg ends")


def test_who_was_told_so_and_stays_all_the_same_holds_its_place_for_a_moment_only(stub):
    """The answer is sent; a client that neither reads it nor goes is not waited for as one that is slow with reading."""
    limits = Limits(body_grace_seconds=0.2, body_bytes_per_second=1000, write_stall_seconds=600)
    with edge_rig(stub.port, limits=limits) as rig, rig.client() as client:
        cookie = rig.login()
        client.send(head(method="PUT", cookie=cookie, extra=ORIGIN + "Content-Length: 1000\r\n"))
        assert "body-too-slow" == rig.wait_for(HttpRequest)[0].reason
        wait_until(lambda: 0 == rig.call(lambda: rig.core._context.admission.held), what="its place is free")


def test_a_body_that_waits_for_a_slow_upstream_is_not_too_slow():
    limits = Limits(body_grace_seconds=0.4, body_bytes_per_second=100_000, body_idle_seconds=0.4, buffer_bytes=16384)
    with socket.create_server(("127.0.0.1", 0)) as slow, edge_rig(slow.getsockname()[1], limits=limits) as rig:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        cookie, received = rig.login(), []
        thread = threading.Thread(target=lambda: received.append(asyncio.run(upload(rig, cookie, size=8 << 20))))
        thread.start()
        upstream, _ = slow.accept()
        with upstream:
            (connection,) = rig.call(lambda: list(rig.core._context.connections))
            wait_until(lambda: "upstream" in connection._holds, what="the upstream is full")
            assert [] == recorded_within(rig, 1.2)
            read = 0
            while read < 8 << 20:
                read += len(upstream.recv(1 << 20))
            upstream.sendall(answer(b"taken", extra=b"Connection: close\r\n"))
            rig.wait_for(HttpRequest)
            rig.call(connection.finish)
            thread.join(10)
        assert received[0].endswith(b"\r\n\r\ntaken")


def recorded_within(rig, seconds):
    """Return what the worker recorded within `seconds`, which are more than its deadlines."""
    threading.Event().wait(seconds)
    return [*rig.of(HttpRequest), *rig.of(HttpReject)]


def test_a_slow_login_body_reaches_no_keeper(tmp_path):
    path = str(tmp_path / "pages.sock")
    limits = Limits(body_grace_seconds=0.3, body_bytes_per_second=1000)
    with StubUpstream(path=path).in_thread() as pages, edge_rig(1, own_socket=path, limits=limits) as rig:
        with rig.client() as client:
            client.send(head("/_nbgate/login", method="POST", extra=ORIGIN + "Content-Length: 500\r\n") + b"user=")
            assert 408 == client.read_answer().status
        assert "body-too-slow" == rig.wait_for(HttpRequest)[0].reason
        assert [] == pages.connections
