"""What a person does in Notebook 7, step by step; each step says by the file system or the page that it worked."""

import lab_steps
from lab_steps import STEP_MS
from playwright.sync_api import Page, expect

START = "/tree"


def work(page: Page, site: str, root, file):
    """Do everything the main job asks for in the server at `site`, whose files lie in `root`; `file` goes up and down."""
    notebook = new(page, site, "Python 3 (ipykernel)")
    expect(notebook.locator(".jp-NotebookPanel .jp-Cell").first).to_be_visible(timeout=STEP_MS)
    expect(notebook.locator(".jp-NotebookKernelStatus, .jp-Notebook-ExecutionIndicator").first).to_be_attached()
    lab_steps.run_six_times_seven(notebook)
    lab_steps.save_notebook(notebook, root)
    lab_steps.reload_notebook(notebook)
    notebook.close()
    terminal = new(page, site, "Terminal")
    lab_steps.write_file_by_terminal(terminal, root)
    terminal.close()
    page.goto(f"{site}{START}")
    lab_steps.upload_file(page, root, file)
    assert file.read_bytes() == lab_steps.download_file(page, file.name)


def new(page: Page, site: str, what: str) -> Page:
    """Choose `what` in the menu New of the file list; return the page that opens."""
    page.goto(f"{site}{START}")
    page.locator('[data-jp-item-name="new-dropdown"] .lm-MenuBar-item').click(timeout=STEP_MS)
    with page.context.expect_page(timeout=STEP_MS) as opened:
        page.locator(".lm-Menu-itemLabel").get_by_text(what, exact=True).first.click(timeout=STEP_MS)
    return opened.value


def leave(page: Page):
    """Choose Log Out in the menu."""
    lab_steps.choose(page, "File", "Log Out")
