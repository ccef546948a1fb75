"""Who gets a place, and what is more than a netblock, a session, an upstream or the worker should carry."""

import contextlib
import resource
import socket
import threading

import pytest

from nbgate.audit.events import HttpReject, HttpRequest
from nbgate.config.schema import Limits
from nbgate.edge import admission as module
from nbgate.edge.admission import Admission, connections_for_descriptors
from nbgate.http.forwarded import parse_networks
from nbgate.link.messages import WorkerStatus
from nbgate.model.client import make_client
from nbgate.model.exposure import Exposure
from nbgate.reasons import Reason
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.raw_client import RawClient
from nbgate.testing.stub_upstream import ReadRequest, ReadToEnd, Send, answer
from nbgate.testing.wait import wait_until

ORIGIN = f"Origin: https://{HOST}\r\n"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + ORIGIN
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def get(path="/api/x", *, cookie="", extra="", method="GET"):
    lines = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{extra}"
    return (lines + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()


HEALTH = get("/_nbgate/health")


def ask(client, raw):
    client.send(raw)
    return client.read_answer()


def admission(rig):
    return rig.core._context.admission


# places


class Policy:
    """Stands for a `Policy` by what is asked of it."""

    def __init__(self, limits, trusted=()):
        self.limits = limits
        self.trusted_hops = parse_networks(trusted)
        self.own_route = type("Route", (), {"name": "own"})
        self.upstreams = {}


def entered(places, *addresses, trusted=()):
    """Let connections in, one from each address; return what `end` was called with, and the admission."""
    ended = []
    made = Admission(Policy(places, trusted), 0.0)
    tickets = [
        made.enter(make_client(address, number), lambda reason, number=number: ended.append((number, reason.value)))
        for number, address in enumerate(addresses)
    ]
    return made, tickets, ended


A, B, C = "192.0.2.1", "192.0.2.2", "2001:db8::1"


@pytest.mark.parametrize(
    ("limits", "addresses", "ended"),
    [
        (Limits(stranger_connections=2), [A, B], []),
        (Limits(stranger_connections=2), [A, B, C], [(0, "stranger-connections")]),
        (Limits(stranger_connections=2), [A, B, B], [(1, "stranger-connections")]),
        (Limits(netblock_connections=1), [A, B, "2001:db8::2", C], [(2, "netblock-connections")]),
    ],
)
def test_a_stranger_is_ended_for_the_newcomer_and_told_why(limits, addresses, ended):
    made, tickets, seen = entered(limits, *addresses)
    assert ended == seen
    assert all(tickets)
    assert len(addresses) - len(ended) == made.held == made.strangers


def test_a_full_worker_ends_a_stranger_and_never_somebody_with_a_session(monkeypatch):
    monkeypatch.setattr(module, "LEAST_CONNECTIONS", 2)
    monkeypatch.setattr(module, "connections_for_descriptors", lambda _descriptors: 2)
    made, tickets, ended = entered(Limits(), A, B)
    made._befriend(tickets[0])
    assert made.enter(make_client(C, 9), print) is not None
    assert [(1, "worker-full")] == ended
    for ticket in list(made._strangers._waiting.values()):
        made._befriend(next(iter(ticket)))
        break
    assert made.enter(make_client(C, 9), print) is None
    assert 2 == made.held


def test_a_known_browser_keeps_its_place_while_its_login_is_looked_at(monkeypatch):
    monkeypatch.setattr(module, "MAX_SPARED", 1)
    made, (known, made_up), ended = entered(Limits(stranger_connections=2), A, B)
    assert made.spare(known)
    assert not made.spare(known)
    assert not made.spare(made_up)
    for number in range(3):
        made.enter(make_client(f"198.51.100.{number}", 9), lambda _reason: None)
    assert [(1, "stranger-connections")] == ended
    made.spare_no_longer(known)
    assert (2, True) == (made.strangers, known.is_stranger)
    made.enter(make_client("198.51.100.9", 9), lambda _reason: None)
    assert made.spare(known)  # it came back as the newest
    made.leave(known)
    made.spare_no_longer(known)
    assert not known.is_stranger


def test_who_left_is_counted_once_and_takes_no_place_any_more():
    made, tickets, _ = entered(Limits(), A, B)
    for _ in range(2):
        made.leave(tickets[0])
    made._estrange(tickets[0])
    assert (1, 1) == (made.held, made.strangers)


def test_a_trusted_hop_takes_no_place_for_strangers():
    made, tickets, ended = entered(Limits(netblock_connections=1), A, A, A, trusted=["192.0.2.0/24"])
    assert ([], 3, 0) == (ended, made.held, made.strangers)
    made.identify(tickets[0], make_client("198.51.100.7", 1))
    made.identify(tickets[1], make_client("198.51.100.7", 2))
    assert [(0, "netblock-connections")] == ended


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(20_000, 9936), (256, 64), (64, 16), (resource.RLIM_INFINITY, 1 << 31)]
)
def test_places_are_bound_by_what_the_process_may_open(descriptors, connections):
    assert connections == connections_for_descriptors(descriptors)


def test_a_smaller_number_of_places_is_in_force_with_the_next_snapshot(rig):
    rig.send(rig.snapshot(version=2, limits=Limits(connections=17)))
    rig.call(rig.core._tell)
    wait_until(lambda: any(told.places == 17 for told in rig.of(WorkerStatus)), what="the status says so")


def test_connections_that_only_stand_there_displace_each_other_and_nobody_with_a_session(stub):
    """THREATS F29: whoever comes is let in; the crowd of one address loses its oldest."""
    with edge_rig(stub.port, limits=Limits(netblock_connections=8)) as rig, contextlib.ExitStack() as stack:
        cookie = rig.login()
        ada = stack.enter_context(rig.client(source="127.0.1.1"))
        assert 200 == ask(ada, get(cookie=cookie)).status
        crowd = [stack.enter_context(RawClient(rig.port, source="127.0.1.1")) for _ in range(40)]
        wait_until(lambda: len(rig.of(HttpReject)) == 32, what="32 are dropped")
        assert {"netblock-connections"} == {event.reason for event in rig.of(HttpReject)}
        assert 9 == rig.call(lambda: admission(rig).held)
        for client in crowd[:32]:
            assert b"" == client.read_to_end()
        assert 200 == ask(ada, get(cookie=cookie)).status
        bob = stack.enter_context(rig.client(source="127.0.1.1"))
        assert 200 == ask(bob, HEALTH).status


@pytest.mark.parametrize("handshaking", [False, True], ids=["before the handshake", "in it"])
def test_who_is_dropped_before_it_speaks_http_is_recorded_once_with_the_reason(stub, handshaking):
    limits = Limits(stranger_connections=1, tls_handshake_seconds=5)
    with edge_rig(stub.port, limits=limits) as rig, RawClient(rig.port) as first:
        if handshaking:
            first.send(b"\x16\x03\x01")
            wait_until(
                lambda: rig.call(lambda: not rig.core._listener._waiting and admission(rig).held), what="it began"
            )
        else:
            wait_until(lambda: rig.call(lambda: admission(rig).held), what="it is there")
        with rig.client(source="127.0.1.1") as second:
            assert 200 == ask(second, HEALTH).status
            assert b"" == first.read_to_end()
        wait_until(lambda: not rig.call(lambda: admission(rig).held), what="all have left")
    assert ["stranger-connections"] == [event.reason for event in rig.of(HttpReject)]


def test_a_login_that_is_dropped_in_the_middle_is_recorded_as_its_request(stub):
    with socket.create_server(("127.0.0.1", 0)) as silent, edge_rig(silent.getsockname()[1]) as rig:
        rig.send(rig.snapshot(limits=Limits(stranger_connections=1)))
        with rig.client() as first:
            first.send(get("/_nbgate/login", method="POST", extra=ORIGIN + "Content-Length: 5\r\n") + b"a")
            wait_until(
                lambda: rig.call(lambda: any(c.exchange for c in rig.core._context.connections)), what="it waits"
            )
            with rig.client(source="127.0.1.1") as second:
                assert 200 == ask(second, HEALTH).status
            first.read_to_end()
        reasons = [event.reason for event in rig.wait_for(HttpRequest, 2)]
        assert "stranger-connections" in reasons
        assert [] == rig.of(HttpReject)


def test_a_connection_is_a_stranger_again_after_a_request_without_a_session(rig):
    cookie = rig.login()
    strangers = []
    with rig.client() as client:
        for raw in (HEALTH, get(cookie=cookie), get(cookie=cookie), HEALTH, get(cookie=cookie), get(cookie=cookie)):
            ask(client, raw)
            strangers.append(rig.call(lambda: admission(rig).strangers))
    assert [1, 0, 0, 1, 0, 0] == strangers
    wait_until(lambda: (0, 0) == rig.call(lambda: (admission(rig).held, admission(rig).strangers)), what="it left")


# rates of strangers


def test_a_netblock_without_a_session_is_bound_by_a_rate_and_told_when_to_come_again(stub):
    limits = Limits(netblock_requests_per_second=0.25, netblock_request_burst=3)
    with edge_rig(stub.port, limits=limits) as rig, rig.client() as client, rig.client(source="127.0.1.9") as other:
        cookie = rig.login()
        assert [200, 200, 200] == [ask(client, HEALTH).status for _ in range(3)]
        refused = ask(client, HEALTH)
        assert (429, ["4"]) == (refused.status, refused.values("retry-after"))
        assert b'"reason": "netblock-rate"' in refused.body
        assert 200 == ask(other, HEALTH).status
        with rig.client() as known:
            assert [200] * 5 == [ask(known, get(cookie=cookie)).status for _ in range(5)]
        assert ["netblock-rate"] == [event.reason for event in rig.wait_for(HttpRequest, 10) if event.status == 429]


def test_who_is_refused_for_its_rate_is_not_read_before_its_time(stub):
    """Refusals cost work too: one a rate, not as many as somebody can send."""
    limits = Limits(netblock_requests_per_second=2, netblock_request_burst=1)
    with edge_rig(stub.port, limits=limits) as rig, rig.client() as client:
        client.send(HEALTH * 50)
        assert [200, 429] == [client.read_answer().status for _ in range(2)]
        assert 2 == rig.call(lambda: rig.core._context.requests)
        rig.clock.advance(0.5)
        assert [200, 429] == [client.read_answer().status for _ in range(2)]
        assert rig.call(lambda: rig.core._context.requests) <= 5


def test_a_stranger_behind_a_trusted_hop_is_bound_by_its_own_address(stub):
    limits = Limits(netblock_requests_per_second=0.25, netblock_request_burst=1)
    with edge_rig(stub.port, limits=limits, exposure=Exposure(trusted_hops=("127.0.0.1/32",))) as rig:
        statuses = []
        for client_ip in ("203.0.113.1", "203.0.113.1", "203.0.113.2"):
            with rig.client() as client:
                statuses.append(ask(client, get("/_nbgate/health", extra=f"X-Forwarded-For: {client_ip}\r\n")).status)
    assert [200, 429, 200] == statuses


def test_a_stranger_behind_a_trusted_hop_does_not_hold_up_who_shares_the_hops_connection(stub):
    limits = Limits(netblock_requests_per_second=0.25, netblock_request_burst=1)
    exposure = Exposure(trusted_hops=("127.0.0.1/32",))
    with edge_rig(stub.port, limits=limits, exposure=exposure) as rig, rig.client(deadline_seconds=2) as hop:
        scanner = get("/_nbgate/health", extra="X-Forwarded-For: 203.0.113.1\r\n")
        person = get(cookie=rig.login(), extra="X-Forwarded-For: 203.0.113.2\r\n")
        assert [200, 429, 200] == [ask(hop, raw).status for raw in (scanner, scanner, person)]


def test_refusals_of_strangers_are_summed_up_beyond_a_bound(stub):
    limits = Limits(netblock_refusals_per_minute=3, netblock_requests_per_second=0)
    with edge_rig(stub.port, limits=limits) as rig, rig.client() as client:
        cookie = rig.login()
        for _ in range(10):
            assert 401 == ask(client, get()).status
        for _ in range(5):
            assert 403 == ask(client, get(cookie=cookie, method="POST")).status
        wait_until(lambda: len(rig.of(HttpRequest)) == 8, what="three of one, five of the other")
        rig.clock.advance(60)
        (event,) = rig.wait_for(HttpReject)
    assert ("login-required", 401, 7, "127.0.0.1") == (event.reason, event.status, event.count, event.client_ip)


def test_what_strangers_get_is_summed_up_beyond_the_same_bound(stub):
    """A health check answered a hundred times a second would fill the disk as well as a refusal."""
    limits = Limits(netblock_refusals_per_minute=3, netblock_requests_per_second=0)
    with edge_rig(stub.port, limits=limits) as rig, rig.client() as client:
        assert [200] * 10 == [ask(client, HEALTH).status for _ in range(10)]
        wait_until(lambda: len(rig.of(HttpRequest)) == 3, what="three by themselves")
        rig.clock.advance(60)
        (event,) = rig.wait_for(HttpReject)
        assert 0 == rig.call(lambda: rig.core._context.refusals.count)
    assert ("fixed", 200, 7, "success") == (event.reason, event.status, event.count, event.outcome)


def test_a_worker_that_ends_sums_up_first(stub):
    with edge_rig(stub.port, limits=Limits(netblock_refusals_per_minute=1)) as rig, rig.client() as client:
        for _ in range(4):
            ask(client, get())
    assert [3] == [event.count for event in rig.of(HttpReject)]


# sessions and upstreams


@contextlib.contextmanager
def waiting_requests(rig, cookie, count, *, raw=None):
    """Hold `count` requests of `cookie` open, on a connection each."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(rig.client()) for _ in range(count)]
        for client in clients:
            client.send(raw or get(cookie=cookie))
        wait_until(
            lambda: count == rig.call(lambda: sum(c.exchange is not None for c in rig.core._context.connections)),
            what="they wait",
        )
        yield clients


def test_a_login_whose_body_does_not_come_waits_for_nothing_of_the_keepers(stub):
    """Else slow strangers behind a proxy, whose connections take no places, would close the login for everybody."""
    login = get("/_nbgate/login", method="POST", extra=ORIGIN + "Content-Length: 9\r\n")
    with edge_rig(stub.port, limits=Limits(upstream_requests=1)) as rig, rig.client() as slow, rig.client() as other:
        slow.send(login)
        wait_until(lambda: rig.call(lambda: rig.core._context.requests), what="the head is read")
        assert b"keeper-unavailable" in ask(other, get("/_nbgate/login")).body  # there is none here: it was asked
        rig.call(lambda: setattr(admission(rig).waiting("own"), "n", 1))
        slow.send(b"123456789")
        assert b"upstream-busy" in slow.read_answer().body
        assert 1 == rig.call(lambda: admission(rig).waiting("own").n)


def test_a_websocket_that_fails_by_a_fault_of_ours_is_counted_no_more(stub, monkeypatch):
    def broken(_exchange):
        raise RuntimeError

    with edge_rig(stub.port, limits=Limits(session_websockets=1)) as rig, rig.client() as other:
        cookie = rig.login()
        assert 200 == ask(other, get(cookie=cookie)).status  # so that the session's count outlives the connection
        monkeypatch.setattr("nbgate.edge.exchange.record_open", broken)
        stub.script(ReadRequest(), Send(SWITCHING), ReadToEnd())
        with rig.client() as client:
            client.send(get("/api/kernels/1/channels", cookie=cookie, extra=UPGRADE))
            client.read_to_end()
        (use,) = rig.call(admission(rig)._uses.values)
        wait_until(lambda: not rig.call(lambda: use.websockets.n), what="it is counted no more")


def test_so_many_requests_of_one_session_at_once(stub):
    with edge_rig(stub.port, limits=Limits(session_requests=2)) as rig, rig.client() as client:
        ada, bob = rig.login("ada"), rig.login("bob")
        stub.script(ReadRequest(), ReadToEnd())
        stub.script(ReadRequest(), ReadToEnd())
        with waiting_requests(rig, ada, 2):
            refused = ask(client, get(cookie=ada))
            assert (429, ["1"]) == (refused.status, refused.values("retry-after"))
            with rig.client() as other:
                assert 200 == ask(other, get(cookie=bob)).status
        assert "session-requests" == next(event.reason for event in rig.wait_for(HttpRequest, 2) if event.status == 429)
        wait_until(lambda: not rig.call(lambda: len(rig.core._context.connections) - 1), what="they are gone")
        assert 200 == ask(client, get(cookie=ada)).status


@pytest.mark.parametrize(
    ("count", "reason", "status"),
    [
        (lambda rig: next(iter(admission(rig)._uses.values())).requests, "session-requests", 429),
        (lambda rig: admission(rig).waiting("main"), "upstream-busy", 503),
    ],
)
def test_a_repeated_request_is_bound_by_the_same_numbers(stub, count, reason, status):
    with edge_rig(stub.port, limits=Limits(session_requests=2, upstream_requests=2)) as rig, rig.client() as client:
        cookie = rig.login()
        assert [200] * 3 == [ask(client, get(cookie=cookie)).status for _ in range(3)]
        assert 0 == rig.call(lambda: count(rig).n)
        rig.call(lambda: setattr(count(rig), "n", 2))
        assert status == ask(client, get(cookie=cookie)).status
        rig.call(lambda: setattr(count(rig), "n", 1))
        assert 200 == ask(client, get(cookie=cookie)).status
        assert 1 == rig.call(lambda: count(rig).n)
        assert [reason] == [event.reason for event in rig.wait_for(HttpRequest, 5) if event.status == status]
        rig.call(lambda: setattr(count(rig), "n", 0))


def test_so_many_websockets_of_one_session(stub):
    with edge_rig(stub.port, limits=Limits(session_websockets=2, session_requests=1)) as rig:
        cookie = rig.login()
        upgrade = get("/api/kernels/1/channels", cookie=cookie, extra=UPGRADE)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(rig.client()) for _ in range(2)]
            assert [101, 101] == [ask(client, upgrade).status for client in clients]
            with rig.client() as third:
                assert 429 == ask(third, upgrade).status
                assert 200 == ask(third, get(cookie=cookie)).status
        assert "session-websockets" == next(
            event.reason for event in rig.wait_for(HttpRequest, 2) if event.status == 429
        )
        wait_until(lambda: not rig.call(lambda: rig.core._context.websockets), what="they are gone")
        with rig.client() as again:
            assert 101 == ask(again, upgrade).status


def test_handshakes_under_way_are_websockets_too(stub):
    with edge_rig(stub.port, limits=Limits(session_websockets=1)) as rig:
        cookie = rig.login()
        upgrade = get("/api/kernels/1/channels", cookie=cookie, extra=UPGRADE)
        stub.script(ReadRequest(), ReadToEnd())
        with waiting_requests(rig, cookie, 1, raw=upgrade), rig.client() as second:
            assert 429 == ask(second, upgrade).status


def test_a_session_has_a_rate_where_one_is_set(stub):
    limits = Limits(session_requests_per_second=0.5, session_request_burst=2)
    with edge_rig(stub.port, limits=limits) as rig, rig.client() as client:
        cookie = rig.login()
        statuses = [ask(client, get(cookie=cookie)) for _ in range(3)]
        assert "session-rate" == rig.wait_for(HttpRequest, 3)[2].reason
    assert [200, 200, 429] == [got.status for got in statuses]
    assert ["2"] == statuses[2].values("retry-after")


def test_as_many_requests_wait_for_an_upstream_as_may_and_the_next_is_told_at_once(stub):
    with edge_rig(stub.port, limits=Limits(upstream_requests=2)) as rig, rig.client() as client:
        cookie = rig.login()
        stub.script(ReadRequest(), ReadToEnd())
        stub.script(ReadRequest(), ReadToEnd())
        with waiting_requests(rig, cookie, 2):
            refused = ask(client, get(cookie=cookie))
            assert (503, ["2"]) == (refused.status, refused.values("retry-after"))
            assert b'"reason": "upstream-busy"' in refused.body
            assert 200 == ask(client, HEALTH).status
        wait_until(lambda: not rig.call(lambda: admission(rig).waiting("main").n), what="nobody waits")
        assert 200 == ask(client, get(cookie=cookie)).status


def test_an_answer_that_has_begun_is_not_waited_for(stub):
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    with edge_rig(stub.port, limits=Limits(upstream_requests=1)) as rig, rig.client() as client:
        cookie = rig.login()
        stub.script(ReadRequest(), Send(begun), ReadToEnd())
        with waiting_requests(rig, cookie, 1) as (first,):
            first.read_until(b"abc")
            assert 200 == ask(client, get(cookie=cookie)).status


END = [
    pytest.param((ReadRequest(), Send(answer(b"1"))), id="answered"),
    pytest.param((ReadRequest(),), id="lost"),
    pytest.param((ReadRequest(), Send(b"nonsense\r\n\r\n")), id="nonsense"),
    pytest.param((ReadRequest(), ReadToEnd()), id="too late"),
    pytest.param((ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")), id="truncated"),
]


@pytest.mark.parametrize("script", END)
@pytest.mark.parametrize("learnt", [False, True], ids=["judged", "repeated"])
@pytest.mark.parametrize("raw", [get, lambda **how: get("/api/kernels/1/channels", extra=UPGRADE, **how)])
def test_however_a_request_ends_it_is_counted_no_more(stub, script, learnt, raw):
    with edge_rig(stub.port, limits=Limits(upstream_answer_seconds=0.3)) as rig:
        cookie = rig.login()
        with rig.client() as client:
            if learnt:
                stub.script(ReadRequest(), Send(answer(b"1")), *script)
                assert 200 == ask(client, get(cookie=cookie)).status
            else:
                stub.script(*script)
            client.send(raw(cookie=cookie))
            with contextlib.suppress(ValueError):
                client.read_answer()
        wait_until(lambda: not rig.call(lambda: rig.core._context.connections), what="the client is gone")
        assert 0 == rig.call(lambda: admission(rig).waiting("main").n)
        assert ({}, 0) == rig.call(lambda: (admission(rig)._uses, admission(rig).held))


# overload


def late(rig, seconds):
    """Have the worker find itself late by `seconds` until further notice."""

    def become():
        overload = admission(rig).overload
        overload.lag_seconds = seconds
        overload.refuses_strangers = seconds > overload.limit_seconds
        overload.refuses_all = seconds > 10 * overload.limit_seconds
        rig.core._timers[2].cancel()

    rig.call(become)


@pytest.mark.parametrize(
    ("lag", "stranger", "judged", "repeated", "websocket"),
    [(0.0, 200, 200, 200, 101), (0.5, 503, 200, 200, 101), (2.0, 503, 503, 503, 503)],
)
def test_a_worker_that_is_late_refuses_strangers_and_one_that_is_hopeless_everybody(
    rig, stub, lag, stranger, judged, repeated, websocket
):
    cookie = rig.login()
    upgrade = get("/api/kernels/1/channels", cookie=cookie, extra=UPGRADE)
    with rig.client() as known, rig.client() as new, rig.client() as tunnel, rig.client() as unknown:
        assert 200 == ask(known, get(cookie=cookie)).status
        assert 101 == ask(tunnel, upgrade).status
        late(rig, lag)
        assert repeated == ask(known, get(cookie=cookie)).status
        assert judged == ask(new, get("/api/y", cookie=cookie)).status
        assert websocket == ask(new, upgrade).status
        refused = ask(unknown, HEALTH)
        assert (stranger, ["2"] if stranger == 503 else []) == (refused.status, refused.values("retry-after"))
        tunnel.send(b"\x81\x82\x00\x00\x00\x00hi")
        assert tunnel.read_until(b"hi").endswith(b"\x81\x02hi")
    refusals = [stranger, judged, repeated, websocket].count(503)
    wait_until(lambda: len(rig.of(HttpRequest)) == 4 + (websocket != 101), what="the records")
    reasons = [event.reason for event in rig.of(HttpRequest) if event.status == 503]
    assert [Reason.OVERLOADED.value] * refusals == reasons


def test_a_loop_that_is_kept_busy_is_noticed_answered_and_over_by_itself(stub):
    """Nothing is faked: for a while each turn of the loop takes longer than it may."""
    with edge_rig(stub.port, limits=Limits(overload_lag_seconds=0.05)) as rig, rig.client() as client:
        stop = threading.Event()

        def burn():
            if not stop.wait(0.25):
                rig._loop.call_soon(burn)

        rig.call(burn)
        try:
            wait_until(lambda: admission(rig).overload.refuses_strangers, what="it is noticed")
            got = ask(client, HEALTH)
            assert (503, ["2"]) == (got.status, got.values("retry-after"))
            wait_until(lambda: any(told.lag_seconds > 0.05 for told in rig.of(WorkerStatus)), what="status shows it")
        finally:
            stop.set()
        wait_until(lambda: not admission(rig).overload.refuses_strangers, what="it is over")
        with rig.client(source="127.0.1.1") as other:
            assert 200 == ask(other, HEALTH).status


def test_the_figures_of_status(rig):
    cookie = rig.login()
    with rig.client() as known, rig.client() as unknown:
        ask(known, get(cookie=cookie))
        ask(unknown, get())
        rig.call(rig.core._tell)
        told = rig.wait_for(WorkerStatus)[-1]
        wait_until(lambda: rig.of(WorkerStatus)[-1].connections == 2, what="the status")
        told = rig.of(WorkerStatus)[-1]
    assert (2, 1, 8192, 1, True) == (told.connections, told.strangers, told.places, told.refused, told.accepting)
