"""Sessions end in the store, then everywhere, then on record."""

import pytest

from nbgate.errors import AuditError, StoreError
from nbgate.keeper.ending import SessionNotFoundError
from nbgate.keeper.login import LoginAttempt
from nbgate.link.messages import SessionsRevoked
from nbgate.model.session import Scope
from nbgate.reasons import Reason
from nbgate.testing.keeper_parts import PASSWORD

ROOT = "uid:0 root"
MONTH = 30 * 86400.0


@pytest.fixture
async def people(rig):
    """A keeper with `ada` and `bob`."""
    await rig.keeper.accounts.add("bob", PASSWORD, ROOT)
    return rig


async def log_in(rig, name="ada"):
    attempt = LoginAttempt(username=name, password=PASSWORD, client="192.0.2.7", request_id="r1")
    return (await rig.keeper.log_in(attempt)).session


async def make_token(rig, name="ada"):
    stored, _ = await rig.keeper.tokens.add(name, "laptop", Scope.ALL, (), rig.clock.unix() + MONTH, ROOT)
    return stored.session


def left(rig):
    return {row.session.id for row in rig.keeper.sessions_of(None)}


async def test_a_session_is_ended_by_its_label_or_the_beginning_of_it(people):
    one, two = await log_in(people), await log_in(people, "bob")
    assert one == (await people.keeper.revoke_named(one.label, ROOT)).session
    assert two == (await people.keeper.revoke_named(two.label[:4].upper(), ROOT)).session
    assert set() == left(people)
    told = [(each["event.reason"], each["nbgate.actor"]) for each in people.sink.records("session.end")]
    assert [("session-revoked", ROOT)] * 2 == told


@pytest.mark.parametrize("label", ["", "abc", "000000000000", "?", "x" * 99])
async def test_a_label_that_names_nobody_ends_nothing(people, label):
    session = await log_in(people)
    with pytest.raises(SessionNotFoundError, match="there is no such session") as caught:
        await people.keeper.revoke_named(label or session.label[:3], ROOT)
    assert 404 == caught.value.status
    assert {session.id} == left(people)


async def test_a_label_that_names_two_ends_nothing(people, monkeypatch):
    await log_in(people)
    await log_in(people)
    monkeypatch.setattr(type(await log_in(people)), "label", property(lambda _session: "c0ffee000000"))
    with pytest.raises(SessionNotFoundError, match="more than one session begins"):
        await people.keeper.revoke_named("c0ff", ROOT)
    assert 3 == len(left(people))


async def test_all_logins_of_a_person_end_but_the_one_that_is_kept(people):
    link = people.attach()
    kept, ended, others = await log_in(people), await log_in(people), await log_in(people, "bob")
    token = await make_token(people)
    assert 1 == await people.keeper.revoke_user("ada", ROOT, keep=kept.id)
    assert {kept.id, others.id, token.id} == left(people)
    assert [(ended.id,)] == [revoked.ids for revoked in link.of(SessionsRevoked)]
    assert 1 == await people.keeper.revoke_user("ada", ROOT)
    assert 0 == await people.keeper.revoke_user("ada", ROOT)
    assert {others.id, token.id} == left(people)


async def test_a_lockdown_ends_logins_and_tokens_of_everybody_at_once(people):
    link = people.attach()
    all_of_them = {(await log_in(people)).id, (await log_in(people, "bob")).id, (await make_token(people)).id}
    assert 3 == await people.keeper.lock_down(ROOT)
    assert (set(), True) == (left(people), people.keeper.is_locked_down)
    (revoked,) = link.of(SessionsRevoked)
    assert (all_of_them, "locked-down") == (set(revoked.ids), revoked.reason)
    await people.keeper.lift_lockdown(ROOT)
    assert not people.keeper.is_locked_down


async def test_what_cannot_be_recorded_ends_all_the_same_for_everybody(people):
    link = people.attach()
    sessions = (await log_in(people), await log_in(people, "bob"))
    people.sink.broken = True
    with pytest.raises(AuditError):
        await people.keeper.revoke(sessions, Reason.SESSION_REVOKED, ROOT)
    (revoked,) = link.of(SessionsRevoked)
    assert {session.id for session in sessions} == set(revoked.ids)
    assert (set(), ()) == (left(people), people.state.sessions.all())


async def test_what_the_store_cannot_end_lives_on(people, monkeypatch):
    session = await log_in(people)

    def broken(_ids):
        raise StoreError("the store cannot be written")

    monkeypatch.setattr(people.state.sessions, "end", broken)
    with pytest.raises(StoreError):
        await people.keeper.log_out(session)
    assert {session.id} == left(people)


async def test_to_end_nothing_tells_nobody(people):
    link = people.attach()
    await people.keeper.revoke((), Reason.SESSION_REVOKED, ROOT)
    assert [] == link.of(SessionsRevoked)


async def test_a_token_is_not_idle_and_ends_at_its_time(people):
    token = await make_token(people)
    people.clock.advance(MONTH - 1)
    await people.keeper.sweep()
    assert {token.id} == left(people)
    people.clock.advance(1)
    await people.keeper.sweep()
    assert set() == left(people)
    assert "session-expired" == people.sink.records("session.end")[-1]["event.reason"]
