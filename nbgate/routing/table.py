"""The routing table: decoded segments in, `Route` out; and the swap of prefixes on the raw bytes of a target.

It decides nothing about people or methods. It never decodes: `nbgate.http.target` has done that, once, and what is
matched here is exactly what is forwarded.
"""

from collections import Counter
from collections.abc import Iterable

from nbgate.errors import ConfigError, Problem
from nbgate.http.target import Target
from nbgate.model.route import Route


class RouteTable:
    """Routes by prefix; the longest one wins, compared segment by segment.

    Raises:
        ConfigError: when a prefix is not well-formed, or two routes share one.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_prefix: dict[tuple[str, ...], Route] = {}
        problems: list[Problem] = []
        for route in routes:
            segments = prefix_segments(route)
            problems += _problems(route, taken=segments in self._by_prefix)
            self._by_prefix[segments] = route
        if problems:
            raise ConfigError(tuple(problems))
        self._lengths = tuple(sorted({len(segments) for segments in self._by_prefix}, reverse=True))
        self._at_or_below = Counter(
            segments[:depth] for segments in self._by_prefix for depth in range(len(segments) + 1)
        )

    def match(self, segments: tuple[str, ...]) -> Route | None:
        """Return the route with the longest prefix of `segments`.

        Args:
            segments: As in `Target.segments`. The prefix without its last slash matches too: see `slash_redirect`.
        """
        for length in self._lengths:
            route = self._by_prefix.get(segments[:length])
            if route is not None:
                return route
        return None

    def has_others_below(self, route: Route, folder: tuple[str, ...]) -> bool:
        """Say whether the prefix of another route than `route` lies at or below `folder`."""
        itself = prefix_segments(route)[: len(folder)] == folder
        return self._at_or_below[folder] > itself


def prefix_segments(route: Route) -> tuple[str, ...]:
    """Return the segments of the route's prefix: `/user/ada/` is `("user", "ada")`, `/` is `()`."""
    return tuple(route.prefix.strip("/").split("/")) if route.prefix != "/" else ()


def rest_of(route: Route, segments: tuple[str, ...]) -> tuple[str, ...]:
    """Return what follows the route's prefix, as the upstream sees it below its base URL."""
    return segments[route.prefix.count("/") - 1 :]


def slash_redirect(route: Route, target: Target) -> str | None:
    """Return where a request for the prefix without its last slash belongs, or None when the slash is there.

    The query is kept. Relative links of a page would otherwise be resolved one level too high.
    """
    if len(target.segments) >= route.prefix.count("/"):
        return None
    return f"{route.prefix}?{target.query}" if target.query else route.prefix


def upstream_target(route: Route, target: Target) -> bytes:
    """Return the target for the upstream: the same raw bytes, with the prefix replaced by the base URL.

    Args:
        route: The match of `target.segments`.
        target: One for which `slash_redirect` is None.

    The prefix is cut off by counting slashes, because it may be spelled with escapes (`/user/%61da/`): an encoded
    slash is refused wherever a prefix could stand, so raw and decoded segments are the same in number.
    """
    if route.prefix == route.base_url == "/":
        return target.raw
    rest = target.raw_path.split("/", route.prefix.count("/"))[-1]
    query = target.raw[len(target.raw_path) :]
    return f"{route.base_url}{rest}".encode("ascii") + query


def _problems(route: Route, *, taken: bool) -> Iterable[Problem]:
    where = f"route {route.name}"
    for what, path in (("prefix", route.prefix), ("base URL", route.base_url)):
        if not (path.startswith("/") and path.endswith("/") and "//" not in path and path.isascii()):
            yield Problem(where, f"{what} {path!r} is not of the form /.../", "begin and end it with one slash")
    if taken:
        yield Problem(where, f"prefix {route.prefix} is used by another route", "give each route its own prefix")
