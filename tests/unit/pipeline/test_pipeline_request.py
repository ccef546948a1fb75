"""The order of judgement as one table: who asks for what, in which state of the world, and what happens."""

import pytest
from msgspec import structs

from nbgate.access.paths import classify
from nbgate.config.schema import Limits
from nbgate.http.head import HeadParser
from nbgate.jupyter.paths import Socket
from nbgate.model.client import Client
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState, UpstreamTls
from nbgate.model.session import Session
from nbgate.pipeline.request import AUDIT_GRACE_SECONDS, Asker, audit_grace_is_over, decide, login_location
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Challenge, Forward, Respond
from nbgate.policy import compile_policy
from nbgate.reasons import Reason
from nbgate.rules.tables import shipped_tables

NOW = 1_800_000_000.0
TABLES = shipped_tables()
CLIENT = Client("192.0.2.7", 50000, "192.0.2.7/32")
LIVE = Session(id=bytes(range(32)), user="ada", created_unix=NOW - 10, absolute_unix=NOW + 10)
OLD = Session(id=bytes(range(32)), user="ada", created_unix=NOW - 100, absolute_unix=NOW)
OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)
ROOT = Route(name="main", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888))
LAB1 = Route(name="lab1", prefix="/lab1/", base_url="/base/", upstream=Upstream(host="127.0.0.1", port=8889))
ADA = Route(name="ada", prefix="/user/ada/", base_url="/user/ada/", upstream=Upstream(host="127.0.0.1", port=8890))

NAVIGATION = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n"
SCRIPT = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
EVIL = "Origin: https://evil.example\r\n"
ORIGIN = "Origin: https://gw.test\r\n"
SOCKET = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
)


def policy_of(*routes, condition=Condition.GUARDED, failing=0.0, token="tok", banner=False):
    states = tuple(
        UpstreamState(route=route.name, condition=condition, token=token, generation=1)
        for route in routes
        if route is not OWN
    )
    return compile_policy(
        version=1,
        limits=Limits(),
        tables=TABLES,
        routes=(OWN, *routes),
        upstreams=states,
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=failing,
        banner=banner,
    )


def parse(method, path, headers=""):
    policy = policy_of(ROOT)
    raw = f"{method} {path} HTTP/1.1\r\nHost: gw.test\r\n{headers}\r\n".encode()
    return HeadParser(policy.head_limits, policy.tables).parse(raw)


def judge(method, path, headers="", *, session=LIVE, no_session=Reason.LOGIN_REQUIRED, policy=None, now=NOW):
    head = parse(method, path, headers)
    asker = Asker(CLIENT, session, no_session)
    kind = classify(head.method, head.fields)
    return decide(head, kind, asker, policy or policy_of(ROOT), ConnectionHeads(), "id1", now)


def told(verdict):
    """Return what a verdict says, short enough for a table."""
    match verdict:
        case Forward(route=route, upstream_head=head):
            return ("forward", route.name, head.split(b"\r\n", 1)[0].decode().rsplit(" ", 1)[0])
        case Respond(status=status, reason=reason, headers=headers):
            return ("respond", status, reason.value, dict(headers).get("Location"))
        case Challenge(kind=kind, reason=reason, location=location):
            return ("challenge", kind.value, reason.value, location)


def forward(line, route="main"):
    return ("forward", route, line)


def respond(status, reason, location=None):
    return ("respond", status, reason, location)


def challenge(kind, location="", reason="login-required"):
    return ("challenge", kind, reason, location)


TO_LOGIN = challenge("page", "/_nbgate/login?next=/lab")

# With a session, an upstream that is guarded, an audit that works.
WITH_SESSION = [
    # mount at /: the notebook server's own paths
    (ROOT, "GET", "/", NAVIGATION, forward("GET /")),
    (ROOT, "GET", "/lab", NAVIGATION, forward("GET /lab")),
    (ROOT, "GET", "/lab/tree/a%20b?reset", NAVIGATION, forward("GET /lab/tree/a%20b?reset")),
    (ROOT, "GET", "/api/kernels", SCRIPT, forward("GET /api/kernels")),
    (ROOT, "GET", "/api/kernels?token=x&a=b", SCRIPT, forward("GET /api/kernels?a=b")),
    (ROOT, "HEAD", "/files/a.txt", SCRIPT, forward("HEAD /files/a.txt")),
    (ROOT, "OPTIONS", "/api/kernels", "", forward("OPTIONS /api/kernels")),
    (ROOT, "POST", "/api/kernels", ORIGIN, forward("POST /api/kernels")),
    (ROOT, "PUT", "/api/contents/x", SCRIPT, forward("PUT /api/contents/x")),
    (ROOT, "PATCH", "/api/contents/x", ORIGIN, forward("PATCH /api/contents/x")),
    (ROOT, "DELETE", "/api/kernels/1", ORIGIN, forward("DELETE /api/kernels/1")),
    (ROOT, "GET", "/nothing/here", "", forward("GET /nothing/here")),
    (ROOT, "GET", "/api/kernels/1/channels", SOCKET + ORIGIN, forward("GET /api/kernels/1/channels")),
    # our own pages are for people: a script of the notebook server's pages gets no form token
    (ROOT, "GET", "/_nbgate/logout", NAVIGATION, forward("GET /_nbgate/logout", "own")),
    (ROOT, "GET", "/_nbgate/logout", SCRIPT + "Sec-Fetch-Dest: empty\r\n", respond(403, "not-a-document")),
    (ROOT, "HEAD", "/_nbgate/logout?x", SCRIPT + "Sec-Fetch-Dest: empty\r\n", respond(403, "not-a-document")),
    (ROOT, "GET", "/_nbgate/l%6Fgout", SCRIPT + "Sec-Fetch-Dest: empty\r\n", respond(403, "not-a-document")),
    (ROOT, "GET", "/logout", SCRIPT + "Sec-Fetch-Dest: empty\r\n", respond(403, "not-a-document")),
    (ROOT, "GET", "/_nbgate/login", SCRIPT + "Sec-Fetch-Dest: iframe\r\n", respond(403, "not-a-document")),
    (ROOT, "GET", "/_nbgate/ready", SCRIPT + "Sec-Fetch-Dest: empty\r\n", forward("GET /_nbgate/ready", "own")),
    (ROOT, "GET", "/_nbgate/static/style.css", "Sec-Fetch-Dest: style\r\n", forward("GET /_nbgate/static/style.css", "own")),
    (ROOT, "POST", "/_nbgate/logout", ORIGIN + "Sec-Fetch-Dest: empty\r\n", respond(403, "not-a-document")),
    (ROOT, "POST", "/_nbgate/logout", ORIGIN + "Sec-Fetch-Dest: document\r\n", forward("POST /_nbgate/logout", "own")),
    (ROOT, "POST", "/_nbgate/api/logout", ORIGIN + "Sec-Fetch-Dest: empty\r\n", forward("POST /_nbgate/api/logout", "own")),
    # from where it comes
    (ROOT, "POST", "/api/kernels", EVIL, respond(403, "cross-origin")),
    (ROOT, "POST", "/api/kernels", "Origin: null\r\n", respond(403, "origin-null")),
    (ROOT, "POST", "/api/kernels", "", respond(403, "origin-missing")),
    (ROOT, "POST", "/api/kernels", "Sec-Fetch-Site: cross-site\r\n", respond(403, "cross-site")),
    (ROOT, "DELETE", "/api/kernels/1", "Referer: https://gw.test/lab\r\n", respond(403, "origin-missing")),
    (ROOT, "GET", "/api/kernels", EVIL, respond(403, "cross-origin")),
    (ROOT, "GET", "/api/kernels", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", respond(403, "cross-site")),
    (ROOT, "GET", "/files/a.js", "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n", respond(403, "cross-site")),
    (ROOT, "GET", "/lab", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", forward("GET /lab")),
    (ROOT, "OPTIONS", "/api/kernels", EVIL, respond(403, "cross-origin")),
    (ROOT, "GET", "/api/kernels/1/channels", SOCKET, respond(403, "origin-missing")),
    (ROOT, "GET", "/api/kernels/1/channels", SOCKET + EVIL, respond(403, "cross-origin")),
    (ROOT, "GET", "/lsp/ws", SOCKET + EVIL, respond(403, "cross-origin")),
    # a mount's own login and logout
    (ROOT, "GET", "/login", NAVIGATION, respond(303, "redirect", "/")),
    (ROOT, "GET", "/login?next=%2Fevil", NAVIGATION, respond(303, "redirect", "/")),
    (ROOT, "POST", "/login", ORIGIN, respond(303, "redirect", "/")),
    (ROOT, "POST", "/login", EVIL, respond(403, "cross-origin")),
    (ROOT, "GET", "/logout", NAVIGATION, forward("GET /_nbgate/logout", "own")),
    (ROOT, "GET", "/logout?x=1", NAVIGATION, forward("GET /_nbgate/logout", "own")),
    (ROOT, "POST", "/logout", ORIGIN, forward("POST /_nbgate/logout", "own")),
    (ROOT, "POST", "/logout", EVIL, respond(403, "cross-origin")),
    (ROOT, "GET", "/login/x", "", forward("GET /login/x")),
    (ROOT, "GET", "/static/sw.js", "Service-Worker: script\r\n", forward("GET /static/sw.js")),
    (ROOT, "GET", "/files/sw.js", "Service-Worker: script\r\n", respond(403, "service-worker")),
    (ROOT, "GET", "/a/login", "", forward("GET /a/login")),
    # nbgate's own pages
    (ROOT, "GET", "/_nbgate/login", NAVIGATION, forward("GET /_nbgate/login", "own")),
    (ROOT, "POST", "/_nbgate/login", ORIGIN, forward("POST /_nbgate/login", "own")),
    (ROOT, "POST", "/_nbgate/login", EVIL, respond(403, "cross-origin")),
    (ROOT, "POST", "/_nbgate/api/login", "Content-Type: application/json\r\n", forward("POST /_nbgate/api/login", "own")),
    (ROOT, "POST", "/_nbgate/api/login", "", respond(403, "origin-missing")),
    (ROOT, "GET", "/_nbgate/ready", "", forward("GET /_nbgate/ready", "own")),
    (ROOT, "GET", "/_nbgate/account", NAVIGATION, forward("GET /_nbgate/account", "own")),
    (ROOT, "GET", "/_nbgate", NAVIGATION, forward("GET /_nbgate", "own")),
    (ROOT, "GET", "/_nbgate/login", SOCKET + ORIGIN, respond(404, "no-route")),
    (ROOT, "GET", "/_nbgate/diagnose", SOCKET + ORIGIN, respond(404, "no-route")),
    (ROOT, "GET", "/_nbgate/diagnose/socket/", SOCKET + ORIGIN, respond(404, "no-route")),
    (ROOT, "GET", "/_nbgate/diagnose/socket", SOCKET + EVIL, respond(403, "cross-origin")),
    (ROOT, "GET", "/_nbgate/diagnose/socket", SOCKET, respond(403, "origin-missing")),
    (ROOT, "GET", "/_nbgate/diagnose/socket?attempt=1", SOCKET + ORIGIN, forward("GET /_nbgate/diagnose/socket?attempt=1", "own")),
    (LAB1, "GET", "/_nbgate/diagnose/socket", SOCKET + ORIGIN, forward("GET /_nbgate/diagnose/socket", "own")),
    (ROOT, "GET", "/logout", SOCKET + ORIGIN, respond(404, "no-route")),
    (ROOT, "GET", "/_nbgate/health", "", respond(200, "fixed")),
    (ROOT, "POST", "/_nbgate/health", EVIL, respond(405, "method-not-allowed")),
    (ROOT, "GET", "/favicon.ico", EVIL, respond(200, "fixed")),
    (ROOT, "HEAD", "/robots.txt", "", respond(200, "fixed")),
    (ROOT, "GET", "/.well-known/security.txt", "", respond(404, "not-found")),
    (ROOT, "GET", "/.well-known/change-password", "", respond(303, "redirect", "/_nbgate/account/password")),
    (ROOT, "GET", "/.well-known/acme-challenge/abc", "", respond(404, "not-found")),
    (ROOT, "DELETE", "/favicon.ico", "", respond(405, "method-not-allowed")),
    # mount at /lab1/ of a server that was told /base/
    (LAB1, "GET", "/lab1/", NAVIGATION, forward("GET /base/", "lab1")),
    (LAB1, "GET", "/lab1/lab?x=%2F", NAVIGATION, forward("GET /base/lab?x=%2F", "lab1")),
    (LAB1, "GET", "/l%61b1/lab", NAVIGATION, forward("GET /base/lab", "lab1")),
    (LAB1, "POST", "/lab1/api/kernels", ORIGIN, forward("POST /base/api/kernels", "lab1")),
    (LAB1, "GET", "/lab1/api/kernels/1/channels", SOCKET + ORIGIN, forward("GET /base/api/kernels/1/channels", "lab1")),
    (LAB1, "GET", "/lab1/api/kernels", "Sec-Fetch-Site: cross-site\r\n", respond(403, "cross-site")),
    (LAB1, "GET", "/lab1", NAVIGATION, respond(308, "redirect", "/lab1/")),
    (LAB1, "GET", "/lab1?a=b", NAVIGATION, respond(308, "redirect", "/lab1/?a=b")),
    (LAB1, "GET", "/", NAVIGATION, respond(303, "redirect", "/lab1/")),
    (LAB1, "GET", "/?x=1", NAVIGATION, respond(303, "redirect", "/lab1/")),
    (LAB1, "GET", "/lab", NAVIGATION, respond(404, "no-route")),
    (LAB1, "GET", "/lab12/", NAVIGATION, respond(404, "no-route")),
    (LAB1, "GET", "/LAB1/", NAVIGATION, respond(404, "no-route")),
    (LAB1, "GET", "/base/", NAVIGATION, respond(404, "no-route")),
    (LAB1, "GET", "/lab1/login", NAVIGATION, respond(303, "redirect", "/lab1/")),
    (LAB1, "GET", "/lab1/logout", NAVIGATION, forward("GET /_nbgate/logout", "own")),
    (LAB1, "GET", "/login", NAVIGATION, respond(404, "no-route")),
    (LAB1, "GET", "/logout", NAVIGATION, respond(404, "no-route")),
    (LAB1, "GET", "/_nbgate/login", NAVIGATION, forward("GET /_nbgate/login", "own")),
    (LAB1, "GET", "/favicon.ico", "", respond(200, "fixed")),
    (LAB1, "GET", "/lab1/favicon.ico", "", respond(200, "fixed")),
    (LAB1, "POST", "/lab1/favicon.ico", EVIL, respond(405, "method-not-allowed")),
    (LAB1, "GET", "/lab1/static/favicon.ico", "", forward("GET /base/static/favicon.ico", "lab1")),
]  # fmt: skip


@pytest.mark.parametrize(("route", "method", "path", "headers", "expected"), WITH_SESSION)
def test_with_a_session(route, method, path, headers, expected):
    assert expected == told(judge(method, path, headers, policy=policy_of(route)))


WITHOUT_SESSION = [
    (ROOT, "GET", "/lab", NAVIGATION, TO_LOGIN),
    (ROOT, "GET", "/lab", "Accept: text/html,*/*\r\n", TO_LOGIN),
    (ROOT, "GET", "/lab", "Accept: */*\r\n", challenge("api")),
    (ROOT, "GET", "/lab?a=b&c=<", NAVIGATION, challenge("page", "/_nbgate/login?next=/lab%3Fa%3Db%26c%3D%3C")),
    (ROOT, "GET", "/", NAVIGATION, challenge("page", "/_nbgate/login")),
    (ROOT, "POST", "/lab", NAVIGATION, TO_LOGIN),
    (ROOT, "GET", "/api/kernels", SCRIPT, challenge("api")),
    (ROOT, "POST", "/api/kernels", EVIL, challenge("api")),
    (ROOT, "GET", "/api/kernels/1/channels", SOCKET + ORIGIN, challenge("websocket")),
    (ROOT, "GET", "/api/kernels/1/channels", SOCKET + EVIL, challenge("websocket")),
    (ROOT, "GET", "/login", NAVIGATION, respond(303, "redirect", "/_nbgate/login")),
    (ROOT, "GET", "/logout", NAVIGATION, forward("GET /_nbgate/logout", "own")),
    (ROOT, "POST", "/logout", "", respond(403, "origin-missing")),
    (ROOT, "GET", "/_nbgate/login", NAVIGATION, forward("GET /_nbgate/login", "own")),
    (ROOT, "POST", "/_nbgate/login", ORIGIN, forward("POST /_nbgate/login", "own")),
    (ROOT, "POST", "/_nbgate/login", EVIL, respond(403, "cross-origin")),
    (ROOT, "POST", "/_nbgate/login", "Origin: null\r\n", respond(403, "origin-null")),
    (ROOT, "POST", "/_nbgate/login", "", respond(403, "origin-missing")),
    (ROOT, "GET", "/_nbgate/static/login.css", "", forward("GET /_nbgate/static/login.css", "own")),
    (ROOT, "GET", "/_nbgate/account", NAVIGATION, challenge("page", "/_nbgate/login?next=/_nbgate/account")),
    (ROOT, "GET", "/_nbgate/health?x", "", respond(200, "fixed")),
    (ROOT, "GET", "/_nbgate/health/", "", challenge("api")),
    (ROOT, "GET", "/%5Fnbgate/login", NAVIGATION, forward("GET /%5Fnbgate/login", "own")),
    (ROOT, "GET", "/lab?x=/_nbgate/login", NAVIGATION, challenge("page", "/_nbgate/login?next=/lab%3Fx%3D/_nbgate/login")),
    (LAB1, "GET", "/", NAVIGATION, challenge("page", "/_nbgate/login")),
    (LAB1, "GET", "/nowhere", "", challenge("api")),
    (LAB1, "GET", "/lab1", NAVIGATION, challenge("page", "/_nbgate/login?next=/lab1")),
    (LAB1, "GET", "/lab1/login", NAVIGATION, respond(303, "redirect", "/_nbgate/login")),
]  # fmt: skip


@pytest.mark.parametrize(("route", "method", "path", "headers", "expected"), WITHOUT_SESSION)
def test_without_a_session(route, method, path, headers, expected):
    assert expected == told(judge(method, path, headers, session=None, policy=policy_of(route)))


@pytest.mark.parametrize(
    ("session", "no_session", "reason"),
    [
        (None, Reason.LOGIN_REQUIRED, "login-required"),
        (None, Reason.SESSION_ENDED, "session-ended"),
        (None, Reason.DUPLICATE_COOKIE, "duplicate-cookie"),
        (OLD, Reason.LOGIN_REQUIRED, "session-expired"),
    ],
)
def test_the_challenge_says_why_there_is_no_session(session, no_session, reason):
    assert challenge("api", reason=reason) == told(judge("GET", "/api/x", session=session, no_session=no_session))


@pytest.mark.parametrize(
    ("condition", "expected", "hint"),
    [
        (Condition.GUARDED, forward("GET /lab"), None),
        (Condition.OPEN_ALLOWED, forward("GET /lab"), None),
        (Condition.OPEN, respond(503, "upstream-open"), "nbgate --allow-open-upstream"),
        (
            Condition.TOKEN_UNKNOWN,
            respond(502, "upstream-token-unknown"),
            "nbgate --upstream-token-file FILE, or --upstream-password-file FILE",
        ),
        (Condition.FOREIGN, respond(502, "upstream-uid-mismatch"), "nbgate --upstream-user NAME"),
        (Condition.DOWN, respond(503, "upstream-refused"), ""),
        (Condition.UNKNOWN, respond(503, "upstream-checking"), ""),
    ],
)
def test_an_upstream_gets_requests_only_when_it_is_known_to_be_guarded(condition, expected, hint):
    verdict = judge("GET", "/lab", policy=policy_of(ROOT, condition=condition))
    assert expected == told(verdict)
    assert hint == getattr(verdict, "hint", None)


def test_a_server_whose_certificate_is_wrong_is_not_taken_for_another_users():
    told_by = UpstreamTls(server_name="lab.example.org", pin="0" * 64)
    route = structs.replace(ROOT, upstream=structs.replace(ROOT.upstream, tls=told_by))
    verdict = judge("GET", "/lab", policy=policy_of(route, condition=Condition.FOREIGN))
    assert respond(502, "upstream-certificate") == told(verdict)


@pytest.mark.parametrize("condition", list(Condition))
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/_nbgate/login", forward("GET /_nbgate/login", "own")),
        ("/logout", forward("GET /_nbgate/logout", "own")),
        ("/login", respond(303, "redirect", "/")),
        ("/favicon.ico", respond(200, "fixed")),
    ],
)
def test_own_pages_do_not_depend_on_the_upstream(condition, path, expected):
    assert expected == told(judge("GET", path, policy=policy_of(ROOT, condition=condition)))


UNAVAILABLE = respond(503, "audit-unavailable")


@pytest.mark.parametrize(
    ("method", "path", "headers", "session", "early", "late"),
    [
        ("GET", "/lab", NAVIGATION, LIVE, forward("GET /lab"), UNAVAILABLE),
        ("HEAD", "/api/x", SCRIPT, LIVE, forward("HEAD /api/x"), UNAVAILABLE),
        ("OPTIONS", "/api/x", "", LIVE, forward("OPTIONS /api/x"), UNAVAILABLE),
        ("POST", "/api/x", ORIGIN, LIVE, UNAVAILABLE, UNAVAILABLE),
        ("PUT", "/api/x", ORIGIN, LIVE, UNAVAILABLE, UNAVAILABLE),
        ("PATCH", "/api/x", ORIGIN, LIVE, UNAVAILABLE, UNAVAILABLE),
        ("DELETE", "/api/x", ORIGIN, LIVE, UNAVAILABLE, UNAVAILABLE),
        ("POST", "/_nbgate/login", ORIGIN, None, UNAVAILABLE, UNAVAILABLE),
        ("POST", "/_nbgate/logout", ORIGIN, LIVE, UNAVAILABLE, UNAVAILABLE),
        ("GET", "/_nbgate/login", NAVIGATION, None, forward("GET /_nbgate/login", "own"), UNAVAILABLE),
        ("GET", "/lab", NAVIGATION, None, TO_LOGIN, TO_LOGIN),
        ("POST", "/api/x", EVIL, LIVE, respond(403, "cross-origin"), respond(403, "cross-origin")),
        ("GET", "/_nbgate/health", "", None, respond(200, "fixed"), respond(200, "fixed")),
        ("GET", "/favicon.ico", "", None, respond(200, "fixed"), respond(200, "fixed")),
        ("POST", "/login", ORIGIN, LIVE, UNAVAILABLE, UNAVAILABLE),
    ],
)
def test_while_the_audit_cannot_be_written_nothing_changes_and_after_ten_minutes_nothing_is_read(
    method, path, headers, session, early, late
):
    for since, expected in ((NOW - AUDIT_GRACE_SECONDS, early), (NOW - AUDIT_GRACE_SECONDS - 1, late)):
        session_then = session and Session(id=session.id, user="ada", created_unix=0, absolute_unix=NOW + 1e6)
        policy = policy_of(ROOT, failing=since)
        assert expected == told(judge(method, path, headers, session=session_then, policy=policy))


@pytest.mark.parametrize(
    ("since", "over"), [(0.0, False), (NOW, False), (NOW - AUDIT_GRACE_SECONDS, False), (NOW - 601, True)]
)
def test_the_grace_without_an_audit(since, over):
    assert over is audit_grace_is_over(policy_of(ROOT, failing=since), NOW)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/lab1/lab", forward("GET /base/lab", "lab1")),
        ("/user/ada/lab", forward("GET /user/ada/lab", "ada")),
        ("/user/ada", respond(308, "redirect", "/user/ada/")),
        ("/user/bob/lab", respond(404, "no-route")),
        ("/user/", respond(404, "no-route")),
        ("/", respond(303, "redirect", "/_nbgate/servers")),
        ("/_nbgate/servers", forward("GET /_nbgate/servers", "own")),
        ("/user/ada/login", respond(303, "redirect", "/user/ada/")),
        ("/user/ada/logout", forward("GET /_nbgate/logout", "own")),
    ],
)
def test_several_mounts(path, expected):
    assert expected == told(judge("GET", path, NAVIGATION, policy=policy_of(LAB1, ADA)))


@pytest.mark.parametrize("path", ["/", "/lab", "/user/ada/api/kernels"])
def test_without_any_server_every_address_says_so(path):
    assert respond(503, "no-server") == told(judge("GET", path, NAVIGATION, policy=policy_of()))
    assert challenge("api") == told(judge("GET", path, SCRIPT, session=None, policy=policy_of()))


def test_the_list_of_servers_is_for_people():
    refused = judge("GET", "/_nbgate/servers", SCRIPT + "Sec-Fetch-Dest: empty\r\n")
    assert respond(403, "not-a-document") == told(refused)
    assert challenge("page", "/_nbgate/login?next=/_nbgate/servers") == told(
        judge("GET", "/_nbgate/servers", NAVIGATION, session=None)
    )


def test_the_longest_mount_wins_over_one_at_the_root():
    policy = policy_of(ROOT, LAB1)
    assert forward("GET /base/lab", "lab1") == told(judge("GET", "/lab1/lab", policy=policy))
    assert forward("GET /lab2/lab") == told(judge("GET", "/lab2/lab", policy=policy))
    assert forward("GET /") == told(judge("GET", "/", policy=policy))


@pytest.mark.parametrize(
    ("path", "headers", "socket", "untouched", "identity"),
    [
        ("/lab", NAVIGATION, None, False, True),
        ("/api/kernels", SCRIPT, None, True, False),
        ("/api/kernels/1/channels", SCRIPT, None, True, False),
        ("/static/a.js", SCRIPT, None, True, False),
        ("/files/a.html", SCRIPT, None, True, False),
        ("/api/kernels/1/channels", SOCKET + ORIGIN, Socket.CHANNEL, True, False),
        ("/terminals/websocket/1", SOCKET + ORIGIN, Socket.CHANNEL, False, True),
        ("/api/collaboration/room/json:notebook:1", SOCKET + ORIGIN, Socket.ROOM, True, False),
        ("/lsp/ws/pylsp", SOCKET + ORIGIN, Socket.OTHER, False, True),
        ("/api/events/subscribe", SOCKET + ORIGIN, Socket.EVENTS, True, False),
    ],
)
def test_what_a_path_means_decides_how_it_is_asked_for(path, headers, socket, untouched, identity):
    verdict = judge("GET", path, headers + "Accept-Encoding: gzip\r\n")
    assert (socket, untouched) == (verdict.socket, verdict.untouched)
    assert identity == (b"Accept-Encoding: identity\r\n" in verdict.upstream_head)
    assert (b"permessage-deflate" in verdict.upstream_head) == (socket in {Socket.EVENTS, Socket.OTHER})


def test_an_open_upstream_is_asked_for_everything_as_the_client_asked():
    verdict = judge(
        "GET", "/lab", "Accept-Encoding: gzip\r\n", policy=policy_of(ROOT, condition=Condition.OPEN_ALLOWED, token="")
    )
    assert b"Accept-Encoding: gzip\r\n" in verdict.upstream_head
    assert b"Authorization" not in verdict.upstream_head


FRAME = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\nSec-Fetch-Site: same-origin\r\n"


@pytest.mark.parametrize("token", ["tok", ""])
@pytest.mark.parametrize(
    ("path", "headers", "banner"),
    [
        ("/lab", NAVIGATION, True),
        ("/lab", "Accept: text/html\r\n", True),
        ("/view/x.html", FRAME, True),
        ("/lab", SCRIPT, False),
        ("/lab", "Accept: */*\r\n", False),
        ("/files/page.html", NAVIGATION, False),
        ("/api/contents", NAVIGATION, False),
        ("/static/x.html", NAVIGATION, False),
        ("/_nbgate/login", NAVIGATION, False),
        ("/logout", NAVIGATION, False),
        ("/api/kernels/1/channels", SOCKET + ORIGIN, False),
    ],
)
def test_the_banner_is_for_pages_somebody_goes_to(path, headers, banner, token):
    condition = Condition.GUARDED if token else Condition.OPEN_ALLOWED
    headers += "Accept-Encoding: gzip\r\n"
    without = judge("GET", path, headers, policy=policy_of(ROOT, condition=condition, token=token))
    verdict = judge("GET", path, headers, policy=policy_of(ROOT, condition=condition, token=token, banner=True))
    assert (False, banner) == (without.banner, verdict.banner)
    if banner:
        assert b"Accept-Encoding: identity\r\n" in verdict.upstream_head
    else:
        assert without.upstream_head == verdict.upstream_head


def test_an_expired_session_is_nobody_to_the_keeper():
    assert b"X-Nbgate-Session" in judge("GET", "/_nbgate/login", session=LIVE).upstream_head
    assert b"X-Nbgate-Session" not in judge("GET", "/_nbgate/login", session=OLD).upstream_head


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "/_nbgate/login"),
        ("/?", "/_nbgate/login?next=/%3F"),
        ("/lab%20x", "/_nbgate/login?next=/lab%2520x"),
        ("/a+b;c'\"", "/_nbgate/login?next=/a%2Bb%3Bc%27%22"),
        ("/x~y_z-1.2", "/_nbgate/login?next=/x~y_z-1.2"),
    ],
)
def test_the_login_page_is_told_where_to_come_back(path, location):
    assert location == login_location(parse("GET", path), policy_of(ROOT))
