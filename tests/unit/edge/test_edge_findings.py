"""What a critical reading of the data plane found: each test is one way in which it could leak, hang, lie or lose."""

import asyncio
import contextlib
import os
import socket
import struct
import threading
from types import SimpleNamespace

import pytest

from nbgate.audit.events import HttpReject, HttpRequest, WebsocketClose
from nbgate.clock import ManualClock
from nbgate.config.schema import Limits
from nbgate.edge import client_connection, listener, outbox, worker
from nbgate.edge.client_connection import ClientConnection
from nbgate.edge.outbox import Outbox
from nbgate.edge.tunnel import Tunnel
from nbgate.edge.uplink import Uplink
from nbgate.errors import LinkError
from nbgate.link.messages import AuditState, Records, RevokeAck, SessionsRevoked
from nbgate.pipeline.request import AUDIT_GRACE_SECONDS
from nbgate.testing.edge_rig import HOST, TOKEN, edge_rig
from nbgate.testing.raw_client import RawClient
from nbgate.testing.stub_upstream import ReadBytes, ReadRequest, ReadToEnd, Reset, Send, answer
from nbgate.testing.wait import wait_until

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
ORIGIN = f"Origin: https://{HOST}\r\n"
SMALL = Limits(buffer_bytes=16384, upstream_answer_seconds=2.0)
TIGHT = 8192
"""Bytes of a receive buffer that is full soon."""


def get(path="/api/x", *, cookie="", extra="", method="GET", version="1.1"):
    lines = f"{method} {path} HTTP/{version}\r\nHost: {HOST}\r\n{extra}"
    return (lines + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()


def handshake(cookie):
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    return get(
        "/api/kernels/0a/channels",
        cookie=cookie,
        extra=f"{upgrade}Sec-WebSocket-Key: {KEY}\r\nOrigin: https://{HOST}\r\n",
    )


def frame(opcode, payload=b"", *, mask=True):
    size = len(payload)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + struct.pack(">H", size)
        if size < 65536
        else b"\x7f" + struct.pack(">Q", size)
    )
    if not mask:
        return bytes([0x80 | opcode]) + length + payload
    key = os.urandom(4)
    masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes([0x80 | opcode, length[0] | 0x80]) + length[1:] + key + masked


def switched(client):
    head, _, rest = client.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
    client.received[:] = rest
    assert head.startswith(b"HTTP/1.1 101 ")


def close_code(client):
    client.read_until(b"\x88")
    while len(client.received) < 4:
        client.read_some()
    assert 0x88 == client.received[0]
    return struct.unpack(">H", client.received[2:4])[0]


def the_connection(rig):
    """Return the only client connection of the worker."""
    (connection,) = rig.core._context.connections
    return connection


def send_until_it_stalls(client, data):
    """Send until the gateway reads no more; True when it stopped reading."""
    client.socket.settimeout(0.5)
    try:
        client.socket.sendall(data)
    except TimeoutError:
        return True
    finally:
        client.socket.settimeout(10)
    return False


@contextlib.contextmanager
def keeper_pages(path, reply):
    """Serve `path` as the keeper does: `reply(request)` gives the bytes to answer, None ends the connection."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        accepted = []

        def serve():
            while True:
                try:
                    sock, _ = listening.accept()
                except OSError:
                    return
                accepted.append(sock)
                with sock, contextlib.suppress(OSError):
                    while data := sock.recv(65536):
                        if (out := reply(data)) is None:
                            break
                        sock.sendall(out)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            for sock in (listening, *accepted):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            thread.join(5)


# the pool


@pytest.mark.parametrize("size", [270_000, 300_000, 400_000, 540_000, 1_000_000, 3_000_000])
def test_a_connection_that_was_paused_for_a_slow_client_is_read_again_for_the_next_request(stub, size):
    """A kept connection that nobody reads answers no request, and does not notice that it was closed."""
    stub.default_answer = answer(b"z" * size)
    with edge_rig(stub.port, limits=SMALL) as rig:
        cookie = rig.login()
        with rig.client() as client:
            for _ in range(3):
                client.send(get(cookie=cookie))
                assert (200, size) == ((got := client.read_answer()).status, len(got.body))


def test_a_connection_whose_last_client_was_full_is_read_again(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_answer()

        def slow_client():
            connection = the_connection(rig)
            ((_, (kept,)),) = rig.core._pool._idle.items()
            kept.pause_reading()  # as `pause_writing` during the last write of an answer does
            rig.core._pool.give_back(rig.core._pool.take(kept.upstream))
            return connection, kept.transport.is_reading()

        assert rig.call(slow_client)[1]


def test_a_connection_with_an_unsent_request_body_is_not_kept(rig, stub):
    """The upstream answered before it had read the body: what follows on that connection is not a new request."""

    class Full:
        def __init__(self, transport):
            self.transport = transport

        def get_write_buffer_size(self):
            return 1

        def __getattr__(self, name):
            return getattr(self.transport, name)

    cookie = rig.login()
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_answer()

        def answered_before_the_body_was_sent():
            ((upstream, (kept,)),) = rig.core._pool._idle.items()
            exchange = SimpleNamespace(wants_body=False, worker=rig.core._context)
            uplink = Uplink(exchange, SimpleNamespace(route=rig.routes[1]))
            uplink.upstream = rig.core._pool.take(upstream)
            kept.transport = Full(kept.transport)
            uplink.let_go(reusable=True)
            return rig.core._pool.take(upstream)

        assert None is rig.call(answered_before_the_body_was_sent)


def test_a_connection_under_abort_is_not_taken_from_the_pool(rig, stub):
    """Bytes on an idle connection end it; until asyncio says so it must not get the next request, a POST above all."""
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_answer()

        def speak_and_take():
            pool = rig.core._pool
            ((upstream, (idle,)),) = pool._idle.items()
            idle.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return pool.take(upstream)

        assert None is rig.call(speak_and_take)


# back-pressure


def test_answers_behind_an_unread_one_wait_for_the_client(stub):
    """The signal to stop reading comes once; the second answer must not be read into memory as a whole."""
    stub.default_answer = answer(b"z" * 20_000_000)
    with edge_rig(stub.port) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TIGHT)
            client.send(get(cookie=cookie))
            wait_until(lambda: rig.call(lambda: the_connection(rig).patience.is_behind), what="the client is full")

            def as_if_those_were_the_last_bytes():
                exchange = the_connection(rig).exchange
                exchange.release_upstream(reusable=False)
                exchange.done(keep=True)

            rig.call(as_if_those_were_the_last_bytes)
            client.send(get(cookie=cookie))
            with contextlib.suppress(TimeoutError):
                wait_until(lambda: len(stub.requests) > 1, what="a second request", deadline_seconds=0.5)
            assert 1 == len(stub.requests)


def test_a_stranger_who_reads_no_answers_gets_no_more_of_them(rig):
    """Requests that are answered here, without a login, must not fill memory with answers nor with requests."""
    with rig.client() as client:
        client.send(get("/_nbgate/health"))
        client.read_answer()
        rig.call(lambda: the_connection(rig).pause_writing())
        client.send(get("/_nbgate/health"))
        wait_until(lambda: rig.call(lambda: the_connection(rig)._holds), what="reading is held")
        assert 1 == rig.core._context.requests
        rig.call(lambda: the_connection(rig).resume_writing())
        assert 200 == client.read_answer().status
        assert set() == rig.call(lambda: the_connection(rig)._holds)


def test_nothing_more_is_read_while_requests_wait_in_the_buffer(rig):
    with rig.client() as client:
        client.send(get("/_nbgate/health"))
        client.read_answer()

        def take():
            the_connection(rig).data_received(get("/_nbgate/health") * 3)
            return set(the_connection(rig)._holds), len(the_connection(rig).buffer)

        assert ({"behind"}, 2 * len(get("/_nbgate/health"))) == rig.call(take)
        assert [200] * 3 == [client.read_answer().status for _ in range(3)]
        assert set() == rig.call(lambda: the_connection(rig)._holds)


def test_many_requests_in_one_piece_are_all_answered(stub):
    with edge_rig(stub.port, limits=Limits(netblock_requests_per_second=0)) as rig, rig.client() as client:
        client.send(get("/_nbgate/health") * 3000)
        for _ in range(3000):
            assert 200 == client.read_answer().status
        client.send(get("/_nbgate/health"))
        assert 200 == client.read_answer().status


def test_a_body_that_comes_after_its_head_waited_in_line_is_read():
    with (
        socket.create_server(("127.0.0.1", 0)) as slow,
        edge_rig(slow.getsockname()[1], limits=Limits(body_idle_seconds=1.0)) as rig,
        rig.client() as client,
    ):
        cookie = rig.login()
        client.send(get(cookie=cookie))
        upstream, _ = slow.accept()
        with upstream:
            upstream.recv(65536)
            client.send(get(cookie=cookie, method="POST", extra=ORIGIN + "Content-Length: 6\r\n") + b"abc")
            wait_until(lambda: rig.call(lambda: the_connection(rig)._holds), what="the second request waits")
            upstream.sendall(answer(b"1"))
            assert b"1" == client.read_answer().body
            client.send(b"def")
            received = b""
            while not received.endswith(b"abcdef"):
                received += upstream.recv(65536)
            upstream.sendall(answer(b"2"))
            assert (200, b"2") == ((got := client.read_answer()).status, got.body)


def test_the_next_request_is_read_although_the_upstream_left_the_last_body_unread():
    """The hold of an upstream that does not read must end with the exchange it held up."""
    with socket.create_server(("127.0.0.1", 0)) as slow, edge_rig(slow.getsockname()[1]) as rig, rig.client() as client:
        client.send(get(cookie=rig.login()))
        upstream, _ = slow.accept()
        with upstream:
            upstream.recv(65536)

            def upstream_full_then_answered():
                connection = the_connection(rig)
                connection.exchange.uplink.upstream_full(full=True)
                connection.exchange.release_upstream(reusable=True)
                connection.exchange.done(keep=True)
                return connection._holds

            assert set() == rig.call(upstream_full_then_answered)


def test_an_upstream_that_reads_no_upload_is_to_blame_and_not_the_client():
    limits = Limits(body_idle_seconds=0.5, upstream_answer_seconds=1.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf, edge_rig(deaf.getsockname()[1], limits=limits) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(get(cookie=cookie, method="PUT", extra=ORIGIN + "Content-Length: 40000000\r\n"))
            client.socket.settimeout(10)
            sender = threading.Thread(target=client.send, args=(b"b" * 40_000_000,), daemon=True)
            sender.start()
            event = rig.wait_for(HttpRequest)[0]
        sender.join(5)
    assert ("upstream-timeout", 504) == (event.reason, event.status)


def test_a_websocket_whose_upstream_reads_nothing_ends():
    """Nothing else would: the client is not read any more, so that not even its end is seen."""
    limits = Limits(buffer_bytes=16384, upstream_answer_seconds=0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf, edge_rig(deaf.getsockname()[1], limits=limits) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(handshake(cookie))
            upstream, _ = deaf.accept()
            with upstream:
                upstream.recv(65536)
                upstream.sendall(SWITCH)
                switched(client)
                send_until_it_stalls(client, frame(2, b"z" * 60_000) * 300)
                assert "upstream-timeout" == rig.wait_for(WebsocketClose)[0].reason


# ends


def test_a_slow_reader_gets_the_whole_of_a_last_answer(stub):
    """An answer with Connection: close is no less complete for a client on a slow line."""
    stub.default_answer = answer(b"z" * 9_000_000)
    with edge_rig(stub.port, limits=Limits(buffer_bytes=1 << 20)) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
            client.send(get(cookie=cookie, extra="Connection: close\r\n"))
            client.read_until(b"\r\n\r\n")
            while not rig.of(HttpRequest):
                client.read_some()
            assert not wait_until_closed(rig, 2.0)
            assert 9_000_000 == len(client.read_to_end().partition(b"\r\n\r\n")[2])


def wait_until_closed(rig, seconds):
    """Wait that long for the worker to forget its only connection; False when it still has it."""
    try:
        wait_until(
            lambda: not rig.call(lambda: rig.core._context.connections), what="the end", deadline_seconds=seconds
        )
    except TimeoutError:
        return False
    return True


def test_a_reset_is_no_end_of_a_body_that_ends_with_its_connection(rig, stub):
    """D30: what the upstream breaks off must not look complete."""
    cookie = rig.login()
    stub.script(ReadBytes(100), Send(b"HTTP/1.1 200 OK\r\n\r\nabc"), ReadBytes(1200), Reset())
    with rig.client() as client:
        client.send(get(cookie=cookie, method="PUT", extra=ORIGIN + "Content-Length: 5000\r\n"))
        client.read_until(b"abc")
        client.send(b"b" * 2000)
        data = client.read_to_end()
    assert not data.endswith(b"0\r\n\r\n")
    assert "upstream-truncated" == rig.wait_for(HttpRequest)[0].reason


def test_an_answer_before_the_end_of_the_body_says_that_the_connection_ends(rig, stub):
    cookie = rig.login()
    stub.script(ReadBytes(10), Send(answer(b"no", status="413 Too Large")), ReadToEnd())
    with rig.client() as client:
        client.send(get(method="POST", cookie=cookie, extra=ORIGIN + "Content-Length: 1000000\r\n") + b"abc")
        assert ["close"] == client.read_answer().values("connection")


def test_a_page_that_would_show_the_token_is_withheld_with_a_page_that_says_so(rig, stub):
    cookie = rig.login()
    stub.default_answer = answer(f"<p>{TOKEN}</p>".encode(), content_type="text/html")
    with rig.client() as client:
        client.send(get("/lab", cookie=cookie, extra="Accept: text/html\r\n"))
        got = client.read_answer()
    assert (502, True, False) == (got.status, b"secret-in-response" in got.body, TOKEN.encode() in got.body)
    assert (502, "secret-in-response") == ((event := rig.wait_for(HttpRequest)[0]).status, event.reason)


def test_a_body_that_breaks_after_the_answer_began_is_recorded_with_the_status_that_was_sent(rig, stub):
    cookie = rig.login()
    stub.script(ReadBytes(10), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), ReadToEnd())
    with rig.client() as client:
        client.send(
            get(method="POST", cookie=cookie, extra=ORIGIN + "Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n"
        )
        client.read_until(b"abc")
        client.send(b"nonsense\r\n")
        client.read_to_end()
    assert (200, "bad-chunk") == ((event := rig.wait_for(HttpRequest)[0]).status, event.reason)


# the keeper's pages


def test_the_answer_to_a_logout_arrives_although_it_ends_the_session_it_came_with(stub, tmp_path):
    path = str(tmp_path / "pages.sock")
    with edge_rig(stub.port, own_socket=path) as rig:
        ids = []

        def reply(_request):
            rig.sessions.clear()
            rig.send(SessionsRevoked(ack=1, ids=tuple(ids), generation=1 << 62, reason="logged-out"))
            rig.wait_for(RevokeAck)
            return b"HTTP/1.1 303 See Other\r\nLocation: /_nbgate/login\r\nContent-Length: 0\r\n\r\n"

        with keeper_pages(path, reply):
            cookie = rig.login()
            ids += rig.sessions
            with rig.client() as client:
                client.send(
                    get("/_nbgate/logout", cookie=cookie, method="POST", extra=ORIGIN + "Content-Length: 0\r\n")
                )
                assert 303 == client.read_answer().status
        assert (303, "success") == ((event := rig.wait_for(HttpRequest)[0]).status, event.outcome)


def test_a_keeper_that_ends_in_the_middle_is_not_called_a_notebook_server(stub, tmp_path):
    path = str(tmp_path / "pages.sock")
    with edge_rig(stub.port, own_socket=path) as rig, keeper_pages(path, lambda _request: None), rig.client() as client:
        client.send(get("/_nbgate/login", extra="Accept: text/html\r\n"))
        got = client.read_answer()
    assert (503, True) == (got.status, b"keeper-unavailable" in got.body)


# admission


def test_connections_that_say_nothing_count_towards_the_cap(stub):
    with (
        edge_rig(stub.port, limits=Limits(connections=16, tls_handshake_seconds=5)) as rig,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(16):
            stack.enter_context(RawClient(rig.port))
        with RawClient(rig.port) as extra:
            assert "worker-full" == rig.wait_for(HttpReject)[0].reason
            assert 16 == rig.call(lambda: rig.core._context.admission.held)
            extra.send(b"GET / HTTP/1.1\r\n\r\n")
            assert 400 == extra.read_answer().status


# drain


def test_a_handshake_under_way_when_the_drain_begins_gets_its_1012():
    with socket.create_server(("127.0.0.1", 0)) as slow, edge_rig(slow.getsockname()[1]) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(handshake(cookie))
            upstream, _ = slow.accept()
            with upstream:
                upstream.recv(65536)
                draining = asyncio.run_coroutine_threadsafe(rig.core.drain(3.0), rig._loop)
                wait_until(lambda: rig.core._context.draining, what="the drain begins")
                upstream.sendall(SWITCH)
                switched(client)
                assert 1012 == close_code(client)
                client.send(frame(8, struct.pack(">H", 1012)))
                client.read_to_end()
            draining.result(10)


def test_what_a_drain_cuts_is_recorded_and_handed_over_as_drained(stub):
    stub.script(ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), ReadToEnd())
    with edge_rig(stub.port) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(get(cookie=cookie))
            client.read_until(b"abc")
            rig.run(lambda: rig.core.drain(0.05))
            assert ["draining"] == [event.reason for event in rig.of(HttpRequest)]


def test_websockets_get_their_1012_before_a_short_drain_is_over(stub, monkeypatch):
    monkeypatch.setattr(worker.random, "uniform", lambda _low, high: high)
    with edge_rig(stub.port) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(handshake(cookie))
            switched(client)
            draining = asyncio.run_coroutine_threadsafe(rig.core.drain(1.0), rig._loop)
            assert 1012 == close_code(client)
            draining.result(10)


# audit


def test_a_fault_of_ours_in_a_websocket_is_recorded_as_one(rig, stub, monkeypatch):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)

        def broken(_tunnel, _pieces):
            raise RuntimeError("injected")

        monkeypatch.setattr(Tunnel, "_pass_up", broken)
        client.send(frame(1, b"x"))
        client.read_to_end()
    assert ("internal", "failure") == ((event := rig.wait_for(WebsocketClose)[0]).reason, event.outcome)


def test_websockets_end_ten_minutes_after_the_audit_could_be_written_last(rig, stub):
    """THREATS 5.6: what is open goes on for ten minutes, then nothing goes on unrecorded."""
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        rig.send(AuditState(failing_since_unix=rig.clock.unix()))
        client.send(frame(1, b"x"))
        client.read_until(frame(1, b"x", mask=False))
        client.received.clear()
        rig.clock.advance(AUDIT_GRACE_SECONDS + 1)
        assert 1012 == close_code(client)
    assert "audit-unavailable" == rig.wait_for(WebsocketClose)[0].reason


def test_when_the_audit_can_be_written_again_what_was_not_written_is_sent_again(rig, stub):
    rig.acknowledges = False
    with rig.client() as client:
        client.send(get("/_nbgate/health"))
        client.read_answer()
        rig.wait_for(HttpRequest)
        rig.acknowledges = True
        rig.send(AuditState(failing_since_unix=rig.clock.unix()))
        rig.send(AuditState(failing_since_unix=0.0))
        rig.wait_for(HttpRequest, 2)
    wait_until(lambda: rig.call(lambda: rig.core._outbox.waiting == 0), what="all is acknowledged")


async def test_what_a_full_link_does_not_take_is_sent_later_and_in_order(monkeypatch):
    """A gap in the numbers would be acknowledged by what comes behind it, and lost."""
    monkeypatch.setattr(outbox, "BATCH", 2)
    taken: list[Records] = []
    room = 2

    def send(records):
        if len(taken) >= room:
            raise LinkError("the other end of the link does not read")
        taken.append(records)

    box = Outbox(loop=asyncio.get_running_loop(), clock=ManualClock(), boot="b", send=send)
    fields = {"client_ip": "192.0.2.1", "client_port": 1, "status": 400, "reason": "bad-host", "request_id": "x"}
    for _ in range(7):
        box.record(HttpReject, **fields)
    box.flush()
    assert [1, 3] == [records.first for records in taken]
    room = 99
    box.flush()
    assert [1, 3, 5, 7] == [records.first for records in taken]


# revocation


def test_a_revocation_is_acknowledged_only_when_nothing_is_open_any_more(rig, stub):
    cookie = rig.login()
    whole = frame(2, b"abcdefghij", mask=False)
    stub.script(ReadRequest(), Send(SWITCH + whole[:6]), ReadToEnd())
    seen = []
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.read_until(whole[:6])

        def look(message, closed, *rest):
            seen.append(
                [c.transport is not None and not c.transport.is_closing() for c in rig.core._context.connections]
            )
            return acknowledge(message, closed, *rest)

        acknowledge = rig.core._acknowledge
        rig.core._acknowledge = look
        # the worst moment: right after a sweep
        rig.call(rig.core._timers[0].cancel)
        rig.send(SessionsRevoked(ack=1, ids=tuple(rig.sessions), generation=1 << 62, reason="logged-out"))
        rig.wait_for(RevokeAck)
        rig.call(rig.core._sweep)
    assert not any(map(any, seen))


def test_an_acknowledgement_belongs_to_the_link_it_was_asked_on(rig, stub):
    """A keeper that was restarted counts from one again: an old number must not acknowledge its revocation."""
    cookie = rig.login()
    whole = frame(2, b"abcdefghij", mask=False)
    stub.script(ReadRequest(), Send(SWITCH + whole[:6]), ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.read_until(whole[:6])
        ids = tuple(rig.sessions)
        rig.sessions.clear()
        rig.send(SessionsRevoked(ack=1, ids=ids, generation=1 << 62, reason="logged-out"))
        rig.relink()
        rig.wait_for(WebsocketClose)
        wait_until(lambda: not rig.call(lambda: rig.core._sessions._timers), what="quiet")
        with pytest.raises(TimeoutError):
            wait_until(lambda: rig.of(RevokeAck), what="an answer to the old keeper", deadline_seconds=0.8)


# robustness


def test_a_fault_in_one_connection_does_not_stop_the_clock_of_all(stub, monkeypatch):
    with (
        edge_rig(stub.port, limits=Limits(keepalive_seconds=0.3)) as rig,
        rig.client() as first,
        rig.client() as second,
    ):
        for client in (first, second):
            client.send(get("/_nbgate/health"))
            client.read_answer()
        victim = rig.call(lambda: next(iter(rig.core._context.connections)))
        whole = ClientConnection.expire

        def broken(connection, now):
            if connection is victim:
                raise RuntimeError("injected")
            whole(connection, now)

        monkeypatch.setattr(ClientConnection, "expire", broken)
        for client in (first, second):
            assert b"" == client.read_to_end()


def test_a_fault_ends_its_connection_even_when_it_cannot_be_logged(rig, stub, monkeypatch):
    def broken(*_args, **_options):
        raise BrokenPipeError("nobody reads our log")

    cookie = rig.login()
    monkeypatch.setattr("nbgate.edge.exchange.decide", broken)
    monkeypatch.setattr(client_connection.log, "error", broken, raising=False)
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_to_end()
    assert ("internal", 500) == ((event := rig.wait_for(HttpRequest)[0]).reason, event.status)
    rig.loop_errors.clear()


def test_a_fault_in_the_apology_ends_its_connection_alone(rig, stub, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("injected")

    cookie = rig.login()
    with rig.client() as other, monkeypatch.context() as patched, rig.client() as client:
        patched.setattr("nbgate.edge.exchange.decide", broken)
        patched.setattr("nbgate.edge.exchange.record_request", broken)
        client.send(get(cookie=cookie))
        assert b"" == client.read_to_end()
        patched.undo()
        other.send(get(cookie=cookie))
        assert 200 == other.read_answer().status


def test_a_policy_of_another_keeper_with_the_same_number_is_in_force_for_open_connections(rig, stub):
    with rig.client() as client:
        client.send(get("/_nbgate/health"))
        assert 200 == client.read_answer().status
        rig.send(rig.snapshot(limits=Limits(line_bytes=256)))
        client.send(get("/_nbgate/health", extra=f"X: {'a' * 300}\r\n"))
        assert 431 == client.read_answer().status


def test_constants_of_the_end_agree():
    """TLS must not give up what the connection still wants to finish."""
    assert listener.SHUTDOWN_SECONDS >= Limits().write_stall_seconds > client_connection.LINGER_SECONDS
