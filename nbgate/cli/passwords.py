"""Get a new password from a person or a pipe; never from an argument, which every user of the machine could see."""

import getpass
import sys

from nbgate.errors import ExitCode, StartError

MAX_BYTES = 65536


def read_password(*, from_stdin: bool) -> str:
    """Return the new password, exactly as typed.

    Args:
        from_stdin: Read standard input to its end, without the last line end; else ask twice on the terminal.

    Raises:
        StartError: There is no terminal to ask on (2), or what came is no password.
    """
    return _from_stdin() if from_stdin else _ask_twice()


def _from_stdin() -> str:
    data = sys.stdin.buffer.read(MAX_BYTES)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise StartError(
            "the password on standard input is not UTF-8 text",
            hint="convert it: iconv -t UTF-8",
            exit_code=ExitCode.USAGE,
        ) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise StartError(
            "there is no password on standard input",
            hint='for example: printf %s "$PASSWORD" | nbgate user add NAME --password-stdin',
            exit_code=ExitCode.USAGE,
        )
    return text


def _ask_twice() -> str:
    if not sys.stdin.isatty():
        raise StartError(
            "there is no terminal to ask for a password",
            hint="pipe it in and add --password-stdin",
            exit_code=ExitCode.USAGE,
        )
    first = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != first:
        raise StartError("the two passwords differ", hint="nothing was changed: try again")
    return first
