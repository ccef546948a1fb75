"""The gateway is restarted while a cell runs: Lab comes back by itself, and neither output nor typing is lost.

The notebook server is not touched. It keeps what the kernel prints for the page that was cut off (PREFIX: only for the
same session id), so that every line arrives exactly once.
"""

import contextlib
import json

import lab_steps
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from nbgate.testing.browser import HOST, Recorder, recorded_context, running_chromium
from nbgate.testing.gateway import prepare_gateway
from nbgate.testing.jupyter import running_jupyter
from nbgate.testing.wait import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TICKS = 20
END_SECONDS = 35
LINES_PER_SECOND = f"import time\nfor n in range({TICKS}):\n  print('tick', n, flush=True)\n  time.sleep(1)\n"
LAST_LINE = f"tick {TICKS - 1}"
REFUSALS = {302, 303, 401, 403}
TYPED_BEFORE, TYPED_BETWEEN = "typed = 'before the restart'", "  # and while there was no gateway"


@pytest.fixture
def jupyter(tmp_path):
    with running_jupyter(tmp_path / "jupyter") as running:
        yield running


@pytest.fixture
def gateway(jupyter, tmp_path):
    """Give a gateway that the test may start again; it keeps its port."""
    environment = {"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)}
    gateway = prepare_gateway(tmp_path / "gateway", f"localhost:{jupyter.port}", environment=environment)
    gateway.add_user()
    start(gateway)
    gateway.program.command = [str(gateway.port) if word == "0" else word for word in gateway.program.command]
    yield gateway
    gateway.program.end()


def start(gateway):
    gateway.program.log.write_bytes(b"")
    gateway.program.start()
    gateway.port = int(gateway.program.wait_for_line(r"listening on https://\S+?:(\d+)")[1])


def save(page, root):
    """Close what Lab said of its lost server, save, and return the cells that are in the file."""
    answer(page, "Close")
    page.keyboard.press("Control+s")
    answer(page, "Rename")
    return wait_until(lambda: saved_cells(root), what="the saved notebook", deadline_seconds=20)


def answer(page, button):
    """Answer a dialog of Lab, if it asks: it does so at a first save, and once when its server is lost."""
    with contextlib.suppress(PlaywrightTimeout):
        page.locator(".jp-Dialog").get_by_role("button", name=button).click(timeout=lab_steps.TRY_MS)


def saved_cells(root):
    for file in root.glob("*.ipynb"):
        with contextlib.suppress(json.JSONDecodeError):  # half written
            cells = json.loads(file.read_text())["cells"]
            if len(cells) > 1 and cells[0]["outputs"]:
                return cells
    return None


def test_lab_comes_back_by_itself_and_nothing_is_lost(gateway, jupyter):
    base, recorder = f"https://{HOST}:{gateway.port}", Recorder()
    with running_chromium() as browser, recorded_context(browser, recorder) as context:
        page = context.new_page()
        lab_steps.log_in(page, gateway, base)
        lab_steps.new_notebook(page, base)
        output = lab_steps.run_ticking_cell(page, LINES_PER_SECOND)
        lab_steps.type_below(page, TYPED_BEFORE)
        session = [cookie for cookie in context.cookies() if cookie["name"].startswith("__Host-Http-nbgate")]
        page.evaluate("window.isTheSamePage = true")
        gateway.program.process.terminate()
        assert 0 == gateway.program.wait(END_SECONDS)
        before, answered = output.inner_text(), len(recorder.answers)
        page.keyboard.insert_text(TYPED_BETWEEN)
        assert LAST_LINE not in before
        start(gateway)
        expect(output).to_contain_text(LAST_LINE, timeout=TICKS * 1000 + lab_steps.STEP_MS)
        ticking, typed = save(page, jupyter.root)
        assert page.evaluate("window.isTheSamePage")
        assert session == [cookie for cookie in context.cookies() if cookie["name"].startswith("__Host-Http-nbgate")]
    assert "".join(f"tick {n}\n" for n in range(TICKS)) == "".join(ticking["outputs"][0]["text"])
    assert TYPED_BEFORE + TYPED_BETWEEN == "".join(typed["source"])
    later = recorder.answers[answered:]
    assert any("/api/kernels" in answer.url for answer in later)
    assert [] == [(answer.url, answer.status) for answer in later if answer.status in REFUSALS]
