"""A person's way from the start page to a notebook that runs, and an owner's who adds a server, all below a base URL."""

import json
import re
import urllib.request
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from nbgate.testing.browser import HOST, Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import USER, running_gateway
from nbgate.testing.jupyter import NOTEBOOK_7, running_jupyter

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BASE = "/ipython/"
STEP_MS = 60_000


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Two servers that know nothing of where they are mounted."""
    runtime = tmp_path_factory.mktemp("runtime")
    with (
        running_jupyter(tmp_path_factory.mktemp("lab"), runtime=runtime) as lab,
        running_jupyter(tmp_path_factory.mktemp("book"), kind=NOTEBOOK_7, runtime=runtime) as book,
    ):
        yield lab, book


@pytest.fixture(scope="module")
def gateway(servers, tmp_path_factory):
    lab, book = servers
    flags = ("--base-url", BASE, "--upstream", f"/book/=localhost:{book.port}")
    with running_gateway(
        tmp_path_factory.mktemp("gateway"),
        f"/lab1/=localhost:{lab.port}",
        flags=flags,
        environment={"JUPYTER_RUNTIME_DIR": str(lab.runtime)},
    ) as running:
        running.command("user", "role", USER, "owner")
        yield running


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def page(gateway, recorder):
    """A browser at the gateway's host, without its base URL."""
    with running_chromium() as chromium, recorded_context(chromium, recorder) as context:
        made = context.new_page()
        made.set_default_timeout(STEP_MS)
        made.goto(f"https://{HOST}:{gateway.port}/")
        yield made


def ask(jupyter, method, path, value=None):
    """Ask a server itself, as its own front end would."""
    body = None if value is None else json.dumps(value).encode()
    headers = {"Authorization": f"token {jupyter.token}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{jupyter.url}{path}", data=body, headers=headers, method=method)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)


def begin_notebook(jupyter, name):
    """Have a notebook with a running kernel in a server."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "6*7", "outputs": [], "execution_count": None}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    ask(jupyter, "PUT", f"api/contents/{name}", {"type": "notebook", "content": content})
    wanted = {"path": name, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    ask(jupyter, "POST", "api/sessions", wanted)


def sign_in(page, gateway):
    expect(page).to_have_url(re.compile(rf"{BASE}_nbgate/login"))
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(gateway.password)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_finds_the_notebook_that_runs_and_an_owner_adds_a_server(page, gateway, servers, recorder):
    lab, book = servers
    begin_notebook(lab, "survey.ipynb")
    sign_in(page, gateway)
    expect(page).to_have_url(re.compile(rf"{BASE}_nbgate/servers$"))
    expect(page.get_by_role("heading", level=2)).to_have_text(
        [f"Jupyter Notebook at {BASE}book/", f"JupyterLab at {BASE}lab1/"]
    )
    expect(page.get_by_text("These 2 servers share this address")).to_be_visible()
    expect(page.get_by_text("Nothing runs there.")).to_be_visible()

    page.get_by_role("link", name="Administration").click()
    page.get_by_role("link", name="Add a notebook server").click()
    page.get_by_label("Where people find it").fill("/book2/")
    page.get_by_label("Address of the server").fill(f"localhost:{book.port}")
    page.get_by_label("Your password").fill(gateway.password)
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("status")).to_contain_text("Added.")
    page.goto(f"https://{HOST}:{gateway.port}{BASE}")
    page.get_by_role("link", name=f"Jupyter Notebook at {BASE}book2/").click()
    expect(page).to_have_url(re.compile(rf"{BASE}book2/tree"))
    expect(page.locator("#main")).to_be_visible(timeout=STEP_MS)

    page.goto(f"https://{HOST}:{gateway.port}{BASE}_nbgate/admin")
    page.get_by_role("link", name="Remove /book2/").click()
    page.get_by_label("Your password").fill(gateway.password)
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status")).to_contain_text("Removed.")

    page.goto(f"https://{HOST}:{gateway.port}{BASE}_nbgate/servers")
    page.get_by_role("link", name="survey.ipynb").click()
    expect(page).to_have_url(re.compile(rf"{BASE}lab1/lab/tree/survey.ipynb"))
    expect(page.locator(".jp-NotebookPanel .jp-Cell").first).to_be_visible(timeout=STEP_MS)
    page.goto(f"https://{HOST}:{gateway.port}{BASE}_nbgate/logout")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")

    asked = {urlsplit(answer.url).path for answer in recorder.answers if HOST in answer.url}
    assert {"/"} == {path for path in asked if not path.startswith(BASE)}
    own = {answer.url for answer in recorder.answers if "/_nbgate/static/" in answer.url}
    assert {"banner.js", "logo", "style"} == {re.split(r"-[0-9a-f]{12}", url.rpartition("/")[2])[0] for url in own}
    assert all(answer.status < 400 for answer in recorder.answers if answer.url in own)


def test_below_the_base_url_what_the_command_line_says_leads_there(gateway):
    status = gateway.status()
    assert all(url.endswith(BASE) for url in status["listening"])
    made = gateway.command("login-link", USER)
    assert f"{BASE}_nbgate/link/" in made.stdout
