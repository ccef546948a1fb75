"""A notebook is open while its server is restarted again and again: the page comes back by itself each time.

With the server its kernels end, and JupyterLab says so in its own words: `No Kernel`, and a dialog in which one starts
another at the next run. Without a gateway the same steps are taken first, so that nothing is asked of the gateway that
the bare server does not do, and nothing less. `NBGATE_TEST_RESTARTS=10` is a busy day.
"""

import contextlib
import os
import re
import signal

import lab_steps
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from nbgate.testing.browser import HOST, Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import running_gateway
from nbgate.testing.jupyter import running_jupyter
from nbgate.testing.process import descendants, is_running
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RESTARTS = int(os.environ.get("NBGATE_TEST_RESTARTS", "2"))
RESTARTS_OF_BARE = 2
SIGNALS = (signal.SIGTERM, signal.SIGKILL)
BACK_MS = 60_000
REFUSALS = {302, 303, 401, 403}


@pytest.fixture
def jupyter(tmp_path):
    """Give a server that the test may start again: it keeps its port and its token."""
    with running_jupyter(tmp_path / "jupyter") as running:
        program = running.program
        program.command = [f"--port={running.port}" if word == "--port=0" else word for word in program.command]
        yield running


def restart(jupyter, number):
    """End the server with its kernels, in one round by its own means, in the next at once; start it again."""
    program = jupyter.program
    family = descendants(program.pid)
    program.process.send_signal(SIGNALS[number % len(SIGNALS)])
    program.wait()
    wait_until(lambda: not any(map(is_running, family)), what="the end of its kernels", deadline_seconds=30)
    program.log.write_bytes(b"")
    program.start()
    program.wait_for_line("is running at")


def close_complaint(page):
    """Close the dialog in which Lab says that its server was lost; a short gap goes without."""
    complaint = page.locator(".jp-Dialog", has_text="Server Connection Error")
    with contextlib.suppress(PlaywrightTimeout):
        complaint.get_by_role("button", name="Close").click(timeout=lab_steps.TRY_MS)


def run_in_another_kernel(page, number):
    """Run a cell: Lab asks for a kernel, and what it prints comes from there."""
    page.locator(".jp-NotebookPanel .jp-Cell .cm-content").first.click(timeout=lab_steps.STEP_MS)
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(f"print('round', {number} + 0)")
    printed = page.locator(".jp-OutputArea-output", has_text=re.compile(rf"^round {number}\s*$")).first
    for _ in range(lab_steps.STEP_MS // lab_steps.TRY_MS):
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(PlaywrightTimeout):
            page.locator(".jp-Dialog", has_text="Select Kernel").get_by_role("button", name="Select").click(
                timeout=lab_steps.TRY_MS
            )
        with contextlib.suppress(PlaywrightTimeout):
            printed.wait_for(timeout=lab_steps.TRY_MS)
            return
        close_complaint(page)
    expect(printed).to_be_visible(timeout=lab_steps.TRY_MS)


def save(page, root, number):
    """Save, and see in the file what was typed and printed since the restart."""
    page.keyboard.press("Control+s")
    with contextlib.suppress(PlaywrightTimeout):  # it asks at the first time
        page.locator(".jp-Dialog").get_by_role("button", name="Rename").click(timeout=lab_steps.TRY_MS)

    def saved():
        texts = [file.read_text() for file in root.glob("*.ipynb")]
        return any(f"round {number}\\n" in text and f"('round', {number} + 0)" in text for text in texts)

    wait_until(saved, what="the saved notebook", deadline_seconds=20)
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)  # a restart in the middle of a save is another story


def play_day(page, jupyter, restarts):
    """Restart the server `restarts` times, and go on working in the page that stays open."""
    lab_steps.run_six_times_seven(page)
    page.evaluate("window.isTheSamePage = true")
    for number in range(restarts):
        restart(jupyter, number)
        expect(page.locator(".jp-KernelName").first).to_have_text("No Kernel", timeout=BACK_MS)
        close_complaint(page)
        run_in_another_kernel(page, number)
        save(page, jupyter.root, number)
    assert page.evaluate("window.isTheSamePage")


@contextlib.contextmanager
def last_sight(page, folder):
    """Keep what the page looked like when something went wrong."""
    try:
        yield
    except BaseException:
        page.screenshot(path=folder / "last-sight.png")
        raise


def test_the_bare_server_comes_back_to_its_page(jupyter, tmp_path):
    base = f"http://127.0.0.1:{jupyter.port}"
    with running_chromium() as browser, recorded_context(browser, Recorder()) as context:
        page = context.new_page()
        page.goto(f"{base}/lab?token={jupyter.token}")
        lab_steps.new_notebook(page, base)
        with last_sight(page, tmp_path):
            play_day(page, jupyter, RESTARTS_OF_BARE)


def test_through_the_gateway_it_comes_back_each_time_too(jupyter, tmp_path):
    environment, recorder = {"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)}, Recorder()
    upstream = f"localhost:{jupyter.port}"
    with (
        running_gateway(tmp_path / "gateway", upstream, environment=environment, workers=2) as gateway,
        running_chromium() as browser,
        recorded_context(browser, recorder) as context,
    ):
        base, page = f"https://{HOST}:{gateway.port}", context.new_page()
        lab_steps.log_in(page, gateway, base)
        lab_steps.new_notebook(page, base)
        worked = len(recorder.answers)
        with last_sight(page, tmp_path):
            play_day(page, jupyter, RESTARTS)
        later = recorder.answers[worked:]
        assert any("/api/kernels" in answer.url for answer in later)
        assert [] == [(answer.url, answer.status) for answer in later if answer.status in REFUSALS]
