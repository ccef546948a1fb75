"""`nbgate routes ...`: which server is mounted where, through the running gateway, else straight in the store."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from nbgate.cli.gateway import ask_or_do, load_for
from nbgate.cli.output import print_json, print_list
from nbgate.cli.parser import Format, Where
from nbgate.config.document import Loaded
from nbgate.errors import ExitCode, StartError
from nbgate.keeper.routes import RouteBook
from nbgate.terminal import say

At = Annotated[str, Parameter(name="AT", help="Where: /prefix/, host/ or host/prefix/; {user}.example.org/ for each.")]
Address = Annotated[
    str | None,
    Parameter(name="ADDRESS", help="The server: host:port, http(s)://host:port/base/ or unix:/path."),
]
BaseUrl = Annotated[str, Parameter(metavar="BASE", help="Base URL the server was told; without it: found out.")]
TokenFile = Annotated[
    Path | None, Parameter(metavar="FILE", help="File (0600) with its token: what is in it is sent, and kept sealed.")
]
Allow = Annotated[str, Parameter(metavar="NAMES", help="Users who may use it, with commas; without it: all.")]
AllowOpen = Annotated[bool, Parameter(negative=(), help="Accept it although it asks for no credential.")]
Health = Annotated[str, Parameter(metavar="PATH", help="Path below its base URL that is asked whether it lives.")]
Pin = Annotated[str, Parameter(metavar="SHA256", help="SHA-256 of its certificate; for https.")]
CaFile = Annotated[Path | None, Parameter(metavar="FILE", help="PEM file with the authority that vouches for it.")]
Offline = Callable[[RouteBook], Awaitable[Any]]


def list_routes(*, format: Format = "table", where: Where = Where()) -> int:  # noqa: A002 - the flag's name
    """Show all routes."""

    async def offline(book: RouteBook) -> Any:
        return _listed(book)

    routes = _ask(load_for(where), "GET", "/routes", None, offline)["routes"]
    heads = ("at", "server", "base url", "from", "product", "condition", "users")
    rows = [
        (
            *(route[key] or "-" for key in ("at", "upstream", "base_url", "source", "product", "condition")),
            ",".join(route["allow"]) or "all",
        )
        for route in routes
    ]
    print_list(format, routes, heads, rows)
    if format == "table":
        for route in routes:
            if route["hint"]:
                say(f"  hint: {route['at'] or route['upstream']}: {route['hint']}")
    return ExitCode.DONE


def add_route(
    at: At,
    address: Address = None,
    /,
    *,
    base_url: BaseUrl = "",
    token_file: TokenFile = None,
    allow: Allow = "",
    allow_open: AllowOpen = False,
    health: Health = "",
    pin: Pin = "",
    ca_file: CaFile = None,
    format: Format = "table",  # noqa: A002 - the flag's name
    where: Where = Where(),
) -> int:
    """Mount a notebook server, or change where an added route leads."""
    place, address = (at, address) if address is not None else _split(at)
    body: dict[str, Any] = {
        "at": place,
        "upstream": address,
        "base_url": base_url,
        "token": _token_in(token_file),
        "allow": [name.strip() for name in allow.split(",") if name.strip()],
        "health": health,
        "pin": pin,
        "ca": _authorities_in(ca_file),
    }
    if allow_open:
        body["allow_open"] = True
    loaded = load_for(where)

    async def offline(book: RouteBook) -> Any:
        from nbgate.keeper.places import Source
        from nbgate.keeper.route_list import of_spec
        from nbgate.keeper.route_request import parse_request
        from nbgate.web.control_values import route_value

        spec = parse_request(body, loaded.config)
        await book.add(spec, _actor())
        return route_value(of_spec(spec, Source.RUNTIME))

    route = _ask(loaded, "POST", "/routes", {name: value for name, value in body.items() if value}, offline)
    if format == "json":
        print_json(route)
    else:
        say(f"nbgate: {route['upstream']} is mounted at {route['at']}")
        say("  hint: nbgate routes list says how it is")
    return ExitCode.DONE


def remove_route(at: At, /, *, where: Where = Where()) -> int:
    """Take out a route that was added."""
    loaded = load_for(where)

    async def offline(book: RouteBook) -> None:
        from nbgate.keeper.route_request import parse_place

        await book.remove(*parse_place(at), _actor())

    _ask(loaded, "DELETE", f"/routes?at={quote(at, safe='')}", None, offline)
    say(f"nbgate: nothing is mounted at {at} any more")
    return ExitCode.DONE


def _split(text: str) -> tuple[str, str]:
    """Return place and address of `AT=ADDRESS`, as --upstream has them.

    Raises:
        StartError: It is none.
    """
    at, _, address = text.partition("=")
    if not address:
        raise StartError(
            f"which server is to be mounted at {text}",
            hint=f"name its address: nbgate routes add {text} localhost:8888",
            exit_code=ExitCode.USAGE,
        )
    return at, address


def _token_in(path: Path | None) -> str:
    from nbgate.keeper.discovery import load_token

    return "" if path is None else load_token(path, "--token-file")


def _authorities_in(path: Path | None) -> str:
    from nbgate.keeper.authorities import load_authorities

    return "" if path is None else load_authorities(path)


def _listed(book: RouteBook) -> dict[str, Any]:
    from nbgate.web.control_values import route_value

    return {"routes": [route_value(route) for route in book.all()]}


def _ask(loaded: Loaded, method: str, path: str, body: dict[str, Any] | None, offline: Offline) -> Any:
    async def do() -> Any:
        from nbgate.keeper.offline import offline_routes

        async with offline_routes(loaded.config) as book:
            return await offline(book)

    return ask_or_do(loaded, method, path, body, do)


def _actor() -> str:
    from nbgate.web.control import actor_of

    return actor_of(os.geteuid())
