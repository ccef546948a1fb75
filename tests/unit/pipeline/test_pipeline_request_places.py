"""Where requests lead: below a base URL of the gateway's own, on hosts of their own; and what is said of a dead server."""

import msgspec
import pytest

from nbgate.access.paths import classify
from nbgate.config.schema import Limits
from nbgate.http.head import HeadParser
from nbgate.model.client import Client
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Role, Scope, Session
from nbgate.pipeline.request import Asker, decide, login_location
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Challenge, Forward, Respond
from nbgate.policy import compile_policy
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.rules.tables import shipped_tables

NOW = 1_700_049_600.0  # 12:00 UTC
TABLES, PACK = shipped_tables(), shipped_pack()
CLIENT = Client("192.0.2.7", 50000, "192.0.2.7/32")
LIVE = Session(id=bytes(range(32)), user="ada", created_unix=NOW - 10, absolute_unix=NOW + 1e6)
ROTATING = msgspec.structs.replace(LIVE, rotate_unix=NOW)
TOKEN = msgspec.structs.replace(LIVE, scope=Scope.ROUTES_ADMIN, factors=(), role=Role.OWNER)
UPSTREAM = Upstream(host="127.0.0.1", port=8888)
PAGES = Upstream(path="/run/pages.sock")

NAVIGATION = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n"
SCRIPT = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
SOCKET = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://gw.test\r\n"
)


def own_at(home):
    return Route(name="own", prefix=f"{home}_nbgate/", base_url="/_nbgate/", upstream=PAGES, kind=RouteKind.OWN)


def route(prefix, base_url="/", *, host="", name="", port=8888, **more):
    name = name or (host + prefix).translate(str.maketrans("", "", "/.")) or "main"
    return Route(
        name=name,
        prefix=prefix,
        base_url=base_url,
        host=host,
        upstream=msgspec.structs.replace(UPSTREAM, port=port),
        **more,
    )


def policy_of(*routes, home="/", condition=Condition.GUARDED, since_unix=0.0, factors=(), banner=False):
    return compile_policy(
        version=1,
        limits=Limits(),
        tables=TABLES,
        routes=(own_at(home), *routes),
        upstreams=tuple(
            UpstreamState(route=each.name, condition=condition, token="tok", since_unix=since_unix) for each in routes
        ),
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=0.0,
        base_url=home,
        second_factor_roles=factors,
        banner=banner,
        rules=in_force(PACK, disabled=(), server_proxy_ports=()),
    )


def judge(method, path, headers="", *, policy, session=LIVE, host="gw.test", refused_seconds=0.0, now=NOW):
    raw = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode()
    head = HeadParser(policy.head_limits, policy.tables).parse(raw)
    asker = Asker(CLIENT, session, refused_seconds=refused_seconds, is_token=session is not None and session.is_token)
    return decide(head, classify(head.method, head.fields), asker, policy, ConnectionHeads(), "id1", now)


def told(verdict):
    match verdict:
        case Forward(route=route, upstream_head=head):
            return (route.name, head.split(b"\r\n", 1)[0].decode().rsplit(" ", 1)[0])
        case Respond(status=status, reason=reason, headers=headers):
            return (status, reason.value, *dict(headers).values())
        case Challenge(kind=kind, reason=reason, location=location):
            return (kind.value, reason.value, *([location] if location else []))


# below a base URL of the gateway's own

MOVED = policy_of(route("/ipython/lab1/", "/", name="lab1"), home="/ipython/")
AT_HOME = policy_of(route("/ipython/", "/", name="main"), home="/ipython/")
TWO = policy_of(route("/ipython/lab1/", name="lab1"), route("/ipython/lab2/", name="lab2"), home="/ipython/")
DEEP = policy_of(route("/a/b/", name="deep"), home="/a/b/")
EMPTY = policy_of(home="/ipython/")

WITH_SESSION = [
    (MOVED, "GET", "/ipython/lab1/lab?x=%2F", NAVIGATION, ("lab1", "GET /lab?x=%2F")),
    (MOVED, "GET", "/ipython/lab1", NAVIGATION, (308, "redirect", "/ipython/lab1/")),
    (MOVED, "GET", "/ipython/lab1/login", NAVIGATION, (303, "redirect", "/ipython/lab1/")),
    (MOVED, "GET", "/ipython/lab1/logout", NAVIGATION, ("own", "GET /_nbgate/logout")),
    (MOVED, "GET", "/ipython/", NAVIGATION, (303, "redirect", "/ipython/lab1/")),
    (MOVED, "GET", "/ipython/elsewhere", NAVIGATION, (404, "no-route")),
    # the root of the host leads there; nothing else outside is ours
    (MOVED, "GET", "/", NAVIGATION, (303, "redirect", "/ipython/")),
    (MOVED, "GET", "/?a=b", NAVIGATION, (303, "redirect", "/ipython/")),
    (MOVED, "GET", "/ipython", NAVIGATION, (303, "redirect", "/ipython/")),
    (MOVED, "GET", "/lab1/", NAVIGATION, (404, "no-route")),
    (MOVED, "GET", "/ipythonx/", NAVIGATION, (404, "no-route")),
    (MOVED, "GET", "/IPYTHON/", NAVIGATION, (404, "no-route")),
    (MOVED, "GET", "/_nbgate/login", NAVIGATION, (404, "no-route")),
    (MOVED, "GET", "/_nbgate/health", "", (404, "no-route")),
    # our own pages are told the addresses they know
    (MOVED, "GET", "/ipython/_nbgate/login?next=%2Flab", NAVIGATION, ("own", "GET /_nbgate/login?next=%2Flab")),
    (MOVED, "GET", "/%69python/%5Fnbgate/login", NAVIGATION, ("own", "GET /_nbgate/login")),
    (MOVED, "GET", "/ipython/_nbgate/account", SCRIPT + "Sec-Fetch-Dest: empty\r\n", (403, "not-a-document")),
    (MOVED, "GET", "/ipython/_nbgate/diagnose/socket", SOCKET, ("own", "GET /_nbgate/diagnose/socket")),
    (MOVED, "GET", "/ipython/_nbgate/other/socket", SOCKET, (404, "no-route")),
    (MOVED, "GET", "/ipython/_nbgate/health", "", (200, "fixed")),
    (MOVED, "GET", "/ipython/_nbgate?a", NAVIGATION, (308, "redirect", "/ipython/_nbgate/?a")),
    (MOVED, "GET", "/ipython/_nbgate/", NAVIGATION, ("own", "GET /_nbgate/")),
    # what browsers and others look for at the root of the host is there
    (MOVED, "GET", "/favicon.ico", "", (200, "fixed")),
    (MOVED, "GET", "/ipython/favicon.ico", "", (200, "fixed")),
    (MOVED, "GET", "/robots.txt", "", (200, "fixed")),
    (MOVED, "GET", "/.well-known/change-password", "", (303, "redirect", "/ipython/_nbgate/account/password")),
    (AT_HOME, "GET", "/ipython/lab", NAVIGATION, ("main", "GET /lab")),
    (AT_HOME, "GET", "/ipython", NAVIGATION, (308, "redirect", "/ipython/")),
    (AT_HOME, "GET", "/", NAVIGATION, (303, "redirect", "/ipython/")),
    (AT_HOME, "GET", "/ipython/_nbgate/servers", NAVIGATION, ("own", "GET /_nbgate/servers")),
    (TWO, "GET", "/ipython/", NAVIGATION, (303, "redirect", "/ipython/_nbgate/servers")),
    (DEEP, "GET", "/a/b/_nbgate/static/x.css", "", ("own", "GET /_nbgate/static/x.css")),
    (DEEP, "GET", "/a/", NAVIGATION, (404, "no-route")),
    (EMPTY, "GET", "/ipython/", NAVIGATION, (503, "no-server")),
    (EMPTY, "GET", "/ipython/lab", NAVIGATION, (503, "no-server")),
    (EMPTY, "GET", "/lab", NAVIGATION, (404, "no-route")),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "method", "path", "headers", "expected"), WITH_SESSION)
def test_below_a_base_url_with_a_session(policy, method, path, headers, expected):
    assert expected == told(judge(method, path, headers, policy=policy))


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/ipython/lab1/lab", NAVIGATION, ("page", "login-required", "/ipython/_nbgate/login?next=/ipython/lab1/lab")),
        ("/ipython/", NAVIGATION, ("page", "login-required", "/ipython/_nbgate/login")),
        ("/", NAVIGATION, ("page", "login-required", "/ipython/_nbgate/login")),
        ("/ipython/lab1/login", NAVIGATION, (303, "redirect", "/ipython/_nbgate/login")),
        ("/ipython/_nbgate/login", NAVIGATION, ("own", "GET /_nbgate/login")),
        ("/_nbgate/login", NAVIGATION, ("page", "login-required", "/ipython/_nbgate/login?next=/_nbgate/login")),
        ("/_nbgate/api/login", SCRIPT, ("api", "login-required")),
        ("/ipython/lab1/api/kernels/1", SCRIPT, ("kernel", "login-required")),
    ],
)
def test_below_a_base_url_without_a_session(path, headers, expected):
    assert expected == told(judge("GET", path, headers, policy=MOVED, session=None))


def test_below_a_base_url_the_ways_of_a_person_lead_to_its_pages():
    rotated = judge("GET", "/ipython/lab1/lab", NAVIGATION, policy=MOVED, session=ROTATING)
    assert (303, "redirect", "/ipython/_nbgate/refresh?next=/ipython/lab1/lab") == told(rotated)
    asking = policy_of(route("/ipython/lab1/"), home="/ipython/", factors=("editor",))
    needed = judge("GET", "/ipython/lab1/lab", NAVIGATION, policy=asking)
    assert (303, "second-factor-required", "/ipython/_nbgate/account/totp") == told(needed)
    assert "Set it up at /ipython/_nbgate/account/totp;" in judge("GET", "/ipython/lab1/api", policy=asking).says
    viewer = msgspec.structs.replace(LIVE, role=Role.VIEWER)
    refused = judge("POST", "/ipython/lab1/api", "Origin: https://gw.test\r\n", policy=MOVED, session=viewer)
    assert "/ipython/_nbgate/account." in refused.says


def test_a_penalty_leaves_the_way_in_below_the_base_url_open_and_no_other():
    for path, expected in (
        ("/ipython/_nbgate/link/abc", ("own", "GET /_nbgate/link/abc")),
        ("/_nbgate/link/abc", (429, "penalty", "5")),
        ("/ipython/lab1/_nbgate/link/abc", (429, "penalty", "5")),
    ):
        assert expected == told(judge("GET", path, NAVIGATION, policy=MOVED, session=None, refused_seconds=5.0))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/ipython/_nbgate/api/session", ("own", "GET /_nbgate/api/session")),
        ("/ipython/_nbgate/api/routes?at=/x/", ("own", "GET /_nbgate/api/routes?at=/x/")),
        ("/ipython/_nbgate/admin", (403, "token-scope")),
        ("/_nbgate/api/routes", (404, "no-route")),
    ],
)
def test_a_token_opens_the_same_below_a_base_url(path, expected):
    assert expected == told(judge("GET", path, policy=MOVED, session=TOKEN))


def test_where_to_come_back_is_not_said_where_that_is_home():
    for path, location in (("/ipython/", ""), ("/", ""), ("/ipython/?x", "?next=/ipython/%3Fx")):
        head = HeadParser(MOVED.head_limits, TABLES).parse(f"GET {path} HTTP/1.1\r\nHost: gw.test\r\n\r\n".encode())
        assert f"/ipython/_nbgate/login{location}" == login_location(head, MOVED)


# the routes API

ORIGIN, EVIL = "Origin: https://gw.test\r\n", "Origin: https://evil.example\r\n"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope.ROUTES_ADMIN, "own"),
        (Scope.ALL, "own"),
        (Scope.READ, (403, "token-scope")),
        (Scope.EXECUTE, (403, "token-scope")),
    ],
)
def test_tokens_made_for_it_change_routes(method, scope, expected):
    session = msgspec.structs.replace(TOKEN, scope=scope)
    verdict = judge(method, "/_nbgate/api/routes", policy=policy_of(route("/")), session=session)
    assert expected == (told(verdict)[0] if isinstance(verdict, Forward) else told(verdict))
    assert isinstance(verdict, Respond) or b"X-Nbgate-Session: " in verdict.upstream_head


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER, Role.AUDITOR])
def test_the_token_of_somebody_else_than_an_owner_changes_no_routes(role):
    session = msgspec.structs.replace(TOKEN, role=role)
    verdict = judge("POST", "/_nbgate/api/routes", policy=policy_of(route("/")), session=session)
    assert (403, "role") == told(verdict)
    assert "owner" in verdict.says


def test_another_site_changes_no_routes_with_a_token():
    for origin in (EVIL, "Origin: null\r\n"):
        verdict = judge("POST", "/_nbgate/api/routes", origin, policy=policy_of(route("/")), session=TOKEN)
        assert 403 == verdict.status
    assert "own" == told(judge("POST", "/_nbgate/api/routes", ORIGIN, policy=policy_of(route("/")), session=TOKEN))[0]


# hosts

HOSTS = policy_of(
    route("/", name="main", port=8888),
    route("/shared/", name="shared", port=8889),
    route("/", host="lab1.test", name="lab1", port=8890),
    route("/x/", "/base/", host="lab2.test", name="lab2", port=8891),
    route("/y/", host="lab2.test", name="lab3", port=8892, allowed=("bob",)),
)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("gw.test", "/lab", ("main", "GET /lab")),
        ("gw.test", "/shared/lab", ("shared", "GET /lab")),
        ("192.0.2.1:8443", "/lab", ("main", "GET /lab")),
        ("lab1.test", "/lab", ("lab1", "GET /lab")),
        ("LAB1.test:8443", "/lab", ("lab1", "GET /lab")),
        ("lab1.test.", "/lab", ("lab1", "GET /lab")),
        ("xlab1.test", "/lab", ("main", "GET /lab")),
        # a host of its own has nothing of the others
        ("lab1.test", "/shared/lab", ("lab1", "GET /shared/lab")),
        ("lab2.test", "/x/lab", ("lab2", "GET /base/lab")),
        ("lab2.test", "/shared/lab", (404, "no-route")),
        ("lab2.test", "/", (303, "redirect", "/_nbgate/servers")),
        ("lab2.test", "/x", (308, "redirect", "/x/")),
        ("lab2.test", "/y/lab", (403, "not-allowed")),
        ("gw.test", "/x/lab", ("main", "GET /x/lab")),
        # but our own pages
        ("lab2.test", "/_nbgate/account", ("own", "GET /_nbgate/account")),
        ("lab1.test", "/_nbgate/health", (200, "fixed")),
        ("lab1.test", "/logout", ("own", "GET /_nbgate/logout")),
        ("lab2.test", "/login", (404, "no-route")),
    ],
)
def test_a_name_leads_to_its_own_servers(host, path, expected):
    assert expected == told(judge("GET", path, NAVIGATION, policy=HOSTS, host=host))


def test_what_is_remembered_of_one_host_is_not_of_another():
    for _ in range(2):
        for host, name in (("gw.test", "main"), ("lab1.test", "lab1"), ("other.test", "main")):
            assert name == judge("GET", "/lab/same", policy=HOSTS, host=host).route.name


def test_a_host_without_a_server_at_its_root_leads_to_its_only_one():
    policy = policy_of(route("/"), route("/x/", host="lab2.test"))
    assert (303, "redirect", "/x/") == told(judge("GET", "/", NAVIGATION, policy=policy, host="lab2.test"))
    alone = policy_of(route("/x/", host="lab2.test"))
    assert (503, "no-server") == told(judge("GET", "/x/", NAVIGATION, policy=alone, host="gw.test"))


# rules


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/lab1/proxy/22/", None),
        ("/lab1/api/shutdown", "upstream-shutdown"),
        ("/lab2/proxy/22/", "server-proxy"),
    ],
)
def test_a_rule_may_not_apply_to_one_server(path, rule):
    policy = policy_of(route("/lab1/", disabled_rules=("server-proxy",)), route("/lab2/"))
    verdict = judge("POST", path, ORIGIN, policy=policy)
    assert rule == (verdict.rule if isinstance(verdict, Respond) else None)


# a server that is down


@pytest.mark.parametrize(
    ("since", "says"),
    [
        (NOW - 180, "It last answered at 11:57 UTC, 3 minutes ago. Start it; this page reloads by itself."),
        (0.0, ""),
    ],
)
def test_of_a_server_that_is_down_it_is_said_when_it_answered_last(since, says):
    policy = policy_of(route("/"), condition=Condition.DOWN, since_unix=since)
    verdict = judge("GET", "/lab", NAVIGATION, policy=policy)
    assert (503, "upstream-refused") == told(verdict)
    assert (says, since) == (verdict.says, verdict.last_seen_unix)


def test_of_a_server_in_any_other_condition_that_is_not_said():
    for condition in set(Condition) - {Condition.DOWN, Condition.GUARDED, Condition.OPEN_ALLOWED}:
        policy = policy_of(route("/"), condition=condition, since_unix=NOW - 60)
        verdict = judge("GET", "/lab", NAVIGATION, policy=policy)
        assert ("", 0.0) == (verdict.says, verdict.last_seen_unix)
