"""The snapshot by which a worker judges."""

import pytest

from nbgate.config.schema import Limits
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.policy import compile_policy
from nbgate.rules.tables import shipped_tables

OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)


def route(name="main", prefix="/"):
    return Route(name=name, prefix=prefix, upstream=Upstream(host="127.0.0.1", port=8888))


def compiled(*routes, upstreams=(), limits=None, failing=0.0):
    return compile_policy(
        version=3,
        limits=limits or Limits(),
        tables=shipped_tables(),
        routes=routes,
        upstreams=upstreams,
        sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
        audit_failing_since_unix=failing,
    )


@pytest.mark.parametrize(
    ("prefixes", "front"),
    [
        (["/"], "/"),
        (["/lab1/"], "/lab1/"),
        (["/a/b/"], "/a/b/"),
        (["/lab1/", "/lab2/"], "/_nbgate/servers"),
        (["/", "/lab1/"], "/"),
        ([], ""),
    ],
)
def test_where_the_root_leads_is_known(prefixes, front):
    routes = [route(f"r{index}", prefix) for index, prefix in enumerate(prefixes)]
    assert front == compiled(OWN, *routes).front


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
