"""A hostile notebook server's page in Chromium, on our origin: what it may not do there (T21 to T24).

The server is a STUB, the gateway and the browser are real; each attack is a script, and says itself how it went.
"""

import json

import pytest

from nbgate.testing.browser import HOST, Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.stub_upstream import StubUpstream, answer

pytestmark = pytest.mark.e2e

TOKEN = "upstream-token-0123456789abcdef"
REPORT = "<!doctype html><title>x</title><body><script>try{{document.title={script}}}catch(e){{document.title=e.name}}</script>"
WORKER = b"self.addEventListener('fetch', event => event.respondWith(new Response('taken over')))"
PAGES = {
    "/lab": ("text/html", b"<!doctype html><title>page</title>", b""),
    "/sw.js": ("text/javascript", WORKER, b"Service-Worker-Allowed: /\r\n"),
    "/static/app/sw.js": ("text/javascript", WORKER, b"Service-Worker-Allowed: /\r\n"),
    "/files/sw.js": ("text/javascript", WORKER, b"Service-Worker-Allowed: /\r\n"),
    "/files/cookie.html": ("text/html", REPORT.format(script="'cookie:'+document.cookie").encode(), b""),
    "/files/storage.svg": (
        "image/svg+xml",
        (
            b'<svg xmlns="http://www.w3.org/2000/svg"><title>x</title><script>'
            b"try{localStorage.x='1';document.title='stored'}catch(e){document.title=e.name}</script></svg>"
        ),
        b"",
    ),
    "/nbconvert/html/a.ipynb": ("text/html", REPORT.format(script="'parent:'+localStorage.length").encode(), b""),
    "/files/api.html": (
        "text/html",
        (
            b"<!doctype html><title>x</title><script>fetch('/api/contents').then(a=>a.text())"
            b".then(t=>document.title='read '+t,e=>document.title=e.name)</script>"
        ),
        b"",
    ),
    "/api/contents": ("application/json", b"[]", b"Access-Control-Allow-Origin: *\r\n"),
}


def respond(request):
    if request.values("authorization") != [f"token {TOKEN}"]:
        return answer(status="403 Forbidden")
    content_type, body, lines = PAGES.get(request.target.partition("?")[0], ("text/plain", b"nothing", b""))
    return answer(body, content_type=content_type, extra=lines)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untrusted")
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    with (
        StubUpstream(respond=respond).in_thread() as stub,
        running_gateway(
            folder, f"127.0.0.1:{stub.port}", flags=("--upstream-token-file", str(token)), config=CHEAP_LOGIN
        ) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def context(gateway):
    # a service worker needs a certificate that is believed by the whole browser, not by one profile
    with (
        running_chromium("--ignore-certificate-errors") as browser,
        recorded_context(browser, Recorder()) as opened,
    ):
        page = opened.new_page()
        page.goto(f"https://{HOST}:{gateway.port}/lab")
        page.fill("input[name=username]", "ada")
        page.fill("input[name=password]", gateway.password)
        page.click("button[type=submit]")
        page.wait_for_url("**/lab")
        page.close()
        yield opened


@pytest.fixture
def page(context, gateway):
    """Give a page of the notebook server, opened by somebody who is logged in."""
    opened = context.new_page()
    opened.goto(f"https://{HOST}:{gateway.port}/lab")
    yield opened
    opened.close()


def told(page):
    page.wait_for_function("document.title !== 'x'")
    return page.title()


@pytest.mark.parametrize(
    "path", ["/_nbgate/login", "/_nbgate/logout", "/_nbgate/servers", "/_nbgate/diagnose", "/logout"]
)
def test_a_script_cannot_read_our_pages(page, path):
    assert 403 == page.evaluate("path => fetch(path).then(answer => answer.status)", path)


# what a script sees of a frame that the browser did not fill: another origin, or no document at all
FRAMED_NOTHING = {"SecurityError", "TypeError"}


@pytest.mark.parametrize("path", ["/_nbgate/login", "/_nbgate/logout", "/_nbgate/health"])
def test_a_page_cannot_frame_us(page, path):
    framed = page.evaluate(
        """path => new Promise(done => {
            const frame = document.createElement("iframe")
            frame.onload = () => { try { done(frame.contentDocument.body.innerText) } catch (e) { done(e.name) } }
            frame.src = path
            document.body.append(frame)
        })""",
        path,
    )
    assert framed in FRAMED_NOTHING


@pytest.mark.parametrize(
    ("script", "scope", "expected"),
    [
        ("/sw.js", "/", "TypeError"),
        ("/sw.js", "/lab", "TypeError"),
        ("/static/app/sw.js", "/", "SecurityError"),
        ("/static/app/sw.js", "/_nbgate/", "SecurityError"),
        ("/files/sw.js", "/files/", "TypeError"),
        ("/_nbgate/static/banner.js", "/_nbgate/static/", "TypeError"),
        ("/static/app/sw.js", "/static/app/", "registered"),
    ],
)
def test_a_service_worker_rules_no_more_than_its_folder(page, script, scope, expected):
    got = page.evaluate(
        "([script, scope]) => navigator.serviceWorker.register(script, {scope})"
        ".then(found => found.unregister().then(() => 'registered'), e => e.name)",
        [script, scope],
    )
    assert expected == got


@pytest.mark.parametrize("path", ["/files/cookie.html", "/files/storage.svg", "/nbconvert/html/a.ipynb"])
def test_a_file_s_script_has_no_part_in_the_person_s_session(page, gateway, path):
    page.goto(f"https://{HOST}:{gateway.port}{path}")
    assert "SecurityError" == told(page)


def test_a_file_s_script_cannot_call_the_server(page, gateway):
    page.goto(f"https://{HOST}:{gateway.port}/files/api.html")
    assert "TypeError" == told(page)


def test_a_script_cannot_set_or_see_our_cookie(page, gateway):
    name = f"__Host-Http-nbgate-{gateway.port}"
    seen = page.evaluate(
        """name => {
            document.cookie = `${name}=evil; Secure; Path=/`
            for (let i = 0; i < 300; i++) document.cookie = `jar${i}=x; Secure; Path=/`
            document.cookie = `${name}=evil; Secure; Path=/`
            return document.cookie
        }""",
        name,
    )
    assert "nbgate" not in seen
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert "evil" not in json.dumps(cookies)
