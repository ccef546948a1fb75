"""Any bytes come to a verdict or a protocol error; what is forwarded is one head, framed by nobody but us."""

import re
from urllib.parse import parse_qsl

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from nbgate.access.paths import classify
from nbgate.config.schema import Limits
from nbgate.errors import ProtocolError
from nbgate.http.head import HeadParser
from nbgate.model.client import Client
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Role, Scope, Session
from nbgate.pipeline import answers
from nbgate.pipeline.request import Asker, decide
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Challenge, Forward, Respond
from nbgate.policy import compile_policy
from nbgate.rules.tables import shipped_tables

NOW = 1_800_000_000.0
TOKEN = "upstream-token-0123456789abcdef"
CLIENT = Client("192.0.2.7", 50000, "192.0.2.7/32")
LIVE = Session(id=bytes(range(32)), user="ada", created_unix=NOW - 10, absolute_unix=NOW + 10)
VIEWER = msgspec.structs.replace(LIVE, role=Role.VIEWER)
AUDITOR = msgspec.structs.replace(LIVE, role=Role.AUDITOR)
READER = msgspec.structs.replace(LIVE, scope=Scope.READ)
ROUTES_ADMIN = msgspec.structs.replace(LIVE, scope=Scope.ROUTES_ADMIN, role=Role.OWNER)
OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)
ROOT = Route(name="main", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888))
LAB = Route(name="lab", prefix="/lab1/", base_url="/base/", upstream=Upstream(host="127.0.0.1", port=8889))


MOVED = Route(name="own", prefix="/lab1/_nbgate/", base_url="/_nbgate/", upstream=OWN.upstream, kind=RouteKind.OWN)
HOSTED = Route(name="hosted", prefix="/", host="gw.test", upstream=Upstream(host="127.0.0.1", port=8890))


def policy_of(*routes, own=OWN, base_url="/"):
    return compile_policy(
        version=1,
        limits=Limits(),
        tables=shipped_tables(),
        routes=(own, *routes),
        upstreams=tuple(UpstreamState(route=route.name, condition=Condition.GUARDED, token=TOKEN) for route in routes),
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=0.0,
        base_url=base_url,
    )


POLICIES = (
    policy_of(ROOT),
    policy_of(LAB),
    policy_of(),
    policy_of(LAB, own=MOVED, base_url="/lab1/"),
    policy_of(LAB, HOSTED),
)
GOOD = [
    "lab",
    "lab1",
    "api",
    "contents",
    "kernels",
    "1",
    "channels",
    "files",
    "static",
    "a%20b",
    "%61",
    "%c3%a9",
    "x?token=a&b=c",
    "x?a=/..",
]
ROUGH = [
    "",
    "_nbgate",
    "_nbgate/api/routes",
    "login",
    "logout",
    "proxy",
    "8080",
    "%2e%2e",
    "a%2fb",
    "..",
    "a b",
    "terminals",
    "websocket",
    "x?next=//e",
    "favicon.ico",
]
TARGETS = st.one_of(
    st.lists(st.sampled_from(GOOD), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.lists(st.sampled_from(GOOD), min_size=1, max_size=3).map(lambda parts: "/lab1/" + "/".join(parts)),
    st.lists(st.sampled_from(GOOD + ROUGH), max_size=5).map(lambda parts: "/" + "/".join(parts)),
    st.text("/%?#.;\\a2fe", max_size=12),
)
LINES = st.sampled_from(
    [
        "Origin: https://gw.test",
        "Origin: https://evil.test",
        "Origin: null",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Connection: close, authorization, x-forwarded-for, host",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Authorization: token evil",
        "X-Forwarded-For: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "Remote-User: root",
        "Referer: https://gw.test/lab?token=x",
        "Cookie: a=b; __Host-Http-nbgate=c; _xsrf=d",
        "Service-Worker: script",
        "Accept-Encoding: br",
        "If-None-Match: x",
        "X-Nbgate-Session: 00",
    ]
)
HEADS = st.builds(
    lambda method, target, host, lines: (
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode()
        + "".join(f"{line}\r\n" for line in lines).encode()
        + b"\r\n"
    ),
    st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]),
    TARGETS,
    st.sampled_from(["gw.test", "gw.test", "gw.test", "GW.test:8443", "[::1]:443", "a@b"]),
    st.lists(LINES, max_size=4, unique=True),
)
UPSTREAM_HEAD = re.compile(rb"[A-Z]+ /[!-~]* HTTP/1\.1\r\n(?:[!#$%&'*+.^`|~0-9A-Za-z-]+: ?[\t -~]*\r\n)+")


@settings(max_examples=800, deadline=None)
@given(
    data=HEADS | st.binary(max_size=150),
    place=st.integers(0, len(POLICIES) - 1),
    session=st.sampled_from([LIVE, LIVE, LIVE, None, VIEWER, AUDITOR, READER, ROUTES_ADMIN]),
)
def test_any_bytes_give_a_verdict_or_a_protocol_error(data, place, session):
    policy = POLICIES[place]
    try:
        head = HeadParser(policy.head_limits, policy.tables).parse(data)
    except ProtocolError:
        return
    kind = classify(head.method, head.fields)
    asker = Asker(CLIENT, session, is_token=session is not None and session.is_token)
    verdict = decide(head, kind, asker, policy, ConnectionHeads(), "id1", NOW)
    match verdict:
        case Forward():
            is_forwarded_well(verdict, head, session)
        case Respond():
            answer = answers.respond(verdict, kind, request_id="id1", close=False, head_only=False)
            assert re.match(rb"HTTP/1\.1 [2-5]\d\d [A-Za-z -]*\r\n(?:[A-Za-z-]+: [ -~]*\r\n)+\r\n", answer)
        case Challenge():
            assert session is None
            answer = answers.challenge(verdict, request_id="id1", close=False, head_only=False)
            assert re.match(rb"HTTP/1\.1 (?:303|401|424) [A-Za-z ]+\r\n(?:[A-Za-z-]+: [ -~]*\r\n)+\r\n", answer)


def is_forwarded_well(verdict, head, session):
    """A stranger's request goes to our own pages only; no word of the client stands where ours must."""
    own = verdict.route.kind is RouteKind.OWN
    assert session is not None or own
    if session in {VIEWER, READER} and not own:
        assert head.method in {"GET", "HEAD"}
        assert head.fields.websocket is None
    assert own or session is not AUDITOR
    assert not (own and session is READER and b"x-nbgate-session" in verdict.upstream_head.lower())
    assert own or session is not ROUTES_ADMIN
    if own:  # our own pages know one spelling of where they are
        assert verdict.upstream_head.split(b" ", 2)[1].lower().startswith((b"/_nbgate", b"/%5fnbgate"))
    assert UPSTREAM_HEAD.fullmatch(verdict.upstream_head)
    lines = verdict.upstream_head.lower().split(b"\r\n")
    names = [line.partition(b":")[0] for line in lines[1:]]
    assert not {b"content-length", b"transfer-encoding", b"remote-user", b"forwarded", b"te"} & set(names)
    assert names.count(b"host") == 1
    assert b"6.6.6.6" not in verdict.upstream_head
    assert b"evil" not in b"".join(line for line in lines[1:])
    assert b"__host-http-nbgate" not in b"".join(lines)
    if not own:
        assert f"authorization: token {TOKEN}".encode() in lines
        assert b"x-forwarded-for: 192.0.2.7" in lines
        query = lines[0].decode("latin-1").partition("?")[2].rpartition(" ")[0]
        assert {"token", "access_token"}.isdisjoint(name for name, _ in parse_qsl(query, keep_blank_values=True))
    assert head.fields.websocket is not None or b"upgrade" not in names
