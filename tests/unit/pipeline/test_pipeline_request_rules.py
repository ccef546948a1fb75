"""Rules in the order of judgement: what they close, what they cost, and what they leave alone."""

from pathlib import Path

import pytest

from nbgate.access.paths import classify
from nbgate.config.schema import Limits
from nbgate.http.head import HeadParser
from nbgate.model.client import Client
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Session
from nbgate.pipeline.request import Asker, decide
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Challenge, Forward, Respond
from nbgate.policy import compile_policy
from nbgate.reasons import Reason
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.rules.tables import shipped_tables

NOW = 1_800_000_000.0
TABLES = shipped_tables()
PACK = shipped_pack()
CLIENT = Client("192.0.2.7", 50000, "192.0.2.7/32")
LIVE = Session(id=bytes(range(32)), user="ada", created_unix=NOW - 10, absolute_unix=NOW + 10)
OLD = Session(id=bytes(range(32)), user="ada", created_unix=NOW - 100, absolute_unix=NOW)
OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)
ROOT = Route(name="main", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888))
ADA = Route(name="ada", prefix="/user/ada/", base_url="/base/", upstream=Upstream(host="127.0.0.1", port=8890))
RECORDED = sorted(Path(__file__).parent.joinpath("recorded").glob("*.txt"))
ORIGIN = "Origin: https://gw.test\r\n"
SOCKET = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{ORIGIN}"
)


def policy_of(*routes, disabled=(), ports=()):
    states = tuple(UpstreamState(route=route.name, condition=Condition.GUARDED, token="t") for route in routes)
    return compile_policy(
        version=1,
        limits=Limits(),
        tables=TABLES,
        routes=(OWN, *routes),
        upstreams=states,
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=0.0,
        rules=in_force(PACK, disabled=disabled, server_proxy_ports=ports),
    )


POLICY = policy_of(ROOT)
BOTH = policy_of(ROOT, ADA)


def judge(method, path, headers=ORIGIN, *, session=LIVE, policy=POLICY, refused_seconds=0.0):
    if method == "WEBSOCKET":
        method, headers = "GET", SOCKET
    head = HeadParser(policy.head_limits, policy.tables).parse(
        f"{method} {path} HTTP/1.1\r\nHost: gw.test\r\n{headers}\r\n".encode()
    )
    asker = Asker(CLIENT, session, refused_seconds=refused_seconds)
    return decide(head, classify(head.method, head.fields), asker, policy, ConnectionHeads(), "id1", NOW)


CLOSED = [
    ("POST", "/login", "upstream-login"),
    ("POST", "/login?next=%2Flab", "upstream-login"),
    ("PUT", "/LOGIN", "upstream-login"),
    ("POST", "/%6Cog%69n", "upstream-login"),
    ("POST", "/login/", "upstream-login"),
    ("POST", "/logout", "upstream-logout"),
    ("DELETE", "/Logout/", "upstream-logout"),
    ("POST", "/api/shutdown", "upstream-shutdown"),
    ("GET", "/api/shutdown", "upstream-shutdown"),
    ("OPTIONS", "/api/shutdown", "upstream-shutdown"),
    ("POST", "/API/%53hutdown/", "upstream-shutdown"),
    ("GET", "/proxy", "server-proxy"),
    ("GET", "/proxy/22/", "server-proxy"),
    ("GET", "/proxy/absolute/169.254.169.254:80/", "server-proxy"),
    ("GET", "/proxy/[::1]:22/", "server-proxy"),
    ("GET", "/proxy/localhost:8888/", "server-proxy"),
    ("GET", "/proxy/8443/", "server-proxy"),
    ("GET", "/proxy/test@evil.com/", "server-proxy"),
    ("HEAD", "/PROXY/22/", "server-proxy"),
    ("GET", "/%70%72oxy/22/", "server-proxy"),
    ("WEBSOCKET", "/proxy/22/", "server-proxy"),
    ("WEBSOCKET", "/Proxy/absolute/22/ws", "server-proxy"),
]


@pytest.mark.parametrize("session", [LIVE, OLD, None], ids=["session", "old session", "stranger"])
@pytest.mark.parametrize("prefix", ["", "/user/ada", "/user/%61da"])
@pytest.mark.parametrize(("method", "path", "rule"), CLOSED)
def test_what_is_closed_is_closed_to_everybody_on_every_mount(method, path, rule, prefix, session):
    verdict = judge(method, prefix + path, session=session, policy=BOTH)
    assert (403, Reason.RULE, rule) == (verdict.status, verdict.reason, verdict.rule)
    assert verdict.says


@pytest.mark.parametrize(("method", "path", "rule"), CLOSED)
def test_a_rule_that_is_disabled_closes_nothing(method, path, rule):
    verdict = judge(method, path, policy=policy_of(ROOT, disabled=(rule,)))
    assert not isinstance(verdict, Respond) or verdict.reason is not Reason.RULE


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/login"),
        ("GET", "/logout"),
        ("POST", "/_nbgate/login"),
        ("POST", "/_nbgate/logout"),
        ("POST", "/_nbgate/api/logout"),
        ("GET", "/_nbgate/proxy/22/"),
        ("POST", "/user/login"),
        ("GET", "/user/proxy/22/"),
        ("GET", "/files/proxy/22"),
        ("GET", "/.env"),
        ("GET", "/index.php"),
    ],
)
def test_what_is_not_closed_goes_its_way(method, path):
    verdict = judge(method, path, policy=BOTH)
    assert isinstance(verdict, Forward) or verdict.reason is Reason.REDIRECT


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("/proxy/8050/a?b", True),
        ("/user/ada/proxy/8050", True),
        ("/proxy/8051/", False),
        ("/proxy/8888/", False),  # listed, and the port of a notebook server
        ("/user/ada/proxy/8890/", False),
        ("/proxy/%38050/", False),
        ("/proxy/localhost:8050/", False),
        ("/proxy/absolute/8050/", False),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "WEBSOCKET"])
def test_a_listed_port_is_open_in_one_form(method, path, is_open):
    verdict = judge(method, path, policy=policy_of(ROOT, ADA, ports=(8050, 8888, 8890)))
    assert is_open is isinstance(verdict, Forward)


def test_the_origin_is_judged_before_the_rules():
    assert Reason.CROSS_ORIGIN is judge("POST", "/login", "Origin: https://evil.example\r\n").reason


SCANNED = ["/.env", "/.git/config", "/wp-login.php", "/%77p-admin/x", "/cgi-bin/luci", "/HNAP1/", "/app/.env"]


@pytest.mark.parametrize("path", SCANNED)
@pytest.mark.parametrize("policy", [POLICY, policy_of(ADA), policy_of()], ids=["at the root", "elsewhere", "no server"])
def test_a_scanner_is_asked_for_a_login_and_it_costs(path, policy):
    verdict = judge("GET", path, session=None, policy=policy)
    assert isinstance(verdict, Challenge)
    assert verdict.penalised_by.seconds > 0


@pytest.mark.parametrize("path", SCANNED)
def test_a_person_with_a_session_pays_nothing(path):
    assert isinstance(judge("GET", path), Forward)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
def test_another_sites_page_cannot_have_its_visitors_refused(site):
    verdict = judge("GET", "/.env", f"Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: no-cors\r\n", session=None)
    assert isinstance(verdict, Challenge)
    assert verdict.penalised_by is None


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://gw.test"])
@pytest.mark.parametrize("lines", [SOCKET, ORIGIN], ids=["a websocket", "a form"])
def test_nor_can_it_where_the_browser_says_only_the_origin(lines, origin):
    """Not every browser sends Sec-Fetch-Site with a handshake."""
    foreign = lines.replace("https://gw.test", origin)
    assert judge("GET" if lines is SOCKET else "POST", "/.env", foreign, session=None).penalised_by is None


@pytest.mark.parametrize("lines", [SOCKET, ORIGIN], ids=["a websocket", "a form"])
def test_who_names_our_own_origin_pays(lines):
    assert judge("GET" if lines is SOCKET else "POST", "/.env", lines, session=None).penalised_by is not None


@pytest.mark.parametrize("path", ["/user/ada/.env", "/user/ada/index.php", "/files/.env", "/lab", "/.well-known/x"])
def test_what_people_ask_for_costs_a_stranger_nothing(path):
    assert judge("GET", path, session=None, policy=BOTH).penalised_by is None


def test_a_mount_may_have_the_name_of_what_scanners_look_for():
    mount = Route(name="solr", prefix="/actuator/", upstream=Upstream(host="127.0.0.1", port=8891))
    for path in ("/actuator", "/actuator/", "/actuator/lab"):
        assert judge("GET", path, session=None, policy=policy_of(mount)).penalised_by is None
    assert judge("GET", "/boaform", session=None, policy=policy_of(mount)).penalised_by is not None


@pytest.mark.parametrize("path", ["/lab", "/_nbgate/login", "/_nbgate/health", "/favicon.ico", "/.env", "/proxy/22/"])
@pytest.mark.parametrize("session", [OLD, None])
def test_a_refused_netblock_gets_nothing_without_a_live_session(path, session):
    verdict = judge("GET", path, session=session, refused_seconds=14.2)
    assert (429, Reason.PENALTY, (("Retry-After", "15"),)) == (verdict.status, verdict.reason, verdict.headers)


def test_a_live_session_is_never_refused_for_its_neighbours():
    assert isinstance(judge("GET", "/lab", refused_seconds=600.0), Forward)


@pytest.mark.parametrize("prefix", ["", "/user/ada"])
@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_no_rule_is_in_the_way_of_a_recorded_session(file, prefix):
    """The addresses a browser asked a real server for; the file says what was done."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    stopped = []
    for line in lines:
        method, path = line.split(" ")
        verdict = judge(method, prefix + path, policy=BOTH)
        if isinstance(verdict, Respond) and verdict.reason is Reason.RULE:
            stopped.append((line, verdict.rule))
        stranger = judge(method, prefix + path, session=None, policy=BOTH)
        if isinstance(stranger, Challenge) and stranger.penalised_by is not None:
            stopped.append((line, stranger.penalised_by.id))
    assert [] == stopped
    assert len(lines) > 20


def test_there_are_recorded_sessions():
    assert ["jupyterlab-4.6", "notebook-6.5", "notebook-7.6"] == [file.stem for file in RECORDED]
