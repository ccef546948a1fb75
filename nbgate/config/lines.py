"""Find the line on which a TOML file says something.

Exact by construction: no grammar of our own, it asks the real parser where each statement ends.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

_MAY_END = re.compile(r"""[]}]|\"{3}|'{3}""")


def lines_of(text: str) -> dict[str, int]:
    """Return the first line of every dotted key and table header of a valid TOML text.

    The tables of a list are counted: `route[0]`, `route[0].at`. Each statement is parsed by itself, below the header
    that it stands under: a file with thousands of tables takes no longer than they do.
    """
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    header = ""
    statement: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        statement.append(line)
        if len(statement) > 1 and not _MAY_END.search(line):
            continue
        is_header = len(statement) == 1 and line.lstrip().startswith("[")
        header = line if is_header else header
        try:
            known = tomllib.loads(line if is_header else "\n".join((header, *statement)))
        except tomllib.TOMLDecodeError:  # within a statement of several lines
            continue
        for key in _keys(known, counts, is_header=is_header):
            found.setdefault(key, number - len(statement) + 1)
        statement = []
    return found


def _keys(table: dict[str, Any], counts: dict[str, int], prefix: str = "", *, is_header: bool) -> Iterator[str]:
    """Go through the keys of what one statement says.

    Args:
        table: What it says, below its header.
        counts: How many tables there were so far for each [[header]].
        prefix: What stands before the keys.
        is_header: The statement is a header: what it names as a list has one table more from now on.
    """
    for name, value in table.items():
        key = dotted(prefix, name)
        yield key
        below = [(key, value)]
        if isinstance(value, list) and (is_header or key in counts):
            counts[key] = counts.get(key, 0) + is_header
            below = [(f"{key}[{counts[key] - 1}]", value[0])]
        elif isinstance(value, list):
            below = [(f"{key}[{number}]", one) for number, one in enumerate(value)]
        elif key in counts:  # [route.x] is a table of the route that came last
            below = [(f"{key}[{counts[key] - 1}]", value)]
        for place, one in below:
            if isinstance(one, dict):
                yield place
                yield from _keys(one, counts, f"{place}.", is_header=is_header)


def dotted(prefix: str, name: str) -> str:
    """Return the dotted key of `name` in the table `prefix`; a name that itself has a dot keeps its quotes."""
    return f'{prefix}"{name}"' if "." in name else prefix + name
