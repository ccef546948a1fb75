"""A link of the operator's logs in once, within ten minutes, and gives a browser the owner's own bucket."""

import asyncio

import pytest
from msgspec import structs

from nbgate.errors import AuditError, CredentialRejected, InputRefused, StoreError
from nbgate.keeper.account_changes import AccountError
from nbgate.keeper.links import LIFE_SECONDS, MAX_LINKS
from nbgate.keeper.login import LoginAttempt
from nbgate.testing.keeper_parts import PASSWORD

ACTOR = "uid:0 root"
FROM = LoginAttempt(username="", client="192.0.2.7", request_id="r1", user_agent="curl/8")


async def test_a_link_logs_in_once_without_any_factor(rig):
    token = await rig.keeper.links.make("ADA", ACTOR)
    assert 43 == len(token)
    assert "ada" == rig.keeper.links.require(token)
    made = await rig.keeper.log_in_by_link(token, FROM)
    assert ("ada", ("login-link",)) == (made.session.user, made.session.factors)
    assert rig.keeper.find_session(made.session.id)
    for refused in (token, "x", "A" * 43, ""):
        with pytest.raises(AccountError) as error:
            await rig.keeper.log_in_by_link(refused, FROM)
        assert 410 == error.value.status
    (record,) = rig.sink.records("auth.link")
    assert ("ada", ACTOR) == (record["user.target.name"], record["nbgate.actor"])
    assert token.encode() not in rig.sink.lines


async def test_a_link_is_over_after_ten_minutes_and_when_there_is_a_newer_one(rig):
    old = await rig.keeper.links.make("ada", ACTOR)
    new = await rig.keeper.links.make("ada", ACTOR)
    with pytest.raises(AccountError):
        rig.keeper.links.require(old)
    rig.clock.advance(LIFE_SECONDS - 1.0)
    assert "ada" == rig.keeper.links.require(new)
    rig.clock.advance(1.0)
    with pytest.raises(AccountError):
        rig.keeper.links.require(new)
    assert {} == rig.keeper.links._links


async def test_two_at_once_are_one_login(rig):
    token = await rig.keeper.links.make("ada", ACTOR)
    made = await asyncio.gather(*(rig.keeper.log_in_by_link(token, FROM) for _ in range(3)), return_exceptions=True)
    assert [False, True, True] == [isinstance(each, AccountError) for each in made]


@pytest.mark.parametrize(("name", "status"), [("nobody", 404), ("off", 409), ("a b", 400)])
async def test_there_is_no_link_for_nobody(rig, name, status):
    await rig.keeper.accounts.add("off", PASSWORD, ACTOR)
    await rig.keeper.accounts.disable("off", ACTOR)
    with pytest.raises((AccountError, InputRefused)) as error:
        await rig.keeper.links.make(name, ACTOR)
    assert status == error.value.status
    assert [] == rig.sink.records("auth.link")


async def test_a_link_that_cannot_be_recorded_is_none(rig):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.links.make("ada", ACTOR)
    assert {} == rig.keeper.links._links


@pytest.mark.parametrize("fault", ["store", "audit"])
async def test_a_login_that_comes_to_nothing_leaves_the_link_good(rig, fault):
    token = await rig.keeper.links.make("ada", ACTOR)
    real = rig.state.sessions.create

    def fail(*args, **kwargs):
        if fault == "store":
            raise StoreError("the state cannot be used")
        rig.sink.broken = True
        return real(*args, **kwargs)

    rig.state.sessions.create = fail
    with pytest.raises((AuditError, StoreError)):
        await rig.keeper.log_in_by_link(token, FROM)
    assert ((), "ada") == (rig.state.sessions.all(), rig.keeper.links.require(token))


@pytest.mark.parametrize("change", ["disable", "remove"])
async def test_a_link_for_an_account_that_is_gone_meanwhile_opens_nothing(rig, change):
    token = await rig.keeper.links.make("ada", ACTOR)
    await getattr(rig.keeper.accounts, change)("ada", ACTOR)
    with pytest.raises(CredentialRejected):
        await rig.keeper.log_in_by_link(token, FROM)


async def test_past_the_bound_the_oldest_link_is_void(rig):
    ada = rig.state.users.get("ada")
    for number in range(MAX_LINKS):
        rig.state.users.add(structs.replace(ada, name=f"user{number}"))
    first = await rig.keeper.links.make("ada", ACTOR)
    later = [await rig.keeper.links.make(f"user{number}", ACTOR) for number in range(MAX_LINKS)]
    assert MAX_LINKS == len(rig.keeper.links._links)
    assert "user0" == rig.keeper.links.require(later[0])
    with pytest.raises(AccountError):
        rig.keeper.links.require(first)


async def test_a_lockdown_makes_all_links_void(rig):
    await rig.keeper.accounts.add("bob", PASSWORD, "test")
    links = [await rig.keeper.links.make(name, "test") for name in ("ada", "bob")]
    await rig.keeper.lock_down("test")
    await rig.keeper.lift_lockdown("test")
    for link in links:
        with pytest.raises(AccountError):
            rig.keeper.links.require(link)
