"""Who may do what: tokens, roles, allow lists, second factors, rotation, and what a penalty lets pass."""

import msgspec
import pytest

from nbgate.access.paths import RequestKind, classify
from nbgate.config.schema import Limits
from nbgate.crypto.devices import new_device_cookie, new_device_id
from nbgate.http.head import HeadParser
from nbgate.model.client import Client
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Role, Scope, Session
from nbgate.pipeline.request import Asker, decide
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Challenge, ChallengeKind, Forward, Respond
from nbgate.policy import compile_policy
from nbgate.reasons import Reason
from nbgate.rules.tables import shipped_tables

NOW = 1_800_000_000.0
TABLES = shipped_tables()
CLIENT = Client("192.0.2.7", 50000, "192.0.2.7/32")
KEY = bytes(range(1, 33))
LOGIN = Session(id=bytes(range(32)), user="ada", created_unix=NOW - 10, absolute_unix=NOW + 10)
TOKEN = msgspec.structs.replace(LOGIN, scope=Scope.ALL, factors=())
UPSTREAM = Upstream(host="127.0.0.1", port=8888)
OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)
LAB = Route(name="lab", prefix="/lab/", base_url="/lab/", upstream=UPSTREAM)
BOBS = Route(name="bobs", prefix="/bobs/", base_url="/bobs/", upstream=UPSTREAM, allowed=("bob",))
DEVICE = new_device_cookie(bytes(32), "ada", new_device_id(bytes(16)), 2_000_000_000, 1)

NAVIGATION = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n"
FRAME = NAVIGATION.replace("document", "iframe")
SCRIPT = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
ORIGIN = "Origin: https://gw.test\r\n"
EVIL = "Origin: https://evil.example\r\n"
SOCKET = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def policy_of(*, factors=(), contact="", failing=0.0, banner=True):
    states = (
        UpstreamState(route=name, condition=Condition.GUARDED, token="tok", generation=1) for name in ("lab", "bobs")
    )
    return compile_policy(
        version=1,
        limits=Limits(),
        tables=TABLES,
        routes=(OWN, LAB, BOBS),
        upstreams=tuple(states),
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=failing,
        banner=banner,
        second_factor_roles=factors,
        contact=contact,
    )


POLICY = policy_of()


def judge(
    method,
    path,
    headers="",
    *,
    session=LOGIN,
    policy=POLICY,
    no_session=None,
    refused_seconds=0.0,
    now=NOW,
    token=False,
):
    raw = f"{method} {path} HTTP/1.1\r\nHost: gw.test\r\n{headers}\r\n".encode()
    head = HeadParser(policy.head_limits, policy.tables).parse(raw)
    kind = classify(head.method, head.fields)
    token = token or (session is not None and session.is_token)
    if token and kind is RequestKind.NAVIGATION:
        kind = RequestKind.API
    asker = Asker(CLIENT, session, no_session or Reason.LOGIN_REQUIRED, refused_seconds, KEY, token)
    return decide(head, kind, asker, policy, ConnectionHeads(), "id1", now)


def told(verdict):
    match verdict:
        case Forward(route=route):
            return route.name
        case Respond(status=status, reason=reason, headers=headers):
            return (status, reason.value, *dict(headers).values())
        case Challenge(kind=kind, reason=reason, location=location):
            return (kind.value, reason.value, *([location] if location else []))


# tokens

TOKENS = [
    ("GET", "/lab/api/kernels", "", "lab"),
    ("GET", "/lab/api/kernels", "Accept: text/html\r\n", "lab"),
    ("POST", "/lab/api/kernels", "", "lab"),
    ("DELETE", "/lab/api/kernels/1", "", "lab"),
    ("POST", "/lab/api/kernels", ORIGIN, "lab"),
    ("POST", "/lab/api/kernels", EVIL, (403, "cross-origin")),
    ("POST", "/lab/api/kernels", "Origin: null\r\n", (403, "origin-null")),
    ("POST", "/lab/api/kernels", "Sec-Fetch-Site: cross-site\r\n", (403, "cross-site")),
    ("OPTIONS", "/lab/api/kernels", "Access-Control-Request-Method: POST\r\n", (403, "preflight")),
    ("GET", "/lab/api/kernels/1/channels?token=x", SOCKET, "lab"),
    ("GET", "/lab/api/kernels/1/channels", SOCKET + EVIL, (403, "cross-origin")),
    ("GET", "/bobs/api", "", (403, "not-allowed")),
    ("GET", "/lab", "", (308, "redirect", "/lab/")),
    ("GET", "/lab/login", "", (303, "redirect", "/lab/")),
    ("GET", "/", "", (303, "redirect", "/_nbgate/servers")),
    ("GET", "/nowhere", "", (404, "no-route")),
    # of ours it opens one thing, and what is open to everybody
    ("GET", "/_nbgate/api/session", "", "own"),
    ("GET", "/_nbgate/api/session", EVIL, "own"),
    ("HEAD", "/_nbgate/api/session", "", (403, "token-scope")),
    ("POST", "/_nbgate/api/session", "", (403, "token-scope")),
    ("GET", "/_nbgate/api/session/x", "", (403, "token-scope")),
    ("GET", "/_nbgate/account", NAVIGATION, (403, "token-scope")),
    ("POST", "/_nbgate/account/password", ORIGIN, (403, "token-scope")),
    ("GET", "/_nbgate/admin", NAVIGATION, (403, "token-scope")),
    ("GET", "/_nbgate/refresh", NAVIGATION, (403, "token-scope")),
    ("GET", "/_nbgate/servers", NAVIGATION, (403, "token-scope")),
    ("POST", "/_nbgate/api/logout", "Content-Type: application/json\r\n", (403, "token-scope")),
    ("GET", "/_nbgate/diagnose/socket", SOCKET + ORIGIN, (403, "token-scope")),
    ("GET", "/_nbgate/health", "", (200, "fixed")),
    ("GET", "/_nbgate/ready", "", "own"),
    ("GET", "/_nbgate/login", NAVIGATION, "own"),
    ("POST", "/_nbgate/api/login", "", (403, "origin-missing")),
    ("POST", "/_nbgate/api/login", "Content-Type: application/json\r\n", "own"),
    ("GET", "/lab/logout", NAVIGATION, "own"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "expected"), TOKENS)
def test_with_a_token(method, path, headers, expected):
    assert expected == told(judge(method, path, headers, session=TOKEN))


@pytest.mark.parametrize("path", ["/_nbgate/ready", "/_nbgate/login", "/lab/logout", "/_nbgate/static/style.css"])
def test_the_keeper_hears_nothing_of_a_token_on_a_page_for_everybody(path):
    verdict = judge("GET", path, session=TOKEN)
    assert b"X-Nbgate-Session" not in verdict.upstream_head


@pytest.mark.parametrize("session", [LOGIN, TOKEN])
def test_the_keeper_is_told_the_session_and_the_key_that_found_it(session):
    verdict = judge("GET", "/_nbgate/api/session", f"Cookie: __Host-Http-nbgate_dev={DEVICE}\r\n", session=session)
    for name, value in (("Session", session.id.hex()), ("Session-Key", KEY.hex()), ("Device", DEVICE)):
        assert f"X-Nbgate-{name}: {value}\r\n".encode() in verdict.upstream_head
    assert b"Cookie" not in verdict.upstream_head


@pytest.mark.parametrize(
    ("scope", "routes", "method", "headers", "path", "expected"),
    [
        (Scope.READ, (), "GET", "", "/lab/api/contents", "lab"),
        (Scope.READ, (), "GET", "", "/lab/terminals/new", (403, "token-scope")),
        (Scope.READ, (), "GET", SOCKET, "/lab/api/kernels/1/channels", (403, "token-scope")),
        (Scope.READ, (), "POST", "", "/lab/api/kernels", (403, "token-scope")),
        (Scope.EXECUTE, (), "POST", "", "/lab/api/kernels", "lab"),
        (Scope.EXECUTE, ("/bobs/",), "GET", "", "/lab/api/kernels", (403, "token-scope")),
        (Scope.EXECUTE, ("/lab/",), "GET", "", "/lab/api/kernels", "lab"),
        (Scope.ROUTES_ADMIN, (), "GET", "", "/lab/api/kernels", (403, "token-scope")),
    ],
)
def test_what_a_token_is_good_for(scope, routes, method, headers, path, expected):
    session = msgspec.structs.replace(TOKEN, scope=scope, routes=routes)
    assert expected == told(judge(method, path, headers, session=session))


@pytest.mark.parametrize("reason", [Reason.TOKEN_INVALID, Reason.TOKEN_WITH_COOKIE])
@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/lab/tree", NAVIGATION, "api"),
        ("/lab/api/kernels", SCRIPT, "api"),
        ("/lab/api/kernels/1", SCRIPT, "api"),
        ("/lab/api/kernels/1/channels", SOCKET, "websocket"),
        ("/_nbgate/account", NAVIGATION, "api"),
        ("/_nbgate/api/session", "", "api"),
    ],
)
def test_a_token_that_is_not_good_is_never_sent_to_a_page(reason, path, headers, expected):
    assert (expected, reason.value) == told(judge("GET", path, headers, session=None, no_session=reason, token=True))


def test_a_token_that_is_not_good_spares_nobody_the_origin():
    assert (403, "origin-missing") == told(
        judge("POST", "/_nbgate/api/login", session=None, no_session=Reason.TOKEN_INVALID, token=True)
    )


def test_a_token_that_has_expired_is_no_token():
    assert ("api", "token-invalid") == told(
        judge("GET", "/lab/x", session=TOKEN, now=NOW + 10, no_session=Reason.TOKEN_INVALID)
    )


# who has lost a kernel


@pytest.mark.parametrize("reason", [Reason.LOGIN_REQUIRED, Reason.SESSION_ENDED, Reason.DUPLICATE_COOKIE])
@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/lab/api/kernels/1", SCRIPT, "kernel"),
        ("GET", "/lab/api/kernels/1?1700000000", "", "kernel"),
        ("GET", "/bobs/api/kernels/1", SCRIPT, "kernel"),
        ("HEAD", "/lab/api/kernels/1", SCRIPT, "api"),
        ("POST", "/lab/api/kernels/1", SCRIPT, "api"),
        ("DELETE", "/lab/api/kernels/1", SCRIPT, "api"),
        ("GET", "/lab/api/kernels/1/", SCRIPT, "api"),
        ("GET", "/lab/api/kernels", SCRIPT, "api"),
        ("GET", "/lab/api/sessions/1", SCRIPT, "api"),
        ("GET", "/_nbgate/api/kernels/1", SCRIPT, "api"),
        ("GET", "/api/kernels/1", SCRIPT, "api"),
        ("GET", "/lab/api/kernels/1/channels", SOCKET, "websocket"),
    ],
)
def test_only_a_page_that_asks_for_its_kernel_is_told_to_ask_again(reason, method, path, headers, expected):
    """JupyterLab takes a 401 for the kernel's death, and asks again for ever after a 424."""
    assert (expected, reason.value) == told(judge(method, path, headers, session=None, no_session=reason))


def test_a_person_who_goes_there_is_asked_to_sign_in():
    assert "page" == told(judge("GET", "/lab/api/kernels/1", NAVIGATION, session=None))[0]


# roles and allow lists


@pytest.mark.parametrize(
    ("role", "method", "path", "headers", "expected"),
    [
        (Role.VIEWER, "GET", "/lab/tree", NAVIGATION, "lab"),
        (Role.VIEWER, "GET", "/lab/terminals/new", NAVIGATION, (403, "role")),
        (Role.VIEWER, "POST", "/lab/api/kernels", ORIGIN, (403, "role")),
        (Role.VIEWER, "GET", "/lab/api/kernels/1/channels", SOCKET + ORIGIN, (403, "role")),
        (Role.VIEWER, "GET", "/_nbgate/account", NAVIGATION, "own"),
        (Role.AUDITOR, "GET", "/lab/tree", NAVIGATION, (403, "role")),
        (Role.AUDITOR, "GET", "/lab", NAVIGATION, (403, "role")),
        (Role.AUDITOR, "GET", "/lab/login", NAVIGATION, (403, "role")),
        (Role.AUDITOR, "GET", "/lab/logout", NAVIGATION, "own"),
        (Role.AUDITOR, "GET", "/_nbgate/account", NAVIGATION, "own"),
        (Role.AUDITOR, "GET", "/_nbgate/diagnose/socket", SOCKET + ORIGIN, "own"),
        (Role.OWNER, "GET", "/bobs/tree", NAVIGATION, (403, "not-allowed")),
        (Role.OWNER, "GET", "/bobs", NAVIGATION, (403, "not-allowed")),
        (Role.OWNER, "GET", "/bobs/api/kernels/1/channels", SOCKET + ORIGIN, (403, "not-allowed")),
        (Role.OWNER, "GET", "/_nbgate/admin", NAVIGATION, "own"),
        (Role.EDITOR, "POST", "/lab/api/kernels", EVIL, (403, "cross-origin")),
    ],
)
def test_what_a_role_may_do(role, method, path, headers, expected):
    assert expected == told(judge(method, path, headers, session=msgspec.structs.replace(LOGIN, role=role)))


def test_who_is_on_the_list_gets_in():
    assert "bobs" == told(judge("GET", "/bobs/tree", session=msgspec.structs.replace(LOGIN, user="bob")))


@pytest.mark.parametrize(("session", "path"), [(LOGIN, "/bobs/tree"), (TOKEN, "/_nbgate/account")])
def test_who_is_refused_is_told_whom_to_ask(session, path):
    asked = judge("GET", path, session=session, policy=policy_of(contact="the owners: ada"))
    assert asked.says.endswith(" Ask the owners: ada.")
    assert "Ask" not in judge("GET", path, session=session).says


# second factors


@pytest.mark.parametrize(
    ("factors", "method", "path", "headers", "expected"),
    [
        (("password",), "GET", "/lab/tree", NAVIGATION, (303, "second-factor-required", "/_nbgate/account/totp")),
        (("login-link",), "GET", "/lab/", NAVIGATION, (303, "second-factor-required", "/_nbgate/account/totp")),
        (("password",), "GET", "/lab/api/kernels", SCRIPT, (403, "second-factor-required")),
        (("password",), "GET", "/lab/api/kernels/1/channels", SOCKET + ORIGIN, (403, "second-factor-required")),
        (("password",), "GET", "/_nbgate/account/totp", NAVIGATION, "own"),
        (("password",), "GET", "/_nbgate/logout", NAVIGATION, "own"),
        (("password", "totp"), "GET", "/lab/tree", NAVIGATION, "lab"),
        (("password", "recovery"), "GET", "/lab/tree", NAVIGATION, "lab"),
    ],
)
def test_where_a_second_factor_is_needed(factors, method, path, headers, expected):
    session = msgspec.structs.replace(LOGIN, factors=factors)
    assert expected == told(judge(method, path, headers, session=session, policy=policy_of(factors=("editor",))))
    for other in (msgspec.structs.replace(session, role=Role.OWNER), TOKEN):
        assert "second-factor-required" not in told(
            judge(method, path, headers, session=other, policy=policy_of(factors=("editor",)))
        )


# rotation

DUE = msgspec.structs.replace(LOGIN, rotate_unix=NOW)


@pytest.mark.parametrize(
    ("session", "method", "path", "headers", "expected"),
    [
        (DUE, "GET", "/lab/tree/a%20b?c=d", NAVIGATION, (303, "redirect", "/_nbgate/refresh?next=/lab/tree/a%2520b%3Fc%3Dd")),
        (DUE, "GET", "/lab/tree", "Accept: text/html\r\n", (303, "redirect", "/_nbgate/refresh?next=/lab/tree")),
        (msgspec.structs.replace(LOGIN, rotate_unix=NOW + 1), "GET", "/lab/tree", NAVIGATION, "lab"),
        (DUE, "GET", "/lab/tree", FRAME, "lab"),
        (DUE, "GET", "/lab/api/kernels", SCRIPT, "lab"),
        (DUE, "POST", "/lab/x", NAVIGATION + ORIGIN, "lab"),
        (DUE, "GET", "/lab/api/kernels/1/channels", SOCKET + ORIGIN, "lab"),
        (DUE, "GET", "/_nbgate/account", NAVIGATION, "own"),
        (DUE, "GET", "/bobs/tree", NAVIGATION, (403, "not-allowed")),
        (msgspec.structs.replace(TOKEN, rotate_unix=NOW), "GET", "/lab/tree", NAVIGATION, "lab"),
    ],
)  # fmt: skip
def test_who_goes_to_a_page_is_sent_for_another_secret_when_it_is_due(session, method, path, headers, expected):
    assert expected == told(judge(method, path, headers, session=session))


def test_no_secret_is_replaced_while_nothing_can_be_recorded():
    assert "lab" == told(judge("GET", "/lab/tree", NAVIGATION, session=DUE, policy=policy_of(failing=NOW - 1)))


def test_no_secret_is_replaced_while_the_keeper_is_gone_and_own_pages_are_tried():
    own = msgspec.structs.replace(POLICY.own_state, condition=Condition.DOWN)
    policy = msgspec.structs.replace(POLICY, own_state=own)
    assert "lab" == told(judge("GET", "/lab/tree", NAVIGATION, session=DUE, policy=policy))
    assert "own" == told(judge("GET", "/_nbgate/account", NAVIGATION, session=DUE, policy=policy))
    assert "own" == told(judge("GET", "/_nbgate/refresh", NAVIGATION, session=DUE, policy=policy))


# penalties

REFUSED = (429, "penalty", "30")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "by_anybody", "by_a_known_device"),
    [
        ("GET", "/_nbgate/link/x", "own", "own"),
        ("GET", "/_nbgate/login", REFUSED, "own"),
        ("POST", "/_nbgate/login", REFUSED, "own"),
        ("POST", "/_nbgate/api/login", REFUSED, "own"),
        ("GET", "/_nbgate/static/style.css", "own", "own"),
        ("GET", "/_nbgate/health", REFUSED, REFUSED),
        ("GET", "/_nbgate/account", REFUSED, REFUSED),
        ("GET", "/lab/tree", REFUSED, REFUSED),
        ("GET", "/lab/logout", REFUSED, REFUSED),
    ],
)
def test_a_penalty_leaves_a_way_in(known, method, path, by_anybody, by_a_known_device):
    cookie = f"Cookie: __Host-Http-nbgate_dev={DEVICE if known else 'v1.made-up'}\r\n"
    verdict = judge(method, path, ORIGIN + cookie, session=None, refused_seconds=30.0)
    assert (by_a_known_device if known else by_anybody) == told(verdict)
    assert REFUSED != told(judge(method, path, ORIGIN + cookie, refused_seconds=30.0))


def test_a_penalty_is_no_dead_kernel():
    """JupyterLab asks on after 424 alone: with 429 the page of a person who was signed out would never go on."""
    verdict = judge("GET", "/lab/api/kernels/0b9a3a5e-1111-4222-8333-444455556666", session=None, refused_seconds=30.0)
    assert (ChallengeKind.KERNEL, Reason.PENALTY) == (verdict.kind, verdict.reason)
