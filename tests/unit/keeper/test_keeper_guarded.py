"""What is said about the servers: to workers and to people."""

import pytest

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.keeper.guarded import MAX_LINES, Change, Shown, What, route_name, show, start_lines, state_of
from nbgate.keeper.places import Source
from nbgate.keeper.probe import Credential, Finding, Guard
from nbgate.keeper.upstreams import Watched
from nbgate.keeper.watch import Lanes, UpstreamWatch
from nbgate.model.route import Condition, Route, UpstreamState
from nbgate.testing.keeper_parts import TOKEN, UPSTREAM, FakeUpstream


def shown(**changes):
    values = {
        "route": "main",
        "prefix": "/",
        "at": "/",
        "product": "JupyterLab",
        "address": "127.0.0.1:8888",
        "base_url": "/",
        "condition": Condition.GUARDED,
        "since_unix": 0.0,
        "hint": "",
    }
    return Shown(**(values | changes))


LAB = shown()
DOWN = shown(condition=Condition.DOWN)
LOCKED = shown(prefix="/a/", at="/a/", base_url="/a/", condition=Condition.TOKEN_UNKNOWN, hint="name the file")
NOT_GUARDED = "not guarded: JupyterLab at unix:/run/j.sock (base URL /): name it"
OLDER = shown(route="", prefix="", at="", address="unix:/run/j.sock", hint="name it")
GUARDING = "guarding JupyterLab at 127.0.0.1:8888 (base URL /)"


@pytest.mark.parametrize(
    ("servers", "discovers", "expected"),
    [
        ((LAB,), True, [GUARDING]),
        ((LAB,), False, [GUARDING]),
        ((shown(condition=Condition.OPEN_ALLOWED),), False, [GUARDING]),
        ((), True, ["no notebook server is running; one that starts is found and guarded by itself"]),
        ((DOWN,), False, []),
        ((DOWN,), True, ["JupyterLab at 127.0.0.1:8888 (base URL /) is down"]),
        ((LAB, LOCKED), False, [GUARDING]),
        (
            (LAB, LOCKED),
            True,
            [GUARDING, "JupyterLab at 127.0.0.1:8888 (base URL /a/) is token-unknown: name the file"],
        ),
        ((LAB, OLDER), True, [GUARDING, NOT_GUARDED]),
        (
            (shown(prefix="/lab1/", at="/lab1/"),),
            False,
            ["guarding JupyterLab at 127.0.0.1:8888 (base URL /, mounted at /lab1/)"],
        ),
        (
            (shown(prefix="/", at="lab1.example.org/"),),
            False,
            ["guarding JupyterLab at 127.0.0.1:8888 (base URL /, mounted at lab1.example.org/)"],
        ),
        ((LAB,) * MAX_LINES, False, [GUARDING] * MAX_LINES),
        (
            (LAB,) * (MAX_LINES + 2),
            False,
            [GUARDING] * MAX_LINES + ["guarding 2 more: nbgate status names them"],
        ),
    ],
)
def test_what_is_said_at_the_start(servers, discovers, expected):
    assert expected == start_lines(servers, discovers=discovers)


@pytest.mark.parametrize("host", ["", "lab1.example.org"])
@pytest.mark.parametrize("prefix", ["/", "/a/", "/user/ada lovelace/", "/%C3%BC/"])
def test_a_route_name_can_stand_in_a_cookies_name(prefix, host):
    assert route_name(prefix, host).isalnum()
    assert route_name(prefix, host).islower()


def test_the_name_of_a_route_stays_and_no_host_has_that_of_another():
    assert ("main", "r1fbf348d") == (route_name("/"), route_name("/ada/"))
    hosts = ("", "a.example.org", "b.example.org")
    assert 6 == len({route_name(prefix, host) for prefix in ("/", "/ada/") for host in hosts})


def test_a_change_says_what_workers_need_of_it():
    states = (UpstreamState(route="r1"), UpstreamState(route="r2"))
    change = Change(what=What.CHANGED, route="r2", address="a", condition=Condition.DOWN, states=states)
    assert (states[1], False) == (change.state, change.is_rerouted)
    gone = Change(what=What.DISAPPEARED, route="r1", address="a", condition=Condition.DOWN, gone=("r1",))
    assert (None, True) == (gone.state, gone.is_rerouted)


@pytest.fixture
def upstream():
    return FakeUpstream()


@pytest.fixture
def watch(upstream):
    return UpstreamWatch(
        Watched(upstream=UPSTREAM, base_url="", allow_open=False),
        upstream.eyes(),
        probe=Probe(),
        clock=ManualClock(),
        on_change=lambda _: None,
        lanes=Lanes(),
    )


async def test_what_workers_are_told_of_a_server(watch, upstream):
    assert UpstreamState(route="r", since_unix=watch.since_unix, generation=7) == state_of(watch, "r", 7)
    await watch.look_once()
    state = state_of(watch, "r", 8)
    assert (TOKEN, False, Condition.GUARDED) == (state.token, state.bearer, state.condition)
    watch._clock.advance(60)
    upstream.guard = Finding(Guard.DOWN)
    await watch.look_once()
    assert (Condition.DOWN, watch._clock.unix()) == (watch.condition, state_of(watch, "r", 9).since_unix)


async def test_since_when_a_server_is_down_that_nobody_has_seen_is_not_known(watch, upstream):
    """After a restart of the keeper the page must not say that it answered a moment ago."""
    upstream.guard = Finding(Guard.DOWN)
    await watch.look_once()
    assert (Condition.DOWN, 0.0) == (watch.condition, state_of(watch, "r", 1).since_unix)


async def test_a_token_that_is_sent_as_bearer_is_told_as_one(watch):
    watch.found = (await watch.look_once()).__class__(
        condition=Condition.GUARDED, base_url="/", credential=Credential(token="t", bearer=True)
    )
    assert (True, "t") == (state_of(watch, "r", 1).bearer, state_of(watch, "r", 1).token)


async def test_what_people_see_of_a_server(watch):
    route = Route(name="r", prefix="/x/lab1/", upstream=UPSTREAM, host="lab.test", allowed=("ada",))
    before = show(watch, Source.FOUND, None, "lab.test/lab1/", "elsewhere")
    assert ("", "", "", "", (), "elsewhere") == (
        before.route,
        before.prefix,
        before.at,
        before.host,
        before.allowed,
        before.hint,
    )
    await watch.look_once()
    seen = show(watch, Source.RUNTIME, route, "lab.test/lab1/", "elsewhere")
    assert ("r", "/x/lab1/", "lab.test/lab1/", "lab.test", ("ada",), "") == (
        seen.route,
        seen.prefix,
        seen.at,
        seen.host,
        seen.allowed,
        seen.hint,
    )
    assert (Source.RUNTIME, watch._clock.unix(), "JupyterLab") == (seen.source, seen.last_seen, seen.product)
