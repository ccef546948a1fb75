"""Nobody is in and nobody gets in, over restarts and on a full disk, until an operator says so."""

import pytest

from nbgate.errors import AuditError, CredentialRejected, LockedDown
from nbgate.keeper.login import LoginAttempt
from nbgate.reasons import Reason
from nbgate.testing.keeper_parts import PASSWORD, Rig

ACTOR = "uid:0 root"


def attempt(**changes):
    values = {"username": "ada", "password": PASSWORD, "client": "192.0.2.7", "request_id": "r"}
    return LoginAttempt(**(values | changes))


async def test_a_lockdown_ends_everything_and_lets_nobody_in(rig):
    sessions = [(await rig.keeper.log_in(attempt())).session for _ in range(2)]
    assert not rig.keeper.is_locked_down
    assert 2 == await rig.keeper.lock_down(ACTOR)
    assert rig.keeper.is_locked_down
    assert [None, None] == [rig.keeper.find_session(session.id) for session in sessions]
    assert () == rig.state.sessions.all()
    with pytest.raises(LockedDown, match="signing in is closed by the operator"):
        await rig.keeper.log_in(attempt())
    with pytest.raises(LockedDown):
        await rig.keeper.log_in_by_link("x", attempt())
    assert {Reason.LOCKED_DOWN.value} == {record["event.reason"] for record in rig.sink.records("session.end")}
    (record,) = rig.sink.records("lockdown")
    assert (ACTOR, 2) == (record["nbgate.actor"], record["nbgate.session.ended"])


async def test_it_holds_over_a_restart_until_it_is_lifted(rig):
    await rig.keeper.lock_down(ACTOR)
    other = Rig(state=rig.state, clock=rig.clock)
    await other.keeper.start()
    with pytest.raises(LockedDown):
        await other.keeper.log_in(attempt())
    await other.keeper.lift_lockdown(ACTOR)
    assert await other.keeper.log_in(attempt())
    assert "lifted" == other.sink.records("lockdown")[0]["message"]
    third = Rig(state=rig.state, clock=rig.clock)
    await third.keeper.start()
    assert not third.keeper.is_locked_down
    await other.close()
    await third.close()


async def test_a_full_disk_keeps_nobody_from_closing_the_door(rig):
    await rig.keeper.accounts.add("bob", PASSWORD, ACTOR)
    for user in ("ada", "bob"):
        await rig.keeper.log_in(attempt(username=user))
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.lock_down(ACTOR)
    assert (True, (), 0) == (rig.keeper.is_locked_down, rig.state.sessions.all(), len(rig.keeper.live))


async def test_what_cannot_be_recorded_opens_no_door(rig):
    await rig.keeper.lock_down(ACTOR)
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.lift_lockdown(ACTOR)
    assert rig.keeper.is_locked_down


@pytest.mark.parametrize("at", ["create", "end"])
async def test_a_login_under_way_does_not_slip_through(rig, at):
    """It is written down just before everybody is signed out, or just after."""
    real = rig.state.sessions.create
    loop = []

    def create(*args, **kwargs):
        made = None if at == "end" else real(*args, **kwargs)
        coroutine = rig.keeper.lock_down(ACTOR)
        loop.append(coroutine)
        return made if at == "create" else real(*args, **kwargs)

    async def in_store(call, *args, **kwargs):
        done = call(*args, **kwargs)
        while loop:
            await loop.pop()
        return done

    rig.state.sessions.create = create
    rig.keeper.login._parts = type(rig.keeper.login._parts)(
        **{name: getattr(rig.keeper.login._parts, name) for name in rig.keeper.login._parts.__struct_fields__}
        | {"in_store": in_store}
    )
    with pytest.raises((LockedDown, CredentialRejected)):
        await rig.keeper.log_in(attempt())
    assert ((), 0) == (rig.state.sessions.all(), len(rig.keeper.live))
    assert [] == [record for record in rig.sink.records("auth.login") if record.get("event.outcome") != "failure"]
