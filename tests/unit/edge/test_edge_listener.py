"""Connections before they are HTTP: plain HTTP, garbage, silence, PROXY headers, many at once."""

import asyncio
import contextlib
import itertools
import socket

import pytest
from structlog.testing import capture_logs

from nbgate.audit.events import HttpReject, HttpRequest
from nbgate.config.schema import Limits
from nbgate.edge.accept import ACCEPTS_PER_TURN
from nbgate.edge.admission import Ticket
from nbgate.edge.listener import Listener
from nbgate.model.exposure import Exposure
from nbgate.reasons import Reason
from nbgate.testing.edge_rig import edge_rig
from nbgate.testing.raw_client import RawClient
from nbgate.testing.wait import wait_until

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


# the PROXY header

TRUSTED = Exposure(trusted_hops=("127.0.0.0/24",), proxy_protocol=True)
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"
V2 = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24"
    + bytes.fromhex("20010db8000100020003000000000004")
    + bytes(16)
    + b"\x12\x67\x01\xbb"
)
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"


@pytest.fixture
def behind(stub):
    with edge_rig(stub.port, exposure=TRUSTED, limits=Limits(tls_handshake_seconds=0.5)) as rig:
        yield rig


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (V1, ("203.0.113.7", 4711)),
        (V2, ("2001:db8:1:2:3::4", 4711)),
        (LOCAL, ("127.0.0.1", None)),
        (b"PROXY UNKNOWN\r\n", ("127.0.0.1", None)),
    ],
)
def test_the_client_is_who_the_proxy_says_it_is(behind, header, client):
    with behind.client(preamble=header) as opened:
        opened.send(HEALTH)
        assert 200 == opened.read_answer().status
        port = opened.socket.getsockname()[1]
    (event,) = behind.wait_for(HttpRequest)
    assert (client[0], client[1] or port) == (event.client_ip, event.client_port)


@pytest.mark.parametrize("header", [V1, V2])
def test_a_header_in_pieces_is_read_without_looking_twice_at_a_byte(behind, monkeypatch, header):
    """What was looked at and left would keep the socket readable: a loop that spins (THREATS F24)."""
    looks = []
    whole = Listener._look
    monkeypatch.setattr(Listener, "_look", lambda self, arrival: looks.append(1) or whole(self, arrival))
    with RawClient(behind.port) as client:
        for size in range(1, len(header)):
            client.send(header[size - 1 : size])
            wait_until(
                lambda size=size: any(a.header_bytes == size for a in list(behind.core._listener._waiting.values())),
                what=f"{size} bytes are taken",
            )
        assert len(looks) <= 2 * len(header)
        client.send(header[-1:] + b"GET / HTTP/1.1\r\n\r\n")
        assert 400 == client.read_answer().status
    assert header is V2 or "203.0.113.7" == behind.wait_for(HttpReject)[0].client_ip


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 999.0.0.1 1.1.1.1 1 1\r\n",
        V1[:-1] + b"x",
        b"\r\n\r\n\x00\r\nQUIT\n\x31",
    ],
)
def test_who_does_not_begin_with_a_good_header_is_dropped(behind, sent):
    with RawClient(behind.port) as client:
        client.send(sent)
        assert b"" == client.read_to_end()
    assert ["bad-proxy-header"] == [event.reason for event in behind.wait_for(HttpReject)]
    assert 0 == behind.call(lambda: behind.core._context.admission.held)


def test_nobody_but_a_trusted_proxy_is_even_listened_to(behind):
    with RawClient(behind.port, source="127.0.1.1") as client:
        client.send(V1)
        assert b"" == client.read_to_end()
    assert [("bad-proxy-header", "127.0.1.1")] == [
        (event.reason, event.client_ip) for event in behind.wait_for(HttpReject)
    ]


@pytest.mark.parametrize("sent", [b"", V1[:10], V1], ids=["nothing", "a part", "a header and no more"])
def test_a_header_that_does_not_come_in_time_ends_it(behind, sent):
    with RawClient(behind.port) as client:
        client.send(sent)
        assert b"" == client.read_to_end()
    reason = "handshake-failed" if sent == V1 else "bad-proxy-header"
    assert [reason] == [event.reason for event in behind.wait_for(HttpReject)]


def test_a_health_check_of_the_proxy_that_only_connects_leaves_no_record(behind):
    for preamble in (LOCAL, b""):
        with RawClient(behind.port) as client:
            client.send(preamble)
        wait_until(lambda: not behind.call(lambda: behind.core._context.admission.held), what="it is gone")
    assert [] == behind.of(HttpReject)


def test_strangers_behind_a_proxy_are_counted_by_who_they_are(stub):
    with edge_rig(stub.port, exposure=TRUSTED, limits=Limits(netblock_connections=1)) as rig:
        with rig.client(preamble=V1) as first, rig.client(preamble=V2) as other, rig.client(preamble=V1):
            assert b"" == first.read_to_end()
            other.send(HEALTH)
            assert 200 == other.read_answer().status
        assert [("netblock-connections", "203.0.113.7")] == [
            (event.reason, event.client_ip) for event in rig.wait_for(HttpReject)
        ]


# many at once


class Noting:
    """A gate that keeps what it was told, in order."""

    def __init__(self):
        self.tickets, self.told, self.most = [], [], 0

    def enter(self, client, end):
        self.tickets.append(Ticket(client, end))
        self.most = max(self.most, len(self.tickets) - self.told.count("begun"))
        return self.tickets[-1]

    def handshake(self):
        return 5.0, False

    def make_room(self):
        raise AssertionError("there is room")

    def spawn(self, coroutine):
        self.told.append("begun")
        with contextlib.suppress(StopIteration):
            coroutine.send(None)

    def refused(self, _ticket, reason, _status):
        self.told.append(reason)


class Beginning(Listener):
    """A listener whose handshakes are over as soon as they begin."""

    async def _handshake(self, arrival):
        arrival.sock.close()


def what_happens(hellos, meanwhile=lambda _gate: None):
    """Have as many clients say hello at once; return what the gate is told, and when others had their turn."""
    gate = Noting()

    async def listen(listening):
        Beginning(asyncio.get_running_loop(), [listening], gate).start()
        while len(gate.tickets) < min(hellos, ACCEPTS_PER_TURN):
            await asyncio.sleep(0)
        meanwhile(gate)
        async with asyncio.timeout(5):
            while len([it for it in gate.told if it != "turn"]) < hellos:
                gate.told.append("turn")
                await asyncio.sleep(0)

    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(hellos):
            client = stack.enter_context(socket.create_connection(listening.getsockname()))
            client.send(b"\x16")
        asyncio.run(listen(listening))
    return gate


def test_between_two_handshakes_everybody_else_gets_a_turn():
    """A thousand hellos at once are no reason to keep anybody waiting who is in the middle of something."""
    told = what_happens(8).told
    assert 8 == told.count("begun")
    assert ("begun", "begun") not in list(itertools.pairwise(told))


def test_who_is_dropped_before_the_turn_comes_has_no_handshake():
    told = what_happens(8, lambda gate: gate.tickets[-1].end(Reason.WORKER_FULL)).told
    assert (7, 1) == (told.count("begun"), told.count(Reason.WORKER_FULL))


def test_nobody_is_accepted_to_be_displaced_before_their_turn_comes():
    """A place for a stranger is short-lived in a crowd: who is not accepted yet waits in the kernel, and loses none."""
    gate = what_happens(100)
    assert 100 == gate.told.count("begun")
    assert gate.most <= ACCEPTS_PER_TURN


# faults of ours


def test_a_handshake_that_breaks_in_our_own_code_frees_its_place_and_is_logged(rig, monkeypatch):
    def broken(*_args):
        raise RuntimeError("injected")

    monkeypatch.setattr("nbgate.edge.listener.max", broken, raising=False)
    with capture_logs() as logs, plain(rig) as client:
        client.send(b"\x16")
        wait_until(lambda: logs, what="the log")
        assert 0 == rig.call(lambda: rig.core._context.admission.held)
    assert ("internal error", "injected") == (logs[0]["event"], str(logs[0]["exc_info"]))


@pytest.mark.parametrize(
    "sent", [b"\x80\x2e\x01\x00\x02", b"\x00" * 100, b"SSH-2.0-x\r\n", b"\x16\x03\x01\x02\x00" + b"\x01" * 512]
)
def test_garbage_is_one_record_and_no_more(stub, sent):
    """THREATS F30: an SSLv2 hello, zeros, another protocol, a handshake that is none."""
    with edge_rig(stub.port, limits=Limits(tls_handshake_seconds=0.3)) as rig:
        with capture_logs() as logs, plain(rig) as client:
            client.send(sent)
            client.read_to_end()
            rig.wait_for(HttpReject)
        assert ([], 1) == (logs, len(rig.of(HttpReject)))
        assert 0 == rig.call(lambda: rig.core._context.admission.held)
