"""What a notebook server's answers may not do to a browser: T21 to T24, T26, T30; what scripts may not ask of us: T21 to T23.

One worker with the test in the keeper's place; each test shows what the STUB saw, and what the client got.
"""

import gzip

import pytest

from nbgate.audit.events import HttpRequest
from nbgate.model.route import Route, Upstream, UpstreamState
from nbgate.testing.edge_rig import HOST, TOKEN, edge_rig
from nbgate.testing.stub_upstream import Send, StubUpstream, answer
from nbgate.testing.wait import wait_until

ORIGIN = f"Origin: https://{HOST}\r\n"
EVIL = "Origin: https://evil.example\r\n"
SANDBOX = "sandbox allow-scripts"
PREFLIGHT = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-xsrftoken\r\n"


@pytest.fixture
def stub():
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture
def other():
    """Give a second notebook server, mounted at /other/."""
    with StubUpstream().in_thread() as running:
        yield running


@pytest.fixture
def rig(stub, other):
    with edge_rig(stub.port) as running:
        second = Route(
            name="other", prefix="/other/", base_url="/other/", upstream=Upstream(host="127.0.0.1", port=other.port)
        )
        state = UpstreamState(
            route="other", condition=running.state.condition, token="other-token-0123456789", generation=1
        )
        before = running.core._context.policy
        running.send(running.snapshot(routes=(*running.routes, second), upstreams=(running.state, state)))
        wait_until(lambda: running.core._context.policy is not before, what="the snapshot is in force")
        yield running


@pytest.fixture
def client(rig):
    with rig.client() as opened:
        yield opened


def get(path, *, cookie="", extra="", method="GET"):
    session = f"Cookie: {cookie}\r\n" if cookie else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{session}{extra}\r\n".encode()


def ask(client, raw):
    client.send(raw)
    return client.read_answer()


# T21: other sites' scripts

ALLOW = (
    b"Access-Control-Allow-Origin: https://evil.example\r\nAccess-Control-Allow-Credentials: true\r\n"
    b"Access-Control-Allow-Methods: PUT\r\naccess-control-allow-headers: *\r\nAccess-Control-Expose-Headers: *\r\n"
    b"Access-Control-Max-Age: 600\r\nAccess-Control-Allow-Private-Network: true\r\n"
)


@pytest.mark.parametrize("logged_in", [True, False])
@pytest.mark.parametrize("origin", [EVIL, "Origin: null\r\n", "", ORIGIN + EVIL, f"Origin: http://{HOST}\r\n"])
@pytest.mark.parametrize("path", ["/api/contents/x", "/lab", "/static/x.js", "/_nbgate/api/login", "/_nbgate/login"])
def test_a_preflight_of_another_site_is_answered_by_the_gateway(rig, stub, client, path, origin, logged_in):
    stub.default_answer = answer(extra=ALLOW)
    cookie = rig.login() if logged_in else ""
    got = ask(client, get(path, cookie=cookie, method="OPTIONS", extra=origin + PREFLIGHT))
    assert (403, []) == (got.status, stub.requests)
    assert b"access-control" not in got.head.lower()
    assert ["preflight"] == [event.reason for event in rig.wait_for(HttpRequest)]


@pytest.mark.parametrize(
    ("method", "path", "extra", "status"),
    [
        ("OPTIONS", "/api/contents/x", ORIGIN + PREFLIGHT, 200),
        ("OPTIONS", "/api/contents/x", "", 200),
        ("GET", "/api/contents/x", "", 200),
        ("GET", "/lab", EVIL, 200),
        ("GET", "/api/contents/x", EVIL, 403),
        ("PUT", "/api/contents/x", EVIL, 403),
    ],
)
def test_no_answer_ever_lets_another_site_read_it(rig, stub, client, method, path, extra, status):
    stub.default_answer = answer(extra=ALLOW)
    got = ask(client, get(path, cookie=rig.login(), method=method, extra=extra))
    assert status == got.status
    assert b"access-control" not in got.head.lower()


# T22: user content

CONTENT = [
    # path, type, the server's own policy; what the client gets
    ("/files/a.html", "text/html", "", [SANDBOX]),
    ("/files/a.svg", "image/svg+xml", "", [SANDBOX]),
    ("/files/a.xml", "text/xml", "", [SANDBOX]),
    ("/files/a.xhtml", "application/xhtml+xml", "", [SANDBOX]),
    ("/%66iles/a.html", "text/html", "", [SANDBOX]),
    ("/files/a.html", "text/html", "frame-ancestors 'self'", ["frame-ancestors 'self'", SANDBOX]),
    ("/files/a.html", "text/html", "sandbox allow-scripts allow-same-origin", ["sandbox allow-scripts allow-same-origin", SANDBOX]),
    ("/files/a.html", "text/html", "frame-ancestors 'self'; sandbox allow-scripts", ["frame-ancestors 'self'; sandbox allow-scripts"]),
    ("/nbconvert/html/a.ipynb", "text/html", "", [SANDBOX]),
    ("/nbconvert/html/a.ipynb?download=false", "text/html; charset=utf-8", "", [SANDBOX]),
    ("/other/files/a.html", "text/html", "", [SANDBOX]),
    ("/files/a.png", "image/png", "", []),
    ("/files/a.pdf", "application/pdf", "", []),
    ("/files/a.json", "application/json", "frame-ancestors 'self'", ["frame-ancestors 'self'"]),
    # pages of the server itself are no user content
    ("/lab", "text/html", "frame-ancestors 'self'", ["frame-ancestors 'self'"]),
    ("/tree", "text/html", "", []),
    ("/notebooks/a.ipynb", "text/html", "", []),
    ("/lab/tree/files/a.html", "text/html", "", []),
]  # fmt: skip


@pytest.mark.parametrize(("path", "content_type", "policy", "policies"), CONTENT)
def test_a_document_in_user_content_gets_a_sandbox(rig, stub, other, client, path, content_type, policy, policies):
    line = f"Content-Security-Policy: {policy}\r\n".encode() if policy else b""
    stub.default_answer = other.default_answer = answer(content_type=content_type, extra=line)
    cookie = rig.login()
    for _ in range(3):  # the second and third are repetitions, with what was learnt of the first
        got = ask(client, get(path, cookie=cookie))
        assert (200, policies) == (got.status, got.values("content-security-policy"))
        assert ["nosniff"] == got.values("x-content-type-options")


def test_what_was_learnt_of_another_place_takes_no_sandbox_away(rig, stub, client):
    stub.default_answer = answer(b"<p>", content_type="text/html")
    cookie = rig.login()
    paths = ["/api/a", "/files/a.html", "/api/a", "/files/b.html", "/static/a.html", "/files/c.html", "/files/a.html"]
    got = [ask(client, get(path, cookie=cookie)).values("content-security-policy") for path in paths]
    assert [[SANDBOX] if path.startswith("/files/") else [] for path in paths] == got


@pytest.mark.parametrize("theirs", ["", "X-Content-Type-Options: none\r\n", "X-CONTENT-TYPE-OPTIONS: nosniff\r\n"])
def test_every_answer_forbids_to_guess_its_type(rig, stub, client, theirs):
    stub.default_answer = answer(extra=theirs.encode())
    got = ask(client, get("/files/a.txt", cookie=rig.login()))
    assert ["nosniff"] == got.values("x-content-type-options")


# T22: our own pages are for people

OWN = [
    "/_nbgate/login",
    "/_nbgate/logout",
    "/_nbgate/servers",
    "/_nbgate/diagnose",
    "/_nbgate/setup/x",
    "/logout",
    "/other/logout",
]


@pytest.mark.parametrize("dest", ["empty", "iframe", "frame", "embed", "object", "script", "image", "worker", ""])
@pytest.mark.parametrize("path", OWN)
def test_a_script_or_a_frame_does_not_get_our_pages(rig, client, path, dest):
    lines = f"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: {dest}\r\n"
    got = ask(client, get(path, cookie=rig.login(), extra=lines))
    assert 403 == got.status
    assert ["not-a-document"] == [event.reason for event in rig.wait_for(HttpRequest)]


OWN_ANSWERS = [
    ("/_nbgate/login", 503),  # the keeper is away in this test
    ("/_nbgate/health", 200),
    ("/favicon.ico", 200),
    ("/api/x", 401),
    ("/lab", 401),
]


@pytest.mark.parametrize(("path", "status"), OWN_ANSWERS)
def test_our_own_answers_have_their_headers_whole(client, path, status):
    got = ask(client, get(path))
    assert status == got.status
    assert [["no-store"], ["nosniff"], ["same-origin"], ["same-origin"], ["same-origin"]] == [
        got.values(name)
        for name in (
            "cache-control",
            "x-content-type-options",
            "referrer-policy",
            "cross-origin-opener-policy",
            "cross-origin-resource-policy",
        )
    ]
    (policy,) = got.values("content-security-policy")
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert part in policy
    assert [] == got.values("server")


# T23: service workers

WORKERS = [
    # its folder holds our own pages, or another mount
    ("/sw.js", 403),
    ("/sw.js?v=1", 403),
    ("/other", 403),
    ("/_nbgate/static/banner.js", 403),
    ("/_nbgate/sw.js", 403),
    ("/favicon.ico", 200),  # a fixed picture is no script
    # user content
    ("/files/sw.js", 403),
    ("/files/a/sw.js", 403),
    ("/nbconvert/script/a.ipynb", 403),
    ("/other/files/sw.js", 403),
    # a folder of its own mount
    ("/static/lab/sw.js", 200),
    ("/proxy/x/sw.js", 403),  # closed by a rule
    ("/other/sw.js", 200),
    ("/other/lab/sw.js", 200),
]


@pytest.mark.parametrize(
    "line", ["Service-Worker: script\r\n", "Sec-Fetch-Dest: serviceworker\r\nSec-Fetch-Site: same-origin\r\n"]
)
@pytest.mark.parametrize(("path", "status"), WORKERS)
def test_a_service_worker_rules_at_most_its_own_mount(rig, stub, other, client, path, status, line):
    stub.default_answer = other.default_answer = answer(
        content_type="text/javascript", extra=b"Service-Worker-Allowed: /\r\n"
    )
    got = ask(client, get(path, cookie=rig.login(), extra=line))
    assert (status, []) == (got.status, got.values("service-worker-allowed"))
    assert (1 if status == 200 and path != "/favicon.ico" else 0) == len(stub.requests) + len(other.requests)


def test_what_was_learnt_of_one_worker_opens_no_other_folder(rig, stub, client):
    cookie = rig.login()
    script = "Service-Worker: script\r\n"
    paths = ["/static/lab/sw.js", "/static/lab/sw.js", "/sw.js", "/static/sw.js", "/nowhere/sw.js", "/sw.js"]
    assert [200, 200, 403, 200, 200, 403] == [
        ask(client, get(path, cookie=cookie, extra=script)).status for path in paths
    ]
    assert 4 == len(stub.requests)


def test_a_stranger_s_service_worker_is_asked_for_a_login(stub, client):
    assert 401 == ask(client, get("/static/sw.js", extra="Service-Worker: script\r\n")).status
    assert [] == stub.requests


# T24: cookies

HOSTILE = [
    b"=__Host-Http-nbgate=x",
    b"__Host-Http-nbgate=x; Secure; Path=/; HttpOnly",
    b"__HOST-HTTP-nbgate=x; Secure; Path=/",
    b" __Host-Http-nbgate =x; Path=/",
    b"__Host-sid=x; Secure; Path=/",
    b"__Secure-sid=x; Secure",
    b"__Http-sid=x; Secure",
    b"NbGate-dev=x",
    b"nameless",
    b"",
    b"; a=b",
    b"a b=x",
    b"a=b c",
    b'a="b',
    b"a=b,c",
    b"a=\xe9",
    b"\xe9=a",
    b"big=" + b"x" * 4093,
    b"__host-\x80=1",
]
TAMED = [
    (b"a=1; Domain=.example.com", "nbg-main-a=", "; Path=/; HttpOnly; Secure; SameSite=Lax"),
    (b"b=1; Domain=gw.test; Path=/other/; SameSite=None", "nbg-main-b=", "; Path=/; HttpOnly; Secure; SameSite=Lax"),
    (b"c=1; Max-Age=60; Secure; Partitioned; Priority=High", "nbg-main-c=", "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"),
    (b"d=1; Expires=Wed, 01 Jan 2098 00:00:00 GMT; Path=/\tx", "nbg-main-d=", "; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"),
    (b"e=; Max-Age=0", "nbg-main-e=", "; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"),
    (b"_xsrf=2|a|b; Domain=.example.com; Path=/_nbgate/", "_xsrf=2|a|b", "; Path=/; Secure; SameSite=Lax"),
]  # fmt: skip


def test_hostile_cookies_do_not_reach_the_browser_and_others_are_tamed(rig, stub, client):
    lines = [*HOSTILE, *(sent for sent, _, _ in TAMED)]
    stub.default_answer = answer(extra=b"".join(b"Set-Cookie: " + line + b"\r\n" for line in lines))
    got = ask(client, get("/lab", cookie=rig.login())).values("set-cookie")
    assert len(TAMED) == len(got)
    for line, (_, begins, ends) in zip(got, TAMED, strict=True):
        pair, _, attributes = line.partition(";")
        assert (begins, ends) == (pair[: len(begins)], f";{attributes}")
        assert "domain" not in line.lower()


def test_at_most_fifty_cookies_pass(rig, stub, client):
    stub.default_answer = answer(extra=b"".join(b"Set-Cookie: c%d=1\r\n" % number for number in range(60)))
    assert 50 == len(ask(client, get("/lab", cookie=rig.login())).values("set-cookie"))


def test_neither_server_sees_the_other_s_cookies_nor_ours(rig, stub, other, client):
    stub.default_answer = answer(extra=b"Set-Cookie: sid=of-the-first\r\nSet-Cookie: _xsrf=first; Path=/\r\n")
    other.default_answer = answer(extra=b"Set-Cookie: sid=of-the-other\r\n")
    session = rig.login()
    jar = [session, "foreign=1", f"__Host-Http-nbgate-8443={'x' * 43}", "__Host-Http-nbgate_dev=x"]
    for path in ("/lab", "/other/lab"):
        jar += [line.partition(";")[0] for line in ask(client, get(path, cookie=session)).values("set-cookie")]
    assert not any("of-the" in cookie for cookie in jar)
    for path in ("/lab", "/other/lab"):
        ask(client, get(path, cookie="; ".join(jar)))
    assert ["sid=of-the-first; _xsrf=first"] == stub.requests[-1].values("cookie")
    assert ["_xsrf=first; sid=of-the-other"] == other.requests[-1].values("cookie")


def test_what_one_person_s_browser_holds_is_nothing_in_another_s(rig, stub, client):
    stub.default_answer = answer(extra=b"Set-Cookie: sid=of-ada\r\n")
    (line,) = ask(client, get("/lab", cookie=rig.login("ada"))).values("set-cookie")
    ask(client, get("/lab", cookie=f"{rig.login('eve')}; {line.partition(';')[0]}"))
    assert [] == stub.requests[-1].values("cookie")


# T26: the token is nowhere

PAGE = (
    f'<html><script id="jupyter-config-data" type="application/json">{{"token": "{TOKEN}", "a": "b"}}</script></html>'
)
LEAKS = {
    "in a header": answer(extra=f"X-Debug: Authorization: token {TOKEN}\r\n".encode()),
    "in a location": answer(status="302 Found", extra=f"Location: /lab?token={TOKEN}\r\n".encode()),
    "in a link": answer(extra=f"Link: </lab?token={TOKEN}>; rel=next\r\n".encode()),
    "in a policy": answer(extra=f"Content-Security-Policy: report-uri /x?{TOKEN}\r\n".encode()),
    "in a name": answer(extra=f"X-{TOKEN}: 1\r\n".encode()),
    "in the phrase": answer(status=f"200 {TOKEN}"),
    "in the one cookie that is read": answer(extra=f"Set-Cookie: _xsrf={TOKEN}\r\n".encode()),
    "in a cookie's name": answer(extra=f"Set-Cookie: {TOKEN}=1\r\n".encode()),
    "in the text of a page": answer(f"<html><p>{TOKEN}</p></html>".encode(), content_type="text/html"),
    "in a page's script": answer(f"<html><script>t='{TOKEN}'</script></html>".encode(), content_type="text/html"),
    "in an error page": answer(f"<html>{TOKEN}</html>".encode(), content_type="text/html", status="500 Oops"),
    "in a compressed page": answer(
        gzip.compress(PAGE.encode()), content_type="text/html", extra=b"Content-Encoding: gzip\r\n"
    ),
    "in a part of a page": answer(
        PAGE.encode(), content_type="text/html", status="206 Partial Content", extra=b"Content-Range: bytes 0-9/99\r\n"
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_an_answer_that_would_show_the_token_is_withheld(rig, stub, client, leak):
    stub.default_answer = LEAKS[leak]
    got = ask(client, get("/lab", cookie=rig.login()))
    assert (502, False) == (got.status, TOKEN.encode() in got.head + got.body)
    assert 1 == len(stub.requests)


def test_the_token_is_taken_out_of_pages_and_nothing_else(rig, stub, client):
    stub.default_answer = answer(PAGE.encode(), content_type="text/html")
    got = ask(client, get("/lab", cookie=rig.login()))
    assert (200, PAGE.replace(TOKEN, "").encode()) == (got.status, got.body)
    assert [f"token {TOKEN}"] == stub.requests[0].values("authorization")
    assert ["identity"] == stub.requests[0].values("accept-encoding")


def test_a_switch_that_names_the_token_is_none(rig, stub, client):
    switch = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Token: {TOKEN}\r\n\r\n"
    )
    stub.plays["/api/kernels/0/channels"] = (Send(switch.encode()),)
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    got = ask(client, get("/api/kernels/0/channels", cookie=rig.login(), extra=ORIGIN + upgrade))
    assert (502, False) == (got.status, TOKEN.encode() in got.head + got.body)


# T30: what else an upstream may not say

UNSAID = [
    "Alt-Svc: h3=':443'",
    "Clear-Site-Data: '*'",
    "Keep-Alive: timeout=5",
    "NEL: {}",
    "Proxy-Authenticate: Basic",
    "Public-Key-Pins: x",
    "Refresh: 0;url=//evil.example",
    "Report-To: {}",
    "Reporting-Endpoints: a='b'",
    "SERVER: TornadoServer/6.5",
    "Secure-Session-Registration: (ES256);path='/x'",
    "Service-Worker-Allowed: /",
    "Surrogate-Control: max-age=99",
    "Trailer: X-A",
    "Via: 1.1 x",
    "WWW-Authenticate: Basic realm=x",
    "X-Accel-Redirect: /etc/passwd",
    "X-Lighttpd-Send-File: /etc/passwd",
    "X-Powered-By: x",
    "X-Sendfile: /etc/passwd",
]
SAID = ["ETag: 'a'", "Vary: Accept", "X-JupyterHub-Version: 5", "Content-Disposition: attachment", "Allow: GET"]


def test_only_what_an_upstream_may_say_reaches_the_browser(rig, stub, client):
    stub.default_answer = answer(extra="".join(f"{line}\r\n" for line in (*UNSAID, *SAID)).encode())
    cookie = rig.login()
    for _ in range(2):
        got = ask(client, get("/api/x", cookie=cookie))
        assert 200 == got.status
        for line in UNSAID:
            name, _, value = line.partition(": ")
            assert (line, False) == (line, value in got.values(name))
        assert [] == [line for line in SAID if line.encode() not in got.head]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("/x", "/x"),
        ("http://127.0.0.1:PORT/lab?a=b", "/lab?a=b"),
        ("https://127.0.0.1:PORT/lab", "/lab"),
        ("http://127.0.0.1:1/lab", "http://127.0.0.1:1/lab"),
        ("https://hub.example/login", "https://hub.example/login"),
        ("//evil.example/", None),
        ("/\\evil.example", None),
        ("\\/evil.example", None),
        ("///evil.example", None),
        ("/\t/evil.example", None),
        ("http://127.0.0.1:PORT//evil.example", None),
    ],
)
def test_a_redirect_leads_where_the_server_meant(rig, stub, client, theirs, ours):
    theirs = theirs.replace("PORT", str(stub.port))
    stub.default_answer = answer(status="302 Found", extra=f"Location: {theirs}\r\n".encode())
    got = ask(client, get("/lab", cookie=rig.login()))
    assert (302, [] if ours is None else [ours]) == (got.status, got.values("location"))


# our own pages as the keeper makes them, through a whole gateway

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.mark.parametrize(
    "path", ["/_nbgate/login", "/_nbgate/logout", "/_nbgate/servers", "/_nbgate/diagnose", "/logout"]
)
def test_our_own_pages_have_their_headers_whole(gateway, path):
    cookie = "" if path == "/_nbgate/login" else gateway.login()
    raw = get(path, extra="Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n", cookie=cookie)
    with gateway.client() as opened:
        got = ask(opened, raw.replace(HOST.encode(), gateway.host.encode()))
    assert (200, ["text/html; charset=utf-8"]) == (got.status, got.values("content-type"))
    assert {
        "cache-control": ["no-store"],
        "content-security-policy": [PAGE_POLICY],
        "cross-origin-opener-policy": ["same-origin"],
        "cross-origin-resource-policy": ["same-origin"],
        "referrer-policy": ["same-origin"],
        "server": [],
        "x-content-type-options": ["nosniff"],
        "x-frame-options": ["DENY"],
    } == {
        name: got.values(name)
        for name in (
            "cache-control",
            "content-security-policy",
            "cross-origin-opener-policy",
            "cross-origin-resource-policy",
            "referrer-policy",
            "server",
            "x-content-type-options",
            "x-frame-options",
        )
    }
