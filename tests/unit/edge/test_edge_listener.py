"""The accept loop: plain HTTP, garbage, silence and too many."""

import pytest

from nbgate.audit.events import HttpReject
from nbgate.config.schema import Limits
from nbgate.edge.listener import make_client
from nbgate.testing.edge_rig import edge_rig
from nbgate.testing.raw_client import RawClient


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
