"""What happens when a session ends under an open page, step by step; the steps of JupyterLab itself are in `lab_steps`."""

import contextlib
import itertools
import json
import re
from pathlib import Path

import lab_steps
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from nbgate.testing.gateway import USER, Gateway
from nbgate.testing.wait import wait_until

STEP_SECONDS = 15
SIGNED_OUT = "You are signed out. What you typed is still on this page."
AGAIN = "You are signed in again."
SESSION_ENDED = 4401

_TELL_CLOSES = """
    window.closes = []
    window.WebSocket = class extends WebSocket {
        constructor(...words) {
            super(...words)
            this.addEventListener("close", event => window.closes.push([this.url, event.code]))
        }
    }
"""
_KERNEL = re.compile(r"/api/kernels/[^/?]+\?(\d+)$")


def tell_closes(context: BrowserContext):
    """Have every page note with which codes its websockets close."""
    context.add_init_script(_TELL_CLOSES)


def expect_closed(page: Page, path: str, within_ms: float):
    """See that a websocket of `path` is closed because its session ended."""
    page.wait_for_function(
        "([path, code]) => window.closes.some(close => close[0].includes(path) && close[1] === code)",
        arg=[path, SESSION_ENDED],
        timeout=within_ms,
    )


def closes(page: Page, path: str) -> list[int]:
    """Return the codes with which the websockets of `path` were closed, in order."""
    return [code for url, code in page.evaluate("window.closes") if path in url]


class Answers:
    """The answers a page got: their statuses by path, and when, by the page's clock, it asked for its kernel."""

    def __init__(self, page: Page):
        self.seen = []
        page.on("response", lambda response: self.seen.append((response.url, response.status)))

    def statuses(self, pattern: str) -> set[int]:
        return {status for url, status in self.seen if re.search(pattern, url)}

    def pauses(self) -> list[float]:
        """Return the seconds between one question for the kernel and the next while there was no session."""
        moments = [int(found[1]) for url, status in self.seen if status == 424 and (found := _KERNEL.search(url))]
        return [(after - before) / 1000 for before, after in itertools.pairwise(moments)]


def ticking(name: str) -> str:
    """Return a cell that prints until the file `name`.stop is there, and writes how far it is into `name`.tick."""
    lines = (
        "import pathlib, time",
        "n = 0",
        f"while not pathlib.Path('{name}.stop').exists():",
        "  print('tick', n, flush=True)",
        f"  pathlib.Path('{name}.tick').write_text(str(n))",
        "  n += 1",
        "  time.sleep(0.5)",
        "print('done')",
    )
    return "\n".join(lines) + "\n"


def cells(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".jp-Notebook .cm-content").all_inner_texts()]


def type_in_terminal(page: Page, line: str, made: Path):
    """Type `line` into the terminal that is shown, until the file it makes is there."""
    for _ in range(lab_steps.STEP_MS // lab_steps.TRY_MS):
        page.locator(".jp-Terminal .xterm-screen").first.click(timeout=lab_steps.STEP_MS)
        page.keyboard.press("Control+c")
        page.keyboard.type(f"{line}\n")
        with contextlib.suppress(TimeoutError):
            wait_until(made.exists, what="the terminal's file", deadline_seconds=lab_steps.TRY_MS / 1000)
            return
    assert made.exists()


def open_classic(page: Page, gateway: Gateway, base_url: str, file: Path):
    """Make a notebook of one empty cell, sign in, and open it in classic Notebook."""
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}
    file.write_text(json.dumps(notebook))
    page.goto(f"{base_url}/notebooks/{file.name}")
    sign_in(page, gateway)
    expect_classic_kernel(page)


def expect_classic_kernel(page: Page):
    """Wait until the page has its kernel."""
    ready = "() => window.Jupyter?.notebook?.kernel?.is_connected() === true"
    page.wait_for_function(ready, timeout=lab_steps.STEP_MS)


def run_classic_cell(page: Page, code: str):
    """Type `code` into the first cell and run it."""
    page.locator(".cell .CodeMirror").first.click()
    page.keyboard.insert_text(code)
    page.evaluate("Jupyter.notebook.execute_cells([0])")
    expect(page.locator(".input_prompt").first).to_have_text(re.compile(r"In\s\[1\]"))


def close_classic_dialogs(page: Page):
    """Close what it says of its lost server."""
    with contextlib.suppress(PlaywrightTimeout):
        while True:
            page.locator(".modal-footer button:visible").first.click(timeout=lab_steps.TRY_MS)


def sign_in(page: Page, gateway: Gateway):
    """Fill in the login page."""
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(gateway.password)
    page.get_by_role("button", name="Sign in").click()


def end_all_others(page: Page, base_url: str, gateway: Gateway):
    """Sign in in another browser, and end every other sign-in on the account page."""
    page.goto(f"{base_url}/_nbgate/account")
    sign_in(page, gateway)
    page.get_by_role("link", name="End all others").click()
    confirm = page.get_by_label("Password")
    if confirm.count():
        confirm.fill(gateway.password)
    page.get_by_role("button", name="End all others").click()


def revoke(gateway: Gateway):
    """End every sign-in of the user on the command line."""
    done = gateway.command("sessions", "revoke", "--user", USER)
    assert 0 == done.returncode, done.stderr


def let_pass(page: Page, seconds: int):
    """Move the browser's clock, in every tab.

    In steps: an answer takes no time of that clock, so what is asked in a step is answered before the next begins.
    """
    for _ in range(seconds // STEP_SECONDS):
        page.context.clock.run_for(STEP_SECONDS * 1000)
        page.evaluate("fetch('/_nbgate/health').then(answer => answer.text())")


def bar(page: Page):
    return page.locator("#nbgate-bar .bar")


def words(page: Page):
    return bar(page).locator("p")


def expect_signed_out(page: Page):
    let_pass(page, STEP_SECONDS)
    expect(words(page)).to_have_text(SIGNED_OUT)


def sign_in_window(page: Page, gateway: Gateway):
    """Sign in in the small window that the bar opens; it closes itself."""
    with page.context.expect_page() as opened:
        bar(page).get_by_role("button", name="Sign in").click()
    with opened.value.expect_event("close"):
        sign_in(opened.value, gateway)


def close_dialogs(page: Page):
    """Close what Lab says of what it could not save in between."""
    with contextlib.suppress(PlaywrightTimeout):
        while True:
            page.locator(".jp-Dialog").get_by_role("button", name="Close").click(timeout=lab_steps.TRY_MS)


def saved_sources(root) -> list[list[str]]:
    """Return the cells of every notebook below `root`."""
    found = []
    for file in root.glob("*.ipynb"):
        with contextlib.suppress(json.JSONDecodeError):  # half written
            found.append(["".join(cell["source"]) for cell in json.loads(file.read_text())["cells"]])
    return found
