"""Open the person's browser, where there is a person in front of this machine with one."""

import os
import sys
from collections.abc import Mapping
from typing import Literal


def wants_browser(option: Literal["auto"] | bool, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Say whether to open a browser.

    Args:
        option: The option `browser`; `auto` means: on a terminal of a graphical session of this machine.
        environ: The environment: it shows the session, and whether the terminal is somewhere else.
        is_terminal: Standard input is a terminal.
    """
    if option != "auto":
        return option
    has_display = bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    return is_terminal and has_display and not environ.get("SSH_CONNECTION")


def open_browser(url: str) -> None:
    """Start the browser in the background, where there is one; it outlives this process and writes on no terminal.

    Forks twice, so that nobody has to see it end: only for a process with one thread.
    """
    between = os.fork()
    if between == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _become_browser(url)
        finally:
            os._exit(0)  # nothing of the parent's may run here: no handler, no buffer
    os.waitpid(between, 0)


def _become_browser(url: str) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.execv(sys.executable, [sys.executable, "-I", "-m", "webbrowser", url])  # noqa: S606 - our own program, no shell
