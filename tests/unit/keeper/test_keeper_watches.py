"""One watch for each way to look at a server, as long as somebody uses it."""

import asyncio

import pytest
from msgspec import structs

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.errors import StartError
from nbgate.keeper.mounted import Mount
from nbgate.keeper.places import Source
from nbgate.keeper.upstreams import Watched
from nbgate.keeper.watches import Watches
from nbgate.model.route_spec import RouteSpec
from nbgate.testing.keeper_parts import UPSTREAM, FakeUpstream

WATCHED = Watched(upstream=UPSTREAM, base_url="", allow_open=False)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def watches(seen):
    return Watches(FakeUpstream().eyes(), probe=Probe(), clock=ManualClock(), on_change=seen.append)


def mount(watches, watched=WATCHED):
    made = Mount(RouteSpec(upstream=watched.upstream), Source.RUNTIME, 1)
    watches.use(watched, made)
    return made


def test_equal_ones_share_a_watch_which_ends_with_its_last_user(watches):
    one, two, other = mount(watches), mount(watches), mount(watches, structs.replace(WATCHED, token="t"))
    assert (True, False) == (one.watch is two.watch, one.watch is other.watch)
    assert (one, two) == watches.users(one.watch)
    watches.release(one)
    assert (two,) == watches.users(two.watch)
    watches.release(two)
    again = mount(watches)
    assert ((), (again,)) == (watches.users(two.watch), watches.users(again.watch))


async def test_each_is_looked_at_in_a_task_of_its_own_while_it_is_used(watches, seen):
    early = mount(watches)
    assert not watches.is_running
    async with asyncio.TaskGroup() as group:
        watches.begin(group)
        late = mount(watches, structs.replace(WATCHED, token="t"))
        async with asyncio.timeout(5):
            while {early.watch, late.watch} != set(seen):
                await asyncio.sleep(0.001)
        tasks = [held.task for held in watches._held.values()]
        watches.release(early)
        watches.release(late)
    assert ([True, True], True) == ([task.cancelled() for task in tasks], watches.is_running)


async def test_all_are_looked_at_before_a_failure_is_raised(watches, seen):
    mount(watches, structs.replace(WATCHED, token_file="/nowhere/token"))
    good = mount(watches)
    with pytest.raises(StartError):
        await watches.look_once()
    assert [good.watch] == seen
