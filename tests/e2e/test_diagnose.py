"""Websockets that something on the way blocks: the bar on notebook pages, and the page that says what it is."""

import re

import meddler
import pytest
from lab_steps import STEP_MS
from playwright.sync_api import expect

from nbgate.rewrite.html import banner_script
from nbgate.testing.browser import HOST, Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import USER
from nbgate.web.answers import FOLDER

BANNER = banner_script("/_nbgate")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BAR_MS = 40_000  # two tries of the script, each of which may wait for an answer


@pytest.fixture(scope="module")
def between(gateway):
    with meddler.Meddler(gateway, HOST) as running:
        yield running


@pytest.fixture(scope="module")
def context(gateway, between):
    """Give a browser that is signed in, by way of the meddler."""
    recorder = Recorder()
    with running_chromium() as browser, recorded_context(browser, recorder) as context:
        page = context.new_page()
        page.goto(f"https://{HOST}:{between.port}/_nbgate/login?next=/files/")
        page.get_by_label("User name").fill(USER)
        page.get_by_label("Password").fill(gateway.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(re.compile(r"/files/"))
        page.close()
        yield context


def check(page, between, way):
    """Run the connection check while websockets fare like `way`; return the name of its verdict."""
    between.way = way
    page.goto(f"https://{HOST}:{between.port}/_nbgate/diagnose")
    found = page.locator("#verdicts:not([data-found=''])[data-found]")
    found.wait_for(timeout=STEP_MS)
    shown = [section.get_attribute("data-verdict") for section in page.locator(".verdict:visible").all()]
    assert [found.get_attribute("data-found")] == shown
    return shown[0]


def states(page):
    return [item.get_attribute("data-state") for item in page.locator("#steps li").all()]


@pytest.mark.parametrize(
    ("way", "verdict", "steps"),
    [
        (meddler.PASS, "works", ["good", "good", "good", "good"]),
        (meddler.KILL, "blocked", ["good", "bad", "", ""]),
        (meddler.STRIP, "stripped", ["good", "bad", "", ""]),
        (meddler.HOLD_ANSWER, "unanswered", ["good", "bad", "", ""]),
        (meddler.HOLD_FRAMES, "silent", ["good", "good", "bad", ""]),
        (meddler.DELAY, "late", ["good", "good", "late", "good"]),
        (meddler.CUT_LARGE, "small", ["good", "good", "good", "bad"]),
    ],
)
def test_the_page_says_what_blocks_websockets(context, between, way, verdict, steps, tmp_path):
    page = context.new_page()
    assert verdict == check(page, between, way)
    assert steps == states(page)
    expect(page.locator("#details")).to_contain_text(f"Result: {verdict}")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=tmp_path / f"{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"wider than {width} pixels"
    page.close()


def sign_out(context, _page):
    context.clear_cookies()


def lose_the_network(context, _page):
    context.set_offline(True)


def stop_recording(_context, page):
    """nbgate takes no new websockets while the audit cannot be written; it says so itself."""
    page.route(
        "**/_nbgate/diagnose/seen*", lambda route: route.fulfill(json={"handshake": "none", "websockets": False})
    )


@pytest.mark.parametrize(
    ("change", "verdict", "steps"),
    [
        (sign_out, "signed-out", ["bad", "", "", ""]),
        (lose_the_network, "unreachable", ["bad", "", "", ""]),
        (stop_recording, "busy", ["good", "", "", ""]),
    ],
)
def test_what_is_not_on_the_way_is_not_blamed(context, between, change, verdict, steps):
    with context.browser.new_context(storage_state=context.storage_state(), ignore_https_errors=True) as another:
        page = another.new_page()
        assert "works" == check(page, between, meddler.PASS)
        change(another, page)
        page.get_by_role("button", name="Try again").click()
        page.locator(f"#verdicts[data-found='{verdict}']").wait_for(timeout=STEP_MS)
        expect(page.locator(f"[data-verdict='{verdict}']")).to_be_visible()
        assert steps == states(page)


def open_lab(page, url, errors):
    """Open Lab and collect the errors on its console until it is there and its launcher shows."""
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.wait_for(timeout=STEP_MS)


def test_nothing_is_added_to_a_page_whose_websockets_work(context, between, jupyter):
    between.way = meddler.PASS
    theirs, ours, tries = [], [], []
    page = context.new_page()
    open_lab(page, f"{jupyter.url}lab?reset&token={jupyter.token}", theirs)
    children = page.locator("body > *").count()
    page.close()
    page = context.new_page()
    page.on("websocket", lambda socket: tries.append(socket) if "/_nbgate/" in socket.url else None)
    open_lab(page, f"https://{HOST}:{between.port}/lab?reset", ours)
    (socket,) = tries
    if not socket.is_closed():
        socket.wait_for_event("close")
    assert 1 == page.locator('head > script[src="/_nbgate/static/banner.js"]').count()
    expect(page.locator("#nbgate-bar")).to_have_count(0)
    assert children == page.locator("body > *").count()
    assert set(theirs) >= set(ours)
    page.close()


@pytest.mark.parametrize("way", [meddler.KILL, meddler.STRIP, meddler.HOLD_FRAMES])
def test_a_bar_on_a_notebook_page_leads_to_the_explanation(context, between, way, tmp_path):
    between.way = way
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"https://{HOST}:{between.port}/lab?reset")
    bar = page.locator("#nbgate-bar .bar")
    bar.wait_for(timeout=BAR_MS)
    expect(bar).to_contain_text("blocks websockets")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=tmp_path / f"{width}.png")
    with context.expect_page() as opened:
        bar.get_by_role("link").click()
    expect(opened.value).to_have_url(f"https://{HOST}:{between.port}/_nbgate/diagnose")
    opened.value.close()
    bar.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#nbgate-bar")).to_have_count(0)
    assert [] == errors
    page.close()


def test_the_script_of_the_bar_asks_nobody_whom_the_page_puts_in_its_place(context):
    """An image called currentScript stands in the place of the script's own element, wherever its address leads."""
    asked = []
    script = FOLDER.joinpath("static", "banner.js").read_text()
    page_text = f"<head>{BANNER.decode()}</head><body><img name=currentScript src=https://evil.test/a/b.js></body>"

    def answer(route):
        asked.append(route.request.url)
        is_script = route.request.url.endswith("banner.js")
        route.fulfill(
            body=script if is_script else page_text, content_type=f"text/{'javascript' if is_script else 'html'}"
        )

    page = context.new_page()
    page.route("**/*", answer)
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(f"https://{HOST}/lab", wait_until="networkidle")
    page.close()
    assert [f"https://{HOST}/lab", f"https://{HOST}/_nbgate/static/banner.js", "https://evil.test/a/b.js"] == asked
