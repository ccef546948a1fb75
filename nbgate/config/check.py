"""Compare a table of values with the schema, and find everything that is wrong with it, not only the first thing.

Pure. Knows keys and types, not where a value came from.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import Struct

from nbgate.config.addresses import AddressError, parse_listen_ip
from nbgate.config.allow import parse_allow
from nbgate.config.kinds import documentation, in_words, shown, value_of
from nbgate.config.lines import dotted
from nbgate.config.login import judge_login
from nbgate.config.mounting import judge_mounting
from nbgate.config.names import parse_hosts, parse_networks
from nbgate.config.routes import parse_base_url, parse_items, parse_pin
from nbgate.config.rules import judge_ids, judge_ports
from nbgate.config.schema import Config

LISTS: Final = frozenset({"route"})  # written as [[route]], once for each: see `nbgate.config.tables`
_PARSED: Final[Mapping[str, Callable[[Any], object]]] = {
    "allow": parse_allow,
    "base_url": parse_base_url,
    "hosts": parse_hosts,
    "ip": parse_listen_ip,
    "trusted_proxies": parse_networks,
    "upstream": parse_items,
    "upstream_pin": parse_pin,
}


class Finding(Struct, frozen=True):
    """One thing wrong: the dotted key, what is wrong with it, what to do."""

    key: str
    text: str
    hint: str = ""


@cache
def option_types() -> Mapping[str, Any]:
    """Return every option's dotted key with its annotated type, in the order of the schema; none of a [[table]]."""
    return dict(_leaves(Config, ""))


@cache
def tables() -> frozenset[str]:
    """Return the names of the tables that options stand in."""
    return frozenset(key.rpartition(".")[0] for key in option_types()) - {""}


def _leaves(table: type[Struct], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, kind in get_type_hints(table, include_extras=True).items():
        if prefix + name in LISTS:
            continue
        if isinstance(kind, type) and issubclass(kind, Struct):
            yield from _leaves(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, kind


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Go through the values of nested tables with their dotted keys; an unknown table is a value."""
    for name, value in table.items():
        key = dotted(prefix, name)
        if isinstance(value, Mapping) and key in tables():
            yield from flatten(value, f"{key}.")
        else:
            yield key, value


def judge_option(key: str, value: Any) -> Finding | None:
    """Say what is wrong with one value; None when nothing is."""
    if key in tables():
        return Finding(key, "this is a table", f"write [{key}] and its options below it")
    kind = option_types().get(key)
    if kind is None:
        return Finding(key, "unknown option", meant(key))
    return judge_value(key, kind, value, _PARSED.get(key))


def judge_value(key: str, kind: Any, value: Any, parse: Callable[[Any], object] | None) -> Finding | None:
    """Say what is wrong with a value that is to be of one kind, and something that `parse` takes."""
    if not _fits(kind, value):
        return Finding(key, f"{shown(value)} is not {in_words(kind)}", _instead(key, kind, value))
    try:
        if parse is not None:
            parse(value)
    except AddressError as error:
        return Finding(key, str(error), error.hint)
    return None


def judge_whole(config: Config) -> Iterator[Finding]:
    """Say what is wrong with values that are each right by themselves."""
    if config.key and not config.cert:
        yield Finding("key", "a key without a certificate", "name its certificate too: cert in the file, or --cert")
    if config.http_port and config.http_port == config.port:
        yield Finding("http_port", f"{config.http_port} is the port for HTTPS too", "plain HTTP has port 80 as a rule")
    if config.hsts is True and not config.cert:
        yield Finding(
            "hsts",
            "browsers would let nobody pass the warning about a certificate that nbgate made itself",
            "leave it at auto, or bring a certificate with cert",
        )
    yield from (Finding(*problem) for problem in judge_mounting(config))
    yield from (Finding("disabled_rules", *problem) for problem in judge_ids(config.disabled_rules))
    yield from (Finding("server_proxy_ports", *problem) for problem in judge_ports(config))
    yield from (Finding(*problem) for problem in judge_login(config))
    if config.proxy_protocol and not config.trusted_proxies:
        yield Finding(
            "proxy_protocol",
            "it is not said whose PROXY headers are to be believed",
            "name the proxies' addresses: trusted_proxies in the file, or --trusted-proxies",
        )


def meant(key: str) -> str:
    """Guess which option was meant: the same name in another table, or one that is spelled alike."""
    close = guess(key)
    return f"did you mean {close!r}?" if close else "nbgate config default lists all options"


def guess(key: str) -> str:
    """Return the option or table that was probably meant by `key`, or ""."""
    name = key.rpartition(".")[2].replace("-", "_")
    elsewhere = [known for known in option_types() if known.rpartition(".")[2] == name]
    close = elsewhere or get_close_matches(key.replace("-", "_"), [*option_types(), *tables(), *LISTS], n=1)
    return close[0] if close else ""


def _fits(kind: Any, value: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return not isinstance(value, float) or math.isfinite(value)


def _instead(key: str, kind: Any, value: Any) -> str:
    """Return what to write: the same without its quotes where that is all, else the option's own documentation."""
    unquoted = value_of(kind, value) if isinstance(value, str) else value
    if isinstance(unquoted, list) and isinstance(value, str) and _fits(kind, unquoted):
        return f"in brackets: {key.rpartition('.')[2]} = {msgspec.json.encode(unquoted).decode()}"
    if unquoted != value and _fits(kind, unquoted):
        return f"without quotes: {key.rpartition('.')[2]} = {shown(unquoted)}"
    text = documentation(kind).rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text  # PEM and TLS stay as they are
