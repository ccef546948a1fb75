import asyncio

import pytest
from msgspec import structs

from nbgate.clock import ManualClock
from nbgate.config.schema import Probe
from nbgate.errors import StartError
from nbgate.keeper.password_login import LoginAnswer
from nbgate.keeper.probe import UNNAMED, Credential, Finding, Guard
from nbgate.keeper.upstreams import (
    HINT_WHEN_LOGIN,
    HINT_WHEN_REFUSED,
    HINT_WHEN_UNKNOWN,
    Look,
    UpstreamWatch,
    Watched,
    look,
)
from nbgate.model.route import Condition, Upstream
from nbgate.testing.keeper_parts import PASSWORD, TOKEN, FakeUpstream, runtime_file

OURS = Credential(token=TOKEN)
GUARDED = Look(condition=Condition.GUARDED, base_url="/", credential=OURS, product="JupyterLab")
NO_TOKEN = (runtime_file(token=""),)
LOGIN = FakeUpstream().login.credential


def watched(**changes):
    values = {"upstream": Upstream(host="localhost", port=8888), "base_url": "", "allow_open": False}
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
        (make(guard=Finding(Guard.FOREIGN, uid=1)), watched(), Condition.FOREIGN, "", "/"),
        (make(guard=Finding(Guard.OPEN, 200)), watched(), Condition.OPEN, "", "/"),
        (make(guard=Finding(Guard.OPEN, 200)), watched(allow_open=True), Condition.OPEN_ALLOWED, "", "/"),
        (make(servers=()), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(servers=(runtime_file(token=""),)), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(token="other"), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(servers=(runtime_file(base_url="/jl/"),)), watched(), Condition.GUARDED, TOKEN, "/jl/"),
        (make(servers=(runtime_file(base_url="/jl/"),)), watched(base_url="/x/"), Condition.GUARDED, TOKEN, "/x/"),
        (make(servers=(runtime_file(token="old"), runtime_file())), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(servers=(), named_token=TOKEN), watched(), Condition.GUARDED, TOKEN, "/"),
        (make(named_token="wrong"), watched(), Condition.GUARDED, TOKEN, "/"),  # one file, several servers
        (make(named_token="wrong", servers=()), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(with_credential=Finding(Guard.SILENT)), watched(), Condition.TOKEN_UNKNOWN, "", "/"),
        (make(with_credential=Finding(Guard.FOREIGN, uid=1)), watched(), Condition.FOREIGN, "", "/"),
    ],
)
async def test_what_a_look_concludes(upstream, what, condition, token, base_url):
    found = await look(what, upstream.eyes(), None)
    assert (condition, token, base_url) == (found.condition, found.credential.token, found.base_url)
    assert upstream.asked == [base_url]
    assert upstream.logins == []


@pytest.mark.parametrize(
    ("upstream", "condition", "credential", "hint"),
    [
        (make(servers=NO_TOKEN, named_password=PASSWORD), Condition.GUARDED, LOGIN, ""),
        (make(servers=(), named_password=PASSWORD), Condition.GUARDED, LOGIN, ""),
        (make(named_password="wrong"), Condition.GUARDED, OURS, ""),
        (make(servers=NO_TOKEN, named_password="wrong"), Condition.TOKEN_UNKNOWN, Credential(), HINT_WHEN_REFUSED),
        (make(servers=NO_TOKEN), Condition.TOKEN_UNKNOWN, Credential(), HINT_WHEN_LOGIN),
        (
            make(servers=NO_TOKEN, named_password=PASSWORD, login=LoginAnswer(Guard.SILENT)),
            Condition.DOWN,
            Credential(),
            "",
        ),
        (
            make(servers=NO_TOKEN, named_password=PASSWORD, login=LoginAnswer(Guard.DOWN)),
            Condition.DOWN,
            Credential(),
            "",
        ),
    ],
)
async def test_a_server_with_a_password_is_logged_in_at(upstream, condition, credential, hint):
    found = await look(watched(), upstream.eyes(), None)
    assert (condition, credential, hint) == (found.condition, found.credential, found.hint)


async def test_a_login_is_kept_while_it_opens_and_made_anew_when_not():
    upstream = make(servers=NO_TOKEN, named_password=PASSWORD)
    before = await look(watched(), upstream.eyes(), None)
    assert before == await look(watched(), upstream.eyes(), before)
    assert [PASSWORD] == upstream.logins
    newer = Credential(cookie="username-x=9; _xsrf=2", xsrf="2")
    upstream.login = LoginAnswer(Guard.OPEN, newer)
    assert newer == (await look(watched(), upstream.eyes(), before)).credential
    assert [PASSWORD] * 2 == upstream.logins


async def test_a_stranger_in_the_servers_place_at_the_login_is_foreign():
    upstream = make(servers=NO_TOKEN, named_password=PASSWORD, login=LoginAnswer(Guard.FOREIGN))
    assert Condition.FOREIGN == (await look(watched(), upstream.eyes(), None)).condition


async def test_what_a_server_is_called_is_asked_once_until_it_goes():
    upstream = make()
    asked = []

    async def product(_upstream, base_url):
        asked.append(base_url)
        return "JupyterLab"

    eyes = structs.replace(upstream.eyes(), product=product)
    before = await look(watched(), eyes, None)
    before = await look(watched(), eyes, before)
    upstream.guard = Finding(Guard.DOWN)
    gone = await look(watched(), eyes, before)
    upstream.guard = Finding(Guard.GUARDED)
    await look(watched(), eyes, gone)
    assert (["/"] * 2, "JupyterLab", UNNAMED) == (asked, before.product, gone.product)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (GUARDED, GUARDED),
        (Look(condition=Condition.OPEN_ALLOWED, base_url="/"), Look(condition=Condition.OPEN_ALLOWED, base_url="/")),
        (Look(condition=Condition.OPEN, base_url="/"), Look(condition=Condition.DOWN, base_url="/")),
    ],
)
async def test_a_server_that_is_only_slow_stays_what_it_was(before, expected):
    assert expected == await look(watched(), make(guard=Finding(Guard.SILENT)).eyes(), before)


async def test_a_known_token_that_gets_no_answer_stays_known():
    upstream = make(with_credential=Finding(Guard.SILENT))
    assert GUARDED == await look(watched(), upstream.eyes(), GUARDED)


async def test_the_base_url_of_a_server_that_went_down_is_remembered():
    upstream = make(servers=(), guard=Finding(Guard.DOWN))
    before = Look(condition=Condition.GUARDED, base_url="/jl/", credential=OURS)
    assert "/jl/" == (await look(watched(), upstream.eyes(), before)).base_url


async def test_hints_say_what_to_do():
    assert HINT_WHEN_UNKNOWN == (await look(watched(), make(servers=()).eyes(), None)).hint
    opened = await look(watched(), make(guard=Finding(Guard.OPEN, 200)).eyes(), None)
    assert opened.hint.endswith("--allow-open-upstream")
    lost = await look(watched(), make(guard=Finding(Guard.OPEN, 404)).eyes(), None)
    assert lost.hint.endswith("--upstream http://HOST:PORT/BASE/")


@pytest.mark.parametrize(
    ("uid", "said", "option"),
    [
        (0, "belongs to root (uid 0)", "root"),
        (4_000_000, "belongs to uid 4000000", "'*'"),
        (-1, "cannot be found out", "'*'"),
    ],
)
async def test_the_hint_names_whose_socket_it_is(uid, said, option):
    foreign = await look(watched(), make(guard=Finding(Guard.FOREIGN, uid=uid)).eyes(), None)
    assert said in foreign.hint
    assert foreign.hint.endswith(f"--upstream-user {option}")


def test_a_look_does_not_show_its_credential():
    assert TOKEN not in repr(GUARDED)
    assert "username-x" not in repr(Look(condition=Condition.GUARDED, base_url="/", credential=LOGIN))


@pytest.fixture
def seen():
    return []


def make_watch(upstream, seen, **intervals):
    return UpstreamWatch(
        watched(),
        upstream.eyes(),
        probe=Probe(**intervals),
        clock=ManualClock(),
        on_change=lambda watch: seen.append(watch.found),
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
