"""What a person does in Notebook 6.5 and nbclassic, step by step; each step says by the file system or the page that
it worked."""

import contextlib

import lab_steps
from lab_steps import STEP_MS, TRY_MS
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

START = "/tree"


def work(page: Page, site: str, root, file):
    """Do everything the main job asks for in the server at `site`, whose files lie in `root`; `file` goes up and down."""
    notebook = new(page, site, "#kernel-python3 a")
    run_six_times_seven(notebook)
    notebook.keyboard.press("Control+s")
    lab_steps.wait_for_saved(root)
    notebook.reload()
    expect(notebook.locator(".output_result", has_text="42").first).to_be_visible(timeout=STEP_MS)
    notebook.close()
    terminal = new(page, site, "#new-terminal a")
    lab_steps.write_file_by_terminal(terminal, root, screen=".terminal, .xterm-screen")
    terminal.close()
    page.goto(f"{site}{START}")
    upload_file(page, root, file)
    assert file.read_bytes() == download_file(page, file.name)


def new(page: Page, site: str, item: str) -> Page:
    """Choose `item` in the menu New of the file list; return the page that opens."""
    page.goto(f"{site}{START}")
    page.locator("#new-dropdown-button").click(timeout=STEP_MS)
    with page.context.expect_page(timeout=STEP_MS) as opened:
        page.locator(item).first.click(timeout=STEP_MS)
    return opened.value


def run_six_times_seven(page: Page):
    """Type `6*7`, run it and see 42; a run before the kernel's session is wired is lost: hence tries."""
    page.locator(".CodeMirror").first.click(timeout=STEP_MS)
    page.keyboard.type("6*7")
    result = page.locator(".output_result", has_text="42").first
    for _ in range(STEP_MS // TRY_MS):
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(PlaywrightTimeout):
            result.wait_for(timeout=TRY_MS)
            return
    expect(result).to_be_visible(timeout=TRY_MS)


def upload_file(page: Page, root, file):
    """Upload `file` with the file list, and see the same bytes arrive."""
    page.locator("#notebook_list_header").wait_for(timeout=STEP_MS)
    page.locator("#alternate_upload input[type=file], input.fileinput").first.set_input_files(file)
    page.locator(".upload_button").first.click(timeout=STEP_MS)
    lab_steps.wait_for_upload(root, file)


def download_file(page: Page, name: str) -> bytes:
    """Choose `name` in the file list and press Download; return its bytes."""
    page.locator(".list_item", has=page.get_by_text(name, exact=True)).locator("input[type=checkbox]").check()
    with page.context.expect_event("download", timeout=STEP_MS) as download:  # a page of its own, gone by then
        page.locator(".download-button").click(timeout=STEP_MS)
    return download.value.path().read_bytes()


def leave(page: Page):
    """Press Logout."""
    page.locator("#logout").click(timeout=STEP_MS)
