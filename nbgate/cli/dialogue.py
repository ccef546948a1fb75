"""Ask a person something on the terminal. Questions stand on standard error; answers are never shown again."""

import sys

from nbgate.errors import ExitCode, StartError


def has_terminal() -> bool:
    """Say whether somebody sits there who can read and answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def require_terminal(what: str, hint: str) -> None:
    """Return if there is a terminal.

    Raises:
        StartError: There is none to do `what` on (2).
    """
    if not has_terminal():
        raise StartError(f"there is no terminal to {what}", hint=hint, exit_code=ExitCode.USAGE)


def read_line(prompt: str) -> str:
    """Return the line that is typed.

    Raises:
        EOFError: There is none any more.
    """
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def is_yes(prompt: str) -> bool:
    """Say whether the answer is yes; an empty one is no.

    Raises:
        EOFError: There is none any more.
    """
    return read_line(prompt).strip().lower() in {"y", "yes"}
