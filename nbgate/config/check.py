"""Compare a table of values with the schema, and find everything that is wrong with it, not only the first thing.

Pure. Knows keys and types, not where a value came from.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from nbgate.config.lines import dotted
from nbgate.config.schema import Config


class Finding(Struct, frozen=True):
    """One thing wrong: the dotted key, what is wrong with it, what to do."""

    key: str
    text: str
    hint: str = ""


@cache
def option_types() -> Mapping[str, Any]:
    """Return every option's dotted key with its annotated type, in the order of the schema."""
    return dict(_leaves(Config, ""))


@cache
def _tables() -> frozenset[str]:
    return frozenset(key.rpartition(".")[0] for key in option_types()) - {""}


def _leaves(table: type[Struct], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, kind in get_type_hints(table, include_extras=True).items():
        if isinstance(kind, type) and issubclass(kind, Struct):
            yield from _leaves(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, kind


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Go through the values of nested tables with their dotted keys; an unknown table is a value."""
    for name, value in table.items():
        key = dotted(prefix, name)
        if isinstance(value, Mapping) and key in _tables():
            yield from flatten(value, f"{key}.")
        else:
            yield key, value


def judge_option(key: str, value: Any) -> Finding | None:
    """Say what is wrong with one value; None when nothing is."""
    if key in _tables():
        return Finding(key, "this is a table", f"write [{key}] and its options below it")
    kind = option_types().get(key)
    if kind is None:
        return Finding(key, "unknown option", _meant(key))
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        text = str(error)
        return Finding(key, text[:1].lower() + text[1:], _what_it_is(kind))
    return None


def _what_it_is(kind: Any) -> str:
    """Return the option's own documentation, as a hint."""
    (described,) = (note.description for note in get_args(kind)[1:] if isinstance(note, Meta) and note.description)
    return f"{described[:1].lower()}{described[1:].rstrip('.')}"


def _meant(key: str) -> str:
    """Guess which option was meant: the same name in another table, or one that is spelled alike."""
    name = key.rpartition(".")[2].replace("-", "_")
    elsewhere = [known for known in option_types() if known.rpartition(".")[2] == name]
    close = elsewhere or get_close_matches(key.replace("-", "_"), [*option_types(), *_tables()], n=1)
    return f"did you mean {close[0]!r}?" if close else "docs/reference/configuration.md lists all options"
