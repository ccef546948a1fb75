"""What a notebook server says of itself: read with bounds, whatever it is; and asked seldom, a few at once."""

import asyncio
import json
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from nbgate.clock import ManualClock
from nbgate.keeper import running as subject
from nbgate.keeper.running import (
    KEEP_SECONDS,
    MAX_AT_ONCE,
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_LOOKS,
    MAX_SHOWN,
    Activity,
    Asked,
    Running,
    WhatRuns,
    Work,
    maybe_running,
)
from nbgate.model.route import Upstream, UpstreamState

SEEN = "2026-11-23T10:00:00.000000Z"
SEEN_UNIX = datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp()
STATE = UpstreamState(route="main", token="5ecre7")


def entry(path="a.ipynb", state="idle", seen=SEEN, **changes):
    return {"id": "1", "path": path, "kernel": {"execution_state": state, "last_activity": seen}} | changes


def read(entries, terminals=None, status=None):
    def encoded(value):
        return None if value is None else json.dumps(value).encode()

    return maybe_running(encoded(entries), encoded(terminals), encoded(status))


def work(path="a.ipynb", activity=Activity.IDLE, seen_unix=SEEN_UNIX, *, is_notebook=True):
    return Work(path=path, is_notebook=is_notebook, activity=activity, seen_unix=seen_unix)


# what an answer says


def test_what_servers_say_is_read():
    said = read([entry("work/a.ipynb", "busy")], [{"name": "1"}, {"name": "2"}], {"started": SEEN, "kernels": 1})
    expected = Running(works=(work("work/a.ipynb", Activity.BUSY),), terminals=2, started_unix=SEEN_UNIX)
    assert expected == said


@pytest.mark.parametrize(
    ("state", "activity"),
    [
        ("busy", Activity.BUSY),
        ("idle", Activity.IDLE),
        ("starting", Activity.STARTING),
        ("restarting", Activity.STARTING),
        ("autorestarting", Activity.STARTING),
        ("dead", Activity.DEAD),
        ("", Activity.UNKNOWN),
        ("<script>", Activity.UNKNOWN),
    ],
)
def test_what_a_kernel_does_is_one_of_a_few_things(state, activity):
    assert (work(activity=activity),) == read([entry(state=state)]).works


@pytest.mark.parametrize(
    ("changes", "path", "is_notebook"),
    [
        ({"type": "console", "name": "Console 1"}, "Console 1", False),
        ({"type": "console"}, "a.ipynb", False),
        ({"type": "file", "name": ""}, "a.ipynb", False),
        ({"type": "notebook", "name": "b"}, "a.ipynb", True),
        ({"path": ""}, "", True),
        ({"path": "a\nb\u202e\x00\u200b\ue000"}, "a\ufffdb\ufffd\ufffd\ufffd\ufffd", True),
        ({"path": "x" * 5000}, "x" * 1024 + "\ufffd", True),
    ],
)
def test_a_name_is_what_people_know_it_by_and_can_be_printed(changes, path, is_notebook):
    assert (work(path, is_notebook=is_notebook),) == read([entry(**changes)]).works


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("2026-11-23T10:00:00+00:00", SEEN_UNIX),
        ("2026-11-23T11:00:00+01:00", SEEN_UNIX),
        ("2026-11-23T10:00:00", 0.0),
        ("0001-01-01T00:00:00+14:00", 0.0),
        ("9999-12-31T23:59:59-14:00", 0.0),
        ("1999-12-31T00:00:00Z", 0.0),
        ("yesterday", 0.0),
        ("", 0.0),
        ("1" * 1000, 0.0),
    ],
)
def test_a_time_is_one_of_these_centuries_or_none(text, unix):
    said = read([entry(seen=text)], status={"started": text})
    assert (unix, unix) == (said.works[0].seen_unix, said.started_unix)


def test_what_needs_somebody_comes_first_then_what_was_used_last():
    entries = [
        entry("old.ipynb", seen="2026-11-23T08:00:00Z"),
        entry("new.ipynb"),
        entry("also_new.ipynb"),
        entry("never.ipynb", seen=""),
        entry("dead.ipynb", "dead"),
        entry("busy.ipynb", "busy"),
    ]
    expected = ["dead.ipynb", "busy.ipynb", "also_new.ipynb", "new.ipynb", "old.ipynb", "never.ipynb"]
    assert expected == [each.path for each in read(entries).works]


def test_what_does_not_fit_is_counted():
    said = read([entry(f"{number}.ipynb") for number in range(MAX_ENTRIES + 7)])
    assert (MAX_SHOWN, MAX_ENTRIES - MAX_SHOWN + 7) == (len(said.works), said.more)


@pytest.mark.parametrize(
    "strange",
    [None, 1, "x", [], {}, {"kernel": None}, {"kernel": {"execution_state": 1}}, {"kernel": {}, "path": 1}],
)
def test_an_entry_of_another_shape_is_left_out(strange):
    assert (work(),) == read([strange, entry()]).works


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[",
        b"[1,]",
        b"\xff",
        b'["\xff"]',
        b"<!doctype html>",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" + b"[" * 100_000 + b"]" * 100_000 + b"]",
        b"[" + b"1," * 100_000 + b"1]",
    ],
)
def test_a_body_of_another_shape_ends_nothing(body):
    said = maybe_running(body, body, body)
    assert said is None or () == said.works
    beside = maybe_running(b"[]", body, body)
    assert ((), 0.0) == (beside.works, beside.started_unix)


def test_a_list_that_is_made_to_keep_us_busy_is_not_read():
    assert read([1] * (subject.MAX_COMMAS + 1)).more > 0
    assert read([1] * (subject.MAX_COMMAS + 2)) is None


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_damaged_is_read_or_not_and_raises_nothing(seed):
    draw = random.Random(seed)
    good = json.dumps([entry(), entry("é", "busy", type="console", name="C")]).encode()
    for _ in range(200):
        body = bytearray(good)
        for _ in range(draw.randint(1, 8)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        maybe_running(bytes(body[: draw.randint(0, len(body))]), bytes(body), bytes(body))
        maybe_running(bytes(body), bytes(body), bytes(body))


# asking


class Servers:
    """Answers what is asked of servers; one that is `held` answers once it is let go."""

    def __init__(self, **answers):
        self.answers = {"api/sessions": b"[]", "api/terminals": b"[]", "api/status": b"{}"} | answers
        self.asked = []
        self.at_work = self.most = 0
        self.held = asyncio.Event()
        self.held.set()

    async def __call__(self, upstream, target, headers):
        self.asked.append((upstream.port, target, headers))
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await asyncio.sleep(0)
        await self.held.wait()
        self.at_work -= 1
        return self.answers[target.partition("?")[0].removeprefix("/jl/")]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def servers():
    return Servers()


@pytest.fixture
def what_runs(clock, servers):
    return WhatRuns(clock, servers)


def asked(port=1):
    return Asked(Upstream(host="127.0.0.1", port=port), "/jl/", STATE)


async def test_a_look_is_three_questions_that_keep_the_server_as_idle_as_it_was(what_runs, servers):
    assert [Running()] == await what_runs.of([asked()])
    headers = {"Authorization": "token 5ecre7"}
    assert [
        (1, "/jl/api/sessions?no_track_activity=1", headers),
        (1, "/jl/api/terminals?no_track_activity=1", headers),
        (1, "/jl/api/status", headers),
    ] == servers.asked


async def test_a_server_with_a_password_is_shown_our_login(what_runs, servers):
    state = UpstreamState(route="main", cookie="username-x=1; _xsrf=2", xsrf="2")
    await what_runs.of([Asked(Upstream(host="127.0.0.1", port=1), "/jl/", state)])
    assert {"Cookie": "username-x=1; _xsrf=2", "X-XSRFToken": "2"} == servers.asked[0][2]


async def test_one_that_does_not_answer_is_asked_once(what_runs, servers):
    servers.answers["api/sessions"] = None
    assert [None] == await what_runs.of([asked()])
    assert 1 == len(servers.asked)


async def test_one_without_terminals_or_a_status_is_read_all_the_same(what_runs, servers):
    servers.answers |= {"api/terminals": None, "api/status": None}
    assert [Running()] == await what_runs.of([asked()])


async def test_an_answer_is_kept_for_a_moment(what_runs, servers, clock):
    for _ in range(3):
        await what_runs.of([asked()])
    assert 3 == len(servers.asked)
    clock.advance(KEEP_SECONDS)
    await what_runs.of([asked()])
    assert 6 == len(servers.asked)


async def test_two_who_ask_at_once_are_one_question(what_runs, servers):
    await asyncio.gather(what_runs.of([asked()]), what_runs.of([asked(), asked()]))
    assert 3 == len(servers.asked)


async def test_only_a_few_are_asked_at_once_and_only_so_many_at_all(what_runs, servers):
    found = await what_runs.of([asked(port) for port in range(1, MAX_LOOKS + 3)])
    assert MAX_AT_ONCE == servers.most
    assert [Running()] * MAX_LOOKS + [None] * 2 == found
    assert [] == await what_runs.of([])


async def test_one_that_is_slow_holds_nobody_up_and_is_known_afterwards(what_runs, servers, monkeypatch):
    monkeypatch.setattr(subject, "WAIT_SECONDS", 0.01)
    servers.held.clear()
    assert [None] == await what_runs.of([asked()])
    servers.held.set()
    monkeypatch.setattr(subject, "WAIT_SECONDS", 10.0)
    assert [Running()] == await what_runs.of([asked()])
    assert 3 == len(servers.asked)


async def test_who_gives_up_takes_the_answer_from_nobody(what_runs, servers):
    servers.held.clear()
    first = asyncio.ensure_future(what_runs.of([asked()]))
    second = asyncio.ensure_future(what_runs.of([asked()]))
    await asyncio.sleep(0)
    first.cancel()
    servers.held.set()
    assert [Running()] == await second


# over a socket


@asynccontextmanager
async def upstream_that_says(body, status=200):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\n" % status + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Upstream(host="127.0.0.1", port=server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"[]", 200, b"[]"),
        (b"[]", 403, None),
        (b"x" * MAX_BYTES, 200, b"x" * MAX_BYTES),
        (b"x" * (MAX_BYTES + 1), 200, None),
    ],
)
async def test_an_answer_is_read_up_to_a_bound(body, status, expected):
    async with upstream_that_says(body, status) as upstream:
        assert expected == await subject.read_bounded(upstream, "/api/sessions", {})


async def test_where_nobody_listens_there_is_no_answer():
    async with upstream_that_says(b"") as upstream:
        pass
    assert await subject.read_bounded(upstream, "/api/sessions", {}) is None
