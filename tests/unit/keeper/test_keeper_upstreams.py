import asyncio

import pytest

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.errors import StartError
from nbgate.keeper.probe import Finding, Guard
from nbgate.keeper.upstreams import HINT_WHEN_UNKNOWN, Look, UpstreamWatch, Watched, look
from nbgate.model.route import Condition, Upstream
from nbgate.testing.keeper_parts import TOKEN, FakeUpstream, runtime_file

GUARDED = Look(condition=Condition.GUARDED, base_url="/", token=TOKEN)


def watched(**changes):
    values = {"route": "nb", "upstream": Upstream(host="localhost", port=8888), "base_url": "", "allow_open": False}
    return Watched(**(values | changes))


def make(**changes):
    upstream = FakeUpstream()
    for name, value in changes.items():
        setattr(upstream, name, value)
    return upstream


@pytest.mark.parametrize(
    ("upstream", "what", "condition", "token", "base_url"),
    [
        (make(), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(guard=Finding(Guard.DOWN)), watched(), Condition.DOWN, "", "/"),
        (make(guard=Finding(Guard.SILENT)), watched(), Condition.DOWN, "", "/"),
        (make(guard=Finding(Guard.OPEN, 200)), watched(), Condition.OPEN, "", "/"),
        (make(guard=Finding(Guard.OPEN, 200)), watched(allow_open=True), Condition.OPEN_ALLOWED, "", "/"),
        (make(servers=()), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(servers=(runtime_file(token=""),)), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(token="other"), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(servers=(runtime_file(base_url="/jl/"),)), watched(), Condition.GUARDED, TOKEN, "/jl/"),
        (make(servers=(runtime_file(base_url="/jl/"),)), watched(base_url="/x/"), Condition.GUARDED, TOKEN, "/x/"),
        (make(servers=(runtime_file(token="old"), runtime_file())), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(servers=(), named_token=TOKEN), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(named_token="wrong"), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(with_token=Finding(Guard.SILENT)), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
    ],
)
async def test_what_a_look_concludes(upstream, what, condition, token, base_url):
    found = await look(what, upstream.eyes(), None)
    assert (condition, token, base_url) == (found.condition, found.token, found.base_url)
    assert upstream.asked == [base_url]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (GUARDED, GUARDED),
        (
            Look(condition=Condition.OPEN_ALLOWED, base_url="/"),
            Look(condition=Condition.OPEN_ALLOWED, base_url="/"),
        ),
        (Look(condition=Condition.OPEN, base_url="/"), Look(condition=Condition.DOWN, base_url="/")),
    ],
)
async def test_a_server_that_is_only_slow_stays_what_it_was(before, expected):
    assert expected == await look(watched(), make(guard=Finding(Guard.SILENT)).eyes(), before)


async def test_a_known_token_that_gets_no_answer_stays_known():
    upstream = make(with_token=Finding(Guard.SILENT))
    assert GUARDED == await look(watched(), upstream.eyes(), GUARDED)


async def test_the_base_url_of_a_server_that_went_down_is_remembered():
    upstream = make(servers=(), guard=Finding(Guard.DOWN))
    before = Look(condition=Condition.GUARDED, base_url="/jl/", token=TOKEN)
    assert "/jl/" == (await look(watched(), upstream.eyes(), before)).base_url


async def test_hints_say_what_to_do():
    assert HINT_WHEN_UNKNOWN == (await look(watched(), make(servers=()).eyes(), None)).hint
    opened = await look(watched(), make(guard=Finding(Guard.OPEN, 200)).eyes(), None)
    assert opened.hint.endswith("--allow-open-upstream")
    lost = await look(watched(), make(guard=Finding(Guard.OPEN, 404)).eyes(), None)
    assert lost.hint.endswith("--upstream http://HOST:PORT/BASE/")


def test_a_look_does_not_show_its_token():
    assert TOKEN not in repr(GUARDED)


@pytest.fixture
def seen():
    return []


def make_watch(upstream, seen, **intervals):
    return UpstreamWatch(
        watched(),
        upstream.eyes(),
        probe=Probe(**intervals),
        clock=ManualClock(),
        on_change=lambda state, found: seen.append(state),
    )


async def test_only_changes_are_said_each_with_a_higher_generation(seen):
    upstream = make()
    watch = make_watch(upstream, seen)
    await watch.look_once()
    await watch.look_once()
    upstream.token = "newer"
    upstream.servers = (runtime_file(token="newer"),)
    await watch.look_once()
    upstream.guard = Finding(Guard.DOWN)
    await watch.look_once()
    expected = [(Condition.GUARDED, TOKEN, 1), (Condition.GUARDED, "newer", 2), (Condition.DOWN, "", 3)]
    assert expected == [(state.condition, state.token, state.generation) for state in seen]


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
    assert not watch.is_suspected
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
    watch._eyes = type(watch._eyes)(watch._eyes.servers, watch._eyes.guard, watch._eyes.token, unreadable)
    task = asyncio.ensure_future(watch.run())
    await until(lambda: len(looks) > 3)
    task.cancel()
    assert [Condition.GUARDED] == [state.condition for state in seen]
    assert "upstream cannot be looked at" in capsys.readouterr().out
