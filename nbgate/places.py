"""What a path means under one policy: its route, who answers it, what kind of thing lies there, which rules match it.

All of it follows from the path, the name of the host, the routing table and the rules alone, so it is found out once
for each path that is asked for again. It says nothing about people.
"""

from collections.abc import Iterable

from msgspec import Struct

from nbgate.access.paths import Page, is_own_document, open_page, own_path
from nbgate.http.target import Target
from nbgate.jupyter.paths import has_data, has_effect, is_kernelspecs, is_untouched, is_user_content
from nbgate.model.route import Route, RouteKind
from nbgate.model.rule import Action, At, Rule
from nbgate.routing.table import RouteTable, rest_of, slash_redirect
from nbgate.rules.match import RuleTable

MAX_PLACES = 1024
MAX_PATH_CHARS = 256


class Place(Struct, frozen=True, gc=False):
    """What lies at a path.

    Attributes:
        page: Who answers it without a login, if anybody.
        is_own: It is one of our own pages, or a mount's logout, which is ours too.
        has_data: Reading it gives data or has an effect (T18).
        untouched: User content or an asset: never rewritten.
        lacks_slash: The prefix of its route without the last slash.
        user_content: Documents here are shown in a sandbox (T22).
        is_document: One of our own pages that only a person may see: a script could take a form token from it (T22).
        has_effect: Reading it may start or run something.
        may_be_worker: The script of a service worker may lie here: below it lies nothing but its own mount, and no user
            content, whose sandbox it would take off (T23).
        findings: The rules whose paths match, in their order; most places have none.
        own: Where it is among our own addresses (`own_path`).
        kernelspecs: JSON here names files of kernels by addresses that are not the public ones.
    """

    route: Route | None
    page: Page | None
    is_own: bool
    has_data: bool
    untouched: bool
    lacks_slash: bool
    findings: tuple[Rule, ...] = ()
    user_content: bool = False
    is_document: bool = False
    may_be_worker: bool = False
    has_effect: bool = False
    own: tuple[str, ...] = ()
    kernelspecs: bool = False

    def finding(self, action: Action, method: str) -> Rule | None:
        """Return the first rule that says `action` of a request with this method."""
        for rule in self.findings:
            if rule.action is action and (not rule.methods or method in rule.methods):
                return rule
        return None


class Places:
    """Finds places; remembers at most `MAX_PLACES` of at most `MAX_PATH_CHARS`, and starts anew when full.

    Args of the constructor:
        routes: Where which server is.
        rules: What is closed.
        base: Segments of the path below which the gateway itself is.

    Attributes:
        routes: The same.
    """

    def __init__(self, routes: RouteTable, rules: RuleTable, base: tuple[str, ...] = ()) -> None:
        self.routes = routes
        self._rules = rules
        self._base = base
        self._has_hosts = routes.has_hosts
        self._known: dict[str, Place] = {}

    def find(self, target: Target, host: str) -> Place:
        """Return what lies at the path of `target`.

        Args:
            target: Of the request.
            host: Its Host, as in `Fields`.
        """
        known = self._known.get(f"{self.routes.host_of(host)}{target.raw_path}" if self._has_hosts else target.raw_path)
        return known if known is not None else self._learn(target, host)

    def with_changes(self, put: Iterable[Route], gone: Iterable[str]) -> "Places":
        """Return the places under a changed routing table (`RouteTable.with_changes`); all are looked up anew.

        Raises:
            ConfigError: As there.
        """
        routes = self.routes.with_changes(put, gone)
        return Places(routes, self._rules.with_closed(route.upstream.port for route in routes.routes), self._base)

    def _learn(self, target: Target, host: str) -> Place:
        host = self.routes.host_of(host) if self._has_hosts else ""
        place = self._look(target, host)
        if len(target.raw_path) <= MAX_PATH_CHARS:
            if len(self._known) >= MAX_PLACES:
                self._known.clear()
            self._known[f"{host}{target.raw_path}"] = place
        return place

    def _look(self, target: Target, host: str) -> Place:
        segments = target.segments
        route = self.routes.match(segments, host)
        own = own_path(segments, self._base)
        page = open_page(segments, route, own, self._base)
        is_own = page is Page.MOUNT_LOGOUT or (route is not None and route.kind is RouteKind.OWN)
        rest = segments if route is None else rest_of(route, segments)
        users = is_user_content(rest)
        return Place(
            route,
            page,
            is_own,
            not is_own and has_data(rest),
            is_untouched(rest),
            route is not None and slash_redirect(route, target) is not None,
            self._find_rules(route, target),
            user_content=users,
            is_document=page is Page.MOUNT_LOGOUT or is_own_document(own),
            may_be_worker=not (users or is_own or page is not None) and self._rules_its_mount(route, segments),
            has_effect=not (is_own or page is not None or route is None) and has_effect(rest),
            own=own,
            kernelspecs=route is not None and route.is_moved and is_kernelspecs(rest),
        )

    def _rules_its_mount(self, route: Route | None, segments: tuple[str, ...]) -> bool:
        """A service worker rules its script's folder, and must rule no other mount."""
        return route is not None and not self.routes.has_others_below(route, segments[:-1])

    def _find_rules(self, route: Route | None, target: Target) -> tuple[Rule, ...]:
        """Ask the rules for the host and, below a notebook server's prefix, those for mounts; our own pages have none.

        A server may have some of them not apply to it.
        """
        as_sent = tuple(target.raw_path[1:].split("/"))
        if route is None:
            return self._rules.find(At.HOST, target.segments, as_sent)
        if route.kind is not RouteKind.NOTEBOOK:
            return ()
        found = self._rules.find(At.MOUNT, rest_of(route, target.segments), rest_of(route, as_sent))
        if route.prefix == "/":
            found = self._rules.find(At.HOST, target.segments, as_sent) + found
        return tuple(rule for rule in found if rule.id not in route.disabled_rules) if found else found
