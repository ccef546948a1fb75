"""Who may use which notebook server, as an operator writes it: a prefix, an equals sign, user names with commas.

Pure. Whether a server is mounted there, and whether the people exist, is not known here.
"""

import re
from collections.abc import Sequence

from nbgate.config.addresses import AddressError, is_base
from nbgate.errors import InputRefused
from nbgate.model.account import parse_user_name

_HINT = "write the notebook server's prefix, = and who may use it, for example /ada/=ada,bob"
_NEXT_ITEM = re.compile(r",(?=\s*/)")


def split_allow(text: str) -> list[str]:
    """Return the items of one text, as a variable or a flag holds them: commas stand between names too.

    A name has no slash, so that a comma before one always ends an item.
    """
    return [item.strip() for item in _NEXT_ITEM.split(text) if item.strip()]


def parse_allow(items: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return who may use a notebook server, by its prefix; whoever is not named there may not.

    Args:
        items: Each as `/prefix/=ada,bob`.

    Raises:
        AddressError: One is none of these, names nobody, or says once more what another one says.
    """
    allowed: dict[str, tuple[str, ...]] = {}
    for item in items:
        text, equals, names = item.partition("=")
        prefix = _parse_prefix(text.strip(), item, has_names=bool(equals))
        if prefix in allowed:
            raise AddressError(f"{prefix} is named twice", "write all names of a prefix into one item")
        allowed[prefix] = parse_names(names.split(","), prefix)
    return allowed


def _parse_prefix(text: str, item: str, *, has_names: bool) -> str:
    if not has_names:
        raise AddressError(f"{item!r} does not say who may use it", _HINT)
    prefix = f"/{text.strip('/')}/" if text.strip("/") else "/"
    if not is_base(prefix) or not text:
        raise AddressError(f"{text!r} is not a prefix", _HINT)
    if prefix != text:
        raise AddressError(f"{text!r} is not a prefix", f"did you mean {prefix}?")
    return prefix


def parse_names(texts: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the names of those who may use the notebook server at `place`, each once.

    Raises:
        AddressError: There is none, or one is no user name.
    """
    names = [name.strip() for name in texts if name.strip()]
    if not names:
        raise AddressError(f"nobody may use {place}", "name who may, or take it away: then all users may")
    return tuple(dict.fromkeys(map(_parse_name, names)))


def _parse_name(text: str) -> str:
    try:
        return parse_user_name(text)
    except InputRefused as error:
        raise AddressError(f"{text!r} is no user name", error.hint) from error
