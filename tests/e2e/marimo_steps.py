"""What a person does in marimo: open a notebook from the list, change and run a cell, save, and find it again."""

from lab_steps import STEP_MS
from playwright.sync_api import Page, expect

from nbgate.testing.wait import wait_until

START = "/"
NAME = "answer.py"
NOTEBOOK = """import marimo

app = marimo.App()


@app.cell
def _():
    1 + 1
    return


if __name__ == "__main__":
    app.run()
"""


def prepare(root):
    """Put a notebook into `root`."""
    (root / NAME).write_text(NOTEBOOK, encoding="utf-8")


def work(page: Page, site: str, root, file):
    """Open the notebook from the list, write `6*7` into its cell, run and save it, and see it again after a reload."""
    page.goto(f"{site}{START}")
    with page.context.expect_page(timeout=STEP_MS) as opened:
        page.get_by_role("link", name=NAME).click(timeout=STEP_MS)
    notebook = opened.value
    cell = notebook.locator(".marimo-cell .cm-content").first
    cell.click(timeout=STEP_MS)
    notebook.keyboard.press("Control+a")
    notebook.keyboard.type("6*7")
    notebook.keyboard.press("Control+Enter")
    see_result(notebook)
    notebook.keyboard.press("Control+s")
    wait_until(lambda: "6*7" in (root / NAME).read_text(encoding="utf-8").replace(" ", ""), what="the saved notebook")
    notebook.reload()
    see_result(notebook)
    notebook.wait_for_load_state("networkidle")
    notebook.close()


def see_result(page: Page):
    """See 42 below the cell."""
    expect(page.locator(".marimo-cell .output", has_text="42").first).to_be_visible(timeout=STEP_MS)
