import msgspec
import pytest

from nbgate.config.changes import Change, changes
from nbgate.config.schema import Config, Limits, Login, RouteOptions


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({}, ()),
        ({"banner": False}, (Change("banner", "true", "false"),)),
        ({"upstream": ("localhost:8888",)}, (Change("upstream", "[]", '["localhost:8888"]'),)),
        (
            {"banner": False, "route": (RouteOptions(at="/a/", upstream="localhost:1"),)},
            (
                Change("banner", "true", "false"),
                Change("route", "[]", '[{at = "/a/", upstream = "localhost:1"}]'),
            ),
        ),
        ({"limits": Limits(headers=65)}, (Change("limits.headers", "64", "65"),)),
        (
            {"login": Login(time_cost=4), "workers": "auto", "cert": "a.pem"},
            (
                Change("cert", '""', '"a.pem"'),
                Change("workers", "1", '"auto"'),
                Change("login.time_cost", "3", "4"),
            ),
        ),
    ],
)
def test_options_with_other_values_are_named_in_the_order_of_the_schema(new, expected):
    old = Config()
    assert expected == changes(old, msgspec.structs.replace(old, **new))
    assert tuple(Change(c.option, c.new, c.old) for c in expected) == changes(msgspec.structs.replace(old, **new), old)


def test_of_routes_only_those_that_differ_are_named():
    a, b = RouteOptions(at="/a/", upstream="localhost:1"), RouteOptions(at="/b/", upstream="localhost:2")
    other = msgspec.structs.replace(b, health="api")

    assert () == changes(Config(route=(a, b)), Config(route=(b, a)))
    assert (Change("route", '[{at = "/b/", upstream = "localhost:2"}]', "[]"),) == changes(
        Config(route=(a, b)), Config(route=(a,))
    )
    assert (
        Change(
            "route",
            '[{at = "/b/", upstream = "localhost:2"}]',
            '[{at = "/b/", upstream = "localhost:2", health = "api"}]',
        ),
    ) == changes(Config(route=(a, b)), Config(route=(a, other)))
