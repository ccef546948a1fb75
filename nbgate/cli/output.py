"""Data for standard output: as a table for people, as JSON for programs; nothing in either can command a terminal."""

import json
from collections.abc import Iterable, Sequence
from typing import Literal

from nbgate.terminal import clean


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with aligned columns."""
    texts = [tuple(heads), *(tuple(clean(str(cell)) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_list(
    format: Literal["table", "json"],  # noqa: A002 - the flag's name
    values: object,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Write `values` for programs, or as these `rows` for people."""
    if format == "json":
        print_json(values)
    else:
        print_table(heads, rows)


def print_json(value: object) -> None:
    """Write data for programs; whatever is not ASCII is escaped, so that nothing in it can command a terminal."""
    print(json.dumps(value, indent=2))
