"""Get a new password from a person or a pipe; never from an argument, which every user of the machine could see.

`passwd` is what `from nbgate import passwd` gives, for who wants the hash alone.
"""

import getpass
import os
import sys

from nbgate.crypto.passwords import SALT_BYTES, HashParameters, hash_new_password, judge_new_password
from nbgate.errors import ExitCode, InputRefused, StartError

MAX_BYTES = 65536
TRIES = 3


def passwd(passphrase: str | None = None) -> str:
    """Return the argon2id hash of a password, for `nbgate user add NAME --hash-stdin`.

    Args:
        passphrase: The password; None: it is asked for on the terminal, twice, up to three times.

    Raises:
        InputRefused: The password cannot be set, or three times it was not the same twice.
    """
    if passphrase is None:
        passphrase = _ask_again_and_again()
    return hash_new_password(passphrase, salt=os.urandom(SALT_BYTES), parameters=HashParameters())


def _ask_again_and_again() -> str:
    for _ in range(TRIES):
        password = getpass.getpass("Enter password: ")
        fault = judge_new_password(password)
        if fault is not None:
            print(f"this password cannot be set: {fault.value}", file=sys.stderr)
        elif getpass.getpass("Verify password: ") == password:
            return password
        else:
            print("the two passwords differ", file=sys.stderr)
    raise InputRefused("no password after three tries", hint="try again")


def read_password(*, from_stdin: bool) -> str:
    """Return the new password, exactly as typed.

    Args:
        from_stdin: Read standard input to its end, without the last line end; else ask twice on the terminal.

    Raises:
        StartError: There is no terminal to ask on (2), or what came is no password.
    """
    if not from_stdin:
        return _ask_twice()
    return _from_stdin("password", 'printf %s "$PASSWORD" | nbgate user add NAME --password-stdin')


def read_hash() -> str:
    """Return what standard input holds, to its end and without the last line end.

    Raises:
        StartError: There is nothing, or no text.
    """
    return _from_stdin("hash", "nbgate user add NAME --hash-stdin < FILE")


def _from_stdin(what: str, example: str) -> str:
    data = sys.stdin.buffer.read(MAX_BYTES)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise StartError(
            f"the {what} on standard input is not UTF-8 text",
            hint="convert it: iconv -t UTF-8",
            exit_code=ExitCode.USAGE,
        ) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise StartError(
            f"there is no {what} on standard input", hint=f"for example: {example}", exit_code=ExitCode.USAGE
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
