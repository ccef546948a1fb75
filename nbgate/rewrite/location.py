"""Map addresses in the heads of an upstream's answers to the public ones (R5, R6).

Only addresses of the upstream itself are mapped. Nothing here looks into bodies, and no address is made up: what a
browser could read as another host, though the upstream meant a path, is not passed on.
"""

import re
from urllib.parse import quote, unquote

from nbgate.model.route import Route

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_UNCLEAR = re.compile(r"[/\\]{2}|/?\\|.*[\x00-\x1f\x7f]", re.DOTALL)  # browsers read "\" as "/", and overlook tabs
_LINK_TARGET = re.compile(r"<([^<>]*)>")
_NEXT = re.compile(r"(?<=[?&]next=)[^&#]*")


def map_location(value: str, route: Route) -> str | None:
    """Return the public form of an address in Location, Content-Location or SourceMap; None means leave it out.

    Args:
        value: As the upstream sent it.
        route: Whose upstream sent it.

    An absolute address of the upstream becomes a path: it was made from the Host we sent. Any other host is what the
    upstream really wants (a sign-on elsewhere) and passes. `//host/x` never is: notebook servers send it only when
    they were tricked into it (`P//evil.test/`, CVE-2020-26215 and its kin).
    """
    scheme = _SCHEME.match(value)
    if scheme is not None:
        authority, slash, path = value[scheme.end() :].partition("/")
        if authority.lower() != route.upstream.authority.lower():
            return value
        value = slash + path if slash else "/"
    mapped = map_path(value, route)
    if mapped is None or mapped is value or "next=" not in mapped:
        return mapped
    return _NEXT.sub(lambda found: _map_next(found[0], route), mapped)


def map_link(value: str, route: Route, public_origin: str) -> str:
    """Return a Link header with the upstream's own addresses made public.

    They stay absolute where they were: JupyterLab reads the pages of its extension list with `new URL(...)`.
    """
    authority = f"//{route.upstream.authority.lower()}/"

    def public(found: re.Match[str]) -> str:
        address = found[1]
        scheme, _, rest = address.partition(":")
        absolute = scheme.lower() in {"http", "https"} and f"{rest}/".lower().startswith(authority)
        mapped = map_location(address, route)
        if mapped is None:
            return "<>"
        return f"<{public_origin}{mapped}>" if absolute else f"<{mapped}>"

    return _LINK_TARGET.sub(public, value)


def map_path(path: str, route: Route) -> str | None:
    """Return `path` with the base URL replaced by the route's prefix; a path elsewhere stays as it is.

    None means that a browser could read it as another host, now or then: `/base//x` where the prefix is `/`.
    """
    if _UNCLEAR.match(path) is not None:
        return None
    if route.base_url == route.prefix or not path.startswith(route.base_url):
        return path
    mapped = route.prefix + path[len(route.base_url) :]
    return None if _UNCLEAR.match(mapped) is not None else mapped


def _map_next(value: str, route: Route) -> str:
    """Map the path in a `next=` parameter, to which a login page goes on, in the spelling in which it stands there."""
    base = next((spelled for spelled in _spellings(route.base_url) if value.startswith(spelled)), None)
    if base is None or map_path(unquote(value), route) is None:
        return value
    return (route.prefix if base == route.base_url else quote(route.prefix, safe="")) + value[len(base) :]


def _spellings(path: str) -> tuple[str, ...]:
    escaped = quote(path, safe="")
    return path, escaped, escaped.lower()
