"""Whatever routes there are: the longest prefix of whole segments wins, and a changed table is as one made anew."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from nbgate.errors import ConfigError
from nbgate.http.target import parse_target
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.routing.table import RouteTable, prefix_segments, rest_of, slash_redirect, upstream_target

UPSTREAM = Upstream(host="127.0.0.1", port=8888)
OWN = Route(name="own", prefix="/_nbgate/", upstream=UPSTREAM, base_url="/_nbgate/", kind=RouteKind.OWN)
NAMES = ("lab1.test", "lab2.test", "a.b.test")
SEGMENTS = st.sampled_from(["a", "b", "ab", "a.b", "user", "_nbgate", "_nbgatex"])
PATHS = st.lists(SEGMENTS, max_size=4).map(tuple)
ASKED = st.builds(
    lambda folder, last: (*folder, *last), PATHS, st.sampled_from([("",), ("a",), ("b", ""), ("user", "a", "x")])
)


def route_of(host, segments, port, name=""):
    prefix = f"/{'/'.join(segments)}/" if segments else "/"
    upstream = msgspec.structs.replace(UPSTREAM, port=port)
    return Route(name=name or f"{host}{prefix}", prefix=prefix, host=host, upstream=upstream)


PLACES = st.tuples(st.sampled_from(["", "", *NAMES]), PATHS.filter(lambda path: path[:1] != ("_nbgate",)))
ROUTES = st.lists(st.builds(lambda place, port: route_of(*place, port), PLACES, st.integers(1, 9)), max_size=12).map(
    lambda routes: tuple({route.name: route for route in routes}.values())
)


def naive(routes, segments, host):
    """Look at every route: those of the host, if it has any, else those without one; our own pages in either case."""
    notebooks = [route for route in routes if route.kind is not RouteKind.OWN]
    on_host = [route for route in notebooks if route.host == host] or [route for route in notebooks if not route.host]
    fitting = [route for route in (OWN, *on_host) if segments[: len(prefix_segments(route))] == prefix_segments(route)]
    return max(fitting, key=lambda route: len(prefix_segments(route)), default=None)


def is_alike(one, other, asked):
    """Two tables that nobody can tell from each other."""
    assert one.hosts == other.hosts
    assert set(one.routes) == set(other.routes)
    for host in ("", *one.hosts):
        assert (one.count(host), one.only(host)) == (other.count(host), other.only(host))
        for segments in asked:
            found = one.match(segments, host)
            assert found == other.match(segments, host)
            assert found is None or (
                one.has_others_below(found, segments[:-1]) == other.has_others_below(found, segments[:-1])
            )
    return True


@settings(max_examples=300, deadline=None)
@given(routes=ROUTES, asked=st.lists(ASKED, min_size=1, max_size=8), host=st.sampled_from(["gw.test", *NAMES]))
def test_the_longest_prefix_wins(routes, asked, host):
    table = RouteTable((OWN, *routes))
    for segments in asked:
        assert naive(routes, segments, host) is table.match(segments, table.host_of(f"{host}:8443"))


@settings(max_examples=300, deadline=None)
@given(routes=ROUTES, asked=ASKED)
def test_nothing_of_another_prefix_is_asked_for_upstream(routes, asked):
    table, target = RouteTable((OWN, *routes)), parse_target("/".join(("", *asked)).encode() + b"?q=/x/")
    found = table.match(target.segments)
    if found is not None and slash_redirect(found, target) is None:
        assert "/".join((found.base_url[:-1], *rest_of(found, target.segments))) + "?q=/x/" == (
            upstream_target(found, target).decode()
        )


@settings(max_examples=300, deadline=None)
@given(
    routes=ROUTES,
    changes=st.lists(st.tuples(ROUTES, st.lists(st.integers(0, 11), max_size=4)), min_size=1, max_size=4),
    asked=st.lists(ASKED, min_size=1, max_size=6),
)
def test_a_changed_table_is_as_one_made_anew(routes, changes, asked):
    table, known = RouteTable((OWN, *routes)), {route.name: route for route in routes}
    for put, gone in changes:
        names = tuple(known)
        gone_names = ("nobody", *(names[index] for index in gone if index < len(names)))
        before, as_before = table, RouteTable((OWN, *known.values()))
        table = table.with_changes(put, gone_names)
        known = {name: route for name, route in known.items() if name not in gone_names}
        known |= {route.name: route for route in put}
        assert is_alike(table, RouteTable((OWN, *known.values())), asked)
        assert is_alike(before, as_before, asked)  # what is in force meanwhile stays as it is


@settings(max_examples=200, deadline=None)
@given(routes=ROUTES, put=ROUTES, names=st.lists(st.sampled_from(["x", "y"]), min_size=12, max_size=12))
def test_a_change_is_refused_where_a_new_table_would_be(routes, put, names):
    renamed = tuple(
        msgspec.structs.replace(route, name=f"{name}{index}")
        for index, (route, name) in enumerate(zip(put, names, strict=False))
    )
    try:
        whole = RouteTable((OWN, *routes, *renamed))
    except ConfigError:
        whole = None
    try:
        changed = RouteTable((OWN, *routes)).with_changes(renamed)
    except ConfigError:
        changed = None
    assert (whole is None) == (changed is None)
    assert whole is None or is_alike(whole, changed, [("a", "")])
