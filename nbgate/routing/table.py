"""The routing table: host and decoded segments in, `Route` out; and the swap of prefixes on the raw bytes of a target.

It decides nothing about people or methods. It never decodes: `nbgate.http.target` has done that, once, and what is
matched here is exactly what is forwarded.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from nbgate.errors import ConfigError, Problem
from nbgate.http.hosts import name_of
from nbgate.http.target import Target
from nbgate.model.route import Route, RouteKind

MAX_PREFIX_SEGMENTS = 64
_PATH = re.compile(
    r"/(?:[!$-.0-:=@-Z_a-z~]+/)*"
)  # RFC 3986 section 3.3, with escapes; no ";", which ends a cookie's Path


class _Folder(Struct, frozen=True, gc=False):
    """A path that is a prefix or leads to one; `routes` counts those at it and below."""

    route: Route | None = None
    routes: int = 0


_Folders = dict[tuple[str, ...], _Folder]
_NOTHING = _Folder()


class _Draft:
    """A table in the making. What it begins with belongs to another table, and is copied before it is changed.

    Attributes:
        routes: By name.
        folders: By host, and there by path; "" stands for every host that is not named.
        own: The folders of our own pages alone: they are on every host.
    """

    __slots__ = ("_copied", "folders", "own", "routes")

    def __init__(self, before: "_Draft | None" = None) -> None:
        self.routes: dict[str, Route] = {} if before is None else dict(before.routes)
        self.folders: dict[str, _Folders] = {"": {}} if before is None else dict(before.folders)
        self.own: _Folders = {} if before is None else dict(before.own)
        self._copied: set[str] = set()

    def add(self, route: Route) -> None:
        """Take in a route that has no fault; our own pages come before all others."""
        self.routes[route.name] = route
        if route.kind is RouteKind.OWN:
            _add(self.own, route)
        _add(self._of(route.host), route)

    def drop(self, name: str) -> None:
        """Leave out a notebook server; a host without any goes too."""
        route = self.routes.get(name)
        if route is None or route.kind is RouteKind.OWN:
            return
        del self.routes[name]
        folders = self._of(route.host)
        _remove(folders, prefix_segments(route))
        if route.host and folders.get((), _NOTHING).routes == self.own.get((), _NOTHING).routes:
            del self.folders[route.host]
            self._copied.discard(route.host)

    def faults(self, route: Route) -> Iterator[Problem]:
        """Say why `route` cannot be taken in."""
        where = f"route {route.name}"
        for what, path in (("prefix", route.prefix), ("base URL", route.base_url)):
            if _PATH.fullmatch(path) is None or path.count("/") > MAX_PREFIX_SEGMENTS:
                yield Problem(where, f"{what} {path!r} is not of the form /.../", "begin and end it with one slash")
        if route.name in self.routes:
            yield Problem(where, "its name is used by another route", "give each route a name of its own")
        segments = prefix_segments(route)
        folders = self.folders.get(route.host, self.own)
        above = [folders.get(segments[:depth], _NOTHING).route for depth in range(len(segments))]
        if folders.get(segments, _NOTHING).route is not None:
            yield Problem(where, f"prefix {route.prefix} is used by another route", "give each route its own prefix")
        elif any(other is not None and other.kind is RouteKind.OWN for other in above):
            yield Problem(where, f"prefix {route.prefix} lies in the gateway's own pages", "give it another one")

    def _of(self, host: str) -> _Folders:
        """Return the folders of a host, to be changed."""
        if host not in self._copied:
            self._copied.add(host)
            self.folders[host] = dict(self.folders.get(host, self.own))
        return self.folders[host]


class RouteTable:
    """Routes by host and prefix; the longest prefix wins, compared segment by segment. It never changes.

    A host with routes of its own has no others but our own pages; the routes without a host are for all the rest. What
    a lookup costs grows with the depth of the path, not with the number of routes.

    Raises:
        ConfigError: when a prefix is not well-formed, or two routes share a place or a name.
    """

    __slots__ = ("_draft", "_folders")

    def __init__(self, routes: Iterable[Route], draft: _Draft | None = None) -> None:
        self._draft = draft or _Draft()
        problems: list[Problem] = []
        for route in sorted(routes, key=lambda route: route.kind is not RouteKind.OWN):
            found = [*self._draft.faults(route)]
            problems += found
            if not found:
                self._draft.add(route)
        if problems:
            raise ConfigError(tuple(problems))
        self._folders = self._draft.folders

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names that have routes of their own, sorted."""
        return tuple(sorted(host for host in self._folders if host))

    @property
    def has_hosts(self) -> bool:
        """True when there is such a name."""
        return len(self._folders) > 1

    @property
    def routes(self) -> Collection[Route]:
        """Return all routes."""
        return self._draft.routes.values()

    def get(self, name: str) -> Route | None:
        """Return the route of this name."""
        return self._draft.routes.get(name)

    def host_of(self, host: str) -> str:
        """Return the name in a Host if it has routes of its own, "" for every other one.

        With a dot at its end it is the same name.
        """
        if not self.has_hosts:
            return ""
        name = name_of(host).removesuffix(".")
        return name if name in self._folders else ""

    def match(self, segments: tuple[str, ...], host: str = "") -> Route | None:
        """Return the route with the longest prefix of `segments`.

        Args:
            segments: As in `Target.segments`. The prefix without its last slash matches too: see `slash_redirect`.
            host: What `host_of` gave.
        """
        folders = self._folders[host]
        found = folders.get((), _NOTHING).route
        for depth in range(1, len(segments) + 1):
            folder = folders.get(segments[:depth])
            if folder is None:
                break
            if folder.route is not None:
                found = folder.route
                if folder.routes == 1:  # nothing lies below
                    break
        return found

    def has_others_below(self, route: Route, folder: tuple[str, ...]) -> bool:
        """Say whether the prefix of another route than `route` lies at or below `folder`, on the same host."""
        itself = prefix_segments(route)[: len(folder)] == folder
        return self._folders[route.host].get(folder, _NOTHING).routes > itself

    def count(self, host: str = "") -> int:
        """Return how many notebook servers there are on a host (what `host_of` gave)."""
        return self._folders[host].get((), _NOTHING).routes - self._draft.own.get((), _NOTHING).routes

    def only(self, host: str = "") -> Route | None:
        """Return the notebook server of a host (what `host_of` gave) that has no other one."""
        if self.count(host) != 1:
            return None
        routes = (folder.route for folder in self._folders[host].values())
        return next(route for route in routes if route is not None and route.kind is not RouteKind.OWN)

    def with_changes(self, put: Iterable[Route] = (), gone: Iterable[str] = ()) -> "RouteTable":
        """Return another table: those of the names `gone` go, then each of `put` takes the place of its name.

        Our own pages stay. It costs a copy of one dict for each host that is concerned, and of two for all.

        Raises:
            ConfigError: As for a new table; this one stays as it is.
        """
        put, draft = tuple(put), _Draft(self._draft)
        for name in (*gone, *(route.name for route in put)):
            draft.drop(name)
        return RouteTable(put, draft)


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


def _add(folders: _Folders, route: Route) -> None:
    segments = prefix_segments(route)
    for depth in range(len(segments) + 1):
        folder = folders.get(segments[:depth], _NOTHING)
        folders[segments[:depth]] = _Folder(route if depth == len(segments) else folder.route, folder.routes + 1)


def _remove(folders: _Folders, segments: tuple[str, ...]) -> None:
    for depth in range(len(segments) + 1):
        folder = folders.pop(segments[:depth])
        if folder.routes > 1:
            folders[segments[:depth]] = _Folder(None if depth == len(segments) else folder.route, folder.routes - 1)
