"""When the person's browser is opened, and that it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nbgate
from nbgate.cli.browser import wants_browser
from nbgate.testing.wait import wait_until

SCREEN = {"DISPLAY": ":0"}


@pytest.mark.parametrize(
    ("option", "environ", "is_terminal", "expected"),
    [
        ("auto", SCREEN, True, True),
        ("auto", {"WAYLAND_DISPLAY": "wayland-0"}, True, True),
        ("auto", SCREEN, False, False),
        ("auto", {}, True, False),
        ("auto", {"DISPLAY": ""}, True, False),
        ("auto", {**SCREEN, "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, True, False),
        (True, {}, False, True),
        (False, SCREEN, True, False),
    ],
)
def test_it_is_opened_where_somebody_sits_in_front_of_this_machine(option, environ, is_terminal, expected):
    assert expected == wants_browser(option, environ, is_terminal=is_terminal)


SCRIPT = """
import os, sys
from nbgate.cli.browser import open_browser
open_browser("https://localhost:8443/")
try:
    os.wait()
except ChildProcessError:
    print("no child is left")
"""


def test_the_browser_is_nobodys_child_and_writes_on_no_terminal(tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho noise\necho noise >&2\necho "$1 $PPID $(ps -o sid= -p $$)" > {tmp_path}/opened\n'
    )
    browser.chmod(0o755)
    environ = {**os.environ, "BROWSER": str(browser), "PYTHONPATH": str(Path(nbgate.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environ, capture_output=True, text=True)

    assert (0, "no child is left\n", "") == (done.returncode, done.stdout, done.stderr)
    opened = wait_until(
        lambda: (tmp_path / "opened").exists() and (tmp_path / "opened").read_text(), what="the browser"
    )
    url, _, session = opened.split()
    assert ("https://localhost:8443/", False) == (url, int(session) == os.getsid(0))
