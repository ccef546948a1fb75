"""A person, Chromium, the gateway under a name that is not localhost, and a real JupyterLab behind it."""

import re
import urllib.error
import urllib.parse
import urllib.request

import lab_steps
import pytest
import secrets_hunt
from playwright.sync_api import expect

from nbgate.rewrite.html import banner_script
from nbgate.testing.browser import HOST, Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import CHEAP_LOGIN

BANNER = banner_script("/_nbgate")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LIVE = re.compile(
    r"/api/(?!kernelspecs)|/_nbgate/|/lab/api/(workspaces|settings|extensions)|/login|/logout|/favicon\.ico"
)
"""Answers that change from one request to the next, or are the gateway's own: not compared with the upstream's."""


def work_in_lab(page, base, jupyter, tmp_path):
    """Do everything the main job asks for; return the bytes that were uploaded and came back."""
    lab_steps.new_notebook(page, base)
    lab_steps.run_six_times_seven(page)
    lab_steps.save_notebook(page, jupyter.root)
    lab_steps.reload_notebook(page)
    lab_steps.use_terminal(page, base, jupyter.root)
    file = tmp_path / "every byte.bin"
    file.write_bytes(bytes(range(256)) * 2000)
    lab_steps.upload_file(page, jupyter.root, file)
    assert file.read_bytes() == lab_steps.download_file(page, file.name)


def test_a_person_works_in_lab_and_leaves_no_secret_behind(jupyter, gateway, tmp_path):
    base, recorder = f"https://{HOST}:{gateway.port}", Recorder()
    with running_chromium() as browser, recorded_context(browser, recorder) as context:
        page = context.new_page()
        lab_steps.log_in(page, gateway, base)
        cookies = {
            c["name"]: c["value"] for c in context.cookies() if c["name"] == f"__Host-Http-nbgate-{gateway.port}"
        }
        ((name, value),) = cookies.items()
        try:
            work_in_lab(page, base, jupyter, tmp_path)
        except BaseException:
            page.screenshot(path=tmp_path / "last-sight.png")
            raise
        compare_bodies(gateway, jupyter, base, recorder, f"{name}={value}")
        set_banner(gateway, "false")
        compare_bodies(gateway, jupyter, base, recorder, f"{name}={value}", banner=b"")
        lab_steps.log_out(page)
        page.goto(f"{base}/lab")
        expect(page).to_have_url(re.compile(r"/_nbgate/login"))
    assert f"__Host-Http-nbgate-{gateway.port}" == name
    assert 401 == gateway.request("GET", "/api/contents", headers={"Cookie": f"{name}={value}"})[0]
    check_browser(recorder, base)
    assert [] == [record for record in gateway.audit() if "rule.id" in record]
    check_no_secret(gateway, recorder, {"token": jupyter.token, "password": gateway.password, "cookie": value})


def check_browser(recorder, base):
    """See that the browser asked nobody else, and that no page broke a content security policy."""
    assert [] == [
        answer.url for answer in recorder.answers if not answer.url.startswith((f"{base}/", "data:", "blob:"))
    ]
    assert [] == [text for text in recorder.console if "Content Security Policy" in text]
    assert len(recorder.answers) > 100
    assert len(recorder.frames) > 20


def check_no_secret(gateway, recorder, secrets):
    """Look through every file, every log line, every answer and every frame; only the login may set its cookie."""
    places = [*secrets_hunt.files_below(gateway.folder)]
    places += [(f"frame {number}", frame) for number, frame in enumerate(recorder.frames)]
    for answer in recorder.answers:
        is_login = answer.method == "POST" and urllib.parse.urlsplit(answer.url).path == "/_nbgate/login"
        kept = [h for h in answer.headers if not (is_login and h[0].lower() == "set-cookie")]
        head = "\n".join(f"{name}: {value}" for name, value in kept)
        places.append((f"{answer.method} {answer.url}", answer.url.encode() + head.encode() + (answer.body or b"")))
    assert [] == secrets_hunt.find(secrets, places)


def set_banner(gateway, value):
    (gateway.folder / "nbgate.toml").write_text(f"banner = {value}\n{CHEAP_LOGIN}", encoding="utf-8")
    done = gateway.command("reload")
    assert 0 == done.returncode, done.stderr


def compare_bodies(gateway, jupyter, base, recorder, cookie, *, banner=BANNER):
    """Fetch what the browser fetched once more, through the gateway and from the upstream.

    The same to the byte, but for secrets, and for the one tag behind the head of a page.
    """
    urls = {answer.url for answer in recorder.answers if answer.method == "GET" and answer.status == 200}
    paths = sorted(url.removeprefix(base) for url in urls if url.startswith(base) and not LIVE.search(url))
    assert len(paths) > 50
    ours = {path: through(gateway, path, cookie) for path in paths}
    assert [] == [path for path in paths if ours[path] != directly(jupyter, path, banner)]
    assert bool(banner) == any(BANNER in body for _, body in ours.values())


def through(gateway, path, cookie):
    status, _, body = gateway.request("GET", path, headers={"Cookie": cookie, "Accept": "text/html"})
    return status, normal(body)


def directly(jupyter, path, banner):
    """Return what the upstream itself answers, with its token taken out and `banner` put in as the gateway does."""
    url = urllib.parse.urljoin(jupyter.url, path)
    request = urllib.request.Request(url, headers={"Authorization": f"token {jupyter.token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read().replace(jupyter.token.encode(), b"")
            if answer.headers.get_content_type() == "text/html":
                body = body.replace(b"<head>", b"<head>" + banner, 1)
            return answer.status, normal(body)
    except urllib.error.HTTPError as error:
        return error.code, normal(error.read().replace(jupyter.token.encode(), b""))


def normal(body):
    """Return `body` without Lab's own counter of page loads."""
    return re.sub(rb'"store_id": ?\d+', b'"store_id": 0', body)
