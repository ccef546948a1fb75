"""Several notebook servers: where each is mounted, what is told when one comes, changes or goes."""

import asyncio

import pytest
from msgspec import structs

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.errors import ExitCode, StartError
from nbgate.keeper import mounts as module
from nbgate.keeper.guarded import Upstreams, What, route_name
from nbgate.keeper.mounts import Mounts
from nbgate.keeper.probe import Finding, Guard
from nbgate.model.route import Condition, Upstream
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
            runtime_file(port=port, pid=port, base_url=base, hostname="127.0.0.1") for port, base in self.bases.items()
        )

    def mounts(self, *named, owners=()):
        return Mounts(
            Upstreams(named=named, owners=owners),
            self.eyes(),
            allow_open=False,
            probe=Probe(interval_seconds=1000.0, retry_seconds=1000.0),
            clock=ManualClock(),
            on_change=self.changes.append,
        )

    def told(self):
        """Return what was told since the last call."""
        told = [(change.what, change.address, change.rerouted) for change in self.changes]
        self.changes.clear()
        return told


@pytest.fixture
def town():
    return Town()


def places(mounts):
    return {route.prefix: route.upstream.port for route in mounts.routes()}


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
    assert "--ServerApp.base_url" in caught.value.hint
    assert {"/": 8881} == places(mounts)
    first, second = mounts.shown()
    assert (("main", "/", ""), ("", "")) == ((first.route, first.prefix, first.hint), (second.route, second.prefix))
    assert "another server has this base URL" in second.hint


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
    assert expected == (change.what, change.route, change.condition, change.rerouted)
    assert (change.route, Condition.DOWN, "", 3) == (
        change.state.route,
        change.state.condition,
        change.state.token,
        change.state.generation,
    )
    assert [1, 3] == sorted(state.generation for state in mounts.states())


async def test_what_happens_to_a_server_without_a_place_is_told_without_a_state(town):
    mounts = town.mounts((ONE, ""), (TWO, ""))
    await mounts.look_once()
    town.told()
    town.down = {8882}
    await mounts.look_once()
    ((change),) = town.changes
    assert ("", "127.0.0.1:8882/", None, False) == (change.route, change.address, change.state, change.rerouted)


async def test_a_base_url_of_our_own_pages_is_no_place(town):
    town.bases = {8881: "/_nbgate/x/"}
    mounts = town.mounts()
    await mounts.look_once()
    assert {} == places(mounts)


async def test_a_suspicion_wakes_the_server_it_is_about(town):
    town.bases = {8881: "/", 8882: "/a/"}
    mounts = town.mounts((ONE, ""), (TWO, ""))
    await mounts.look_once()
    mounts.suspect(route_name("/a/"))
    mounts.suspect("unknown")
    assert [False, True] == [mount.watch._wake.is_set() for mount in mounts._mounts]


async def test_the_first_failure_of_a_look_is_raised_when_all_have_looked(town):
    async def unreadable():
        raise StartError("upstream token file cannot be read")

    town.bases = {8881: "/"}
    eyes = structs.replace(town.eyes(), named_token=unreadable)
    mounts = Mounts(
        Upstreams(named=((ONE, ""), (TWO, ""))),
        eyes,
        allow_open=False,
        probe=Probe(),
        clock=ManualClock(),
        on_change=town.changes.append,
    )
    with pytest.raises(StartError):
        await mounts.look_once()


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


async def test_of_several_the_newest_is_guarded_and_keeps_its_place_from_newer_ones(town):
    """Somebody may be at work there: the kernels of a page are those of one server."""
    town.bases = {8882: "/", 8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    before = mounts.states()[0].generation
    shown, passed_over = mounts.shown()
    assert ("/", "127.0.0.1:8882") == (shown.prefix, shown.address)
    assert ("", "127.0.0.1:8881") == (passed_over.prefix, passed_over.address)
    assert passed_over.hint.endswith("--upstream 127.0.0.1:8881")
    town.told()
    town.bases = {8883: "/", 8882: "/", 8881: "/"}
    await mounts.scan_once()
    assert [] == town.told()
    assert {"/": 8882} == places(mounts)
    town.bases = {8883: "/", 8881: "/"}
    await mounts.scan_once()
    assert [(What.DISAPPEARED, "127.0.0.1:8882/", True), (What.APPEARED, "127.0.0.1:8883/", True)] == town.told()
    assert mounts.states()[0].generation > before  # the same route, another server


async def test_a_restarted_server_keeps_its_place_and_is_looked_at_again(town):
    town.bases = {8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    town.told()
    town.files = lambda: (runtime_file(port=8881, pid=9, token="newer"),)
    town.servers.token = "newer"
    await mounts.scan_once()
    (mount,) = mounts._mounts
    assert ([], True) == (town.told(), mount.watch._wake.is_set())
    await mount.watch.look_once()
    assert ["newer"] == [state.token for state in mounts.states()]


async def test_a_look_that_ends_after_its_server_is_gone_changes_nothing(town):
    town.bases = {8881: "/"}
    mounts = town.mounts()
    await mounts.look_once()
    (mount,) = mounts._mounts
    town.bases = {}
    await mounts.scan_once()
    town.told()
    town.down = {8881}
    await mount.watch.look_once()
    assert ([], {}) == (town.told(), places(mounts))


async def test_while_it_runs_servers_come_and_go(town, monkeypatch):
    monkeypatch.setattr(module, "SCAN_SECONDS", 0.001)
    town.bases = {}
    mounts = town.mounts()
    running = asyncio.ensure_future(mounts.run())
    town.bases = {8881: "/"}
    await until(mounts.has_good)
    task = mounts._mounts[0].task
    town.bases = {}
    await until(task.cancelled)
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
    assert all(mount.task.cancelled() for mount in mounts._mounts)
