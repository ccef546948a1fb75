"""A session ends under an open page, and a new login brings it back: what runs goes on, and nothing typed is lost.

Notebook servers, gateway and Chromium are real. Minutes pass on the browser's clock alone (Playwright moves it): that
is the clock by which pages try again and give up. The gateway's own has no part in it, as a session that was ended
stays so.
"""

import re

import lab_steps
import pytest
import relogin_steps as steps
from playwright.sync_api import expect

from nbgate.testing.browser import HOST
from nbgate.testing.gateway import running_gateway
from nbgate.testing.jupyter import NOTEBOOK_6, running_jupyter
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

OUT_MS = 1000.0
TEN_MINUTES = 600
MOST_TRIES_SECONDS = 30  # the longest JupyterLab waits before it asks for a lost kernel again
HALF_A_MINUTE = 30
TERMINAL_TRIES = 7
CLASSIC_TRIES = 7
SESSION_ENDED, REFUSED = (
    4401,
    1006,
)  # what a page is told: the one by the gateway, the other of any handshake that failed


@pytest.fixture
def context(browser):
    with browser.new_context(ignore_https_errors=True) as opened:
        steps.tell_closes(opened)
        yield opened


def base_of(gateway):
    return f"https://{HOST}:{gateway.port}"


def reached(file):
    """Return how far the cell is, by what its kernel wrote."""
    return int(file.read_text() or 0) if file.exists() else 0


def test_ended_elsewhere_the_websocket_closes_and_the_kernel_runs_on(gateway, jupyter, browser, context):
    base, page = base_of(gateway), context.new_page()
    lab_steps.log_in(page, gateway, base)
    lab_steps.new_notebook(page, base)
    lab_steps.run_ticking_cell(page, steps.ticking("elsewhere"))
    answers = steps.Answers(page)
    with browser.new_context(ignore_https_errors=True) as another:
        steps.end_all_others(another.new_page(), base, gateway)
        steps.expect_closed(page, "/api/kernels/", OUT_MS)
    far = reached(jupyter.root / "elsewhere.tick")
    expect(steps.words(page)).to_have_text(steps.SIGNED_OUT)
    wait_until(lambda: reached(jupyter.root / "elsewhere.tick") > far + 2, what="ticks of a kernel nobody listens to")
    (jupyter.root / "elsewhere.stop").touch()
    assert {424} == answers.statuses(r"/api/kernels/[^/?]+(\?|$)")
    assert {401} == answers.statuses(r"/_nbgate/api/session$")
    assert set() == answers.statuses(r"/_nbgate/login")


def test_ten_minutes_later_a_new_login_brings_every_tab_back(gateway, jupyter, context):
    base, page = base_of(gateway), context.new_page()
    context.clock.install()
    lab_steps.log_in(page, gateway, base)
    lab_steps.new_notebook(page, base)
    output = lab_steps.run_ticking_cell(page, steps.ticking("ten"))
    lab_steps.type_below(page, "first = 'before'")
    second = context.new_page()
    lab_steps.new_notebook(second, base)
    lab_steps.type_below(second, "second = 'before'")
    for tab in (page, second):
        tab.evaluate("window.isTheSamePage = true")
    answers = steps.Answers(page)

    steps.revoke(gateway)
    for tab, text in ((page, " # between"), (second, "\n40 + 2")):
        steps.expect_signed_out(tab)
        tab.keyboard.insert_text(text)
    steps.let_pass(page, TEN_MINUTES)
    before = output.inner_text()

    steps.sign_in_window(page, gateway)
    steps.let_pass(page, 2 * HALF_A_MINUTE)
    for tab in (page, second):
        expect(steps.bar(tab)).to_have_count(0)
        steps.close_dialogs(tab)
    expect(output).not_to_have_text(before)
    (jupyter.root / "ten.stop").touch()
    expect(output).to_contain_text("done", timeout=lab_steps.STEP_MS)
    ticks = [int(number) for number in re.findall(r"tick (\d+)", output.inner_text())]
    assert list(range(reached(jupyter.root / "ten.tick") + 1)) == ticks
    assert "first = 'before' # between" == steps.cells(page)[1]
    assert "second = 'before'\n40 + 2" == steps.cells(second)[1]
    assert all(tab.evaluate("window.isTheSamePage") for tab in (page, second))
    assert max(answers.pauses()) <= MOST_TRIES_SECONDS + steps.STEP_SECONDS
    assert sum(answers.pauses()) > TEN_MINUTES - MOST_TRIES_SECONDS - steps.STEP_SECONDS
    run_and_save(second, jupyter)


def run_and_save(page, jupyter):
    """Run what was typed, in a kernel that was lost as well, and see it in the file."""
    page.locator(".jp-Notebook .cm-content").nth(1).click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-OutputArea-output", has_text="42")).to_be_visible(timeout=lab_steps.STEP_MS)
    page.keyboard.press("Control+s")
    page.get_by_role("button", name="Rename").click()
    wait_until(
        lambda: any("second = 'before'\n40 + 2" in cells for cells in steps.saved_sources(jupyter.root)),
        what="the saved notebook",
        deadline_seconds=20,
    )


def test_a_terminal_that_has_given_up_goes_on_after_a_reload(gateway, jupyter, context):
    base, page = base_of(gateway), context.new_page()
    context.clock.install()
    lab_steps.log_in(page, gateway, base)
    lab_steps.use_terminal(page, base, jupyter.root)
    steps.revoke(gateway)
    steps.expect_closed(page, "/terminals/", OUT_MS)
    steps.expect_signed_out(page)
    steps.let_pass(page, TEN_MINUTES)
    tried = steps.closes(page, "/terminals/")
    steps.sign_in_window(page, gateway)
    steps.let_pass(page, 2 * HALF_A_MINUTE)
    expect(steps.words(page)).to_have_text(f"{steps.AGAIN} Reload this page to go on in its terminals.")
    assert tried == steps.closes(page, "/terminals/") == [SESSION_ENDED] + TERMINAL_TRIES * [REFUSED]
    steps.bar(page).get_by_role("button", name="Reload").click()
    steps.type_in_terminal(page, "echo again > again.txt", jupyter.root / "again.txt")
    expect(steps.bar(page)).to_have_count(0)


@pytest.fixture
def classic(tmp_path):
    """Give a gateway before a classic Notebook, and the notebook server."""
    with running_jupyter(tmp_path / "jupyter", kind=NOTEBOOK_6) as jupyter:
        environment = {"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)}
        with running_gateway(tmp_path / "gateway", f"localhost:{jupyter.port}", environment=environment) as gateway:
            yield gateway, jupyter


def test_a_classic_page_that_has_given_up_says_reload_and_saves_before(classic, context):
    gateway, jupyter = classic
    base, page, terminal = base_of(gateway), context.new_page(), context.new_page()
    context.clock.install()
    page.on("dialog", lambda dialog: dialog.accept())  # it asks before it is left
    steps.open_classic(page, gateway, base, jupyter.root / "old.ipynb")
    steps.run_classic_cell(page, "x = 41")
    terminal.goto(f"{base}/terminals/new")
    terminal.locator(".terminal").wait_for()
    page.bring_to_front()
    steps.revoke(gateway)
    for tab, path in ((page, "/api/kernels/"), (terminal, "/terminals/")):
        steps.expect_closed(tab, path, OUT_MS)
        steps.expect_signed_out(tab)
    steps.let_pass(page, TEN_MINUTES)
    steps.close_classic_dialogs(page)
    page.evaluate("Jupyter.notebook.insert_cell_below('code').set_text('x + 1')")
    tried = steps.closes(page, "/api/kernels/"), steps.closes(terminal, "/terminals/")
    steps.sign_in_window(page, gateway)
    steps.let_pass(page, 2 * HALF_A_MINUTE)
    expect(steps.words(page)).to_have_text(f"{steps.AGAIN} Reload this page to go on. Save first.")
    expect(steps.words(terminal)).to_have_text(f"{steps.AGAIN} Reload this page to go on.")
    assert ([SESSION_ENDED, *CLASSIC_TRIES * [REFUSED]], [SESSION_ENDED]) == tried
    assert tried == (steps.closes(page, "/api/kernels/"), steps.closes(terminal, "/terminals/"))
    page.keyboard.press("Control+s")
    wait_until(lambda: ["x = 41", "x + 1"] in steps.saved_sources(jupyter.root), what="the saved notebook")
    steps.bar(page).get_by_role("button", name="Reload").click()
    steps.expect_classic_kernel(page)
    page.evaluate("Jupyter.notebook.execute_cells([1])")
    expect(page.locator(".output_area", has_text="42")).to_be_visible()
