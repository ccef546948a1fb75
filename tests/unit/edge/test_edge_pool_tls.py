"""An upstream that speaks HTTPS: it is sent a request once it has proven who it is, and nothing before."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import threading
from datetime import UTC, datetime

import msgspec
import pytest
import trustme
from msgspec import structs

from nbgate.audit.events import HttpRequest
from nbgate.config.schema import Limits
from nbgate.edge import pool as module
from nbgate.edge.pool import Pool
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.link.listener_owner import ForeignListenerError
from nbgate.link.messages import UpstreamSuspect
from nbgate.link.upstream_tls import pin_of
from nbgate.model.route import Upstream, UpstreamTls
from nbgate.testing.edge_rig import HOST, TOKEN, EdgeRig
from nbgate.testing.stub_upstream import ReadRequest, Send, StubUpstream, WaitFor, answer
from nbgate.testing.wait import wait_until

AUTHORITY, OTHER = trustme.CA(), trustme.CA()
NAME = "lab.example.org"
ISSUED = AUTHORITY.issue_cert(NAME)
EXPIRED = AUTHORITY.issue_cert(
    NAME, not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2020, 1, 2, tzinfo=UTC)
)
BIG = 3 << 20
WEBSOCKET = (
    f"Origin: https://{HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def pem(authority):
    return authority.cert_pem.bytes().decode("ascii")


def pin(issued):
    return pin_of(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode("ascii")))


BY_AUTHORITY = UpstreamTls(server_name=NAME, ca=pem(AUTHORITY))
BY_PIN = UpstreamTls(server_name=NAME, pin=pin(ISSUED))


def server_context(issued=ISSUED):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


@pytest.fixture
def stub():
    with StubUpstream(tls=server_context()).in_thread() as running:
        yield running


@contextlib.contextmanager
def rig_before(port, tls, limits=None, **upstream):
    """Run a worker whose one upstream proves itself by `tls`."""
    rig = EdgeRig(port, limits=limits)
    upstream = Upstream(host="127.0.0.1", port=port, tls=tls, **upstream)
    rig.routes = (rig.routes[0], structs.replace(rig.routes[1], upstream=upstream))
    with rig:
        made, pool = [], rig.core._pool
        connect = pool.connect

        async def noted(*args):
            made.append(await connect(*args))
            return made[-1]

        pool.connect = noted
        yield rig
        rig.call(pool.close)
        wait_until(lambda: not any(each.transport for each in made), what="the end of every connection")
    assert [] == rig.loop_errors


def get(cookie, path="/api/x", extra="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n{extra}\r\n".encode()


def ask(rig, **options):
    with rig.client() as client:
        client.send(get(rig.login(), **options))
        return client.read_answer()


@pytest.mark.parametrize("tls", [BY_AUTHORITY, BY_PIN, UpstreamTls(server_name="192.0.2.1", pin=pin(ISSUED))])
def test_who_has_proven_it_gets_the_request_and_the_token(stub, tls):
    with rig_before(stub.port, tls, name=NAME) as rig, rig.client() as client:
        cookie = rig.login()
        for _ in range(3):
            client.send(get(cookie))
            assert (200, b"ok") == ((got := client.read_answer()).status, got.body)
    assert [f"token {TOKEN}"] * 3 == [request.values("authorization")[0] for request in stub.requests]
    assert [f"{NAME}:{stub.port}"] == stub.requests[0].values("host")
    assert 1 == len(stub.connections), "it is kept as any other"


def refused(rig, status=502, reason="upstream-certificate"):
    """Ask, and see the request refused; a person reads why."""
    assert status == ask(rig, extra="Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n").status
    (event,) = rig.wait_for(HttpRequest)
    assert reason == event.reason
    assert [UpstreamSuspect(route="main")] == rig.wait_for(UpstreamSuspect)


@pytest.mark.parametrize(
    ("tls", "issued"),
    [
        (UpstreamTls(server_name=NAME, ca=pem(OTHER)), ISSUED),
        (UpstreamTls(server_name=NAME, ca="no certificate"), ISSUED),
        (BY_AUTHORITY, EXPIRED),
        (UpstreamTls(server_name="other.example.org", ca=pem(AUTHORITY)), ISSUED),
        (UpstreamTls(server_name=NAME, pin="0" * 64), ISSUED),
        (BY_PIN, EXPIRED),
        (BY_PIN, OTHER.issue_cert(NAME)),
    ],
    ids=["wrong authority", "no authority", "expired", "wrong name", "wrong pin", "its other one", "a look-alike"],
)
def test_who_has_not_is_sent_no_byte_of_a_request(tls, issued):
    with StubUpstream(tls=server_context(issued)).in_thread() as stub:
        with rig_before(stub.port, tls) as rig:
            refused(rig)
        assert 0 == stub.received_bytes


def test_a_server_of_plain_http_is_sent_a_greeting_of_tls_and_nothing_else():
    with StubUpstream().in_thread() as stub:
        stub.script(Send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), WaitFor(asyncio.Event()))
        with rig_before(stub.port, BY_PIN) as rig:
            refused(rig)
        (connection,) = stub.connections
    assert TOKEN.encode() not in connection.received
    assert b"HTTP/1.1" not in connection.received


def test_a_server_that_speaks_tls_is_not_spoken_to_in_the_clear(stub):
    """The other way round: the scheme is what was named, and nothing is tried in its place."""
    with rig_before(stub.port, None) as rig:
        assert 502 == ask(rig).status
    assert 0 == stub.received_bytes


@contextlib.contextmanager
def served(serve):
    """Run `serve(socket)` for each connection in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listening.accept()
                    with contextlib.suppress(OSError, ssl.SSLError):
                        serve(sock)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def test_one_that_ends_the_handshake_has_not_proven_it_either():
    def hang_up(sock):
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    with served(hang_up) as port, rig_before(port, BY_AUTHORITY) as rig:
        refused(rig)


def test_one_that_wants_a_certificate_of_ours_is_lost():
    """TLS 1.3: it says so when our end of the handshake is over."""
    context = server_context()
    AUTHORITY.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with StubUpstream(tls=context).in_thread() as stub, rig_before(stub.port, BY_AUTHORITY) as rig:
        assert 502 == ask(rig).status


def test_one_that_is_lost_before_it_is_asked_is_not_waited_for(stub):
    async def connect(upstream, limits):
        return UpstreamConnection(upstream, limits.buffer_bytes, lambda _connection: None)

    with rig_before(stub.port, BY_PIN) as rig:
        rig.core._pool.connect = connect
        refused(rig, 502, "upstream-lost")


def test_one_that_says_nothing_is_waited_for_no_longer_than_for_a_connection():
    ended = threading.Event()

    def swallow(sock):
        while sock.recv(65536):
            pass
        ended.set()
        sock.close()

    with served(swallow) as port, rig_before(port, BY_PIN, Limits(upstream_connect_seconds=0.2)) as rig:
        refused(rig, 504, "upstream-timeout")
        assert ended.wait(5), "the connection is not left behind"


def test_nobody_at_all_is_another_thing():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with rig_before(port, BY_PIN) as rig:
        refused(rig, 503, "upstream-refused")


def test_a_websocket_goes_over_it_too(stub):
    with rig_before(stub.port, BY_PIN) as rig, rig.client() as client:
        client.send(get(rig.login(), "/api/kernels/0/channels", WEBSOCKET))
        client.read_until(b"\r\n\r\n")
        client.received.clear()
        client.send(b"\x81\x85\0\0\0\0hello")
        client.read_until(b"\x81\x05hello")


def test_much_goes_up_and_down_unchanged(stub):
    sent = os.urandom(BIG)
    with rig_before(stub.port, BY_AUTHORITY) as rig, rig.client() as client:
        stub.respond = lambda request: answer(request.body)
        extra = f"Origin: https://{HOST}\r\nContent-Length: {BIG}\r\n"
        client.send(get(rig.login(), "/api/contents/x", extra, "PUT") + sent)
        assert sent == client.read_answer().body


@pytest.mark.parametrize("says_end", [True, False])
def test_an_answer_without_a_length_is_whole_when_the_upstream_says_so(says_end):
    """Whoever sits in between can end the TCP connection, but not the TLS one (RFC 9112 section 9.8)."""
    context = server_context()

    def serve(sock):
        with context.wrap_socket(sock, server_side=True) as end:
            end.recv(65536)
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf of it")
            if says_end:
                end.unwrap()

    with served(serve) as port, rig_before(port, BY_PIN) as rig, rig.client() as client:
        client.send(get(rig.login(), "/files/x"))
        if says_end:
            assert b"half of it" == client.read_answer().body
        else:
            client.read_to_end()
            assert b"\r\n0\r\n\r\n" not in client.received
        (event,) = rig.wait_for(HttpRequest)
        assert (msgspec.UNSET if says_end else "upstream-truncated") == event.reason


# the pool alone


def upstream_of(stub, **also):
    return Upstream(host="127.0.0.1", port=stub.port, tls=BY_PIN, **also)


@pytest.fixture
async def pool():
    made = Pool(asyncio.get_running_loop())
    yield made
    made.close()
    await asyncio.sleep(0)


async def test_whose_socket_it_is_is_asked_before_the_first_byte():
    ours = os.geteuid()
    with StubUpstream().in_thread() as stub:
        pool = Pool(asyncio.get_running_loop())
        with pytest.raises(ForeignListenerError):
            await pool.connect(upstream_of(stub, owners=(ours + 1,)), Limits())
        await asyncio.to_thread(wait_until, lambda: [c for c in stub.connections if c.ended.is_set()] or None, what="x")
        assert 0 == stub.received_bytes


async def test_the_right_user_is_spoken_to(stub, pool):
    connection = await pool.connect(upstream_of(stub, owners=(os.geteuid(),)), Limits())
    assert connection.is_open
    connection.abort()


@pytest.mark.parametrize(
    ("host", "is_asked"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.1", False),
     ("2001:db8::1", False)],
)  # fmt: skip
def test_owners_are_asked_for_on_this_machine_only(monkeypatch, host, is_asked):
    asked = []
    monkeypatch.setattr(module, "require_owner", lambda _sock, owners: asked.append(owners))
    module._require_owner(None, Upstream(host=host, port=1, owners=(7,)))
    assert ([(7,)] if is_asked else []) == asked


def test_the_family_follows_from_the_address():
    kinds = (Upstream(path="/x"), Upstream(host="::1", port=1), Upstream(host="127.0.0.1", port=1))
    assert [socket.AF_UNIX, socket.AF_INET6, socket.AF_INET] == [module._family(upstream) for upstream in kinds]


async def test_a_context_is_made_once_for_the_same_authorities_and_they_are_bounded(pool, monkeypatch):
    pinned = pool._context(BY_PIN)
    assert pinned is pool._context(UpstreamTls(server_name="x", pin="0" * 64))
    believed = pool._context(BY_AUTHORITY)
    assert believed is pool._context(structs.replace(BY_AUTHORITY, server_name="other.example.org"))
    assert believed is not pinned
    monkeypatch.setattr(module, "MAX_CONTEXTS", 2)
    pool._context(UpstreamTls(server_name=NAME, ca=pem(OTHER)))
    assert [pem(OTHER)] == list(pool._contexts)


def test_the_script_of_a_stub_is_played_over_tls(stub):
    stub.script(ReadRequest(), Send(answer(b"scripted")))
    with rig_before(stub.port, BY_PIN) as rig:
        assert b"scripted" == ask(rig).body
