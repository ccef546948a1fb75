"""What a person does in Voila, alone or in a Jupyter server: find a notebook, see it run, press a button in it."""

import json

from lab_steps import STEP_MS
from playwright.sync_api import Page, expect

START = "/voila/tree"
NAME = "widget.ipynb"
WIDGET = """import ipywidgets
button, label = ipywidgets.Button(description="Multiply"), ipywidgets.Label("not yet")
button.on_click(lambda _: setattr(label, "value", str(7 * 9)))
ipywidgets.VBox([button, label])"""


def prepare(root):
    """Put a notebook with a result and a widget into `root`."""
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [{**code, "id": f"cell-{n}", "source": source} for n, source in enumerate(("6*7", WIDGET))]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
    (root / NAME).write_text(json.dumps(notebook), encoding="utf-8")


def work(page: Page, site: str, root, file):
    """Open the notebook from the list, see its result, press its button, and all of it again after a reload."""
    page.goto(f"{site}{START}")
    with page.context.expect_page(timeout=STEP_MS) as opened:
        page.locator(".jp-DirListing-item", has_text=NAME).dblclick(timeout=STEP_MS)
    rendered = opened.value
    see_it_work(rendered)
    rendered.reload()
    see_it_work(rendered)
    rendered.wait_for_load_state("networkidle")
    rendered.close()


def see_it_work(page: Page):
    """See the cell's result, press the button and see what it does in the kernel."""
    expect(page.locator(".jp-OutputArea-output", has_text="42").first).to_be_visible(timeout=STEP_MS)
    page.get_by_role("button", name="Multiply").click(timeout=STEP_MS)
    expect(page.get_by_text("63", exact=True)).to_be_visible(timeout=STEP_MS)
