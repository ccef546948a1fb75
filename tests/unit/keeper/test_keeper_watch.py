"""When a server is looked at again, and what is said of it."""

import asyncio

import pytest
from msgspec import structs

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.errors import StartError
from nbgate.keeper.probe import Finding, Guard
from nbgate.keeper.upstreams import NOWHERE, Watched
from nbgate.keeper.watch import LOOKS_PER_LANE, Lanes, UpstreamWatch, longer
from nbgate.model.route import Condition, Upstream
from nbgate.testing.keeper_parts import TOKEN, UPSTREAM, FakeUpstream, runtime_file

WATCHED = Watched(upstream=UPSTREAM, base_url="", allow_open=False)


def make(**changes):
    upstream = FakeUpstream()
    for name, value in changes.items():
        setattr(upstream, name, value)
    return upstream


@pytest.fixture
def seen():
    return []


def make_watch(upstream, seen, lanes=None, watched=WATCHED, **intervals):
    return UpstreamWatch(
        watched,
        upstream.eyes(),
        probe=Probe(**intervals),
        clock=ManualClock(),
        on_change=lambda watch: seen.append(watch.found),
        lanes=lanes or Lanes(),
    )


async def test_only_changes_are_said(seen):
    upstream = make()
    watch = make_watch(upstream, seen)
    await watch.look_once()
    await watch.look_once()
    upstream.token = "newer"
    upstream.servers = (runtime_file(token="newer"),)
    await watch.look_once()
    upstream.guard = Finding(Guard.DOWN)
    await watch.look_once()
    expected = [(Condition.GUARDED, TOKEN), (Condition.GUARDED, "newer"), (Condition.DOWN, "")]
    assert expected == [(found.condition, found.credential.token) for found in seen]


async def test_since_when_it_is_so_is_known(seen):
    upstream = make()
    watch = make_watch(upstream, seen)
    assert Condition.UNKNOWN is watch.condition
    watch._clock.advance(5)
    await watch.look_once()
    since = watch.since_unix
    watch._clock.advance(5)
    await watch.look_once()
    assert (Condition.GUARDED, since, watch._clock.unix() - 5) == (watch.condition, watch.since_unix, since)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_the_watch_looks_on_its_beat(seen):
    upstream = make(guard=Finding(Guard.DOWN))
    watch = make_watch(upstream, seen, retry_seconds=0.001, interval_seconds=0.001)
    task = asyncio.ensure_future(watch.run())
    await until(lambda: len(upstream.asked) > 2)
    upstream.guard = Finding(Guard.GUARDED)
    await until(lambda: len(seen) == 2)
    looks = len(upstream.asked)
    await until(lambda: len(upstream.asked) > looks + 2)
    task.cancel()


async def test_a_suspicion_makes_it_look_again(seen):
    upstream = make()
    watch = make_watch(upstream, seen, interval_seconds=1000.0)
    await watch.look_once()
    task = asyncio.ensure_future(watch.run())
    watch._clock.advance(1.0)  # the second between two looks is over
    upstream.guard = Finding(Guard.DOWN)
    watch.suspect()
    await until(lambda: len(seen) == 2)
    assert not watch._wake.is_set()
    task.cancel()


async def test_a_token_file_that_became_unreadable_changes_nothing(seen, capsys):
    upstream = make(named_token=TOKEN)
    looks = []

    async def unreadable():
        looks.append(1)
        if len(looks) > 1:
            raise StartError("upstream token file cannot be read")
        return TOKEN

    watch = make_watch(upstream, seen, interval_seconds=0.001, retry_seconds=0.001)
    watch._eyes = structs.replace(watch._eyes, named_token=unreadable)
    task = asyncio.ensure_future(watch.run())
    await until(lambda: len(looks) > 3)
    task.cancel()
    assert [Condition.GUARDED] == [found.condition for found in seen]
    assert "upstream cannot be looked at" in capsys.readouterr().out


async def test_since_when_is_a_matter_of_its_condition_alone(seen):
    upstream = make()
    watch = make_watch(upstream, seen)
    await watch.look_once()
    since = watch.since_unix
    watch._clock.advance(5)
    upstream.token, upstream.servers = "newer", (runtime_file(token="newer"),)
    await watch.look_once()
    assert (2, since) == (len(seen), watch.since_unix)


async def test_when_it_was_last_seen_is_known_while_it_is_down(seen):
    upstream = make()
    watch = make_watch(upstream, seen)
    assert 0.0 == watch.seen_unix
    await watch.look_once()
    watch._clock.advance(60)
    await watch.look_once()
    last = watch._clock.unix()
    watch._clock.advance(3)
    upstream.guard = Finding(Guard.DOWN)
    await watch.look_once()
    assert (last, last + 3) == (watch.seen_unix, watch.since_unix)


async def test_what_is_known_of_its_base_url_and_its_address_is_kept_while_it_is_down(seen):
    named = Watched(upstream=Upstream(port=8888, name="lab.test"), base_url="", allow_open=False, resolve="lab.test")
    upstream = make(servers=(runtime_file(base_url="/jl/"),))
    watch = make_watch(upstream, seen, watched=named)

    async def resolve(_name):
        return ("192.0.2.7",)

    watch._eyes = structs.replace(watch._eyes, resolve=resolve)
    assert ("", NOWHERE) == (watch.base_url, watch.upstream.host)
    await watch.look_once()
    assert ("/jl/", "192.0.2.7") == (watch.base_url, watch.upstream.host)
    upstream.guard = Finding(Guard.DOWN)
    await watch.look_once()
    assert ("/jl/", "192.0.2.7") == (watch.base_url, watch.upstream.host)


def test_who_waits_in_vain_waits_longer_up_to_a_bound():
    waits = [1.0]
    while waits[-1] < 15.0:
        waits.append(longer(waits[-1]))
    assert [1.0, 2.0, 4.0, 8.0, 15.0] == waits
    assert (15.0, 1000.0) == (longer(15.0), longer(1000.0))


async def test_it_waits_longer_while_it_is_not_good_and_begins_anew_when_it_is(seen):
    upstream = make(guard=Finding(Guard.DOWN))
    watch = make_watch(upstream, seen, retry_seconds=0.001, interval_seconds=1000.0)
    await watch.look_once()
    await watch._rest()
    await watch._rest()
    assert 0.004 == watch._retry_seconds
    watch._wake.set()
    watch._clock.advance(1.0)
    await watch._rest()
    assert (0.004, True) == (watch._retry_seconds, watch._is_awaited)
    upstream.guard = Finding(Guard.GUARDED)
    await watch.look_once()
    assert 0.001 == watch._retry_seconds


async def test_those_that_say_nothing_keep_nobody_from_being_looked_at(seen):
    lanes, asked = Lanes(), []
    silent = asyncio.Event()

    async def hang(_upstream, _base_url):
        asked.append(1)
        await silent.wait()
        return Finding(Guard.SILENT)

    watches = [make_watch(make(), seen, lanes) for _ in range(2 * LOOKS_PER_LANE)]
    for watch in watches:
        watch._eyes = structs.replace(watch._eyes, guard=hang)
    looks = [asyncio.ensure_future(watch.look_once()) for watch in watches]
    await until(lambda: len(asked) == LOOKS_PER_LANE)
    awaited = make_watch(make(), seen, lanes)
    awaited._is_awaited = True
    assert Condition.GUARDED is (await awaited.look_once()).condition
    again = await awaited.look_once()  # and whoever is good goes on being looked at
    assert (Condition.GUARDED, LOOKS_PER_LANE) == (again.condition, len(asked))
    silent.set()
    await asyncio.gather(*looks)
    assert 2 * LOOKS_PER_LANE == len(asked)
