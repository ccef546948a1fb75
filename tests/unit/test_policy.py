"""The snapshot by which a worker judges."""

import msgspec
import pytest

from nbgate.config.schema import Limits
from nbgate.errors import ConfigError
from nbgate.http.target import parse_target
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.policy import compile_policy
from nbgate.rules.tables import shipped_tables

OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)


def route(name="main", prefix="/", host=""):
    return Route(name=name, prefix=prefix, host=host, upstream=Upstream(host="127.0.0.1", port=8888))


def moved_own(home):
    return msgspec.structs.replace(OWN, prefix=f"{home}_nbgate/", base_url="/_nbgate/")


def compiled(*routes, upstreams=(), limits=None, failing=0.0, base_url="/", exposure=Exposure()):
    return compile_policy(
        version=3,
        limits=limits or Limits(),
        tables=shipped_tables(),
        routes=routes,
        upstreams=upstreams,
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=failing,
        base_url=base_url,
        exposure=exposure,
    )


@pytest.mark.parametrize(
    ("prefixes", "front"),
    [
        (["/lab1/"], "/lab1/"),
        (["/a/b/"], "/a/b/"),
        (["/lab1/", "/lab2/"], "/_nbgate/servers"),
        ([], ""),
    ],
)
def test_where_the_root_leads_is_known(prefixes, front):
    routes = [route(f"r{index}", prefix) for index, prefix in enumerate(prefixes)]
    assert front == compiled(OWN, *routes).front("gw.test")


def test_where_the_root_leads_is_another_thing_on_each_host():
    policy = compiled(OWN, route("a", "/a/"), route("b", "/b/"), route("c", "/c/", host="lab.test"))
    assert ["/_nbgate/servers", "/c/"] == [policy.front(host) for host in ("gw.test", "lab.test:8443")]
    policy = compiled(OWN, route("c", "/c/", host="lab.test"))
    assert ["", "/c/"] == [policy.front(host) for host in ("gw.test", "lab.test")]


def test_below_a_base_url_our_own_pages_move_with_it():
    policy = compiled(moved_own("/a/b/"), route("a", "/a/b/x/"), route("b", "/a/b/y/"), base_url="/a/b/")
    assert ("/a/b/", "/a/b/_nbgate") == (policy.home, policy.own)
    assert "/a/b/_nbgate/servers" == policy.front("gw.test")
    assert b'<script src="/a/b/_nbgate/static/banner.js" defer></script>' == policy.banner_script
    policy = compiled(OWN)
    assert ("/", "/_nbgate") == (policy.home, policy.own)
    assert b'<script src="/_nbgate/static/banner.js" defer></script>' == policy.banner_script


def test_a_base_url_ends_no_attribute_of_a_page():
    assert b'<script src="/a&amp;b&#x27;/_nbgate/' in compiled(moved_own("/a&b'/"), base_url="/a&b'/").banner_script


@pytest.mark.parametrize(
    ("hosts", "ours", "others"),
    [
        ((), ["lab.test", "gw.test", "192.0.2.1:8443"], []),
        (("gw.test",), ["lab.test", "lab.test:99", "gw.test"], ["192.0.2.1", "x.lab.test"]),
        (("gw.test:8443", "lab.test"), ["lab.test", "gw.test:8443"], ["gw.test"]),
    ],
)
def test_our_names_are_those_that_were_named_and_those_of_routes(hosts, ours, others):
    policy = compiled(OWN, route("c", "/c/", host="lab.test"), exposure=Exposure(hosts=hosts))
    assert (tuple(dict.fromkeys((*hosts, "lab.test"))) if hosts else ()) == policy.hosts
    assert [True] * len(ours) == [policy.is_ours(host) for host in ours]
    assert [False] * len(others) == [policy.is_ours(host) for host in others]


# other routes

KNOWN = UpstreamState(route="main", condition=Condition.GUARDED, token="t", generation=4)


def test_a_new_route_is_there_with_its_state():
    lab = route("lab", "/lab/")
    state = UpstreamState(route="lab", condition=Condition.GUARDED, token="u", generation=5)
    before = compiled(OWN, route(), upstreams=(KNOWN,))
    policy = before.with_routes((lab,), (state,))
    assert {"main": KNOWN, "lab": state} == policy.upstreams
    assert lab is policy.places.find(parse_target(b"/lab/x"), "gw.test").route
    assert {"main": KNOWN} == before.upstreams
    assert "main" == before.places.find(parse_target(b"/lab/x"), "gw.test").route.name


def test_a_route_that_goes_takes_its_state_along():
    policy = compiled(OWN, route(), upstreams=(KNOWN,)).with_routes(gone=("main", "nobody"))
    assert {} == policy.upstreams
    assert policy.places.find(parse_target(b"/lab"), "gw.test").route is None
    assert OWN is policy.places.find(parse_target(b"/_nbgate/login"), "gw.test").route


def test_of_a_new_route_without_a_state_nothing_is_known():
    policy = compiled(OWN, route(), upstreams=(KNOWN,)).with_routes((route("lab", "/lab/"),))
    assert UpstreamState(route="lab") == policy.upstreams["lab"]


@pytest.mark.parametrize(
    ("port", "gone", "states", "token"),
    [
        (8888, (), (), "t"),
        (9999, (), (), ""),  # what opens one server is not for another one
        (8888, ("main",), (), ""),
        (9999, (), (UpstreamState(route="main", token="new", generation=1),), "new"),
        (8888, (), (UpstreamState(route="main", token="older", generation=3),), "t"),
        (8888, (), (UpstreamState(route="main", token="newer", generation=4),), "newer"),
        (8888, (), (UpstreamState(route="nobody", token="x", generation=9),), "t"),
    ],
)
def test_a_changed_route_keeps_what_is_known_of_the_same_upstream_alone(port, gone, states, token):
    changed = Route(name="main", prefix="/", base_url="/b/", upstream=Upstream(host="127.0.0.1", port=port))
    policy = compiled(OWN, route(), upstreams=(KNOWN,)).with_routes((changed,), states, gone)
    assert {"main"} == policy.upstreams.keys()
    assert token == policy.upstreams["main"].token


def test_routes_that_do_not_fit_together_change_nothing():
    policy = compiled(OWN, route(), upstreams=(KNOWN,))
    with pytest.raises(ConfigError):
        policy.with_routes((route("other", "/"),))
    assert {"main": KNOWN} == policy.upstreams


def test_the_limits_of_heads_are_those_of_the_configuration():
    policy = compiled(OWN, route(), limits=Limits(head_bytes=2048, line_bytes=512, headers=9), failing=5.0)
    assert (2048, 512, 9) == (policy.head_limits.head_bytes, policy.head_limits.line_bytes, policy.head_limits.headers)
    assert (3, 5.0, OWN) == (policy.version, policy.audit_failing_since_unix, policy.own_route)
    assert ("own", Condition.GUARDED, "") == (
        policy.own_state.route,
        policy.own_state.condition,
        policy.own_state.token,
    )


def test_an_upstream_nobody_looked_at_is_unknown_and_gets_no_request():
    known = UpstreamState(route="lab2", condition=Condition.GUARDED, token="t", generation=4)
    policy = compiled(OWN, route("lab1", "/lab1/"), route("lab2", "/lab2/"), upstreams=(known,))
    assert {"lab1": UpstreamState(route="lab1"), "lab2": known} == policy.upstreams
    assert Condition.UNKNOWN is policy.upstreams["lab1"].condition


@pytest.mark.parametrize(("generation", "taken"), [(4, False), (5, True), (6, True)])
def test_a_newer_state_of_an_upstream_replaces_and_an_older_one_does_not(generation, taken):
    before = UpstreamState(route="main", condition=Condition.DOWN, generation=5)
    after = UpstreamState(route="main", condition=Condition.GUARDED, token="t", generation=generation)
    policy = compiled(OWN, route(), upstreams=(before,))
    newer = policy.with_upstream(after)
    assert (after if taken else before) == newer.upstreams["main"]
    assert before == policy.upstreams["main"]


def test_the_state_of_an_unknown_route_changes_nothing():
    policy = compiled(OWN, route())
    assert policy is policy.with_upstream(UpstreamState(route="gone", generation=9))


def test_another_state_of_the_audit_makes_another_policy_of_the_same_parts():
    policy = compiled(OWN, route())
    failing = policy.with_audit(7.0)
    assert (0.0, 7.0) == (policy.audit_failing_since_unix, failing.audit_failing_since_unix)
    assert policy.head_limits is failing.head_limits
    assert policy.tables is failing.tables


def test_a_policy_cannot_be_changed():
    with pytest.raises(AttributeError):
        compiled(OWN, route()).version = 4


def test_without_own_pages_there_is_no_policy():
    with pytest.raises(StopIteration):
        compiled(route())
