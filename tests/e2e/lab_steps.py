"""What a person does in JupyterLab, step by step; each step says by the file system or the page that it worked."""

import contextlib
import json
import re

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from nbgate.testing.gateway import USER, Gateway
from nbgate.testing.wait import wait_until

START = "/lab?reset"
STEP_MS = 30_000
TRY_MS = 2_000


def work(page: Page, site: str, root, file):
    """Do everything the main job asks for in the server at `site`, whose files lie in `root`; `file` goes up and down."""
    new_notebook(page, site)
    run_six_times_seven(page)
    save_notebook(page, root)
    reload_notebook(page)
    use_terminal(page, site, root)
    upload_file(page, root, file)
    assert file.read_bytes() == download_file(page, file.name)


def log_in(page: Page, gateway: Gateway, base_url: str):
    """Ask for Lab, be asked to log in, and arrive at Lab."""
    page.goto(f"{base_url}/lab")
    expect(page).to_have_url(re.compile(r"/_nbgate/login"))
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(gateway.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/lab"))


def new_notebook(page: Page, base_url: str):
    """Open Lab with a fresh workspace and start a notebook from the launcher."""
    page.goto(f"{base_url}/lab?reset")
    card = page.locator('.jp-LauncherCard[data-category="Notebook"]').first
    card.click(timeout=STEP_MS)
    expect(page.locator(".jp-NotebookPanel .jp-Cell").first).to_be_visible(timeout=STEP_MS)
    idle = page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first
    expect(idle).to_be_visible(timeout=STEP_MS)


def run_six_times_seven(page: Page):
    """Type `6*7`, run it and see 42."""
    _first_cell(page)
    page.keyboard.type("6*7")
    _run(page, page.locator(".jp-OutputArea-output", has_text="42").first)


def run_ticking_cell(page: Page, code: str) -> Locator:
    """Put `code`, which counts ticks, into the first cell, run it, and return its output once it counts."""
    _first_cell(page)
    page.keyboard.insert_text(code)
    output = page.locator(".jp-OutputArea-output").first
    _run(page, output)
    expect(output).to_contain_text("tick 2")
    return output


def type_below(page: Page, text: str):
    """Add a cell and begin to type in it."""
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(text)


def save_notebook(page: Page, root):
    """Save, and see cell and result in the file."""
    page.keyboard.press("Control+s")
    rename = page.get_by_role("button", name="Rename", exact=False)
    with contextlib.suppress(PlaywrightTimeout):
        rename.click(timeout=TRY_MS)
    return wait_for_saved(root)


def wait_for_saved(root):
    """Return the notebook in `root` that holds the cell and its result, once there is one."""
    return wait_until(lambda: _saved_notebook(root), what="the saved notebook", deadline_seconds=20)


def _saved_notebook(root):
    with contextlib.suppress(json.JSONDecodeError):  # half written
        for file in root.glob("*.ipynb"):
            cells = json.loads(file.read_text())["cells"]
            if cells and cells[0]["source"] in ("6*7", ["6*7"]) and cells[0]["outputs"]:
                return file
    return None


def reload_notebook(page: Page):
    """Reload, and see the result come back from the file."""
    page.reload()
    expect(page.locator(".jp-OutputArea-output", has_text="42").first).to_be_visible(timeout=STEP_MS)


def use_terminal(page: Page, base_url: str, root):
    """Open a terminal in a fresh workspace (a restored notebook takes the keys away), write a file, and see it."""
    page.goto(f"{base_url}/lab?reset")
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.wait_for(timeout=STEP_MS)
    choose(page, "File", "New", "Terminal")
    write_file_by_terminal(page, root)


def write_file_by_terminal(page: Page, root, screen: str = ".jp-Terminal .xterm-screen"):
    """Write a file with the terminal that is shown, and see it."""
    made = root / "by-terminal.txt"

    def is_there():
        return made.exists() and made.read_text() == "42\n"

    for _ in range(STEP_MS // TRY_MS):
        page.locator(screen).first.click(timeout=STEP_MS)
        page.keyboard.press("Control+c")
        page.keyboard.type("echo $((6*7)) > by-terminal.txt\n")  # a terminal that is still opening swallows keys
        with contextlib.suppress(TimeoutError):
            wait_until(is_there, what="the terminal's file", deadline_seconds=TRY_MS / 1000)
            return
    assert is_there()


def upload_file(page: Page, root, file):
    """Upload `file` with the file browser, and see the same bytes arrive."""
    with page.expect_file_chooser(timeout=STEP_MS) as chooser:
        page.locator('.jp-FileBrowser [data-command="filebrowser:upload"], .jp-id-upload').first.click()
    chooser.value.set_files(file)
    wait_for_upload(root, file)


def wait_for_upload(root, file):
    """Wait until the same bytes lie in `root`."""
    arrived = root / file.name
    wait_until(lambda: arrived.exists() and arrived.read_bytes() == file.read_bytes(), what="the upload")


def download_file(page: Page, name: str) -> bytes:
    """Download `name` from the file browser's menu, and return its bytes."""
    item = page.locator(".jp-DirListing-item", has_text=name).first
    item.click(button="right", timeout=STEP_MS)
    with page.expect_download(timeout=STEP_MS) as download:
        page.locator('.lm-Menu-item[data-command="filebrowser:download"]').first.click(timeout=STEP_MS)
    return download.value.path().read_bytes()


def log_out(page: Page):
    """Choose Log Out in Lab's menu; the gateway's own page asks, and ends the session."""
    leave(page)
    page.get_by_role("button", name="Sign out", exact=True).click(timeout=STEP_MS)


def _first_cell(page: Page):
    page.locator(".jp-NotebookPanel .jp-Cell .cm-content").first.click()


def _run(page: Page, result: Locator):
    """Run the cell and see `result`.

    Lab says "idle" a moment before its session is wired; a run in that moment is lost, natively too: hence tries.
    """
    for _ in range(STEP_MS // TRY_MS):
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(PlaywrightTimeout):
            result.wait_for(timeout=TRY_MS)
            return
    expect(result).to_be_visible(timeout=TRY_MS)


def leave(page: Page):
    """Choose Log Out in the menu."""
    choose(page, "File", "Log Out")


def choose(page: Page, bar: str, *path: str):
    """Choose the item at `path` below `bar` of the menu bar."""
    page.locator(".lm-MenuBar-itemLabel", has_text=bar).first.click(timeout=STEP_MS)
    for name in path:
        label = page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True)
        label.first.click(timeout=STEP_MS)
