"""Two notebook servers behind one gateway: a person works in both at once, and neither learns anything of the other."""

import contextlib
import re

import lab_steps
import pytest
import secrets_hunt
import server_runs
from playwright.sync_api import expect
from server_runs import SERVERS, Seen
from tap import Tap

from nbgate.testing.browser import HOST, recorded_context, running_chromium
from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

PLACES = ("/lab1/", "/lab2/")
BASE_URLS = ("/", "/ipython/")
ROUTE = """[[route]]
at = "{place}"
upstream = "http://127.0.0.1:{port}{base_url}"
base_url = "{base_url}"
token_file = "{token_file}"
"""


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """Give two JupyterLabs with their taps."""
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(server_runs.server_running(SERVERS["JupyterLab"], folder, base_url=base_url))
            for folder, base_url in zip(folders, BASE_URLS, strict=True)
        ]
        yield [(lab, stack.enter_context(Tap(lab.port))) for lab in running]


@pytest.fixture(scope="module")
def gateway(labs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    config = CHEAP_LOGIN
    for place, (lab, tap) in zip(PLACES, labs, strict=True):
        file = folder / f"token{place.strip('/')}"
        file.touch(mode=0o600)
        file.write_text(lab.token, encoding="utf-8")
        config += ROUTE.format(place=place, port=tap.port, base_url=lab.base_url, token_file=file)
    with running_gateway(folder, "", config=config) as running:
        yield running


def test_a_person_works_in_two_labs_at_once(labs, gateway):
    origin = f"https://{HOST}:{gateway.port}"
    sites = [f"{origin}{place.rstrip('/')}" for place in PLACES]
    roots = [lab.root for lab, _ in labs]
    seen = [Seen(site) for site in sites]
    with running_chromium(*server_runs.FLAGS) as browser, contextlib.ExitStack() as stack:
        context = stack.enter_context(recorded_context(browser, seen[0].recorder))
        pages = [context.new_page() for _ in sites]
        server_runs.log_in(pages[0], gateway, f"{sites[0]}{lab_steps.START}")
        for page, site in zip(pages, sites, strict=True):
            lab_steps.new_notebook(page, site)
        for page in pages:
            page.bring_to_front()
            lab_steps.run_six_times_seven(page)
        for page, root in zip(pages, roots, strict=True):
            page.bring_to_front()
            lab_steps.save_notebook(page, root)
        for page, site, root in zip(pages, sites, roots, strict=True):
            page.bring_to_front()
            lab_steps.reload_notebook(page)
            lab_steps.use_terminal(page, site, root)
        cookies = context.cookies()
        server_runs.check_cookies(cookies, gateway, *PLACES)
        lab_steps.log_out(pages[0])
        pages[1].goto(f"{sites[1]}/lab")
        expect(pages[1]).to_have_url(re.compile(r"/_nbgate/login"))
    check_neither_knows_the_other(labs, gateway, seen[0].recorder, cookies)


def check_neither_knows_the_other(labs, gateway, recorder, cookies):
    """See what came for each: its own token, and nothing that belongs to the other or to the gateway."""
    tokens = {f"token {place}": lab.token for place, (lab, _) in zip(PLACES, labs, strict=True)}
    held = {f"cookie {cookie['name']} {cookie['path']}": cookie["value"] for cookie in cookies}
    for place, (lab, tap) in zip(PLACES, labs, strict=True):
        assert lab.token.encode() in tap.heard
        foreign = {
            name: value
            for name, value in (tokens | held).items()
            if name not in (f"token {place}", f"cookie _xsrf {place}")
        }
        assert [] == secrets_hunt.find(foreign, [(place, bytes(tap.heard))])
    server_runs.check_no_secret(recorder, tokens)
    outside = [url for url in Seen(f"https://{HOST}:{gateway.port}/lab1", recorder).escapes() if "/lab2" not in url]
    assert [] == outside
