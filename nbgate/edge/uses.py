"""How many routes lead to each upstream, in one worker; a change costs what it changes, however many routes there are.

Counts and nothing else: routes are found in the policy in force.
"""

from collections import Counter
from collections.abc import Iterable

from nbgate.model.route import Upstream
from nbgate.routing.table import RouteTable


class Uses:
    """The upstreams of the routes in force."""

    def __init__(self) -> None:
        self._routes: Counter[Upstream] = Counter()

    def load(self, routes: RouteTable) -> None:
        """Count `routes` in place of all those before."""
        self._routes = Counter(route.upstream for route in routes.routes)

    def change(self, before: RouteTable, now: RouteTable, names: Iterable[str]) -> None:
        """Take note that `now` is in force in place of `before`, from which it differs in the routes of these names."""
        for name in set(names):
            if (route := now.get(name)) is not None:
                self._routes[route.upstream] += 1
            if (route := before.get(name)) is not None:
                self._routes[route.upstream] -= 1
                if not self._routes[route.upstream]:
                    del self._routes[route.upstream]

    def has(self, upstream: Upstream) -> bool:
        """Say whether a route leads to `upstream`."""
        return upstream in self._routes
