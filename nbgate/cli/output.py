"""How the command line speaks: data on stdout, messages on stderr, nothing that could command a terminal.

Errors are lower case without a full stop, each followed by a line that says what to do.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from nbgate.errors import NbgateError, told


def say(text: str) -> None:
    """Write a message for a person."""
    print(clean(text), file=sys.stderr, flush=True)


def print_error(error: NbgateError) -> None:
    """Write what went wrong, all of it, and the hints."""
    for line in told(error):
        say(line)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with aligned columns."""
    texts = [tuple(heads), *(tuple(clean(str(cell)) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """Write data for programs; whatever is not ASCII is escaped, so that nothing in it can command a terminal."""
    print(json.dumps(value, indent=2))


def clean(text: str) -> str:
    """Return `text` with every control character but the line end made visible: names and paths are other people's."""
    return "".join(
        char if char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs"} else ascii(char)[1:-1]
        for char in text
    )
