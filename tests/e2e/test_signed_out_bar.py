"""The bar on notebook pages that says that the session is over, and what to do when it is back.

Chromium is real, and so is the script; who answers is the test: pages of the kinds that matter, and what is said of the
session. `test_relogin.py` does the same with real notebook servers behind a real gateway.
"""

import json
import re

import pytest
from playwright.sync_api import expect

from nbgate.rewrite.html import banner_script
from nbgate.testing.browser import HOST
from nbgate.web.answers import FOLDER

BANNER = banner_script("/_nbgate")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BASE = f"https://{HOST}"
CHECK_SECONDS = 15
MINUTE = 60
KERNEL = "/api/kernels/0d2f4e0a-1111-4222-8333-444455556666"
CONFIG = "<script id=jupyter-config-data type=application/json>{}</script>"
LAB = f"<body>{CONFIG}"
LAB_TERMINAL = f"<body>{CONFIG}<div class=jp-Terminal></div>"
LAB_UNSAVED = f"<body>{CONFIG}<div class=jp-Terminal></div><li class=jp-mod-dirty></li>"
CLASSIC_NOTEBOOK = '<body class="notebook_app" data-base-url="/">'
CLASSIC_TERMINAL = '<body class="terminal-app" data-base-url="/">'
CLASSIC_TREE = '<body data-base-url="/">'
SOMETHING_ELSE = "<body>"
SIGNED_OUT = "You are signed out. What you typed is still on this page."
AGAIN = "You are signed in again."
RELOAD = f"{AGAIN} Reload this page to go on."
RELOAD_TERMINALS = f"{AGAIN} Reload this page to go on in its terminals."
MAYBE = f"{AGAIN} If this page does not go on within a minute, reload it."
MAYBE_TERMINALS = f"{AGAIN} If a terminal stays silent for a minute, reload this page."
GOES_ON = f"{AGAIN} Notebooks go on within half a minute."
SAVE = " Save first."
SIGNED_IN = "<script>new BroadcastChannel('nbgate').postMessage('signed-in'); window.close()</script>"


class Site:
    """Answers a browser in the place of the gateway.

    Attributes:
        session: What is said of the session: JSON, or the status of an answer that says nothing.
        page: The notebook page, without its head.
        policy: The page's own Content-Security-Policy.
        kernel: The status of what asks for a kernel.
        questions: How often the session was asked for.
        errors: What went wrong in pages.
    """

    def __init__(self, context):
        self.context = context
        self.page, self.policy, self.kernel = LAB, "frame-ancestors 'self'", 200
        self.session = self.adas = {"user": "ada", "role": "owner", "signed_in": True}
        self.questions = 0
        self.errors = []
        context.route("**/*", self._answer)
        context.route_web_socket("**/_nbgate/diagnose/socket*", lambda socket: socket.on_message(socket.send))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def open(self, page=LAB):
        """Open a notebook page, and wait until its script asked once whether its session lives."""
        self.page = page
        opened = self.context.new_page()
        opened.goto(f"{BASE}/lab", wait_until="networkidle")
        return opened

    def end(self):
        self.session = 401

    def sign_in(self, page):
        """Sign in in the small window."""
        with self.context.expect_page() as opened:
            self.session = self.adas
            page.locator("#nbgate-bar").get_by_role("button", name="Sign in").click()
        if not opened.value.is_closed():
            opened.value.wait_for_event("close")

    def _answer(self, route):
        path = re.sub(rf"^{BASE}|\?.*", "", route.request.url)
        if path == "/_nbgate/static/banner.js":
            route.fulfill(body=FOLDER.joinpath("static", "banner.js").read_text(), content_type="text/javascript")
        elif path == "/_nbgate/api/session":
            self.questions += 1
            said, is_known = self.session, isinstance(self.session, dict)
            route.fulfill(status=200 if is_known else said, json=said if is_known else {"error": "no"})
        elif path == "/_nbgate/login":
            headers = {"Cross-Origin-Opener-Policy": "same-origin", "Content-Type": "text/html"}
            route.fulfill(body=SIGNED_IN, headers=headers)
        elif path.startswith("/api/"):
            route.fulfill(status=self.kernel, json={})
        else:
            headers = {"Content-Security-Policy": self.policy, "Content-Type": "text/html"}
            route.fulfill(
                body=f"<!doctype html><html><head>{BANNER.decode()}</head>{self.page}</body>", headers=headers
            )


@pytest.fixture
def site(browser):
    with browser.new_context() as context:
        context.clock.install()
        site = Site(context)
        yield site
        assert [] == site.errors


def bar(page):
    return page.locator("#nbgate-bar .bar")


def words(page):
    return bar(page).locator("p")


def buttons(page):
    return bar(page).get_by_role("button").all_inner_texts()


def let_pass(page, seconds):
    """Move the browser's clock, question by question: an answer takes no time of that clock, but some of ours."""
    for _ in range(seconds // CHECK_SECONDS):
        page.context.clock.run_for(CHECK_SECONDS * 1000)
        page.evaluate("fetch('/api/status').then(answer => answer.text())")


def test_while_the_session_lives_the_page_is_left_alone(site):
    page = site.open()
    names = page.evaluate("Object.getOwnPropertyNames(window).length")
    asked = site.questions
    let_pass(page, 10 * MINUTE)
    expect(bar(page)).to_have_count(0)
    assert 1 == page.locator("body > *").count()
    assert names == page.evaluate("Object.getOwnPropertyNames(window).length")
    assert pytest.approx(10 * MINUTE / CHECK_SECONDS, abs=4) == site.questions - asked


def test_the_end_of_the_session_shows_within_one_question(site):
    page = site.open()
    site.end()
    let_pass(page, CHECK_SECONDS)
    expect(words(page)).to_have_text(SIGNED_OUT)
    assert ["Sign in", "Dismiss"] == buttons(page)


@pytest.mark.parametrize("status", [401, 424])
def test_an_answer_that_the_page_gets_shows_it_at_once(site, status):
    page = site.open()
    site.end()
    site.kernel = status
    page.evaluate("path => fetch(path)", KERNEL)
    page.context.clock.run_for(3000)
    expect(words(page)).to_have_text(SIGNED_OUT)


def test_a_server_s_own_refusals_say_nothing_of_the_session(site):
    page = site.open()
    site.kernel = 401
    asked = site.questions
    for _ in range(20):
        page.evaluate("path => fetch(path)", KERNEL)
    page.context.clock.run_for(3000)
    let_pass(page, CHECK_SECONDS)
    expect(bar(page)).to_have_count(0)
    assert 1 <= site.questions - asked <= 4


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_no_answer_is_no_statement(site, status):
    page = site.open()
    site.session = status
    let_pass(page, MINUTE)
    expect(bar(page)).to_have_count(0)


def test_a_lost_network_is_no_statement_either(site):
    page = site.open()
    page.route("**/_nbgate/api/session", lambda route: route.abort())
    page.context.clock.run_for(MINUTE * 1000)
    expect(bar(page)).to_have_count(0)


@pytest.mark.parametrize(
    ("kind", "minutes", "expected"),
    [
        (LAB, 1, ""),
        (LAB, 10, ""),
        (LAB_TERMINAL, 1, MAYBE_TERMINALS),
        (LAB_TERMINAL, 3, RELOAD_TERMINALS),
        (LAB_UNSAVED, 3, RELOAD_TERMINALS + SAVE),
        (CLASSIC_NOTEBOOK, 1, MAYBE + SAVE),
        (CLASSIC_NOTEBOOK, 3, RELOAD + SAVE),
        (CLASSIC_TERMINAL, 1, RELOAD),
        (CLASSIC_TREE, 10, ""),
        (SOMETHING_ELSE, 1, MAYBE + SAVE),
    ],
)
def test_after_a_new_login_it_says_what_does_not_go_on_by_itself(site, kind, minutes, expected):
    page = site.open(kind)
    site.end()
    let_pass(page, minutes * MINUTE)
    expect(words(page)).to_have_text(SIGNED_OUT)
    site.sign_in(page)
    let_pass(page, CHECK_SECONDS)
    if not expected:
        expect(bar(page)).to_have_count(0)
        return
    expect(words(page)).to_have_text(expected)
    assert ["Reload", "Dismiss"] == buttons(page)
    with page.expect_navigation():
        bar(page).get_by_role("button", name="Reload").click()
    expect(bar(page)).to_have_count(0)


def signed_in_while_kernels_are_missing(site):
    """Return a page that lost a kernel with its session, and asks for it once more after the new login."""
    page = site.open()
    site.end()
    site.kernel = 424
    page.evaluate("path => fetch(path + '?1')", KERNEL)
    let_pass(page, CHECK_SECONDS)
    site.sign_in(page)
    page.context.clock.run_for(3000)
    expect(words(page)).to_have_text(GOES_ON)
    return page


def test_it_says_that_kernels_come_back_until_they_are_back(site):
    page = signed_in_while_kernels_are_missing(site)
    site.kernel = 200
    page.evaluate("path => fetch(path + '?2')", KERNEL)
    expect(bar(page)).to_have_count(0)


def test_what_is_said_of_kernels_goes_away_if_nobody_asks_for_them_any_more(site):
    page = signed_in_while_kernels_are_missing(site)
    page.context.clock.run_for(MINUTE * 1000)
    expect(bar(page)).to_have_count(0)


def test_one_login_serves_every_tab(site):
    first, second = site.open(), site.open(SOMETHING_ELSE)
    site.end()
    for page in (first, second):
        let_pass(page, CHECK_SECONDS)
        expect(words(page)).to_have_text(SIGNED_OUT)
    site.sign_in(first)
    first.context.clock.run_for(3000)
    expect(bar(first)).to_have_count(0)
    expect(words(second)).to_have_text(MAYBE + SAVE)


def test_a_tab_that_slept_through_it_sees_that_its_session_is_another(site):
    site.session = site.adas = {**site.adas, "session": "0123456789ab"}
    page = site.open(LAB_TERMINAL)
    site.session = {**site.adas, "session": "ba9876543210"}
    let_pass(page, CHECK_SECONDS)
    expect(words(page)).to_have_text(MAYBE_TERMINALS)


def test_somebody_else_s_login_is_said(site):
    page = site.open()
    site.end()
    let_pass(page, CHECK_SECONDS)
    site.adas = {**site.adas, "user": "bob"}
    site.sign_in(page)
    page.context.clock.run_for(3000)
    expect(words(page)).to_have_text("Somebody else is signed in now. Reload this page to go on.")


def test_a_dismissed_bar_is_back_when_the_tab_is_looked_at_again(site):
    page = site.open()
    site.end()
    let_pass(page, CHECK_SECONDS)
    bar(page).get_by_role("button", name="Dismiss").click()
    let_pass(page, MINUTE)
    expect(bar(page)).to_have_count(0)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(words(page)).to_have_text(SIGNED_OUT)


def test_where_no_window_may_open_a_link_leads_to_the_login(site):
    page = site.open()
    site.end()
    let_pass(page, CHECK_SECONDS)
    page.evaluate("window.open = () => null")
    bar(page).get_by_role("button", name="Sign in").click()
    assert f"{BASE}/_nbgate/login?window=1" == bar(page).get_by_role("link", name="Sign in").get_attribute("href")


def test_the_window_is_small_and_knows_nothing_of_the_page(site):
    page = site.open()
    site.end()
    let_pass(page, CHECK_SECONDS)
    asked = page.evaluate(
        """() => new Promise(done => {
            window.open = (...words) => (done(words), {})
            document.querySelector("#nbgate-bar").shadowRoot.querySelector("button").click()
        })"""
    )
    assert [f"{BASE}/_nbgate/login?window=1", "nbgate-login", "popup,width=480,height=640"] == asked


def test_a_page_that_may_not_ask_is_asked_for_nothing(site):
    site.policy = "connect-src 'none'"
    page = site.open()
    page.evaluate("""window.refused = []
        document.addEventListener("securitypolicyviolation", event => window.refused.push(event.blockedURI))""")
    site.end()
    page.context.clock.run_for(10 * MINUTE * 1000)
    expect(bar(page)).to_have_count(0)
    assert [] == [uri for uri in page.evaluate("window.refused") if "api/session" in uri]


def test_a_page_that_left_nothing_to_stand_on_notices_nothing(site):
    page = site.open()
    page.evaluate("document.body.remove()")
    site.end()
    let_pass(page, MINUTE)


def test_keys_pressed_in_the_bar_are_none_of_the_page_s(site):
    page = site.open()
    site.end()
    let_pass(page, CHECK_SECONDS)
    page.evaluate("window.keys = []; document.addEventListener('keydown', event => window.keys.push(event.key))")
    bar(page).get_by_role("button", name="Dismiss").focus()
    page.keyboard.press("Enter")
    expect(bar(page)).to_have_count(0)
    assert [] == page.evaluate("window.keys")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bar_fits_a_phone(site, scheme, tmp_path):
    page = site.open(LAB_UNSAVED)
    page.emulate_media(color_scheme=scheme)
    site.end()
    let_pass(page, 3 * MINUTE)
    for name in ("out", "in"):
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=tmp_path / f"{name}-{width}.png")
            box = bar(page).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        if name == "out":
            site.sign_in(page)
            page.context.clock.run_for(3000)
            expect(words(page)).to_have_text(RELOAD_TERMINALS + SAVE)


def test_what_is_said_is_json_of_the_form_that_is_expected(site):
    """An answer of the form of something else, a page of a proxy's perhaps, is no statement."""
    page = site.open()
    page.route("**/_nbgate/api/session", lambda route: route.fulfill(body=json.dumps(["signed_in"])))
    let_pass(page, CHECK_SECONDS)
    page.unroute("**/_nbgate/api/session")
    page.route("**/_nbgate/api/session", lambda route: route.fulfill(body="<html>Please log in</html>"))
    let_pass(page, CHECK_SECONDS)
    expect(bar(page)).to_have_count(0)
