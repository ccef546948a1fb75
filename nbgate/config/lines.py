"""Find the line on which a TOML file says something; only needed when something is wrong with it.

Exact by construction: no grammar of our own, it asks the real parser how much of the file each statement takes.
"""

import tomllib
from collections.abc import Iterator
from typing import Any


def lines_of(text: str) -> dict[str, int]:
    """Return the first line of every dotted key and table header of a valid TOML text.

    A file is parsed once for each of its lines: fine for a configuration, and only done to report an error.
    """
    found: dict[str, int] = {}
    lines = text.splitlines()
    begins = 1
    for end in range(1, len(lines) + 1):
        try:
            known = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:  # within a statement of several lines
            continue
        for key in _keys(known):
            found.setdefault(key, begins)
        begins = end + 1
    return found


def _keys(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        key = dotted(prefix, name)
        yield key
        if isinstance(value, dict):
            yield from _keys(value, f"{key}.")


def dotted(prefix: str, name: str) -> str:
    """Return the dotted key of `name` in the table `prefix`; a name that itself has a dot keeps its quotes."""
    return f'{prefix}"{name}"' if "." in name else prefix + name
