"""What a path means under one policy: its route, who answers it, what kind of thing lies there, which rules match it.

All of it follows from the path, the routing table and the rules alone, so it is found out once for each path that is
asked for again. It says nothing about people.
"""

from msgspec import Struct

from nbgate.access.paths import Page, is_own_document, open_page
from nbgate.http.target import Target
from nbgate.jupyter.paths import has_data, has_effect, is_untouched, is_user_content
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

    def finding(self, action: Action, method: str) -> Rule | None:
        """Return the first rule that says `action` of a request with this method."""
        for rule in self.findings:
            if rule.action is action and (not rule.methods or method in rule.methods):
                return rule
        return None


class Places:
    """Finds places; remembers at most `MAX_PLACES` of at most `MAX_PATH_CHARS`, and starts anew when full."""

    def __init__(self, routes: RouteTable, rules: RuleTable) -> None:
        self._routes = routes
        self._rules = rules
        self._known: dict[str, Place] = {}

    def find(self, target: Target) -> Place:
        """Return what lies at the path of `target`."""
        known = self._known.get(target.raw_path)
        return known if known is not None else self._learn(target)

    def _learn(self, target: Target) -> Place:
        place = _look(self._routes, self._rules, target)
        if len(target.raw_path) <= MAX_PATH_CHARS:
            if len(self._known) >= MAX_PLACES:
                self._known.clear()
            self._known[target.raw_path] = place
        return place


def _look(routes: RouteTable, rules: RuleTable, target: Target) -> Place:
    route = routes.match(target.segments)
    page = open_page(target.segments, route)
    is_own = page is Page.MOUNT_LOGOUT or (route is not None and route.kind is RouteKind.OWN)
    rest = target.segments if route is None else rest_of(route, target.segments)
    users = is_user_content(rest)
    return Place(
        route,
        page,
        is_own,
        not is_own and has_data(rest),
        is_untouched(rest),
        route is not None and slash_redirect(route, target) is not None,
        _find_rules(rules, route, target),
        user_content=users,
        is_document=page is Page.MOUNT_LOGOUT or is_own_document(target.segments),
        may_be_worker=not (users or is_own or page is not None) and _rules_its_mount(routes, route, target.segments),
        has_effect=not (is_own or page is not None or route is None) and has_effect(rest),
    )


def _rules_its_mount(routes: RouteTable, route: Route | None, segments: tuple[str, ...]) -> bool:
    """A service worker rules its script's folder, and must rule no other mount."""
    return route is not None and not routes.has_others_below(route, segments[:-1])


def _find_rules(rules: RuleTable, route: Route | None, target: Target) -> tuple[Rule, ...]:
    """Ask the rules for the host and, below a notebook server's prefix, those for mounts; our own pages have none."""
    as_sent = tuple(target.raw_path[1:].split("/"))
    if route is None:
        return rules.find(At.HOST, target.segments, as_sent)
    if route.kind is not RouteKind.NOTEBOOK:
        return ()
    found = rules.find(At.MOUNT, rest_of(route, target.segments), rest_of(route, as_sent))
    return found if route.prefix != "/" else rules.find(At.HOST, target.segments, as_sent) + found
