"""What a path means under one policy: its route, who answers it, what kind of thing lies there.

All of it follows from the path and the routing table alone, so it is found out once for each path that is asked for
again. It says nothing about people.
"""

from msgspec import Struct

from nbgate.access.paths import Page, open_page
from nbgate.http.target import Target
from nbgate.jupyter.paths import has_data, is_message_channel, is_untouched
from nbgate.model.route import Route, RouteKind
from nbgate.routing.table import RouteTable, rest_of, slash_redirect

MAX_PLACES = 1024
MAX_PATH_CHARS = 256


class Place(Struct, frozen=True, gc=False):
    """What lies at a path.

    Attributes:
        page: Who answers it without a login, if anybody.
        is_own: It is one of our own pages, or a mount's logout, which is ours too.
        has_data: Reading it gives data or has an effect (T18).
        untouched: User content or an asset: never rewritten.
        channel: A kernel's or terminal's websocket.
        lacks_slash: The prefix of its route without the last slash.
    """

    route: Route | None
    page: Page | None
    is_own: bool
    has_data: bool
    untouched: bool
    channel: bool
    lacks_slash: bool


class Places:
    """Finds places; remembers at most `MAX_PLACES` of at most `MAX_PATH_CHARS`, and starts anew when full."""

    def __init__(self, routes: RouteTable) -> None:
        self._routes = routes
        self._known: dict[str, Place] = {}

    def find(self, target: Target) -> Place:
        """Return what lies at the path of `target`."""
        known = self._known.get(target.raw_path)
        return known if known is not None else self._learn(target)

    def _learn(self, target: Target) -> Place:
        place = _look(self._routes, target)
        if len(target.raw_path) <= MAX_PATH_CHARS:
            if len(self._known) >= MAX_PLACES:
                self._known.clear()
            self._known[target.raw_path] = place
        return place


def _look(routes: RouteTable, target: Target) -> Place:
    route = routes.match(target.segments)
    page = open_page(target.segments, route)
    is_own = page is Page.MOUNT_LOGOUT or (route is not None and route.kind is RouteKind.OWN)
    rest = target.segments if route is None else rest_of(route, target.segments)
    return Place(
        route,
        page,
        is_own,
        not is_own and has_data(rest),
        is_untouched(rest),
        is_message_channel(rest),
        route is not None and slash_redirect(route, target) is not None,
    )
