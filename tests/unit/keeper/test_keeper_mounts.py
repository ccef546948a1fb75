"""Several notebook servers: where each is mounted, what is told when one comes, changes or goes."""

import asyncio

import pytest
from msgspec import structs

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.errors import ExitCode, StartError
from nbgate.keeper import mounts as module
from nbgate.keeper.guarded import HINT_WHEN_SHARING, Upstreams, What, route_name
from nbgate.keeper.hints import BY_FLAGS, BY_TABLE
from nbgate.keeper.mounts import Mounts
from nbgate.keeper.places import Source
from nbgate.keeper.probe import Finding, Guard
from nbgate.model.route import Condition, Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.testing.keeper_parts import TOKEN, FakeUpstream, runtime_file

ONE, TWO, THREE = (Upstream(host="127.0.0.1", port=port) for port in (8881, 8882, 8883))


class Town:
    """Notebook servers by their ports, each with a base URL; `down` are those that do not answer."""

    def __init__(self, **options):
        self.servers = FakeUpstream()
        self.bases = {8881: "/", 8882: "/", 8883: "/"}
        self.down = set()
        self.changes = []
        self.options = options

    def eyes(self):
        async def servers(upstream):
            return tuple(file for file in self.files() if file.port == upstream.port)

        async def guard(upstream, base_url):
            return Finding(Guard.DOWN) if upstream.port in self.down else self.servers.guard

        async def running():
            return self.files()

        return structs.replace(self.servers.eyes(), servers=servers, guard=guard, running=running)

    def files(self):
        return tuple(
            runtime_file(port=port, pid=port, base_url=base, hostname="127.0.0.1", root=f"/home/{port}/work")
            for port, base in self.bases.items()
        )

    def mounts(self, *named, **options):
        specs = tuple(
            RouteSpec(upstream=each[0], base_url=each[1]) if isinstance(each, tuple) else each for each in named
        )
        return Mounts(
            Upstreams(named=specs, **options),
            self.eyes(),
            allow_open=False,
            probe=Probe(interval_seconds=1000.0, retry_seconds=1000.0),
            clock=ManualClock(),
            on_change=self.changes.append,
        )

    def told(self):
        """Return what was told since the last call."""
        told = [(change.what, change.address, change.is_rerouted) for change in self.changes]
        self.changes.clear()
        return told


@pytest.fixture
def town():
    return Town()


def places(mounts):
    return {route.host + route.prefix: route.upstream.port for route in mounts.routes()}


def watch_of(mounts, address):
    return next(mount.watch for mount in mounts._all() if mount.watch.watched.address == address)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_the_name_of_a_route_stays():
    assert ("main", "r1fbf348d") == (route_name("/"), route_name("/ada/"))


async def test_each_is_mounted_at_its_own_base_url(town):
    town.bases = {8881: "/", 8882: "/a/", 8883: "/b/"}
    mounts = town.mounts((ONE, ""), (TWO, ""), (THREE, "/b/"))
    assert {"/": 8881, "/b/": 8883} == places(mounts)  # before anybody looked: what was said, and a guess
    await mounts.look_once()
    assert {"/": 8881, "/a/": 8882, "/b/": 8883} == places(mounts)
    mounts.require_apart()
    assert [("main", "/", "/"), (route_name("/a/"), "/a/", "/a/"), (route_name("/b/"), "/b/", "/b/")] == [
        (route.name, route.prefix, route.base_url) for route in sorted(mounts.routes(), key=lambda route: route.prefix)
    ]
    assert {"main", route_name("/a/"), route_name("/b/")} == {state.route for state in mounts.states()}
    assert {TOKEN} == {state.token for state in mounts.states()}
    assert mounts.has_good()


async def test_a_base_url_that_is_known_beats_a_guess_and_keeps_its_place(town):
    town.bases = {8882: "/"}
    town.down = {8881}
    mounts = town.mounts((ONE, ""), (TWO, ""))
    await mounts.look_once()
    assert {"/": 8882} == places(mounts)
    town.down = {8881, 8882}
    await mounts.look_once()
    assert {"/": 8882} == places(mounts)  # it is only restarted
    assert not mounts.has_good()
    town.down, town.bases = set(), {8881: "/", 8882: "/"}
    await mounts.look_once()
    assert {"/": 8881} == places(mounts)  # both are known now: who is named first


async def test_two_at_one_base_url_are_a_start_error_and_later_the_first_stays(town):
    mounts = town.mounts((ONE, ""), (TWO, ""))
    await mounts.look_once()
    with pytest.raises(StartError) as caught:
        mounts.require_apart()
    assert ExitCode.CONFIGURATION == caught.value.exit_code
    assert "127.0.0.1:8881 and 127.0.0.1:8882 have the same base URL /" == caught.value.public
    assert "--upstream /second/=127.0.0.1:8882" in caught.value.hint
    assert {"/": 8881} == places(mounts)
    first, second = mounts.shown()
    assert (("main", "/", ""), ("", "")) == ((first.route, first.prefix, first.hint), (second.route, second.prefix))
    assert second.hint.endswith("--upstream /second/=127.0.0.1:8882")


async def test_a_change_is_told_with_a_generation_that_only_grows(town):
    town.bases = {8881: "/", 8882: "/a/"}
    mounts = town.mounts((ONE, ""), (TWO, ""))
    await mounts.look_once()
    changed = What.CHANGED
    assert {(changed, "127.0.0.1:8881/", False), (changed, "127.0.0.1:8882/a/", True)} == set(town.told())
    town.down = {8882}
    await mounts.look_once()
    (change,) = town.changes
    expected = (What.CHANGED, route_name("/a/"), Condition.DOWN, False)
    assert expected == (change.what, change.route, change.condition, change.is_rerouted)
    state = change.state
    assert (change.route, Condition.DOWN, "") == (state.route, state.condition, state.token)
    others = [each.generation for each in mounts.states() if each.route != change.route]
    assert others < [state.generation]


async def test_what_happens_to_a_server_without_a_place_is_told_without_a_state(town):
    mounts = town.mounts((ONE, ""), (TWO, ""))
    await mounts.look_once()
    town.told()
    town.down = {8882}
    await mounts.look_once()
    ((change),) = town.changes
    assert ("", "127.0.0.1:8882/", None, False) == (change.route, change.address, change.state, change.is_rerouted)


async def test_a_base_url_of_our_own_pages_is_no_place(town):
    town.bases = {8881: "/_nbgate/x/"}
    mounts = town.mounts()
    await mounts.look_once()
    assert {"/work/": 8881} == places(mounts)
    named = town.mounts((ONE, ""))
    await named.look_once()
    assert ({}, "") == (places(named), named.shown()[0].prefix)
    assert named.shown()[0].hint.startswith("nbgate's own pages are there")


async def test_a_suspicion_wakes_the_server_it_is_about(town):
    town.bases = {8881: "/", 8882: "/a/"}
    mounts = town.mounts((ONE, ""), (TWO, ""))
    await mounts.look_once()
    mounts.suspect(route_name("/a/"))
    mounts.suspect("unknown")
    assert [False, True] == [watch_of(mounts, str(each))._wake.is_set() for each in (ONE, TWO)]


async def test_the_first_failure_of_a_look_is_raised_when_all_have_looked(town):
    town.bases = {8881: "/", 8882: "/"}
    mounts = Mounts(
        Upstreams(named=(RouteSpec(upstream=ONE, token_file="/nowhere/token"), RouteSpec(upstream=TWO))),
        town.eyes(),
        allow_open=False,
        probe=Probe(),
        clock=ManualClock(),
        on_change=town.changes.append,
    )
    with pytest.raises(StartError):
        await mounts.look_once()
    assert [TWO.port] == [route.upstream.port for change in town.changes for route in change.put]


# discovery


async def test_what_runs_is_found_and_watched(town):
    town.bases = {8881: "/", 8882: "/a/"}
    mounts = town.mounts(owners=(0, 7))
    assert (True, (), ()) == (mounts.discovers, mounts.routes(), mounts.states())
    await mounts.look_once()
    assert {"/": 8881, "/a/": 8882} == places(mounts)
    assert {(0, 7)} == {route.upstream.owners for route in mounts.routes()}
    assert [What.APPEARED] * 2 + [What.CHANGED] * 2 == [what for what, _, _ in town.told()]


async def test_a_server_that_starts_appears_and_one_that_ends_disappears(town):
    town.bases = {8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    town.told()
    town.bases = {8882: "/a/", 8881: "/"}
    await mounts.scan_once()
    assert [(What.APPEARED, "127.0.0.1:8882/a/", True)] == town.told()
    town.bases = {8882: "/a/"}
    await mounts.scan_once()
    assert [(What.DISAPPEARED, "127.0.0.1:8881/", True)] == town.told()
    assert {"/a/": 8882} == places(mounts)
    await mounts.scan_once()
    assert [] == town.told()
    town.bases = {}
    await mounts.scan_once()
    assert ({}, ()) == (places(mounts), mounts.shown())


async def test_who_was_found_first_keeps_its_base_url_and_the_others_get_names_of_their_own(town):
    """Somebody may be at work there: the kernels of a page are those of one server."""
    town.bases = {8882: "/", 8881: "/"}  # the newest comes first
    mounts = town.mounts()
    await mounts.look_once()
    assert {"/": 8881, "/work/": 8882} == places(mounts)
    assert {"/"} == {route.base_url for route in mounts.routes()}
    town.told()
    town.bases = {8883: "/", 8882: "/", 8881: "/"}
    await mounts.scan_once()
    assert [(What.APPEARED, "127.0.0.1:8883/", True)] == town.told()
    assert {"/": 8881, "/work/": 8882, "/work-2/": 8883} == places(mounts)
    town.bases = {8883: "/", 8882: "/"}
    await mounts.scan_once()
    assert {"/work/": 8882, "/work-2/": 8883} == places(mounts)  # nobody is moved from where they work
    town.bases = {8881: "/", 8883: "/"}
    await mounts.scan_once()
    assert {"/": 8881, "/work-2/": 8883} == places(mounts)  # who comes back has the place it had
    town.bases = {8882: "/", 8881: "/", 8883: "/"}
    await mounts.scan_once()
    assert {"/": 8881, "/work-2/": 8883, "/work/": 8882} == places(mounts)


async def test_a_restarted_server_keeps_its_place_and_is_looked_at_again(town):
    town.bases = {8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    town.told()
    town.files = lambda: (runtime_file(port=8881, pid=9, token="newer"),)
    town.servers.token = "newer"
    await mounts.scan_once()
    watch = watch_of(mounts, "127.0.0.1:8881")
    assert ([], True) == (town.told(), watch._wake.is_set())
    await watch.look_once()
    assert ["newer"] == [state.token for state in mounts.states()]


async def test_a_look_that_ends_after_its_server_is_gone_changes_nothing(town):
    town.bases = {8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    watch = watch_of(mounts, "127.0.0.1:8881")
    town.bases = {}
    await mounts.scan_once()
    town.told()
    town.down = {8881}
    await watch.look_once()
    assert ([], {}) == (town.told(), places(mounts))


async def test_while_it_runs_servers_come_and_go(town, monkeypatch):
    monkeypatch.setattr(module, "SCAN_SECONDS", 0.001)
    town.bases = {}
    mounts = town.mounts()
    running = asyncio.ensure_future(mounts.run())
    town.bases = {8881: "/"}
    await until(mounts.has_good)
    ((held),) = mounts._watches._held.values()
    town.bases = {}
    await until(held.task.cancelled)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_scan_that_fails_changes_nothing_and_the_next_one_may_do_better(town, monkeypatch):
    monkeypatch.setattr(module, "SCAN_SECONDS", 0.001)
    town.bases = {}
    mounts = town.mounts()
    scan, failures = mounts.scan_once, [OSError(24, "Too many open files")] * 3

    async def scan_once():
        if failures:
            raise failures.pop()
        await scan()

    monkeypatch.setattr(mounts, "scan_once", scan_once)
    running = asyncio.ensure_future(mounts.run())
    town.bases = {8881: "/"}
    await until(mounts.has_good)
    assert ([], False) == (failures, running.done())
    running.cancel()
    await asyncio.wait([running])


async def test_named_servers_are_watched_until_it_is_cancelled(town):
    town.bases = {8881: "/", 8882: "/a/"}
    mounts = town.mounts((ONE, ""), (TWO, ""))
    running = asyncio.ensure_future(mounts.run())
    await until(lambda: len(town.changes) == 2)
    running.cancel()
    await asyncio.wait([running])
    assert all(held.task.cancelled() for held in mounts._watches._held.values())


async def test_found_servers_that_different_people_may_use_share_no_host(town):
    """A page of a server that all may use could act at the one that only ada may (T25)."""
    town.bases = {8881: "/", 8882: "/a/"}
    mounts = town.mounts()
    mounts.allow = {"/": ("ada",)}
    await mounts.look_once()
    assert {"/a/": 8882} == places(mounts)  # who was found first
    (apart,) = (shown for shown in mounts.shown() if not shown.prefix)
    assert ("", HINT_WHEN_SHARING) == (apart.at, apart.hint)
    town.told()
    await mounts.scan_once()
    await mounts.look_once()
    assert [] == town.told()
    town.bases = {8881: "/"}
    await mounts.scan_once()
    assert {"/": 8881} == places(mounts)
    shared = town.mounts(shared_origin=True)
    shared.allow = {"/": ("ada",)}
    town.bases = {8881: "/", 8882: "/a/"}
    await shared.look_once()
    assert {"/": 8881, "/a/": 8882} == places(shared)


# places that somebody named


async def test_a_server_is_where_it_was_wanted_whatever_its_own_base_url(town):
    town.bases = {8881: "/", 8882: "/", 8883: "/jl/"}
    specs = (
        RouteSpec(upstream=ONE, prefix="/lab1/", disabled_rules=("r",), allowed=("ada",)),
        RouteSpec(upstream=TWO, host="lab2.example.org", prefix="/"),
        RouteSpec(upstream=THREE, host="lab2.example.org", prefix="/x/"),
    )
    mounts = town.mounts(*specs)
    await mounts.look_once()
    assert {"/lab1/": 8881, "lab2.example.org/": 8882, "lab2.example.org/x/": 8883} == places(mounts)
    mounts.require_apart()
    one, two, three = sorted(mounts.routes(), key=lambda route: route.upstream.port)
    assert (("ada",), ("r",), "/", "") == (one.allowed, one.disabled_rules, one.base_url, one.host)
    assert ("/jl/", route_name("/x/", "lab2.example.org")) == (three.base_url, three.name)
    assert len({one.name, two.name, three.name}) == 3
    shown = mounts.shown()
    assert ["/lab1/", "lab2.example.org/", "lab2.example.org/x/"] == [each.at for each in shown]
    assert {Source.CONFIGURATION} == {each.source for each in shown}


async def test_the_gateways_own_base_url_stands_before_every_place(town):
    town.bases = {8881: "/", 8882: "/jl/"}
    mounts = town.mounts(RouteSpec(upstream=ONE, prefix="/lab1/"), (TWO, ""), base_url="/ipython/")
    await mounts.look_once()
    assert {"/ipython/lab1/": 8881, "/ipython/jl/": 8882} == places(mounts)
    assert [("/jl/", "/ipython/jl/"), ("/lab1/", "/ipython/lab1/")] == [
        (each.at, each.prefix) for each in mounts.shown()
    ]
    mounts.allow = {"/lab1/": ("ada",)}
    assert [("ada",)] == [route.allowed for route in mounts.routes() if route.prefix == "/ipython/lab1/"]
    assert () == mounts.allow_unused()


async def test_one_watch_is_shared_by_all_routes_to_a_server(town):
    specs = [RouteSpec(upstream=ONE, prefix=f"/{number}/") for number in range(5)]
    mounts = town.mounts(*specs)
    assert 1 == len(mounts._watches._held)
    await mounts.look_once()
    town.changes.clear()
    town.down = {8881}
    await mounts.look_once()
    (change,) = town.changes
    assert {route.name for route in mounts.routes()} == {state.route for state in change.states}
    assert {Condition.DOWN} == {state.condition for state in change.states}
    assert ((), ()) == (change.put, change.gone)


async def test_a_server_with_a_credential_of_its_own_has_a_watch_of_its_own(town):
    mounts = town.mounts(
        RouteSpec(upstream=ONE, prefix="/a/"),
        RouteSpec(upstream=ONE, prefix="/b/", token="other"),
        RouteSpec(upstream=ONE, prefix="/c/", allow_open=True),
    )
    assert 3 == len(mounts._watches._held)


async def test_what_one_spec_accepts_no_other_has_to(town):
    town.servers.guard = Finding(Guard.OPEN, 200)
    mounts = town.mounts(RouteSpec(upstream=ONE, prefix="/a/"), RouteSpec(upstream=TWO, prefix="/b/", allow_open=True))
    await mounts.look_once()
    assert {"/a/": Condition.OPEN, "/b/": Condition.OPEN_ALLOWED} == {
        shown.at: shown.condition for shown in mounts.shown()
    }


async def test_what_is_learnt_of_a_base_url_is_told_as_another_route(town):
    town.bases = {8881: "/jl/"}
    mounts = town.mounts(RouteSpec(upstream=ONE, prefix="/lab1/"))
    assert ["/"] == [route.base_url for route in mounts.routes()]
    await mounts.look_once()
    (change,) = town.changes
    assert (["/jl/"], ["/lab1/"]) == ([r.base_url for r in change.put], [r.prefix for r in change.put])
    assert [change.route] == [state.route for state in change.states]


async def test_two_places_whose_names_would_be_one_have_two(town, monkeypatch):
    monkeypatch.setattr("nbgate.keeper.mounted.route_name", lambda prefix, host, digits=1: f"{'r' * digits}")
    mounts = town.mounts(*(RouteSpec(upstream=each, prefix=f"/{each.port}/") for each in (ONE, TWO)))
    await mounts.look_once()
    assert {"r", "r" * 64} == {route.name for route in mounts.routes()} == {state.route for state in mounts.states()}


# added while it runs


async def test_a_server_is_added_changed_and_dropped_and_the_others_notice_nothing(town):
    mounts = town.mounts((ONE, ""))
    await mounts.look_once()
    town.changes.clear()
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab2/"))
    (change,) = town.changes
    expected = (What.APPEARED, route_name("/lab2/"), "127.0.0.1:8882/", Condition.UNKNOWN)
    assert expected == (change.what, change.route, change.address, change.condition)
    assert (["/lab2/"], ()) == ([route.prefix for route in change.put], change.gone)
    await mounts.look_once()
    assert Condition.GUARDED is town.changes[-1].state.condition
    before = town.changes[-1].state.generation
    mounts.put(RouteSpec(upstream=THREE, prefix="/lab2/"))
    change = town.changes[-1]
    assert (What.CHANGED, [8883]) == (change.what, [route.upstream.port for route in change.put])
    assert change.state.generation > before
    assert mounts.drop("", "/lab2/")
    change = town.changes[-1]
    assert (What.DISAPPEARED, route_name("/lab2/"), (route_name("/lab2/"),), ()) == (
        change.what,
        change.route,
        change.gone,
        change.put,
    )
    assert ({"/": 8881}, False, 1) == (places(mounts), mounts.drop("", "/lab2/"), len(mounts._watches._held))


async def test_another_token_for_the_same_server_is_told_as_another_state(town):
    mounts = town.mounts((ONE, ""))
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab2/"))
    town.changes.clear()
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab2/", token="t"))
    (change,) = town.changes
    assert ((), (), [change.route]) == (change.put, change.gone, [state.route for state in change.states])


async def test_who_else_may_use_it_interrupts_nobody(town):
    mounts = town.mounts((ONE, ""))
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab2/"))
    await mounts.look_once()
    town.changes.clear()
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab2/", allowed=("ada",)))
    (change,) = town.changes
    assert (("ada",), Condition.GUARDED) == (change.put[0].allowed, change.state.condition)


async def test_the_configuration_has_the_first_right_to_a_place(town):
    mounts = town.mounts(RouteSpec(upstream=ONE, prefix="/lab/"))
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab/"))
    assert {"/lab/": 8881} == places(mounts)
    (_, added) = mounts.shown()
    assert ("", Source.RUNTIME) == (added.prefix, added.source)


async def test_a_found_server_makes_room_and_gets_a_name(town):
    town.bases = {8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    mounts.put(RouteSpec(upstream=TWO, prefix="/"))
    assert {"/": 8882} == places(mounts)
    town.told()
    await mounts.scan_once()
    assert ({"/": 8882, "/work/": 8881}, [(What.CHANGED, "127.0.0.1:8881/", True)]) == (places(mounts), town.told())
    mounts.drop("", "/")
    await mounts.scan_once()
    assert {"/work/": 8881} == places(mounts)


async def test_a_found_server_that_is_added_is_nowhere_else_any_more(town):
    """Where it is added it may be said who may use it; where it was found, everybody may."""
    town.bases = {8881: "/", 8882: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    assert {"/": 8882, "/work/": 8881} == places(mounts)
    town.changes.clear()
    mounts.put(RouteSpec(upstream=TWO, host="lab1.example.org", prefix="/", allowed=("ada",)))
    (change,) = town.changes
    assert (["lab1.example.org"], ("main",)) == ([route.host for route in change.put], change.gone)
    await mounts.scan_once()
    assert {"lab1.example.org/": 8882, "/work/": 8881} == places(mounts)
    mounts.drop("lab1.example.org", "/")
    await mounts.scan_once()
    assert {"/": 8882, "/work/": 8881} == places(mounts)


async def test_an_added_server_that_guesses_keeps_no_gateway_from_starting(town):
    town.down = {8881}
    town.bases = {}
    mounts = town.mounts((ONE, ""))
    mounts.put(RouteSpec(upstream=TWO, prefix="/"))
    await mounts.look_once()
    mounts.require_apart()
    assert {"/": 8882} == places(mounts)  # what is known stands before a guess


async def test_what_was_added_before_is_there_again_and_nobody_is_told(town):
    mounts = town.mounts((ONE, ""))
    mounts.restore([RouteSpec(upstream=TWO, prefix="/lab2/"), RouteSpec(upstream=THREE, prefix="/lab3/")])
    assert ([], {"/": 8881, "/lab2/": 8882, "/lab3/": 8883}) == (town.changes, places(mounts))
    assert mounts.drop("", "/lab2/")


async def test_an_added_server_is_not_shown_what_was_named_for_all(town):
    """Of those that are named, the configuration says for each whose token it is shown."""
    town.bases = {8881: "/"}
    mounts = town.mounts()
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab2/"))
    await mounts.look_once()
    assert {"/": True, "/lab2/": False} == {m.at: m.watch.watched.may_use_named for m in mounts._all()}
    named = town.mounts(RouteSpec(upstream=TWO, prefix="/lab2/", token_file="/of/all"))
    assert [(False, "/of/all")] == [(m.watch.watched.may_use_named, m.watch.watched.token_file) for m in named._all()]


async def test_owners_are_asked_for_on_this_machine_alone(town):
    far = Upstream(host="192.0.2.7", port=8881)
    mounts = town.mounts(RouteSpec(upstream=ONE, prefix="/a/"), RouteSpec(upstream=far, prefix="/b/"), owners=(0, 7))
    mounts.put(RouteSpec(upstream=TWO, prefix="/c/"))
    assert {"/a/": (0, 7), "/b/": (), "/c/": (0, 7)} == {
        route.prefix: route.upstream.owners for route in mounts.routes()
    }


async def test_an_added_server_is_watched_at_once(town):
    mounts = town.mounts((ONE, ""))
    running = asyncio.ensure_future(mounts.run())
    await until(mounts.has_good)
    mounts.put(RouteSpec(upstream=TWO, prefix="/lab2/"))
    await until(lambda: {Condition.GUARDED} == {state.condition for state in mounts.states()})
    mounts.drop("", "/lab2/")
    assert 1 == len(mounts._watches._held)
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize("in_table", [True, False])
async def test_what_helps_is_told_in_the_words_of_how_a_server_was_named(town, in_table):
    mounts = town.mounts(RouteSpec(upstream=ONE, prefix="/lab1/", in_table=in_table))
    town.servers.guard = Finding(Guard.OPEN, 200)
    await mounts.look_once()
    assert (BY_TABLE if in_table else BY_FLAGS).open == mounts.shown()[0].hint


# one for each user

FOR_EACH = RouteSpec(upstream=Upstream(path="/run/{user}.sock"), host="{user}.example.org", prefix="/")


def hosts(mounts):
    return {route.host: (route.upstream.path, route.allowed) for route in mounts.routes()}


async def test_each_user_has_a_server_of_their_own(town):
    mounts = town.mounts(FOR_EACH, hosts=("gate.example.org:8443",))
    assert {} == hosts(mounts)
    mounts.accounts_changed(["bob", "ada", "gate", "no.label"])
    expected = {f"{name}.example.org": (f"/run/{name}.sock", (name,)) for name in ("ada", "bob")}
    assert (expected, []) == (hosts(mounts), town.changes)
    mounts.accounts_changed(["ada", "bob", "gate"])
    assert [] == town.changes
    mounts.accounts_changed(["ada", "cy"])
    (change,) = town.changes
    assert (What.APPEARED, ["cy.example.org"], 1) == (change.what, [r.host for r in change.put], len(change.gone))
    mounts.accounts_changed(["cy"])
    assert What.DISAPPEARED is town.changes[-1].what
    assert {"cy.example.org"} == set(hosts(mounts))


async def test_a_host_that_somebody_named_is_nobodys_whatever_they_are_called(town):
    mounts = town.mounts(FOR_EACH)
    mounts.accounts_changed(["ada", "lab1"])
    assert {"ada.example.org", "lab1.example.org"} == set(hosts(mounts))
    mounts.put(RouteSpec(upstream=TWO, host="lab1.example.org", prefix="/x/"))
    assert {"ada.example.org/": 0, "lab1.example.org/x/": 8882} == places(mounts)
    mounts.drop("lab1.example.org", "/x/")
    assert {"ada.example.org", "lab1.example.org"} == set(hosts(mounts))


async def test_servers_for_each_user_can_be_added_and_dropped(town):
    mounts = town.mounts((ONE, ""))
    mounts.put(FOR_EACH)
    assert [] == town.changes  # nobody is there yet
    mounts.accounts_changed(["ada"])
    assert {"ada.example.org/": 0, "/": 8881} == places(mounts)
    mounts.accounts_changed(["ada", "bob"])
    town.changes.clear()
    mounts.drop("{user}.example.org", "/")
    assert (2, {"/": 8881}) == (len(town.changes[0].gone), places(mounts))


# another configuration


async def test_another_configuration_takes_the_place_of_the_one_before_and_tells_nobody(town):
    mounts = town.mounts((ONE, ""), RouteSpec(upstream=TWO, prefix="/lab2/"))
    mounts.put(RouteSpec(upstream=THREE, prefix="/lab3/"))
    await mounts.look_once()
    town.changes.clear()
    watch = watch_of(mounts, "127.0.0.1:8882")
    mounts.use(Upstreams(named=(RouteSpec(upstream=TWO, prefix="/second/"),)))
    assert ({"/second/": 8882, "/lab3/": 8883}, []) == (places(mounts), town.changes)
    assert watch is watch_of(mounts, "127.0.0.1:8882")  # it is not looked at anew
    assert {Condition.GUARDED} == {state.condition for state in mounts.states()}
    mounts.use(Upstreams())
    await mounts.look_once()
    assert {"/": 8882, "/lab3/": 8883, "/work/": 8881} == places(mounts)
    mounts.use(Upstreams(named=(RouteSpec(upstream=ONE),)))
    assert ({"/": 8881, "/lab3/": 8883}, False) == (places(mounts), mounts.discovers)


async def test_what_was_found_is_looked_at_again_with_what_is_named_now(town):
    town.bases = {8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    watch = watch_of(mounts, "127.0.0.1:8881")
    assert not watch._wake.is_set()
    mounts.use(Upstreams())
    assert (watch, True) == (watch_of(mounts, "127.0.0.1:8881"), watch._wake.is_set())


async def test_ten_thousand_routes_cost_one_what_it_costs(town):
    """Counted in what is worked out, not in time: a change settles the places it concerns."""
    mounts = town.mounts((ONE, ""))
    mounts.restore(RouteSpec(upstream=TWO, prefix=f"/{number}/") for number in range(10_000))
    settled = []
    settle = mounts._mounted._route
    mounts._mounted._route = lambda *args: settled.append(args) or settle(*args)
    mounts.put(RouteSpec(upstream=TWO, prefix="/5/", allowed=("ada",)))
    assert mounts.drop("", "/6/")
    assert (1, 10_000) == (len(settled), len(mounts.routes()))
