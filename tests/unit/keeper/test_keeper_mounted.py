"""The routing table as it was told: what a change makes of it, and the names of the routes."""

import pytest

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.keeper.guarded import HINT_WHEN_SHARING, route_name
from nbgate.keeper.mounted import Diff, Mount, Mounted
from nbgate.keeper.places import Source
from nbgate.keeper.upstreams import Watched
from nbgate.keeper.watches import Watches
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.testing.keeper_parts import FakeUpstream

ONE, TWO = (Upstream(host="127.0.0.1", port=port) for port in (8881, 8882))


class Bench:
    def __init__(self, base="/"):
        self.mounted = Mounted(base)
        self.watches = Watches(FakeUpstream().eyes(), probe=Probe(), clock=ManualClock(), on_change=lambda _: None)
        self.made = 0

    def mount(self, upstream=ONE, source=Source.CONFIGURATION, **spec):
        self.made += 1
        made = Mount(RouteSpec(upstream=upstream, **spec), source, self.made)
        self.watches.use(Watched(upstream=upstream, base_url=made.spec.base_url, allow_open=False), made)
        return made


@pytest.fixture
def bench():
    return Bench()


def names(diff):
    return ([route.name for route in diff.put], list(diff.gone), [state.route for state in diff.states])


def test_only_what_is_another_is_told(bench):
    mounted, lab = bench.mounted, bench.mount(prefix="/lab/")
    name, touched = route_name("/lab/"), mounted.enter(lab)
    assert ([name], [], [name]) == names(mounted.settle(touched))
    assert Diff() == mounted.settle(touched)
    assert Diff() == mounted.settle(touched, bench.mount(TWO).watch)
    assert ([], [], [name]) == names(mounted.settle(touched, lab.watch))
    assert (lab, None) == (mounted.holder(name), mounted.holder("unknown"))
    assert ([], [name], []) == names(mounted.settle(mounted.leave(lab)))
    assert ((), (), []) == (mounted.routes(), mounted.states(), list(mounted.holders()))


def test_a_place_that_passes_to_another_is_told_with_a_newer_state(bench):
    mounted = bench.mounted
    named, added = bench.mount(prefix="/lab/"), bench.mount(TWO, Source.RUNTIME, prefix="/lab/")
    mounted.settle(mounted.enter(added))
    before = added.generation
    diff = mounted.settle(mounted.enter(named))
    assert ([8881], True) == ([route.upstream.port for route in diff.put], diff.states[0].generation > before)
    assert (named, None) == (mounted.rival(added), mounted.rival(named))


def test_two_equal_routes_of_different_mounts_differ_in_their_state(bench):
    mounted = bench.mounted
    old, new = bench.mount(prefix="/lab/"), bench.mount(prefix="/lab/", token="t")
    mounted.settle(mounted.enter(old))
    touched = mounted.enter(new) | mounted.leave(old)
    assert ([], [], [route_name("/lab/")]) == names(mounted.settle(touched))


def test_a_place_nobody_ever_had_is_nothing_to_tell(bench):
    assert Diff() == bench.mounted.settle({("", "/lab/")})


def test_a_longer_name_stays_when_the_short_one_is_free_again(bench, monkeypatch):
    monkeypatch.setattr("nbgate.keeper.mounted.route_name", lambda prefix, host, digits=1: "r" * digits)
    mounted, one, two = bench.mounted, bench.mount(prefix="/1/"), bench.mount(TWO, prefix="/2/")
    for mount in (one, two):
        mounted.settle(mounted.enter(mount))
    assert ["r", "r" * 64] == [mounted.route_of(mount).name for mount in (one, two)]
    assert ([], ["r"], []) == names(mounted.settle(mounted.leave(one)))
    assert Diff() == mounted.settle(mounted.enter(two))
    assert "r" * 64 == mounted.route_of(two).name
    assert ([], ["r" * 64], []) == names(mounted.settle(mounted.leave(two)))
    assert (["r"], [], ["r"]) == names(mounted.settle(mounted.enter(one)))


def test_who_may_use_it_is_said_by_its_spec_or_else_by_the_list(bench):
    mounted = bench.mounted
    mounted.allow = {"/a/": ("bob",), "/b/": ("bob",)}
    for mount in (bench.mount(prefix="/a/"), bench.mount(prefix="/b/", allowed=("ada",)), bench.mount(prefix="/c/")):
        mounted.settle(mounted.enter(mount))
    allowed = {route.prefix: route.allowed for route in mounted.routes()}
    assert {"/a/": ("bob",), "/b/": ("ada",), "/c/": ()} == allowed
    mounted.allow = {}
    assert ["/a/"] == [route.prefix for route in mounted.settle_all().put]


def test_whoever_joins_a_host_lets_in_those_who_are_let_in_there(bench):
    mounted = bench.mounted
    mounted.allow = {"/a/": ("ada", "bob"), "/b/": ("bob", "ada")}
    assert mounted.may_join("/anything/")
    mounted.settle(mounted.enter(bench.mount(prefix="/a/")))
    mounted.settle(mounted.enter(bench.mount(host="lab.test", prefix="/")))
    assert [True, False] == [mounted.may_join(prefix) for prefix in ("/b/", "/c/")]


@pytest.mark.parametrize(
    ("base", "prefix", "is_free"),
    [("/", "/lab/", False), ("/", "/lab2/", True), ("/", "/_nbgate/x/", False), ("/x/", "/lab/", False)],
)
def test_a_place_is_free_where_nobody_else_is_and_we_are_not(base, prefix, is_free):
    bench = Bench(base)
    lab, found = bench.mount(prefix="/lab/"), bench.mount(TWO, Source.FOUND)
    bench.mounted.settle(bench.mounted.enter(lab))
    assert is_free is bench.mounted.is_free(found, prefix)
    assert bench.mounted.is_free(lab, "/lab/")


def test_a_found_server_waits_until_somebody_chose_a_place(bench):
    found = bench.mount(source=Source.FOUND)
    assert (True, set()) == (found.is_waiting, bench.mounted.enter(found))
    found.is_apart = True
    shown = bench.mounted.show(found)
    assert ("", HINT_WHEN_SHARING, Source.FOUND) == (shown.at, shown.hint, shown.source)


def test_a_mount_says_where_it_wants_to_be(bench):
    mount = bench.mount(host="lab.test", base_url="/jl/")
    assert ("/jl/", "lab.test/jl/", "127.0.0.1:8881/jl/") == (mount.prefix, mount.at, mount.address)
    elsewhere = bench.mount(host="lab.test", prefix="/x/", base_url="/jl/")
    assert ("lab.test/x/", "127.0.0.1:8881/jl/") == (elsewhere.at, elsewhere.address)
