"""Whether some route still leads to an upstream."""

import pytest

from nbgate.edge.uses import Uses
from nbgate.model.route import Route, Upstream
from nbgate.routing.table import RouteTable

A, B = Upstream(host="127.0.0.1", port=1), Upstream(host="127.0.0.1", port=2)
TWO = {"one": A, "two": A}


def table(routes):
    return RouteTable(Route(name=name, prefix=f"/{name}/", upstream=upstream) for name, upstream in routes.items())


@pytest.mark.parametrize(
    ("before", "now", "used"),
    [
        (TWO, TWO, (True, False)),
        (TWO, {"one": A}, (True, False)),
        (TWO, {"one": A, "two": B}, (True, True)),
        (TWO, {"one": B, "two": B}, (False, True)),
        (TWO, {}, (False, False)),
        ({}, {"one": B}, (False, True)),
        ({"one": A}, {"two": A}, (True, False)),
        ({"one": A}, {"one": Upstream(host="127.0.0.1", port=1)}, (True, False)),
    ],
)
def test_an_upstream_is_used_until_the_last_route_to_it_is_gone(before, now, used):
    uses = Uses()
    uses.load(table(before))
    uses.change(table(before), table(now), [*before, *now, "nobody"])
    assert used == (uses.has(A), uses.has(B))


def test_all_can_be_counted_anew():
    uses = Uses()
    uses.load(table(TWO))
    uses.load(table({"one": B}))
    assert (False, True) == (uses.has(A), uses.has(B))
