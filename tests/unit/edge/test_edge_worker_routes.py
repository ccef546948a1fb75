"""Routes come, change and go while a worker runs: what hangs on them ends, and nothing else notices."""

import contextlib
import socket

import pytest
from msgspec import structs

from nbgate.audit.events import HttpRequest, WebsocketClose
from nbgate.link.messages import RoutesChanged
from nbgate.model.exposure import Exposure
from nbgate.model.route import Condition, Route, Upstream, UpstreamState
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.raw_client import RawClient
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
WEBSOCKET = (
    f"Origin: https://{HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
CHANNELS = "api/kernels/0/channels"


@pytest.fixture
def other():
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture
def rig(stub):
    with edge_rig(stub.port, prefix="/a/") as running:
        yield running


def get(path, cookie, extra="", host=HOST):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n{extra}\r\n".encode()


def change(rig, *put, gone=()):
    """Send as the keeper: each of `put` is guarded, and its token is its name."""
    before = rig.core._context.policy
    states = [UpstreamState(route=r.name, condition=Condition.GUARDED, token=f"{r.name}-token-1234567") for r in put]
    rig.send(RoutesChanged(put=put, states=tuple(states), gone=gone))
    wait_until(lambda: rig.core._context.policy is not before, what="the routes are in force")


def route(name, port, **also):
    return Route(
        name=name, prefix=f"/{name}/", base_url=f"/{name}/", upstream=Upstream(host="127.0.0.1", port=port), **also
    )


@contextlib.contextmanager
def open_websocket(rig, path, cookie):
    with rig.client() as client:
        client.send(get(path, cookie, WEBSOCKET))
        client.read_until(b"\r\n\r\n")
        assert client.received.startswith(b"HTTP/1.1 101 ")
        client.received.clear()
        yield client


def echoes(client):
    client.send(b"\x81\x81\0\0\0\0x")
    client.read_until(b"\x81\x01x")
    client.received.clear()


def status(rig, path, cookie):
    with rig.client() as client:
        client.send(get(path, cookie))
        return client.read_answer().status


def test_a_route_that_comes_is_there_from_the_next_request_on(rig, other):
    cookie = rig.login()
    with rig.client() as client:
        client.send(get("/b/api/x", cookie))
        assert 404 == client.read_answer().status
        change(rig, route("b", other.port))
        client.send(get("/b/api/x", cookie))
        assert 200 == client.read_answer().status
    (request,) = other.requests
    assert ["token b-token-1234567"] == request.values("authorization")


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "leads elsewhere"])
def test_websockets_of_a_route_that_is_gone_or_leads_elsewhere_are_told_to_come_again(rig, other, gone):
    cookie = rig.login()
    change(rig, route("b", other.port))
    with StubUpstream().in_thread() as third:
        with (
            open_websocket(rig, f"/b/{CHANNELS}", cookie) as ends,
            open_websocket(rig, f"/a/{CHANNELS}", cookie) as stays,
        ):
            echoes(ends)
            if gone:
                change(rig, gone=("b",))
            else:
                change(rig, route("b", third.port))
            ends.read_until(b"route-changed")
            assert b"\x88" == ends.received[:1]
            assert 1012 == int.from_bytes(ends.received[2:4])
            echoes(stays)
        assert (404 if gone else 200) == status(rig, "/b/api/x", cookie)
        assert ([], ["/b/api/x"])[not gone] == [request.target for request in third.requests]
    ended = {(event.close_code, event.reason) for event in rig.wait_for(WebsocketClose, 2)}
    assert {(1012, "route-changed"), (1006, "client-gone")} == ended


def test_a_route_that_changes_otherwise_loses_nobody_who_may_stay(rig, other):
    adas, bobs = rig.login("ada"), rig.login("bob")
    change(rig, route("b", other.port))
    path = f"/b/{CHANNELS}"
    with open_websocket(rig, path, adas) as stays, open_websocket(rig, path, bobs) as ends:
        change(rig, route("b", other.port, allowed=("ada",)))
        ends.read_until(b"not-allowed")
        echoes(stays)


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "leads elsewhere"])
def test_a_request_is_finished_where_it_began(rig, other, gone):
    cookie = rig.login()
    with socket.create_server(("127.0.0.1", 0)) as slow, rig.client() as client:
        change(rig, route("b", slow.getsockname()[1]))
        client.send(get("/b/files/big", cookie))
        upstream, _ = slow.accept()
        with upstream:
            upstream.recv(65536)
            upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
            client.read_until(b"ab")
            moved = route("b", other.port, allowed=("bob",))
            change(rig, *(() if gone else (moved,)), gone=("b",) if gone else ())
            upstream.sendall(b"cd")
            client.read_until(b"abcd")
            upstream.settimeout(5)
            assert b"" == upstream.recv(1), "its connection is not kept: no route leads there"
        client.send(get("/a/api/x", cookie))
        client.read_until(b"ok")
    assert [200, 200] == [event.status for event in rig.wait_for(HttpRequest, 2)]


def test_a_handshake_that_was_under_way_ends_as_the_others(rig):
    cookie = rig.login()
    with socket.create_server(("127.0.0.1", 0)) as slow, rig.client() as client:
        change(rig, route("b", slow.getsockname()[1]))
        client.send(get(f"/b/{CHANNELS}", cookie, WEBSOCKET))
        upstream, _ = slow.accept()
        with upstream:
            upstream.recv(65536)
            change(rig, gone=("b",))
            upstream.sendall(SWITCHING)
            client.read_until(b"route-changed")
    assert bytes(client.received).startswith(b"HTTP/1.1 101 ")


def test_idle_connections_to_a_server_that_no_route_has_are_closed_and_no_others(rig, stub, other):
    cookie = rig.login()
    change(rig, route("b", other.port), route("c", other.port))
    assert [200] * 3 == [status(rig, f"/{name}/api/x", cookie) for name in "abc"]
    change(rig, gone=("b",))
    assert [200] * 2 == [status(rig, f"/{name}/api/x", cookie) for name in "ac"]
    assert (1, 1) == (len(stub.connections), len(other.connections))
    change(rig, gone=("c",))
    wait_until(other.connections[0].ended.is_set, what="the end of the idle connection")
    assert not stub.connections[0].ended.is_set()
    wait_until(lambda: list(rig.core._pool._idle) == [rig.routes[1].upstream], what="nothing kept for it")


def test_who_repeats_requests_elsewhere_notices_nothing(rig, stub, other):
    cookie = rig.login()
    with rig.client() as client:
        for number in range(20):
            change(rig, route("b", other.port), gone=() if number % 2 else ("b",))
            client.send(get("/a/api/x", cookie))
            assert 200 == client.read_answer().status
    assert 1 == len(stub.connections)


def test_waiting_requests_are_counted_to_the_end_and_no_longer(rig, other):
    cookie = rig.login()

    def counted():
        return sorted(rig.core._context.admission._waiting)

    with socket.create_server(("127.0.0.1", 0)) as slow, rig.client() as client:
        change(rig, route("b", slow.getsockname()[1]), route("c", other.port))
        assert 200 == status(rig, "/c/api/x", cookie)
        client.send(get("/b/api/x", cookie))
        upstream, _ = slow.accept()
        with upstream:
            upstream.recv(65536)
            change(rig, gone=("b", "c"))
            assert ["b"] == counted()
            upstream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert 204 == client.read_answer().status
        change(rig, route("d", other.port))
        assert [] == counted()


def test_a_snapshot_without_a_route_ends_what_hangs_on_it(rig, other):
    cookie = rig.login()
    change(rig, route("b", other.port))
    with open_websocket(rig, f"/b/{CHANNELS}", cookie) as ends, open_websocket(rig, f"/a/{CHANNELS}", cookie) as stays:
        rig.send(rig.snapshot())
        ends.read_until(b"route-changed")
        echoes(stays)


def test_the_host_of_a_route_is_a_name_to_ask_for(stub, other):
    with edge_rig(stub.port, exposure=Exposure(hosts=(HOST,))) as rig:
        cookie = rig.login()
        rig.routes = (*rig.routes, structs.replace(route("b", other.port), prefix="/", base_url="/", host="b.gw.test"))
        context = rig.client_context()
        context.check_hostname = False

        def asked(name):
            with contextlib.suppress(OSError), _Asking(rig.port, context, server_name=name) as client:
                client.send(get("/api/x", cookie, host=name))
                return client.read_answer().status

        assert (200, None, None) == (asked(HOST), asked("b.gw.test"), asked("c.gw.test"))
        rig.send(rig.snapshot())
        wait_until(lambda: asked("b.gw.test"), what="the snapshot is in force")
        change(rig, structs.replace(rig.routes[2], name="c", host="c.gw.test"))
        assert [200, None] == [asked("c.gw.test"), asked("d.gw.test")]


class _Asking(RawClient):
    """Asks for a name that is not in the rig's certificate."""

    def __enter__(self):
        plain = socket.create_connection((self.host, self.port), timeout=self.deadline_seconds)
        try:
            self._socket = self.context.wrap_socket(plain, server_hostname=self.server_name)
        except OSError:
            plain.close()
            raise
        return self
