"""A worker and its two links: snapshots, what the keeper pushes, what it is told, and the drain."""

import asyncio
import contextlib
import socket

import pytest

from nbgate.audit.events import HttpReject, HttpRequest
from nbgate.clock import ManualClock
from nbgate.config.schema import Limits
from nbgate.edge import worker as module
from nbgate.edge.worker import WorkerCore
from nbgate.errors import LinkError
from nbgate.link.messages import (
    Activity,
    AuditState,
    RecordsWritten,
    RoutesChanged,
    SessionAsk,
    SessionPut,
    UpstreamPut,
    UpstreamSuspect,
    WorkerHello,
    WorkerStatus,
)
from nbgate.model.client import Client
from nbgate.model.route import Condition, UpstreamState
from nbgate.reasons import Reason
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.raw_client import RawClient
from nbgate.testing.wait import wait_until


def get(path="/api/x", *, cookie="", extra=""):
    return (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{extra}" + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n"
    ).encode()


def status(rig, path="/api/x", **options):
    with rig.client() as client:
        client.send(get(path, **options))
        return client.read_answer().status


def test_the_first_word_on_every_link_is_the_greeting(rig):
    assert [WorkerHello(pid=1, boot="00112233445566ff", confinement=("none, this is a test",))] == rig.of(WorkerHello)
    rig.relink()
    assert 2 == len(rig.wait_for(WorkerHello, 2))


def test_an_upstream_state_counts_from_the_next_request(rig, stub):
    cookie = rig.login()
    assert 200 == status(rig, cookie=cookie)
    rig.send(UpstreamPut(state=UpstreamState(route="main", condition=Condition.DOWN, generation=2)))
    assert 503 == status(rig, cookie=cookie)
    rig.send(UpstreamPut(state=UpstreamState(route="main", condition=Condition.GUARDED, token="new", generation=1)))
    assert 503 == status(rig, cookie=cookie)
    rig.send(UpstreamPut(state=UpstreamState(route="main", condition=Condition.GUARDED, token="new", generation=3)))
    assert 200 == status(rig, cookie=cookie)
    assert ["token new"] == stub.requests[-1].values("authorization")


@pytest.mark.parametrize("condition", [Condition.DOWN, Condition.UNKNOWN, Condition.FOREIGN, Condition.OPEN])
def test_the_keeper_hears_once_a_second_that_somebody_waits_for_a_server(rig, stub, condition):
    cookie = rig.login()
    assert 200 == status(rig, cookie=cookie)
    rig.send(UpstreamPut(state=UpstreamState(route="main", condition=condition, generation=2)))
    assert {502, 503} >= {status(rig, cookie=cookie) for _ in range(5)}
    suspected = rig.wait_for(UpstreamSuspect)
    assert {"main"} == {message.route for message in suspected}
    assert len(suspected) < 5
    rig.messages.clear()
    rig.call(rig.core._tell)
    status(rig, cookie=cookie)
    rig.wait_for(UpstreamSuspect)


def test_nobody_waits_for_a_server_who_may_not_use_it(rig):
    rig.send(UpstreamPut(state=UpstreamState(route="main", condition=Condition.DOWN, generation=2)))
    assert 401 == status(rig)
    assert [] == rig.of(UpstreamSuspect)


def test_a_new_snapshot_replaces_limits_and_keys_and_keeps_connections(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert 200 == client.read_answer().status
        rig.send(rig.snapshot(version=2, limits=Limits(line_bytes=300)))
        client.send(get(cookie=cookie))
        assert 200 == client.read_answer().status
        client.send(get("/" + "a" * 400))
        assert 414 == client.read_answer().status


def test_without_a_keeper_known_sessions_go_on_and_unknown_ones_are_refused(rig, stub):
    cookie = rig.login()
    unknown = rig.login("bob", push=False)
    rig.cut_link()
    wait_until(lambda: rig.core._link is None, what="the loss is known")
    assert 200 == status(rig, cookie=cookie)
    assert 503 == status(rig, cookie=unknown)
    assert [] == rig.of(SessionAsk)
    rig.relink()
    assert 200 == status(rig, cookie=unknown)


def test_without_a_keeper_nobody_is_sent_to_it_for_another_secret(rig, stub):
    cookie = rig.login(rotate_unix=rig.clock.unix())
    page = {"cookie": cookie, "extra": "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"}
    assert 303 == status(rig, "/lab", **page)
    rig.cut_link()
    wait_until(lambda: rig.core._link is None, what="the loss is known")
    assert 200 == status(rig, "/lab", **page)
    assert 502 <= status(rig, "/_nbgate/account", **page) <= 503  # tried: there is no keeper behind it
    rig.relink()
    wait_until(lambda: status(rig, "/lab", **page) == 303, what="the snapshot is in force")


async def test_a_link_that_is_lost_before_the_first_snapshot_breaks_nothing():
    core, ready = await bare()
    core.linked(FullLink())
    core.link_lost()
    assert (None, []) == (core._link, ready)


def test_records_of_the_time_without_a_keeper_are_handed_over_on_the_next_link(rig):
    rig.cut_link()
    wait_until(lambda: rig.core._link is None, what="the loss is known")
    assert 200 == status(rig, "/_nbgate/health")
    assert [] == rig.events
    rig.relink()
    assert ["/_nbgate/health"] == [event.path for event in rig.wait_for(HttpRequest)]


def test_a_full_outbox_refuses_like_a_failing_audit(rig, stub):
    cookie = rig.login()
    rig.call(lambda: setattr(rig.core._outbox, "full_since_unix", rig.clock.unix() - 700))
    assert 503 == status(rig, cookie=cookie)


def test_the_keeper_is_told_what_changes_once_a_second(rig, stub, monkeypatch):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get("/lab", cookie=cookie, extra="Sec-Fetch-Mode: navigate\r\n"))
        client.read_answer()
        rig.call(rig.core._tell)
        assert tuple(rig.sessions) == rig.wait_for(Activity)[0].ids
        wait_until(lambda: any(1 == told.connections for told in rig.of(WorkerStatus)), what="the status")
        told = len(rig.of(WorkerStatus))
        rig.call(rig.core._tell)
        rig.call(rig.core._tell)
    assert told == len(rig.of(WorkerStatus))
    assert (0, True) == ((last := rig.of(WorkerStatus)[-1]).websockets, last.accepting)


def test_a_status_is_told_again_on_a_new_link(rig):
    rig.call(rig.core._tell)
    rig.wait_for(WorkerStatus)
    rig.messages.clear()
    rig.relink()
    rig.wait_for(WorkerHello)
    rig.call(rig.core._tell)
    rig.wait_for(WorkerStatus)


def test_a_revocation_through_the_full_list_ends_what_waits(rig, stub):
    cookie = rig.login(absolute_seconds=5)
    rig.clock.advance(6)
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert 401 == client.read_answer().status


def drain(rig, seconds):
    return asyncio.run_coroutine_threadsafe(rig.core.drain(seconds), rig._loop)


def test_a_drain_ends_idle_connections_at_once_and_lets_requests_end(stub):
    with socket.create_server(("127.0.0.1", 0)) as slow, edge_rig(slow.getsockname()[1]) as rig:
        cookie = rig.login()
        with rig.client() as idle, rig.client() as busy:
            idle.send(get("/_nbgate/health"))
            idle.read_answer()
            busy.send(get(cookie=cookie))
            upstream, _ = slow.accept()
            with upstream:
                upstream.recv(65536)
                ended = drain(rig, 10)
                assert b"" == idle.read_to_end()
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                got = busy.read_answer()
            assert (200, ["close"]) == (got.status, got.values("connection"))
            assert b"" == busy.read_to_end()
        ended.result(10)
        assert {200} == {event.status for event in rig.wait_for(HttpRequest, 2)}
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", rig.port), timeout=5)


def test_a_connection_whose_handshake_ends_in_a_drain_is_ended(stub):
    with edge_rig(stub.port) as rig:
        rig.call(lambda: setattr(rig.core._context, "draining", True))
        with rig.client() as client:
            assert b"" == client.read_to_end()


def test_a_drain_hands_over_what_was_not_acknowledged_and_waits_no_longer_than_it_may(stub, monkeypatch):
    monkeypatch.setattr(module, "HAND_OVER_SECONDS", 0.1)
    with edge_rig(stub.port) as rig:
        rig.acknowledges = False
        assert 200 == status(rig, "/_nbgate/health")
        drain(rig, 1).result(10)
        assert 1 == len(rig.wait_for(HttpRequest))


async def bare(loop_time=None, sockets=()):
    made = []
    core = WorkerCore(
        loop=asyncio.get_running_loop(),
        clock=ManualClock(),
        listening=list(sockets),
        boot="00112233445566ff",
        random_bytes=bytes,
        confinement=(),
        pid=1,
        ready=lambda: made.append(1),
    )
    return core, made


async def test_before_the_first_snapshot_it_neither_accepts_nor_reports_and_can_be_drained():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        core, ready = await bare(sockets=[listening])
        core.take(UpstreamPut(state=UpstreamState(route="main")))
        core.take(AuditState(failing_since_unix=1.0))
        core.take(RoutesChanged(gone=("main",)))
        core.take(RecordsWritten(upto=0))
        await core.drain(1)
        assert [] == ready
        assert -1 == listening.fileno()  # its own copy: the supervisor has another


class FullLink:
    """A link that takes nothing."""

    def __init__(self):
        self.closed = False

    def send(self, message):
        if not isinstance(message, WorkerHello):
            raise LinkError("the other end of the link does not read")

    def close(self):
        self.closed = True


async def test_a_link_that_takes_nothing_breaks_nothing():
    core, _ = await bare()
    link, newer = FullLink(), FullLink()
    core.linked(link)
    core._send(UpstreamSuspect(route="main"))
    core._outbox.record(HttpReject, client_ip="x", client_port=1, status=0, reason="not-tls", request_id="x")
    core._outbox.flush()
    assert 1 == core._outbox.waiting
    core.linked(newer)
    assert (True, False) == (link.closed, newer.closed)
    core.close()
    assert newer.closed


def test_refusals_before_a_connection_are_recorded(rig):
    ticket = rig.call(lambda: rig.core.enter(Client("192.0.2.1", 7, "192.0.2.1/32"), print))
    rig.call(lambda: rig.core.refused(ticket, Reason.HANDSHAKE_FAILED, 0))
    (event,) = rig.wait_for(HttpReject)
    assert ("192.0.2.1", 7, "handshake-failed", 0, "failure") == (
        event.client_ip, event.client_port, event.reason, event.status, event.outcome,
    )  # fmt: skip


def test_when_all_places_are_taken_by_sessions_a_newcomer_is_refused(stub):
    with edge_rig(stub.port, limits=Limits(connections=16)) as rig, contextlib.ExitStack() as stack:
        cookie = rig.login()
        for _ in range(16):
            client = stack.enter_context(rig.client())
            client.send(get(cookie=cookie))
            assert 200 == client.read_answer().status
        with RawClient(rig.port) as extra:
            assert b"" == extra.read_to_end()
        assert ("worker-full", 0) == ((event := rig.wait_for(HttpReject)[0]).reason, event.status)
        client.send(get(cookie=cookie))
        assert 200 == client.read_answer().status


def test_a_push_while_the_session_is_asked_for_lets_the_request_go_on(rig, stub):
    rig.answers = False
    cookie = rig.login(push=False)
    with rig.client() as client:
        client.send(get(cookie=cookie))
        rig.wait_for(SessionAsk)
        rig.send(SessionPut(session=next(iter(rig.sessions.values()))))
        assert 200 == client.read_answer().status
