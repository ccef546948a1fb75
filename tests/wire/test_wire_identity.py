"""Who asks, and under which of our names: Host and SNI (T20, D28), trusted hops (T27), HTTPS for good (T42).

And what who asks may do: tokens, roles, allow lists, second factors, the way in past a penalty, and a session's end.

One worker with the test in the keeper's place; each test shows what the STUB saw and what the audit will say.
"""

import json
import socket
import struct
from contextlib import contextmanager, suppress

import pytest
from msgspec import UNSET

from nbgate.audit.events import HttpReject, HttpRequest, WebsocketOpen
from nbgate.config.schema import Limits
from nbgate.crypto.devices import new_device_cookie, new_device_id
from nbgate.link.messages import SessionKeyUsed, SessionsRevoked
from nbgate.model.exposure import Exposure
from nbgate.model.penalty import Penalty
from nbgate.model.route import Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Role, Scope
from nbgate.reasons import Reason
from nbgate.testing.edge_rig import HOST, TOKEN, edge_rig
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


# what who asks may do

NAVIGATION = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n"
SCRIPT = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
SOCKET = UPGRADE.partition("\r\n")[2]  # as programs send it: without Origin
ORIGIN = f"Origin: https://{HOST}\r\n"
DEVICE = new_device_cookie(bytes(32), "ada", new_device_id(bytes(16)), 2_000_000_000, 1)
CHANNELS = "/api/kernels/0a/channels"
KERNEL = "/api/kernels/0a"


class World:
    """A worker with two notebook servers, one of them bob's alone, and own pages that say yes."""

    def __init__(self, rig, stub, pages):
        self.rig, self.stub, self.pages = rig, stub, pages

    def ask(self, path, headers="", *, method="GET"):
        """Send one request; return status and reason, the reason of a page or an answer without a body as ""."""
        with client_of(self.rig, HOST) as client:
            length = "" if method in {"GET", "HEAD"} else "Content-Length: 0\r\n"
            client.send(f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}{length}\r\n".encode())
            if "Upgrade: websocket" in headers:
                client.read_until(b"\r\n\r\n")
                return int(client.received[9:12]), ""
            got = client.read_answer(to_head=method == "HEAD")
        is_ours = got.body and got.values("content-type") == ["application/json"]
        return got.status, json.loads(got.body)["reason"] if is_ours else "".join(got.values("location"))

    @property
    def seen(self):
        """Return what came to the notebook servers, and to the own pages."""
        return len(self.stub.requests), len(self.pages.requests)


@pytest.fixture
def world(rig, stub, tmp_path):
    path = str(tmp_path / "pages.sock")
    with StubUpstream(path=path, default_answer=answer(b"page")).in_thread() as pages:
        own = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path=path), kind=RouteKind.OWN)
        bobs = Route(
            name="bobs", prefix="/bobs/", upstream=Upstream(host="127.0.0.1", port=stub.port), allowed=("bob",)
        )
        states = (rig.state, UpstreamState(route="bobs", condition=rig.state.condition, token=TOKEN, generation=1))
        rig.routes = (own, rig.routes[1], bobs)
        load(rig, routes=rig.routes, upstreams=states, contact="the owners: ada")
        yield World(rig, stub, pages)


def cookie_line(rig, *args, **options):
    return f"Cookie: {rig.login(*args, **options)}\r\n"


FORWARDED, OWN_PAGE, REFUSED = (1, 0), (0, 1), (0, 0)
TOKEN_ROWS = [
    # scope, method, path, further headers, (status, reason), what was forwarded
    (Scope.ALL, "GET", "/api/kernels", "", (200, ""), FORWARDED),
    (Scope.ALL, "GET", "/lab", NAVIGATION, (200, ""), FORWARDED),
    (Scope.ALL, "POST", "/api/kernels", "", (200, ""), FORWARDED),
    (Scope.ALL, "DELETE", KERNEL, "", (200, ""), FORWARDED),
    (Scope.ALL, "GET", CHANNELS, SOCKET, (101, ""), FORWARDED),
    (Scope.ALL, "POST", "/api/kernels", ORIGIN, (200, ""), FORWARDED),
    (Scope.ALL, "POST", "/api/kernels", "Sec-Fetch-Mode: cors\r\n", (200, ""), FORWARDED),
    (Scope.ALL, "POST", "/api/kernels", "Origin: https://evil.example\r\n", (403, "cross-origin"), REFUSED),
    (Scope.ALL, "POST", "/api/kernels", "Origin: null\r\n", (403, "origin-null"), REFUSED),
    (Scope.ALL, "POST", "/api/kernels", "Sec-Fetch-Site: cross-site\r\n", (403, "cross-site"), REFUSED),
    (Scope.ALL, "GET", CHANNELS, SOCKET + "Origin: https://evil.example\r\n", (403, ""), REFUSED),
    (Scope.ALL, "GET", "/bobs/api", "", (403, "not-allowed"), REFUSED),
    (Scope.READ, "GET", "/api/contents", "", (200, ""), FORWARDED),
    (Scope.READ, "HEAD", "/files/x", "", (200, ""), FORWARDED),
    (Scope.READ, "POST", "/api/kernels", "", (403, "token-scope"), REFUSED),
    (Scope.READ, "GET", CHANNELS, SOCKET, (403, ""), REFUSED),
    (Scope.READ, "GET", "/terminals/new", "", (403, "token-scope"), REFUSED),
    (Scope.EXECUTE, "POST", "/api/kernels", "", (200, ""), FORWARDED),
    (Scope.EXECUTE, "GET", CHANNELS, SOCKET, (101, ""), FORWARDED),
    (Scope.ROUTES_ADMIN, "GET", "/api/kernels", "", (403, "token-scope"), REFUSED),
    (Scope.ALL, "GET", "/_nbgate/api/session", "", (200, ""), OWN_PAGE),
    (Scope.ALL, "GET", "/_nbgate/account", NAVIGATION, (403, "token-scope"), REFUSED),
    (Scope.ALL, "POST", "/_nbgate/account/tokens", ORIGIN, (403, "token-scope"), REFUSED),
    (Scope.ALL, "GET", "/_nbgate/admin", "", (403, "token-scope"), REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "method", "path", "headers", "expected", "seen"), TOKEN_ROWS)
def test_what_a_token_opens(world, scope, method, path, headers, expected, seen):
    token = world.rig.token(scope=scope)
    assert expected == world.ask(path, f"Authorization: token {token}\r\n{headers}", method=method)
    assert seen == world.seen
    assert not any(token.encode() in request.head for request in (*world.stub.requests, *world.pages.requests))
    assert all([f"token {TOKEN}"] == request.values("authorization") for request in world.stub.requests)


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer"])
def test_a_token_is_shown_in_either_way(world, scheme):
    assert (200, "") == world.ask("/api/x", f"Authorization: {scheme} {world.rig.token()}\r\n")


@pytest.mark.parametrize(("routes", "status"), [((), 200), (("/",), 200), (("/bobs/", "/"), 200), (("/bobs/",), 403)])
def test_a_token_for_some_routes_opens_no_other(world, routes, status):
    token = world.rig.token(scope=Scope.EXECUTE, routes=routes)
    assert status == world.ask("/api/kernels", f"Authorization: token {token}\r\n")[0]


UNKNOWN = "nbgp_" + "A" * 43
NO_TOKENS = [
    # what stands in Authorization, the reason of the 401
    (f"token {UNKNOWN}", "token-invalid"),
    (f"Bearer {UNKNOWN}", "token-invalid"),
    (f"Bearer {UNKNOWN}x", "token-invalid"),
    ("token nbgp_", "token-invalid"),
    ("token 5ecret", "login-required"),
    ("Basic bmJncF86eA==", "login-required"),
    (f"Basic {UNKNOWN}", "login-required"),
    (f"Negotiate {UNKNOWN}", "login-required"),
]


@pytest.mark.parametrize(("shown", "reason"), NO_TOKENS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_no_token_opens_nothing(world, shown, reason, method):
    assert (401, reason) == world.ask("/api/kernels", f"Authorization: {shown}\r\n", method=method)
    if reason == "token-invalid":
        assert (401, reason) == world.ask("/lab", f"Authorization: {shown}\r\n{NAVIGATION}")  # no redirect
        assert (401, reason) == world.ask(KERNEL, f"Authorization: {shown}\r\n{SCRIPT}")
    assert 401 == world.ask(CHANNELS, f"Authorization: {shown}\r\n{SOCKET}")[0]
    assert REFUSED == world.seen


def test_somebody_elses_authorization_takes_nothing_from_a_cookie(world):
    assert (200, "") == world.ask("/api/kernels", cookie_line(world.rig) + "Authorization: Basic bmJncF86eA==\r\n")
    assert [f"token {TOKEN}"] == world.stub.requests[0].values("authorization")


def test_a_token_that_is_over_is_no_token(world):
    rig = world.rig
    gone, old = rig.token(), rig.token(absolute_seconds=60.0)
    ended = next(iter(rig.sessions))
    assert [200, 200] == [world.ask("/api/x", f"Authorization: token {token}\r\n")[0] for token in (gone, old)]
    del rig.sessions[ended]
    rig.send(SessionsRevoked(ack=1, ids=(ended,), generation=1 << 62, reason="session-revoked"))
    rig.clock.advance(61)
    for token in (gone, old):
        assert (401, "token-invalid") == world.ask("/api/x", f"Authorization: token {token}\r\n")
    assert (2, 0) == world.seen


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("path", "headers"), [("/api/kernels", SCRIPT), ("/lab", NAVIGATION), (CHANNELS, UPGRADE), (KERNEL, SCRIPT)]
)
def test_a_token_beside_a_cookie_of_ours_is_refused(world, path, headers, known):
    token = world.rig.token() if known else UNKNOWN
    both = f"Authorization: Bearer {token}\r\n{cookie_line(world.rig)}{headers}"
    status, reason = world.ask(path, both)
    assert (401, "" if path == CHANNELS else "token-with-cookie") == (status, reason)
    assert 401 == world.ask(f"{CHANNELS}?token={token}", cookie_line(world.rig) + UPGRADE)[0]
    assert REFUSED == world.seen
    assert {"token-with-cookie"} == {event.reason for event in world.rig.wait_for(HttpRequest, 2)}


@pytest.mark.parametrize("spelled", ["token={}", "session_id=1&token={}&x", "%74oken={}", "token={}&token={}"])
def test_a_token_in_the_address_of_a_handshake_goes_nowhere_else(world, spelled):
    """What @jupyterlab/services does in Node, and VS Code."""
    token = world.rig.token()
    query = spelled.format(token, token)
    assert 101 == world.ask(f"{CHANNELS}?{query}", SOCKET)[0]
    (seen,) = world.stub.requests
    assert (False, False) == (b"nbgp_" in seen.head, b"oken=" in seen.head)
    (event,) = world.rig.wait_for(WebsocketOpen)
    assert ("ada", CHANNELS) == (event.user, event.path)
    assert not any("nbgp_" in repr(told) for told in world.rig.events)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/kernels?token={}", "", 401),
        ("/api/kernels?token={}", SCRIPT, 401),
        ("/lab?token={}", NAVIGATION, 303),
        (f"{CHANNELS}?access_token={{}}", SOCKET, 401),
        (f"{CHANNELS}?token=5ecret", SOCKET, 401),
        (f"{CHANNELS}?token={UNKNOWN}&token={{}}", SOCKET, 401),
    ],
)
def test_a_token_in_any_other_address_counts_nothing(world, path, headers, status):
    assert status == world.ask(path.format(world.rig.token()), headers)[0]
    assert REFUSED == world.seen


def test_the_end_of_a_token_ends_its_websockets(world):
    token = world.rig.token()
    with client_of(world.rig, HOST) as client:
        client.send(f"GET {CHANNELS}?token={token} HTTP/1.1\r\nHost: {HOST}\r\n{SOCKET}\r\n".encode())
        client.read_until(b"\r\n\r\n")
        world.rig.send(
            SessionsRevoked(ack=1, ids=tuple(world.rig.sessions), generation=1 << 62, reason="session-revoked")
        )
        client.read_until(b"\x88")
        client.read_until(b"session-revoked")
    assert struct.pack("!H", 4401) in client.received


# a session's end


@pytest.mark.parametrize("cookie", ["", "ended", "twice"])
@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", KERNEL, SCRIPT, 424),
        ("GET", f"{KERNEL}?1700000000", "", 424),
        ("HEAD", KERNEL, SCRIPT, 401),
        ("DELETE", KERNEL, SCRIPT, 401),
        ("GET", "/api/kernels", SCRIPT, 401),
        ("GET", f"{KERNEL}/", SCRIPT, 401),
        ("GET", "/api/sessions", SCRIPT, 401),
        ("GET", KERNEL, NAVIGATION, 303),
        ("GET", CHANNELS, UPGRADE, 401),
        ("GET", "/_nbgate/api/session", SCRIPT, 401),
    ],
)
def test_a_page_that_lost_its_kernel_is_told_to_ask_again(world, cookie, method, path, headers, status):
    """JupyterLab takes a 401 for the kernel's death, and asks again for ever after a 424."""
    gone = world.rig.login()
    world.rig.send(SessionsRevoked(ack=1, ids=tuple(world.rig.sessions), generation=1 << 62, reason="logged-out"))
    world.rig.sessions.clear()
    line = {"": "", "ended": f"Cookie: {gone}\r\n", "twice": f"Cookie: {gone}; {gone}\r\n"}[cookie]
    got, told = world.ask(path, headers + line, method=method)
    assert status == got
    if status in {401, 424} and method == "GET" and path != CHANNELS:
        assert {"": "login-required", "ended": "session-ended", "twice": "duplicate-cookie"}[cookie] == told
    assert REFUSED == world.seen


# roles, allow lists, second factors

ROLE_ROWS = [
    (Role.OWNER, "POST", "/api/kernels", ORIGIN, (200, ""), FORWARDED),
    (Role.EDITOR, "POST", "/api/kernels", ORIGIN, (200, ""), FORWARDED),
    (Role.EDITOR, "GET", CHANNELS, UPGRADE, (101, ""), FORWARDED),
    (Role.VIEWER, "GET", "/api/contents", SCRIPT, (200, ""), FORWARDED),
    (Role.VIEWER, "POST", "/api/kernels", ORIGIN, (403, "role"), REFUSED),
    (Role.VIEWER, "PUT", "/api/contents/x", ORIGIN, (403, "role"), REFUSED),
    (Role.VIEWER, "GET", CHANNELS, UPGRADE, (403, ""), REFUSED),
    (Role.VIEWER, "GET", "/terminals/new", SCRIPT, (403, "role"), REFUSED),
    (Role.AUDITOR, "GET", "/api/contents", SCRIPT, (403, "role"), REFUSED),
    (Role.AUDITOR, "GET", "/lab", NAVIGATION, (403, ""), REFUSED),
    (Role.AUDITOR, "GET", "/_nbgate/account", NAVIGATION, (200, ""), OWN_PAGE),
    (Role.OWNER, "GET", "/bobs/api", SCRIPT, (403, "not-allowed"), REFUSED),
    (Role.OWNER, "GET", "/bobs/lab", NAVIGATION, (403, ""), REFUSED),
    (Role.OWNER, "GET", "/bobs/api/kernels/0a/channels", UPGRADE, (403, ""), REFUSED),
]


@pytest.mark.parametrize(("role", "method", "path", "headers", "expected", "seen"), ROLE_ROWS)
def test_what_a_role_opens(world, role, method, path, headers, expected, seen):
    assert expected == world.ask(path, cookie_line(world.rig, role=role) + headers, method=method)
    assert seen == world.seen


def test_who_is_refused_is_told_whom_to_ask(world):
    line = cookie_line(world.rig)
    with client_of(world.rig, HOST) as client:
        page = ask(client, get("/bobs/lab", extra=line + NAVIGATION))
        told = ask(client, get("/bobs/api", extra=line + SCRIPT))
    assert (403, True) == (page.status, b"Ask the owners: ada." in page.body)
    assert json.loads(told.body)["message"].endswith("Ask the owners: ada.")


def test_who_is_on_the_list_gets_in(world):
    assert (200, "") == world.ask("/bobs/lab", cookie_line(world.rig, "bob") + NAVIGATION)


@pytest.mark.parametrize(
    ("factors", "path", "headers", "expected"),
    [
        (("password",), "/lab", NAVIGATION, (303, "/_nbgate/account/totp")),
        (("login-link",), "/lab", NAVIGATION, (303, "/_nbgate/account/totp")),
        (("password",), "/api/kernels", SCRIPT, (403, "second-factor-required")),
        (("password",), CHANNELS, UPGRADE, (403, "")),
        (("password",), "/_nbgate/account/totp", NAVIGATION, (200, "")),
        (("password",), "/_nbgate/api/session", SCRIPT, (200, "")),
        (("password", "totp"), "/lab", NAVIGATION, (200, "")),
        (("password", "recovery"), CHANNELS, UPGRADE, (101, "")),
    ],
)
def test_where_a_second_factor_is_needed_nothing_else_goes_before_it(world, factors, path, headers, expected):
    load(world.rig, routes=world.rig.routes, second_factor_roles=("owner", "editor"))
    assert expected == world.ask(path, cookie_line(world.rig, factors=factors) + headers)
    assert (200, "") == world.ask("/lab", cookie_line(world.rig, role=Role.VIEWER) + NAVIGATION)


# rotation


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/lab?x=1", NAVIGATION, (303, "/_nbgate/refresh?next=/lab%3Fx%3D1")),
        ("GET", "/", NAVIGATION, (303, "/_nbgate/refresh")),
        ("GET", "/lab", NAVIGATION.replace("document", "iframe"), (200, "")),
        ("GET", "/api/kernels", SCRIPT, (200, "")),
        ("POST", "/api/kernels", ORIGIN, (200, "")),
        ("GET", CHANNELS, UPGRADE, (101, "")),
        ("GET", "/_nbgate/refresh?next=/lab", NAVIGATION, (200, "")),
    ],
)
def test_only_a_person_who_goes_to_a_page_is_sent_for_another_secret(world, method, path, headers, expected):
    line = cookie_line(world.rig, rotate_unix=world.rig.clock.unix())
    assert expected == world.ask(path, line + headers, method=method)


def test_two_secrets_are_good_for_a_while_and_the_use_of_the_new_one_is_told_once(world):
    rig = world.rig
    before = cookie_line(rig, rotate_unix=rig.clock.unix())
    (session,) = rig.sessions.values()
    assert 200 == world.ask("/_nbgate/refresh", before + NAVIGATION)[0]
    assert [session.keys[0].hex()] == world.pages.requests[-1].values("x-nbgate-session-key")
    after = f"Cookie: {rig.rotate(session)}\r\n"
    assert (200, "") == world.ask("/lab", before + NAVIGATION)
    assert [] == rig.of(SessionKeyUsed)
    for line in (after, after, before):
        assert (200, "") == world.ask("/lab", line + NAVIGATION)
    (told,) = rig.wait_for(SessionKeyUsed)
    (changed,) = rig.sessions.values()
    assert (session.id, changed.keys[0]) == (told.id, told.key)
    assert {session.label} == {event.session for event in rig.wait_for(HttpRequest, 5)}


# the way in past a penalty


@pytest.mark.parametrize(
    ("cookie", "open_paths"),
    [
        ("", {"/_nbgate/link/x", "/_nbgate/static/style.css"}),
        ("__Host-Http-nbgate_dev=v1.made-up", {"/_nbgate/link/x", "/_nbgate/static/style.css"}),
        (
            f"__Host-Http-nbgate_dev={DEVICE}",
            {"/_nbgate/link/x", "/_nbgate/login", "/_nbgate/api/login", "/_nbgate/static/style.css"},
        ),
    ],
)
def test_a_penalty_leaves_a_way_in_for_who_has_been_here_before(world, cookie, open_paths):
    until = world.rig.clock.monotonic() + 60.0
    load(world.rig, routes=world.rig.routes, penalties=(Penalty("127.0.0.1/32", until),))
    paths = (
        "/_nbgate/link/x",
        "/_nbgate/login",
        "/_nbgate/api/login",
        "/_nbgate/static/style.css",
        "/_nbgate/ready",
        "/lab",
    )
    line = f"Cookie: {cookie}\r\n" if cookie else ""
    assert {path: 200 if path in open_paths else 429 for path in paths} == {
        path: world.ask(path, line + ORIGIN, method="POST" if "api" in path else "GET")[0] for path in paths
    }
    told = [request.values("x-nbgate-device") for request in world.pages.requests]
    assert [[DEVICE] if DEVICE in cookie else []] * len(open_paths) == told
    assert [] == world.stub.requests
