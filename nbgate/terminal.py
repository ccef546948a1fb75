"""Speak to the operator on stderr: what a person is told, nothing that could command their terminal.

Errors are lower case without a full stop, each followed by a line that says what to do. Not the log, which can be
filtered.
"""

import sys
import unicodedata

from nbgate.errors import NbgateError, told


def say(text: str) -> None:
    """Write a message for a person."""
    print(clean(text), file=sys.stderr, flush=True)


def print_error(error: NbgateError) -> None:
    """Write what went wrong, all of it, and the hints."""
    for line in told(error):
        say(line)


def clean(text: str) -> str:
    """Return `text` with every control character but the line end made visible: names and paths are other people's."""
    return "".join(
        char if char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs"} else ascii(char)[1:-1]
        for char in text
    )
