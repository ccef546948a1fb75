"""What kind of values an option has: said in words, and read from the text of a flag or a variable.

Pure; knows annotated types, not options.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from msgspec import Meta

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LONGEST_SHOWN = 60


def documentation(kind: Any) -> str:
    """Return the one line that an option's annotated type carries."""
    return next(note.description or "" for note in get_args(kind)[1:] if isinstance(note, Meta))


def in_words(kind: Any) -> str:
    """Return what a value of this kind is, for example `an integer from 0 to 65535`."""
    return " or ".join(_in_words(plain, notes) for plain, notes in _alternatives(kind))


def value_of(kind: Any, text: str) -> Any:
    """Return what `text` means for an option of this kind; `text` itself where it can mean nothing else."""
    for plain, _ in _alternatives(kind):
        if plain is int and _INTEGER.fullmatch(text):
            return int(text)
        if plain is float and _NUMBER.fullmatch(text):
            return float(text)
        if plain is bool and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if get_origin(plain) is tuple:
            return [value_of(get_args(plain)[0], part.strip()) for part in text.split(",") if part.strip()]
    return text


def shown(value: Any) -> str:
    """Return `value` as an error names it: short, and never the content of a table or list."""
    match value:
        case str():
            return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}...")
        case bool():
            return str(value).lower()
        case Mapping():
            return "a table"
        case list():
            return "this list"
        case _:
            return str(value)


def _alternatives(kind: Any) -> Iterator[tuple[Any, list[Meta]]]:
    """Go through the plain types that `kind` allows, each with its bounds."""
    notes = [note for note in getattr(kind, "__metadata__", ()) if isinstance(note, Meta)]
    plain = getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind
    if plain in {str, int, float, bool} or get_origin(plain) in {Literal, tuple}:
        yield plain, notes
    else:
        for part in get_args(plain):
            yield from _alternatives(part)


def _in_words(plain: Any, notes: list[Meta]) -> str:
    if get_origin(plain) is Literal:
        words = get_args(plain)
        return f"one of {', '.join(words)}" if len(words) > 1 else str(words[0])
    if get_origin(plain) is tuple:
        return " or ".join(_in_words_of_a_list(*one) for one in _alternatives(get_args(plain)[0]))
    return {str: "a string", int: "an integer", float: "a number", bool: "true or false"}[plain] + _range(notes)


def _in_words_of_a_list(plain: Any, notes: list[Meta]) -> str:
    if get_origin(plain) is Literal:
        return f"a list of {', '.join(get_args(plain))}"
    return f"a list of {'strings' if plain is str else 'integers'}{_range(notes)}"


def _range(notes: list[Meta]) -> str:
    above, least, most, longest = (
        next((bound for note in notes if (bound := getattr(note, name)) is not None), None)
        for name in ("gt", "ge", "le", "max_length")
    )
    if longest is not None:
        return f" of at most {longest} characters"
    if above is not None:
        return f" above {above}"
    if least is None:
        return ""
    return f" of at least {least}" if most is None else f" from {least} to {most}"
