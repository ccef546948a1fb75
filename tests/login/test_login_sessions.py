"""T08, T09, T12-T17: sessions that cannot be forged, fixed, kept beyond their end or piled up; rotation and theft."""

import time

import pytest
from msgspec import structs
from people import DEVICE, HOST, ORIGIN, SESSION, Browser, close_code, handshake

from nbgate.model.session import Role, Scope
from nbgate.testing.keeper_parts import PASSWORD
from nbgate.testing.stub_upstream import ReadToEnd, Send
from nbgate.testing.wait import wait_until

HOUR = 3600.0
OUT_SECONDS = 1.0
KERNEL = "/api/kernels/0/channels"
BAD_NEXT = """
///evil.example //evil.example /\\evil.example /%5cevil.example /%09/evil.example /%2f%2fevil.example /.%2f/evil.example
https:///evil.example https://evil.example http:evil.example javascript:1 data:text/html,1 /_nbgate/logout /_nbgate/login
/%5c%5cevil.example \\\\evil.example /\t/evil.example /%0d%0aSet-Cookie:a=b /..//evil.example /%2e%2e//evil.example
//%65vil.example //evil.example@gw.test //gw.test:443@evil.example /%0aevil.example ?next=//evil.example evil.example
//evil%E3%80%82example https:evil.example ///\\evil.example /\\/evil.example /%20/evil.example
"""


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://gw.test", "https://gw.test.evil.example"])
def test_t08_a_login_that_another_site_sends_is_refused(gateway, browser, origin):
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    body = {"username": "ada", "password": PASSWORD}
    answer = browser.send("POST", "/_nbgate/api/login", body=body, headers=headers)
    assert (403, []) == (answer.status, answer.values("set-cookie"))
    form = browser.send("POST", "/_nbgate/login", form=body, headers=headers)
    assert (403, []) == (form.status, form.values("set-cookie"))
    assert [] == gateway.hashed


def test_t08_looking_at_the_logout_logs_nobody_out(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    assert 200 == browser.go("/_nbgate/logout").status
    assert browser.send("POST", "/_nbgate/logout", form={"form_token": "x" * 43}).status == 403
    assert browser.send("POST", "/_nbgate/logout", form={}).status == 400
    assert 200 == browser.status()


@pytest.mark.parametrize("next_path", BAD_NEXT.split())
def test_t09_after_a_login_nobody_is_sent_to_another_site(gateway, browser, next_path):
    location = browser.sign_in_by_form("ada", PASSWORD, next=next_path).value("location")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\", "/_nbgate/logout"))
    assert "evil.example" not in location.partition("/")[0]
    assert location == "/" or set(location) <= set("abcdefghijklmnopqrstuvwxyz/.%0123456789ABCDEF_-@:")


def test_t12_a_session_cookie_from_before_the_login_is_never_taken_over(gateway):
    planted = "A" * 43
    browser = Browser(gateway, cookies={SESSION: planted})
    assert 200 == browser.sign_in("ada", PASSWORD).status
    assert planted != browser.cookies[SESSION]
    assert 401 == Browser(gateway, cookies={SESSION: planted}).status()


def test_t12_a_new_login_ends_the_one_before_in_the_same_browser(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    before = dict(browser.cookies)
    browser.sign_in("ada", PASSWORD)
    assert before[SESSION] != browser.cookies[SESSION]
    assert 401 == Browser(gateway, cookies=before).status()


def test_t13_cookies_have_just_the_attributes_that_protect_them(gateway, browser):
    cookies = browser.sign_in("ada", PASSWORD).values("set-cookie")
    attributes = {cookie.partition("=")[0]: cookie.partition("; ")[2] for cookie in cookies}
    protected = "Path=/; Secure; HttpOnly; SameSite=Lax"
    assert {SESSION: protected, DEVICE: f"{protected}; Max-Age=7776000"} == attributes
    for cookie in cookies:
        secret = cookie.partition("=")[2].partition(";")[0]
        assert secret.encode() not in gateway.rig.sink.lines


def end_by_logout(gateway, browser):
    assert 200 == browser.send("POST", "/_nbgate/api/logout", body={}).status


def end_by_revocation(gateway, _browser):
    (one,) = gateway.rig.keeper.sessions_of("ada")
    gateway.run(gateway.rig.keeper.revoke_named(one.session.label, "uid:0 root"))


def end_by_password(gateway, _browser):
    gateway.run(gateway.rig.keeper.accounts.set_password("ada", "quite another password", "uid:0 root"))


def end_by_role(gateway, _browser):
    gateway.run(gateway.rig.keeper.accounts.set_role("ada", Role.VIEWER, "uid:0 root"))


def end_by_disabling(gateway, _browser):
    gateway.run(gateway.rig.keeper.accounts.disable("ada", "uid:0 root"))


def end_by_removal(gateway, _browser):
    gateway.run(gateway.rig.keeper.accounts.remove("ada", "uid:0 root"))


def end_by_age(gateway, browser):
    for _ in range(15):  # somebody works: it is not idleness that ends it
        gateway.advance(11.5 * HOUR)
        browser.go("/lab")


def end_by_idleness(gateway, _browser):
    gateway.advance(12.1 * HOUR)


def end_by_lockdown(gateway, _browser):
    gateway.run(gateway.rig.keeper.lock_down("uid:0 root"))


ENDS = [
    end_by_logout, end_by_revocation, end_by_password, end_by_role, end_by_disabling, end_by_removal, end_by_age,
    end_by_idleness, end_by_lockdown,
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_t14_what_hangs_on_a_session_ends_with_it_within_a_second(gateway, stub, browser, end):
    """Websocket, event stream and download; the kernel's side sees its legs closed."""
    stream_head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
    stub.plays["/api/stream"] = (Send(stream_head), ReadToEnd())
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000000\r\n\r\n"
    stub.plays["/files/big"] = (Send(head + b"x" * 100_000), ReadToEnd())
    assert 200 == browser.sign_in("ada", PASSWORD).status
    lines = "".join(f"Cookie: {name}={value}\r\n" for name, value in list(browser.cookies.items())[:1])
    with browser.websocket() as kernel, gateway.client() as stream, gateway.client() as download:
        for client, path in ((stream, "/api/stream"), (download, "/files/big")):
            client.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n".encode())
            client.read_until(b"\r\n\r\n")
        before = time.monotonic()
        end(gateway, browser)
        if end is not end_by_age:  # there it is the clock's moves that take long
            assert 4401 == close_code(kernel)
            stream.read_to_end()
            download.read_to_end()
            assert time.monotonic() - before < OUT_SECONDS + 0.5
        else:
            kernel.read_to_end()
    legs = [leg for leg in stub.connections if leg.requests[0].target in {KERNEL, "/api/stream", "/files/big"}]
    assert 3 == len(legs)
    wait_until(lambda: all(leg.ended.is_set() for leg in legs), what="the legs upstream end")
    with gateway.client() as client:
        client.send(handshake("/api/kernels/0/channels", f"{lines}Origin: {ORIGIN}\r\n"))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")
    assert 401 == browser.status()


def test_t15_polls_are_no_activity_and_work_is(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    for _ in range(12):
        gateway.advance(0.95 * HOUR)
        assert 200 == browser.status("/api/kernels")
    gateway.advance(0.7 * HOUR)
    assert 401 == browser.status("/api/kernels")
    browser.sign_in("ada", PASSWORD)
    for path in ("/lab", "/lab/tree/x"):
        gateway.advance(11 * HOUR)
        assert 200 == browser.go(path).status
    gateway.advance(11 * HOUR)
    assert 200 == browser.status()


@pytest.mark.parametrize("path", ["/api/kernels", "/lab"])
def test_t16_a_cookie_that_comes_twice_is_no_cookie(gateway, stub, browser, path):
    browser.sign_in("ada", PASSWORD)
    good = browser.cookies[SESSION]
    seen = len(stub.requests)
    for header in (
        f"{SESSION}={good}; {SESSION}=evil",
        f"{SESSION}=evil; {SESSION}={good}",
        f"{SESSION}={good}; {SESSION}={good}",
    ):
        accept = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"} if path == "/lab" else {}
        answer = Browser(gateway).send("GET", path, headers={"Cookie": header, **accept})
        assert answer.status == (303 if path == "/lab" else 401)
    assert seen == len(stub.requests)


def test_t16_no_cookie_of_ours_goes_upstream(gateway, stub, browser):
    browser.sign_in("ada", PASSWORD)
    browser.cookies["of_the_page"] = "1"
    assert 200 == browser.status()
    assert b"nbgate" not in stub.requests[-1].head.lower()


def test_t17_the_eleventh_login_ends_the_one_that_was_idle_for_longest(gateway):
    browsers = [Browser(gateway, f"127.0.0.{number + 1}") for number in range(11)]
    for browser in browsers[:10]:
        assert 200 == browser.sign_in("ada", PASSWORD).status
        gateway.advance(60)
    browsers[0].go("/lab")  # the second one has been idle for longest now
    gateway.advance(2)
    with browsers[1].websocket() as kernel:
        assert 200 == browsers[10].sign_in("ada", PASSWORD).status
        assert 4401 == close_code(kernel)
    assert [200, 401] + [200] * 9 == [browser.status() for browser in browsers]
    assert "session-displaced" == gateway.rig.sink.records("session.end")[-1]["event.reason"]


def rotated(gateway, browser):
    """Let a day pass and open a page; return the cookie from before and the answer."""
    for _ in range(2):
        gateway.advance(11.9 * HOUR)
        browser.go("/lab/busy")
        gateway.advance(2)  # activity is told once a second
    former = browser.cookies[SESSION]
    gateway.advance(0.5 * HOUR)
    return former, browser.go("/lab/tree/a%20b.ipynb?x=1")


def test_a_session_gets_another_cookie_once_a_day_and_the_former_one_dies(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    with browser.websocket() as kernel:
        former, answer = rotated(gateway, browser)
        assert 303 == answer.status
        refresh = answer.value("location")
        assert refresh.startswith("/_nbgate/refresh?next=")
        assert 200 == Browser(gateway, cookies={SESSION: former}).status()
        back = browser.go(refresh)
        assert (303, "/lab/tree/a%20b.ipynb?x=1") == (back.status, back.value("location"))
        assert former != browser.cookies[SESSION]
        assert 200 == browser.go("/lab/tree/a%20b.ipynb?x=1").status
        assert 200 == Browser(gateway, cookies={SESSION: former}).status()  # what was on its way
        gateway.advance(59)
        assert 200 == Browser(gateway, cookies={SESSION: former}).status()
        kernel.send(b"\x81\x85\0\0\0\0hello")
        kernel.read_until(b"hello")  # the websocket lives through it
    gateway.advance(5)
    assert 200 == browser.status()


def test_a_former_cookie_that_comes_late_ends_the_session_as_stolen(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    former, answer = rotated(gateway, browser)
    browser.go(answer.value("location"))
    assert 200 == browser.status()
    gateway.advance(61)
    gateway.advance(1)
    assert 401 == Browser(gateway, cookies={SESSION: former}).status()
    wait_until(lambda: browser.status() == 401, what="the whole session is over")
    assert "session-reused" == gateway.rig.sink.records("session.end")[-1]["event.reason"]


def test_a_new_cookie_that_never_arrived_costs_nobody_the_session(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    former, answer = rotated(gateway, browser)
    lost = Browser(gateway, cookies=dict(browser.cookies))
    lost.go(answer.value("location"))  # its answer is lost: the browser keeps the former one
    gateway.advance(HOUR)
    assert 200 == browser.status()
    assert 200 == browser.go("/lab").status
    assert former == browser.cookies[SESSION]


def test_two_tabs_that_refresh_at_once_agree_on_one_cookie(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    former, answer = rotated(gateway, browser)
    other = Browser(gateway, cookies={SESSION: former})
    browser.go(answer.value("location"))
    other.go(answer.value("location"))
    assert former == other.cookies[SESSION]  # it was given no second one, which would make the first a stolen one
    assert 200 == browser.status()


def test_a_lockdown_holds_until_it_is_lifted(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    gateway.run(gateway.rig.keeper.lock_down("uid:0 root"))
    assert 503 == Browser(gateway).sign_in("ada", PASSWORD).status
    assert 401 == browser.status()
    gateway.run(gateway.rig.keeper.lift_lockdown("uid:0 root"))
    assert 200 == Browser(gateway).sign_in("ada", PASSWORD).status


def add_token(gateway, scope=Scope.EXECUTE, *, routes=(), days=90):
    expires = gateway.rig.clock.unix() + days * 24 * HOUR
    _, text = gateway.run(gateway.rig.keeper.tokens.add("ada", "laptop", scope, routes, expires, "ada"))
    return text


def ask(gateway, method, path, token, **headers):
    given = {"Authorization": f"token {token}", "Origin": None, "Sec-Fetch-Site": None, **headers}
    return Browser(gateway).send(method, path, headers=given)


def test_a_token_needs_no_origin_and_outlives_a_new_password(gateway, stub):
    token = add_token(gateway)
    assert 200 == ask(gateway, "GET", "/api/kernels", token).status
    assert 200 == ask(gateway, "DELETE", "/api/kernels/1", token).status
    assert token.encode() not in b"".join(connection.received for connection in stub.connections)
    gateway.run(gateway.rig.keeper.accounts.set_password("ada", "quite another password", "ada"))
    assert 200 == ask(gateway, "GET", "/api/kernels", token, Authorization=f"Bearer {token}").status
    gateway.advance(89 * 24 * HOUR)
    assert 200 == ask(gateway, "GET", "/api/kernels", token).status
    gateway.advance(2 * 24 * HOUR)
    assert 401 == ask(gateway, "GET", "/api/kernels", token).status


@pytest.mark.parametrize("end", [end_by_role, end_by_disabling, end_by_removal, end_by_lockdown])
def test_a_token_ends_with_the_person(gateway, end):
    token = add_token(gateway)
    end(gateway, None)
    assert 401 == ask(gateway, "GET", "/api/kernels", token).status


def test_a_token_and_a_cookie_together_are_nobody(gateway, browser):
    token = add_token(gateway)
    browser.sign_in("ada", PASSWORD)
    answer = browser.send("GET", "/api/kernels", headers={"Authorization": f"token {token}"})
    assert 401 == answer.status


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        (Scope.READ, "GET", "/api/contents/x", 200),
        (Scope.READ, "PUT", "/api/contents/x", 403),
        (Scope.READ, "POST", "/api/kernels", 403),
        (Scope.EXECUTE, "POST", "/api/kernels", 200),
        (Scope.EXECUTE, "GET", "/_nbgate/account", 403),
        (Scope.ALL, "GET", "/_nbgate/admin", 403),
        (Scope.ALL, "DELETE", "/api/kernels/1", 200),
        (Scope.ROUTES_ADMIN, "GET", "/api/kernels", 403),
    ],
)
def test_a_token_does_what_its_scope_says(gateway, scope, method, path, status):
    assert status == ask(gateway, method, path, add_token(gateway, scope)).status


def test_a_websocket_takes_a_token_from_its_query_and_nobody_sees_it(gateway, stub):
    token = add_token(gateway)
    with gateway.client() as client:
        client.send(handshake(f"/api/kernels/0/channels?session_id=1&token={token}", ""))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    received = b"".join(connection.received for connection in stub.connections)
    assert token.encode() not in received
    assert b"session_id=1" in received
    assert token.encode() not in gateway.rig.sink.lines
    reader = add_token(gateway, Scope.READ)
    with gateway.client() as client:
        client.send(handshake(f"/api/kernels/0/channels?token={reader}", ""))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    assert 401 == Browser(gateway).send("GET", f"/api/kernels?token={token}").status


def test_a_dead_kernel_is_told_from_a_dead_session(gateway, browser):
    assert 424 == browser.status("/api/kernels/0b9a3a5e-1111-4222-8333-444455556666")
    assert 401 == browser.status("/api/kernels")
    assert 401 == browser.status("/api/contents/x")
    browser.sign_in("ada", PASSWORD)
    assert 200 == browser.status("/api/kernels/0b9a3a5e-1111-4222-8333-444455556666")


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        (Role.EDITOR, "PUT", "/api/contents/x", 200),
        (Role.VIEWER, "GET", "/api/contents/x", 200),
        (Role.VIEWER, "PUT", "/api/contents/x", 403),
        (Role.VIEWER, "POST", "/api/kernels", 403),
        (Role.AUDITOR, "GET", "/api/contents/x", 403),
        (Role.AUDITOR, "GET", "/lab", 403),
        (Role.EDITOR, "GET", "/_nbgate/admin", 403),
        (Role.OWNER, "GET", "/_nbgate/admin", 200),
    ],
)
def test_a_role_opens_what_it_is_for(gateway, role, method, path, status):
    gateway.add_user("bob", "another long password")
    gateway.run(gateway.rig.keeper.accounts.set_role("bob", role, "uid:0 root"))
    browser = Browser(gateway)
    assert 200 == browser.sign_in("bob", "another long password").status
    is_page = path in {"/lab", "/_nbgate/admin"}
    answer = browser.go(path) if is_page else browser.send(method, path)
    assert status == answer.status
    if status == 403 and path != "/_nbgate/admin":
        assert b"ada" in answer.body  # whom to ask


def test_no_session_means_anything_to_the_account_that_follows_under_the_same_name(gateway, browser):
    browser.sign_in("ada", PASSWORD)
    gateway.run(gateway.rig.keeper.accounts.remove("ada", "uid:0 root"))
    gateway.add_user()
    assert 401 == browser.status()
    assert structs.asdict(gateway.rig.state.users.get("ada"))["disabled"] is False
