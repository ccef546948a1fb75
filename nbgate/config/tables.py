"""Judge the tables that are written once for each thing they name: [[route]].

Pure. What is right for one table by itself is said here; what goes together, `nbgate.config.mounting` says.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache, partial
from typing import Any, Final, get_type_hints

from msgspec import structs

from nbgate.config.allow import parse_names
from nbgate.config.check import Finding, judge_value
from nbgate.config.folders import absolute
from nbgate.config.lines import dotted
from nbgate.config.routes import parse_at, parse_health, parse_pin, parse_told_base
from nbgate.config.schema import RouteOptions
from nbgate.config.upstreams import parse_address

ROUTE: Final = "route"
ROUTE_PATHS: Final = ("ca_file", "password_file", "token_file")
_PARSED: Final[Mapping[str, Callable[[Any], object]]] = {
    "allow": partial(parse_names, place="it"),
    "at": parse_at,
    "base_url": parse_told_base,
    "health": parse_health,
    "pin": parse_pin,
    "upstream": partial(parse_address, may_be_remote=True),
}


@cache
def route_types() -> Mapping[str, Any]:
    """Return every option of a [[route]] with its annotated type."""
    return get_type_hints(RouteOptions, include_extras=True)


@cache
def _needed() -> tuple[str, ...]:
    return tuple(field.name for field in structs.fields(RouteOptions) if field.required)


def judge_routes(value: Any) -> Iterator[Finding]:
    """Say everything that is wrong with the tables [[route]] of a file."""
    if not isinstance(value, list) or not all(isinstance(table, Mapping) for table in value):
        yield Finding(ROUTE, "each route is a table of its own", f"write [[{ROUTE}]] and its options below it")
        return
    for number, table in enumerate(value):
        place = f"{ROUTE}[{number}]"
        for name in _needed():
            if name not in table:
                yield Finding(place, f"it has no {name!r}", 'at least: at = "/lab1/" and upstream = "localhost:8888"')
        for name, one in table.items():
            if (finding := _judge(f"{place}.{dotted('', name)}", name, one)) is not None:
                yield finding


def _judge(key: str, name: str, value: Any) -> Finding | None:
    if name not in route_types():
        close = get_close_matches(name.replace("-", "_"), route_types(), n=1)
        known = f"a route has {', '.join(route_types())}"
        return Finding(key, "unknown option", f"did you mean {close[0]!r}?" if close else known)
    return judge_value(key, route_types()[name], value, _PARSED.get(name))


def with_paths(table: Mapping[str, Any], folder: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of one [[route]] with absolute paths; relative ones begin at `folder`."""
    paths = {name: absolute(table[name], folder, environ) for name in ROUTE_PATHS if table.get(name)}
    return {**table, **paths}


def in_one_spelling(route: RouteOptions) -> RouteOptions:
    """Return the same with what can be spelled in several ways in the one that is compared."""
    return structs.replace(
        route,
        at="".join(parse_at(route.at)),
        pin=parse_pin(route.pin),
        allow=parse_names(route.allow, route.at) if route.allow else (),
    )
