"""Who asks, and under which of our names: Host and SNI (T20, D28), trusted hops (T27), HTTPS for good (T42).

One worker with the test in the keeper's place; each test shows what the STUB saw and what the audit will say.
"""

import socket
import struct
from contextlib import contextmanager, suppress

import pytest
from msgspec import UNSET

from nbgate.audit.events import HttpReject, HttpRequest, WebsocketOpen
from nbgate.config.schema import Limits
from nbgate.model.exposure import Exposure
from nbgate.model.route import Route, RouteKind, Upstream, UpstreamState
from nbgate.reasons import Reason
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.raw_client import RawClient
from nbgate.testing.stub_upstream import StubUpstream, answer
from nbgate.testing.wait import wait_until

HSTS = "max-age=31536000"
UPGRADE = (
    f"Origin: https://{HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.fixture
def stub():
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture
def rig(stub):
    with edge_rig(stub.port) as running:
        yield running


def load(rig, **changes):
    """Have the worker judge by another snapshot from now on."""
    before = rig.core._context.policy
    rig.send(rig.snapshot(**changes))
    wait_until(lambda: rig.core._context.policy is not before, what="the snapshot is in force")


def client_of(rig, server_name=None):
    return RawClient(rig.port, rig.client_context(), server_name=server_name)


def get(path="/x", *, host=HOST, cookie="", extra="", method="GET"):
    session = f"Cookie: {cookie}\r\n" if cookie else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{session}{extra}\r\n".encode()


def ask(client, raw):
    client.send(raw)
    return client.read_answer(to_head=raw.startswith(b"HEAD "))


# T20, D28: which name


@pytest.mark.parametrize(
    ("hosts", "server_name", "asked", "statuses"),
    [
        # no names are set: any Host, as long as the connection keeps to it and to its handshake
        ((), None, ["anything.example"], [200]),
        ((), HOST, [HOST, f"{HOST}"], [200, 200]),
        ((), HOST, [f"{HOST}:8443"], [200]),
        ((), HOST, ["evil.example"], [421]),
        ((), "localhost", [HOST], [421]),
        ((), HOST, [HOST, "evil.example"], [200, 421]),
        ((), None, ["a.test", "b.test"], [200, 421]),
        # names are set
        ((HOST,), HOST, [HOST], [200]),
        ((HOST,), None, [HOST.upper()], [200]),
        ((HOST,), None, [f"{HOST}:1"], [200]),
        ((HOST,), None, ["evil.example"], [421]),
        ((HOST,), None, [f"{HOST}.evil.example"], [421]),
        ((HOST,), None, ["192.0.2.1"], [421]),
        ((HOST,), None, ["127.0.0.1.evil.example"], [421]),
        ((HOST,), None, ["127.0.0.1"], [200]),  # the client is on this machine
        ((HOST, "localhost"), "localhost", [HOST], [421]),
        ((f"{HOST}:8443",), HOST, [f"{HOST}:8443"], [200]),
        ((f"{HOST}:8443",), HOST, [HOST], [421]),
    ],
)  # fmt: skip
def test_a_request_for_another_name_is_misdirected(rig, stub, hosts, server_name, asked, statuses):
    load(rig, exposure=Exposure(hosts=hosts))
    before = rig.login()  # its cookie has no port in its name
    with client_of(rig, server_name) as client:
        for host, status in zip(asked, statuses, strict=True):
            port = host.partition(":")[2]
            cookie = before.replace("nbgate=", f"nbgate-{port}=") if port else before
            got = ask(client, get(host=host, cookie=cookie))
            assert (status, b"421 Misdirected Request\n" if status == 421 else b"ok") == (got.status, got.body)
        if statuses[-1] == 421:
            assert b"" == client.read_to_end()
    assert statuses.count(200) == len(stub.requests)
    refused = statuses.count(421)
    rejects = rig.wait_for(HttpReject, refused) if refused else rig.of(HttpReject)
    assert [(421, "wrong-host")] * refused == [(event.status, event.reason) for event in rejects]


@pytest.mark.parametrize("path", ["/_nbgate/health", "/favicon.ico", "/_nbgate/login", "/robots.txt"])
def test_nothing_at_all_is_answered_under_another_name(rig, path):
    load(rig, exposure=Exposure(hosts=(HOST,)))
    with client_of(rig) as client:
        assert 421 == ask(client, get(path, host="rebound.example")).status


def test_names_are_judged_anew_when_they_change(rig, stub):
    cookie = rig.login()
    with client_of(rig) as client:
        assert [200, 200] == [ask(client, get("/api/x", cookie=cookie, host="a.test")).status for _ in range(2)]
        load(rig, exposure=Exposure(hosts=(HOST,)))
        assert 421 == ask(client, get("/api/x", cookie=cookie, host="a.test")).status
    assert 2 == len(stub.requests)


# T27: which client

CHAINS = [
    # trusted, X-Forwarded-For, the client
    ((), "203.0.113.9", "127.0.0.1"),
    (("10.0.0.0/8",), "203.0.113.9", "127.0.0.1"),
    (("127.0.0.1/32",), "203.0.113.9", "203.0.113.9"),
    (("127.0.0.1/32",), "6.6.6.6, 203.0.113.9", "203.0.113.9"),
    (("127.0.0.1/32", "10.0.0.0/8"), "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
    (("127.0.0.1/32",), "2001:db8::7", "2001:db8::7"),
    (("127.0.0.1/32",), "203.0.113.9, evil", "127.0.0.1"),
    (("127.0.0.1/32",), "", "127.0.0.1"),
]


@pytest.mark.parametrize(("trusted", "forwarded", "address"), CHAINS)
def test_the_client_is_who_trusted_hops_say(rig, stub, trusted, forwarded, address):
    load(rig, exposure=Exposure(trusted_hops=trusted))
    cookie = rig.login()
    with client_of(rig) as client:
        for _ in range(2):  # the second one is a repetition
            lines = f"X-Forwarded-For: {forwarded}\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"
            assert 200 == ask(client, get("/api/x", cookie=cookie, extra=lines)).status
    assert [[address]] * 2 == [request.values("x-forwarded-for") for request in stub.requests]
    assert not any(b"6.6.6.6" in request.head for request in stub.requests)
    events = rig.wait_for(HttpRequest, 2)
    assert [address] * 2 == [event.client_ip for event in events]
    assert all(isinstance(event.client_port, int) is (address == "127.0.0.1") for event in events)


def test_a_hop_speaks_for_many_clients_and_names_on_one_connection(rig, stub):
    load(rig, exposure=Exposure(trusted_hops=("127.0.0.1/32",), hosts=("a.test", "b.test", HOST)))
    cookie = rig.login()
    with client_of(rig, HOST) as client:
        for host, address in (("a.test", "192.0.2.1"), ("b.test", "192.0.2.2"), ("a.test", "192.0.2.1")):
            lines = f"X-Forwarded-For: {address}\r\n"
            assert 200 == ask(client, get("/api/x", host=host, cookie=cookie, extra=lines)).status
        assert 421 == ask(client, get(host="c.test", cookie=cookie)).status
    assert [("a.test", "192.0.2.1"), ("b.test", "192.0.2.2"), ("a.test", "192.0.2.1")] == [
        (*request.values("x-forwarded-host"), *request.values("x-forwarded-for")) for request in stub.requests
    ]


def test_a_websocket_is_recorded_with_the_client_behind_the_hop(rig):
    load(rig, exposure=Exposure(trusted_hops=("127.0.0.1/32",)))
    cookie = rig.login()
    with client_of(rig) as client:
        client.send(get("/api/kernels/0/channels", cookie=cookie, extra=f"{UPGRADE}X-Forwarded-For: 192.0.2.1\r\n"))
        client.read_until(b"\r\n\r\n")
        (event,) = rig.wait_for(WebsocketOpen)
    assert "192.0.2.1" == event.client_ip


# T42: HTTPS for good

ANSWERS = [
    ("an upstream's 200", get("/lab", cookie="SESSION"), 200),
    ("a repetition", get("/api/x", cookie="SESSION"), 200),
    ("the same again", get("/api/x", cookie="SESSION"), 200),
    ("an upstream's 404", get("/nothing", cookie="SESSION"), 404),
    ("HEAD", get("/lab", cookie="SESSION", method="HEAD"), 200),
    ("the login", get("/lab", extra="Accept: text/html\r\n"), 303),
    ("a 401", get("/api/x"), 401),
    ("a fixed answer", get("/favicon.ico"), 200),
    ("a redirect", get("/.well-known/change-password"), 303),
    ("another site's", get("/api/x", cookie="SESSION", extra="Origin: https://evil.example\r\n", method="POST"), 403),
    ("not served", get("/_nbgate/health", method="POST"), 405),
    ("no upstream", get("/down/x", cookie="SESSION"), 503),
    ("a bad answer", get("/bad", cookie="SESSION"), 502),
    ("a refused handshake", get("/x", cookie="SESSION", extra=UPGRADE.replace("13", "12")), 426),
    ("no method", get(method="TRACE"), 405),
    ("no request", b"GET /\x01 HTTP/1.1\r\n\r\n", 400),
    ("a header too many", get(extra="X-A: b\r\n" * 99), 431),
    ("another name", get(host="evil.example"), 421),
    ("a switch", get("/api/kernels/0/channels", cookie="SESSION", extra=UPGRADE), 101),
]


@pytest.mark.parametrize("hsts", [True, False])
def test_every_answer_over_tls_says_so_once_and_ours_is_the_word(rig, stub, hsts):
    down = Route(name="down", prefix="/down/", upstream=Upstream(host="127.0.0.1", port=1))
    states = (rig.state, UpstreamState(route="down", condition=rig.state.condition, token="t", generation=1))
    load(rig, exposure=Exposure(hosts=(HOST,), hsts=hsts), routes=(*rig.routes, down), upstreams=states)
    cookie = rig.login()
    theirs = b"Strict-Transport-Security: max-age=0; includeSubDomains\r\n"

    def respond(request):
        if request.target == "/bad":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n"
        return answer(status="404 Not Found" if request.target == "/nothing" else "200 OK", extra=theirs)

    stub.respond = respond
    for what, raw, status in ANSWERS:
        with client_of(rig) as client:
            client.send(raw.replace(b"SESSION", cookie.encode()))
            if status == 101:
                client.read_until(b"\r\n\r\n")
                head = bytes(client.received)
                assert head.startswith(b"HTTP/1.1 101 ")
                found = [line[27:].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"strict-")]
            else:
                got = client.read_answer(to_head=raw.startswith(b"HEAD"))
                assert (what, status) == (what, got.status)
                found = got.values("strict-transport-security")
            assert (what, [HSTS] if hsts else []) == (what, found)


def test_a_late_head_and_a_fault_of_ours_say_so_too(rig, stub, monkeypatch):
    load(rig, exposure=Exposure(hsts=True), limits=Limits(head_seconds=0.2))
    with client_of(rig) as client:
        client.send(b"GET / HTTP/1.1\r\n")
        late = client.read_answer()
    assert (408, [HSTS]) == (late.status, late.values("strict-transport-security"))
    monkeypatch.setattr("nbgate.edge.exchange.decide", lambda *_: 1 // 0)
    with client_of(rig) as client:
        broken = ask(client, get())
    assert (500, [HSTS]) == (broken.status, broken.values("strict-transport-security"))
    assert [Reason.HEAD_TIMEOUT.value] == [event.reason for event in rig.wait_for(HttpReject)]


def test_plain_http_on_the_tls_port_is_told_nothing_of_it(rig):
    load(rig, exposure=Exposure(hsts=True))
    with RawClient(rig.port) as client:
        got = ask(client, get())
    assert (400, []) == (got.status, got.values("strict-transport-security"))


def test_our_own_pages_get_it_from_the_worker(rig, tmp_path):
    path = str(tmp_path / "pages.sock")
    with StubUpstream(path=path, default_answer=answer(b"page", extra=b"X-Frame-Options: DENY\r\n")).in_thread():
        own = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path=path), kind=RouteKind.OWN)
        load(rig, exposure=Exposure(hsts=True), routes=(own, rig.routes[1]))
        with client_of(rig) as client:
            got = ask(client, get("/_nbgate/login"))
    assert (200, [HSTS], ["DENY"]) == (
        got.status,
        got.values("strict-transport-security"),
        got.values("x-frame-options"),
    )


# the PROXY protocol

HOPS = ("127.0.0.1/32", "10.0.0.0/8")
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
V2_STRANGER = V2 + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + struct.pack("!HH", 4711, 8443)
V2_LOCAL = V2 + b"\x20\x00\x00\x00"
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@contextmanager
def through_proxy(rig, header, *, piece=0):
    """Connect as a proxy does: its header, in pieces or whole, and the client's TLS behind it."""
    sock = socket.create_connection(("127.0.0.1", rig.port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(header), piece or len(header)):
        sock.sendall(header[start : start + (piece or len(header))])
    with rig.client_context().wrap_socket(sock, server_hostname=HOST, do_handshake_on_connect=False) as wrapped:
        wrapped.do_handshake()
        yield wrapped


def answer_to(rig, data):
    """Return every byte that comes back for `data`."""
    received = b""
    with socket.create_connection(("127.0.0.1", rig.port), timeout=10) as sock, suppress(ConnectionError):
        sock.sendall(data)
        while piece := sock.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize(
    ("header", "forwarded", "client"),
    [
        (b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 8443\r\n", "", ("203.0.113.9", 4711)),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 8443\r\n", "", ("2001:db8::7", 4711)),
        (V2_STRANGER, "", ("203.0.113.9", 4711)),
        (V2_STRANGER, "6.6.6.6", ("203.0.113.9", 4711)),  # that client is no hop
        (b"PROXY TCP4 10.0.0.2 127.0.0.1 4711 8443\r\n", "192.0.2.1", ("192.0.2.1", UNSET)),  # a hop behind the hop
        (V2_LOCAL, "192.0.2.1", ("192.0.2.1", UNSET)),
        (b"PROXY UNKNOWN\r\n", "192.0.2.1", ("192.0.2.1", UNSET)),
    ],
)
def test_the_client_is_who_the_proxy_header_says(rig, stub, header, forwarded, client, piece):
    load(rig, exposure=Exposure(trusted_hops=HOPS, proxy_protocol=True))
    lines = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
    with through_proxy(rig, header, piece=piece) as sock:
        sock.sendall(get("/api/x", cookie=rig.login(), extra=lines + "Connection: close\r\n"))
        received = b""
        while data := sock.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 200 ")
    (event,) = rig.wait_for(HttpRequest)
    assert client == (event.client_ip, event.client_port)
    assert [client[0]] == stub.requests[0].values("x-forwarded-for")


@pytest.mark.parametrize(
    "header",
    [
        b"",  # TLS at once
        b"GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n",
        b"PROXY TCP4 203.0.113.9 127.0.0.1 4711\r\n",
        b"PROXY TCP4 203.0.113.999 127.0.0.1 4711 8443\r\n",
        b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
        V2 + b"\x21\x11\xff\xff",
        V2[:11] + b"\x00",
    ],
)
def test_what_does_not_begin_with_a_good_header_is_dropped_without_a_word(rig, stub, header):
    load(rig, exposure=Exposure(trusted_hops=HOPS, proxy_protocol=True))
    assert b"" == answer_to(rig, header + CLIENT_HELLO)
    (event,) = rig.wait_for(HttpReject)
    assert ("bad-proxy-header", 0, "127.0.0.1") == (event.reason, event.status, event.client_ip)
    assert [] == stub.connections


def test_who_is_no_trusted_hop_says_nothing_of_its_client(rig):
    load(rig, exposure=Exposure(trusted_hops=("10.0.0.0/8",), proxy_protocol=True))
    assert b"" == answer_to(rig, V2_STRANGER + CLIENT_HELLO)
    assert ["bad-proxy-header"] == [event.reason for event in rig.wait_for(HttpReject)]


def test_where_no_proxy_protocol_is_spoken_such_a_header_is_no_request(rig):
    assert answer_to(rig, V2_STRANGER + CLIENT_HELLO).startswith(b"HTTP/1.1 400 ")
    assert ["not-tls"] == [event.reason for event in rig.wait_for(HttpReject)]
