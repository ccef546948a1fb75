"""What is open ends when the rules of who may have it change; everything else goes on."""

import socket

import msgspec
import pytest

from nbgate.audit.events import HttpRequest, WebsocketClose
from nbgate.edge.recheck import end_unrecorded
from nbgate.model.session import Role
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.wait import wait_until

SOCKET = (
    f"Origin: https://{HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def get(cookie, path="/api/kernels/0/channels", extra=SOCKET):
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n{extra}\r\n".encode()


def load(rig, **changes):
    before = rig.core._context.policy
    rig.send(rig.snapshot(**changes))
    wait_until(lambda: rig.core._context.policy is not before, what="the snapshot is in force")


def only_for(rig, *names):
    return (rig.routes[0], msgspec.structs.replace(rig.routes[1], allowed=names))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"allowed": ("bob", "ada")}, None),
        ({"allowed": ("bob",)}, "not-allowed"),
        ({"second_factor_roles": ("owner",)}, None),
        ({"second_factor_roles": ("editor",)}, "second-factor-required"),
    ],
)
def test_a_websocket_that_would_not_be_opened_now_is_closed(rig, changes, reason):
    with rig.client() as client:
        client.send(get(rig.login()))
        client.read_until(b"\r\n\r\n")
        client.received.clear()
        load(rig, routes=only_for(rig, *changes.pop("allowed", ())), **changes)
        if reason is None:
            client.send(b"\x81\x81\0\0\0\0x")
            client.read_until(b"\x81\x01x")
            return
        client.read_until(reason.encode())
    assert bytes(client.received).startswith(b"\x88")
    assert (1008).to_bytes(2) == bytes(client.received[2:4])
    (event,) = rig.wait_for(WebsocketClose)
    assert (1008, reason) == (event.close_code, event.reason)


@pytest.mark.parametrize(("name", "ends"), [("ada", False), ("bob", True)])
def test_an_answer_under_way_ends_with_what_allowed_it(name, ends):
    with socket.create_server(("127.0.0.1", 0)) as server, edge_rig(server.getsockname()[1]) as rig:
        with rig.client() as client:
            client.send(get(rig.login(), "/files/big", ""))
            upstream, _ = server.accept()
            with upstream:
                upstream.recv(65536)
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
                client.read_until(b"ab")
                load(rig, routes=only_for(rig, name))
                if not ends:
                    upstream.sendall(b"cd")
                    client.read_until(b"abcd")
                    return
                client.read_to_end()
        (event,) = rig.wait_for(HttpRequest)
        assert "not-allowed" == event.reason


def test_what_waits_or_is_ours_or_a_strangers_is_left_alone(rig):
    with rig.client() as idle, rig.client() as stranger, rig.client() as person:
        idle.send(get(rig.login(role=Role.AUDITOR), "/_nbgate/health", ""))
        assert 200 == idle.read_answer().status
        rig.answers = False
        unknown = rig.login(push=False)
        rig.sessions.popitem()
        stranger.send(get(unknown, "/api/x", ""))
        wait_until(lambda: any(c.exchange for c in rig.core._context.connections), what="the keeper is asked")
        load(rig, routes=only_for(rig, "bob"))
        idle.send(get("", "/_nbgate/health", ""))
        assert 200 == idle.read_answer().status
        person.send(get(rig.login(), "/api/x", ""))
        assert 403 == person.read_answer().status


def test_what_cannot_be_recorded_any_more_ends_and_who_only_waits_stays(rig):
    with rig.client() as idle, rig.client() as client:
        idle.send(get("", "/_nbgate/health", ""))
        assert 200 == idle.read_answer().status
        client.send(get(rig.login()))
        client.read_until(b"\r\n\r\n")
        rig.call(lambda: end_unrecorded(rig.core._context))
        client.read_until(b"audit-unavailable")
        idle.send(get("", "/_nbgate/health", ""))
        assert 200 == idle.read_answer().status
