"""The accept loop: plain HTTP, garbage, silence and too many."""

import asyncio
import socket

import pytest

from nbgate.audit.events import HttpReject
from nbgate.config.schema import Limits
from nbgate.edge.listener import Listener, make_client
from nbgate.testing.edge_rig import edge_rig
from nbgate.testing.raw_client import RawClient

HEALTH = b"GET /_nbgate/health HTTP/1.1\r\nHost: gw.test\r\n\r\n"


def plain(rig):
    return RawClient(rig.port)


@pytest.mark.parametrize(
    ("sent", "url"),
    [
        (b"GET /lab HTTP/1.1\r\nHost: home.example:8443\r\n\r\n", b"https://home.example:8443/"),
        (b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n", b"https://127.0.0.1:"),
        (b"hello", b"https://127.0.0.1:"),
    ],
)
def test_plain_http_gets_a_400_that_names_the_https_url(rig, sent, url):
    with plain(rig) as client:
        client.send(sent)
        got = client.read_answer()
    assert 400 == got.status
    assert url in got.body
    assert b"<script>" not in got.body
    assert "not-tls" == rig.wait_for(HttpReject)[0].reason


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\x05hello", b"\x16" + b"\xff" * 40])
def test_a_broken_handshake_is_recorded_and_nothing_else(rig, sent):
    with plain(rig) as client:
        client.send(sent)
        client.read_to_end()
    assert "handshake-failed" == rig.wait_for(HttpReject)[0].reason


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
def test_silence_before_and_in_the_handshake_ends_by_the_deadline(stub, sent):
    with edge_rig(stub.port, limits=Limits(tls_handshake_seconds=0.3)) as rig:
        with plain(rig) as client:
            client.send(sent)
            client.read_to_end()
        assert "handshake-failed" == rig.wait_for(HttpReject)[0].reason


def test_past_the_cap_a_connection_is_dropped_and_recorded(stub):
    with edge_rig(stub.port, limits=Limits(connections=16)) as rig:
        clients = [rig.client() for _ in range(16)]
        for client in clients:
            client.__enter__()
            client.send(b"GET /_nbgate/health HTTP/1.1\r\nHost: gw.test\r\n\r\n")
            assert 200 == client.read_answer().status
        with plain(rig) as extra:
            extra.send(b"\x16")
            extra.read_to_end()
        assert "overloaded" == rig.wait_for(HttpReject)[0].reason
        for client in clients:
            client.__exit__()


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (("192.0.2.7", 5), ("192.0.2.7", 5, "192.0.2.7/32")),
        (("::ffff:192.0.2.7", 5, 0, 0), ("192.0.2.7", 5, "192.0.2.7/32")),
        (("2001:db8:1:2:3::4", 5, 0, 0), ("2001:db8:1:2:3::4", 5, "2001:db8:1:2::/64")),
        (("fe80::1%eth0", 5, 0, 2), ("fe80::1", 5, "fe80::/64")),
    ],
)
def test_the_client_of_an_address(address, client):
    made = make_client(address)
    assert client == (made.address, made.port, made.netblock)


def accepts(port) -> bool:
    """Say whether somebody answers there."""
    with RawClient(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n")
        return client.read_answer().status == 400


def test_other_sockets_take_the_place_of_the_first_and_connections_go_on(rig):
    before = rig.port
    listening = socket.create_server(("127.0.0.1", 0))
    with rig.client() as client:
        client.send(HEALTH)
        assert 200 == client.read_answer().status
        rig.call(lambda: rig.core.listen_on([listening]))
        rig.port = listening.getsockname()[1]

        assert accepts(rig.port)
        with pytest.raises(ConnectionRefusedError):
            accepts(before)
        client.send(HEALTH)
        assert 200 == client.read_answer().status


def test_what_the_supervisor_has_shut_is_let_go_of_as_soon_as_there_is_another(rig):
    (shut,) = rig.call(lambda: rig.core._listener._sockets)
    shut.shutdown(socket.SHUT_RDWR)
    port = shut.getsockname()[1]
    other = socket.create_server(("127.0.0.1", port))  # nobody waits for the worker's copy
    rig.call(lambda: rig.core.listen_on([other]))

    assert accepts(port)
    assert -1 == shut.fileno()


def test_sockets_that_come_after_the_end_are_closed(rig):
    listening = socket.create_server(("127.0.0.1", 0))
    rig.call(rig.core._listener.stop)
    rig.call(lambda: rig.core.listen_on([listening]))

    assert (-1, False) == (listening.fileno(), rig.call(lambda: rig.core._listener.is_accepting))


def test_sockets_that_come_before_the_beginning_wait_for_it():
    loop = asyncio.new_event_loop()
    first, second = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    listener = Listener(loop, [first], None)
    listener.replace([second])

    assert (-1, False) == (first.fileno(), listener.is_accepting)
    assert second.fileno() not in loop._selector.get_map()
    listener.start()
    assert second.fileno() in loop._selector.get_map()
    listener.stop()
    loop.close()


def test_a_socket_that_went_while_it_paused_is_not_watched_again(rig):
    listener = rig.core._listener
    (first,) = rig.call(lambda: listener._sockets)
    other = socket.create_server(("127.0.0.1", 0))
    rig.call(lambda: rig.core.listen_on([other]))
    rig.call(lambda: listener._resume(first))
    rig.port = other.getsockname()[1]

    assert accepts(rig.port)
