"""The setup link: once, for 15 minutes, and only while there is no account."""

import asyncio
import stat

import pytest

from nbgate.crypto.tokens import new_session_token
from nbgate.errors import AuditError, ExitCode, InputRefused, StartError
from nbgate.keeper.account_changes import AccountError
from nbgate.keeper.setup import LIFE_SECONDS, Setup
from nbgate.testing.keeper_parts import PASSWORD, Rig

URL = "https://localhost:8443/"


@pytest.fixture
async def rig():
    """A keeper in memory without a user."""
    rig = Rig()
    yield rig
    await rig.close()


@pytest.fixture
def setup(rig, tmp_path):
    return Setup(folder=tmp_path, accounts=rig.keeper.accounts, clock=rig.clock, random_bytes=rig.random_bytes)


async def offered(setup):
    """Return the token of a new link."""
    file = await setup.offer(URL)
    link = file.read_text()
    assert link.startswith(f"{URL}_nbgate/setup/")
    assert link.endswith("\n")
    return link.strip().rpartition("/")[2]


def is_good(setup, token) -> bool:
    try:
        setup.require(token)
    except AccountError as error:
        return error.status != 410
    return True


async def test_the_link_lies_in_a_file_of_its_own_and_makes_the_account_once(setup, rig, tmp_path):
    token = await offered(setup)
    assert 0o600 == stat.S_IMODE((tmp_path / "setup-link").stat().st_mode)
    assert 43 == len(token)
    made = await setup.make_account(token, "Ada", PASSWORD)

    assert ("ada", ["ada"]) == (made.user, [user.name for user in await rig.keeper.accounts.all()])
    assert ["setup link"] == [record["nbgate.actor"] for record in rig.sink.records("user.change")]
    assert not (tmp_path / "setup-link").exists()
    assert not is_good(setup, token)
    assert token.encode() not in rig.sink.lines
    with pytest.raises(AccountError):
        await setup.make_account(token, "bob", PASSWORD)


@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (LIFE_SECONDS - 0.001, True), (LIFE_SECONDS, False)])
async def test_the_link_is_good_for_15_minutes(setup, rig, seconds, expected):
    token = await offered(setup)
    rig.clock.advance(seconds)

    assert expected == is_good(setup, token)


async def test_a_new_link_takes_the_place_of_the_older_one_and_lives_as_long(setup, rig):
    first = await offered(setup)
    rig.clock.advance(LIFE_SECONDS + 1)
    second = await offered(setup)

    assert [False, True] == [is_good(setup, first), is_good(setup, second)]


@pytest.mark.parametrize("token", ["", "x", new_session_token(bytes(32)), "A" * 42 + "B", "é" * 43])
async def test_another_token_is_refused_before_and_after_there_is_a_link(setup, token):
    assert not is_good(setup, token)
    await offered(setup)
    assert not is_good(setup, token)


@pytest.mark.parametrize(("name", "password"), [("a b", PASSWORD), ("ada", "short"), ("ada", "passwordpassword")])
async def test_what_is_refused_does_not_use_the_link_up(setup, name, password):
    token = await offered(setup)
    with pytest.raises(InputRefused):
        await setup.make_account(token, name, password)

    assert "ada" == (await setup.make_account(token, "ada", PASSWORD)).user


async def test_while_the_audit_fails_no_account_is_made_and_the_link_stays(setup, rig):
    token = await offered(setup)
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await setup.make_account(token, "ada", PASSWORD)

    assert ((), True) == (await rig.keeper.accounts.all(), is_good(setup, token))


async def test_of_two_who_come_at_once_one_gets_the_account(setup, rig):
    token = await offered(setup)
    done = await asyncio.gather(
        *(setup.make_account(token, name, PASSWORD) for name in ("ada", "bob")), return_exceptions=True
    )

    assert ["ada"] == [user.name for user in await rig.keeper.accounts.all()]
    assert ["ada", 410] == [getattr(done[0], "user", None), getattr(done[1], "status", None)]


async def test_an_operator_who_adds_somebody_at_the_same_time_makes_the_link_void(setup, rig, tmp_path):
    token = await offered(setup)
    added, refused = await asyncio.gather(
        rig.keeper.accounts.add("ada", PASSWORD, "uid:0 root"),
        setup.make_account(token, "bob", PASSWORD),
        return_exceptions=True,
    )

    assert ("ada", 410) == (added.user, refused.status)
    assert "this link makes the first account, once and for 15 minutes, and is over" == refused.public
    assert ["ada"] == [user.name for user in await rig.keeper.accounts.all()]
    assert (False, False) == (is_good(setup, token), (tmp_path / "setup-link").exists())


async def test_once_there_is_an_account_no_link_makes_another(setup, rig, tmp_path):
    token = await offered(setup)
    await rig.keeper.accounts.add("ada", PASSWORD, "uid:0 root")
    with pytest.raises(AccountError) as caught:
        await setup.make_account(token, "bob", PASSWORD)
    assert (410, ["ada"]) == (caught.value.status, [user.name for user in await rig.keeper.accounts.all()])

    assert await setup.offer(URL) is None
    assert not (tmp_path / "setup-link").exists()


async def test_it_can_be_withdrawn(setup, tmp_path):
    token = await offered(setup)
    await setup.withdraw()
    await setup.withdraw()

    assert (False, False) == (is_good(setup, token), (tmp_path / "setup-link").exists())


async def test_a_link_that_cannot_be_written_is_an_error_with_another_way(setup, tmp_path):
    (tmp_path / "setup-link").mkdir()
    with pytest.raises(StartError) as caught:
        await setup.offer(URL)

    assert (ExitCode.CANNOT_CREATE, True) == (caught.value.exit_code, "nbgate user add" in caught.value.hint)
