"""Read the shipped tables of methods and headers into the values that the shape check and the rewrites use.

Refuses a table that is unsorted, repeats a row or gives no reason: a table that nobody can read is no guard. Only
`shipped_tables` touches a file, and it is called at the edges.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import TypeVar

import msgspec
from msgspec import Struct

from nbgate.errors import ConfigError, Problem
from nbgate.http.headers import HeaderTables, make_tables
from nbgate.resources import data_path

FILES = ("methods.toml", "request-headers.toml", "response-headers.toml")

T = TypeVar("T")

_METHOD = re.compile(r"[A-Z]{3,10}")
_NAME = re.compile(r"[a-z0-9-]+")


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One row: a whole name or the beginning of one, and why it stands there."""

    reason: str
    name: str = ""
    prefix: str = ""

    @property
    def key(self) -> str:
        """Return what the rows are sorted by."""
        return self.name or self.prefix


class _Methods(Struct, frozen=True, forbid_unknown_fields=True):
    method: tuple[Row, ...]


class _RequestHeaders(Struct, frozen=True, forbid_unknown_fields=True):
    refused: tuple[Row, ...]
    stripped: tuple[Row, ...]


class _ResponseHeaders(Struct, frozen=True, forbid_unknown_fields=True):
    stripped: tuple[Row, ...]


def load_tables(methods_toml: str, request_toml: str, response_toml: str) -> HeaderTables:
    """Build the tables from the texts of `FILES`.

    Raises:
        ConfigError: When a text is not TOML of the right form, or a row is unsorted, repeated, unclear or unreasoned.
    """
    methods = _convert(FILES[0], methods_toml, _Methods)
    request = _convert(FILES[1], request_toml, _RequestHeaders)
    response = _convert(FILES[2], response_toml, _ResponseHeaders)
    problems = (
        *_judge_rows(FILES[0], "method", methods.method, _METHOD, prefixes=False),
        *_judge_rows(FILES[1], "refused", request.refused, _NAME, prefixes=False),
        *_judge_rows(FILES[1], "stripped", request.stripped, _NAME, prefixes=True),
        *_judge_rows(FILES[2], "stripped", response.stripped, _NAME, prefixes=True),
    )
    if problems:
        raise ConfigError(problems)
    return make_tables(
        methods=_names(methods.method),
        refused=_names(request.refused),
        stripped=(_names(request.stripped), _prefixes(request.stripped)),
        upstream_stripped=(_names(response.stripped), _prefixes(response.stripped)),
    )


def shipped_tables() -> HeaderTables:
    """Read the tables that are installed with the package."""
    methods, request, response = (data_path("rules", file).read_text(encoding="utf-8") for file in FILES)
    return load_tables(methods, request, response)


def _convert(file: str, text: str, form: type[T]) -> T:
    try:
        return msgspec.convert(tomllib.loads(text), form)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            (Problem(f"rules/{file}", str(error), "each row has a reason and a name or prefix"),)
        ) from error


def _judge_rows(
    file: str, table: str, rows: tuple[Row, ...], spelling: re.Pattern[str], *, prefixes: bool
) -> Iterator[Problem]:
    """Say what is wrong with the rows of one table."""
    before = ""
    for row in rows:
        where = f"rules/{file}: {table} {row.key or '(nameless)'}"
        if bool(row.name) == bool(row.prefix) or (row.prefix and not prefixes):
            yield Problem(where, "the row needs exactly one name", "prefix is for stripped headers only")
        elif spelling.fullmatch(row.key) is None:
            yield Problem(where, "not spelled as this table spells names", "methods upper case, headers lower case")
        if not row.reason:
            yield Problem(where, "the row has no reason", 'say in it why the row is there: reason = "..."')
        if row.key <= before:
            yield Problem(where, f"stands after {before}", "sort the rows, each name once")
        before = row.key


def _names(rows: tuple[Row, ...]) -> frozenset[str]:
    return frozenset(row.name for row in rows if row.name)


def _prefixes(rows: tuple[Row, ...]) -> tuple[str, ...]:
    return tuple(row.prefix for row in rows if row.prefix)
