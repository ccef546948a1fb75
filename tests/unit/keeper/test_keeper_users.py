import pytest

from nbgate.crypto.passwords import hash_password
from nbgate.errors import AuditError, InputRefused, StoreError
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.users import AccountError
from nbgate.testing.keeper_parts import CHEAP, PASSWORD

ROOT = "uid:0 root"


async def test_an_account_is_added_once_under_its_canonical_name(rig):
    changed = await rig.keeper.accounts.add("Bob", PASSWORD, ROOT)
    assert ("bob", "added", 0) == (changed.user, changed.message, changed.ended_sessions)
    assert ["ada", "bob"] == [user.name for user in await rig.keeper.accounts.all()]
    with pytest.raises(AccountError) as caught:
        await rig.keeper.accounts.add("BOB", PASSWORD, ROOT)
    assert (409, "there is a user bob already") == (caught.value.status, caught.value.public)


async def test_every_change_is_recorded_with_who_did_it(rig):
    accounts = rig.keeper.accounts
    await accounts.add("bob", PASSWORD, ROOT)
    await accounts.set_password("bob", "another horse battery", ROOT)
    await accounts.disable("bob", ROOT)
    await accounts.enable("bob", ROOT)
    await accounts.remove("bob", ROOT)
    told = [record for record in rig.sink.records("user.change") if record["user.target.name"] == "bob"]
    assert ["added", "password set", "disabled", "enabled", "removed"] == [record["message"] for record in told]
    assert {ROOT} == {record["nbgate.actor"] for record in told}
    assert len(rig.sink.lines) == rig.sink.synced_bytes
    assert b"horse" not in rig.sink.lines


@pytest.mark.parametrize(
    ("name", "password"), [("a b", PASSWORD), ("", PASSWORD), ("bob", "short"), ("bob", "x" * 1025), ("bob", "a\0" * 9)]
)
async def test_unfit_names_and_passwords_are_refused(rig, name, password):
    with pytest.raises(InputRefused):
        await rig.keeper.accounts.add(name, password, ROOT)
    assert ["ada"] == [user.name for user in rig.state.users.all()]


@pytest.mark.parametrize("what", ["set_password", "disable", "enable", "remove"])
async def test_who_is_not_there_cannot_be_changed(rig, what):
    arguments = ("nobody", PASSWORD, ROOT) if what == "set_password" else ("nobody", ROOT)
    with pytest.raises(AccountError) as caught:
        await getattr(rig.keeper.accounts, what)(*arguments)
    assert (404, "there is no user nobody") == (caught.value.status, caught.value.public)


@pytest.mark.parametrize("what", ["add", "set_password", "disable", "enable", "remove"])
async def test_nothing_is_changed_while_the_audit_fails(rig, what):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.audit.append_durable(rig_event(rig))
    before = rig.state.users.all()
    arguments = ("ada", PASSWORD, ROOT) if what in {"add", "set_password"} else ("ada", ROOT)
    with pytest.raises(AuditError, match="the audit cannot be written"):
        await getattr(rig.keeper.accounts, what)(*arguments)
    assert before == rig.state.users.all()


def rig_event(rig):
    from nbgate.audit.events import AuditContinue

    return AuditContinue(**rig.audit.stamp(), segment="s")


async def test_what_opens_a_door_is_undone_when_it_cannot_be_recorded(rig):
    await rig.keeper.accounts.disable("ada", ROOT)
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.accounts.add("bob", PASSWORD, ROOT)
    rig.sink.broken = False
    rig.clock.advance(5)
    await rig.audit.tick()
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.accounts.enable("ada", ROOT)
    assert [("ada", True)] == [(user.name, user.disabled) for user in rig.state.users.all()]


async def test_a_change_meets_a_change_and_looks_again(rig):
    replace, seen = rig.state.users.replace, []

    def overtaken(old, new):
        seen.append(new)
        return None if len(seen) == 1 else replace(old, new)

    rig.state.users.replace = overtaken
    await rig.keeper.accounts.disable("ada", ROOT)
    assert rig.state.users.get("ada").disabled


async def test_an_account_that_never_stands_still_is_given_up(rig):
    rig.state.users.replace = lambda old, new: None
    with pytest.raises(StoreError, match="keeps changing"):
        await rig.keeper.accounts.disable("ada", ROOT)


async def test_a_prepared_hash_makes_an_account_that_logs_in(rig):
    prepared = hash_password("of old, from the notebook", salt=b"s" * 16, parameters=CHEAP)
    changed = await rig.keeper.accounts.add_prepared("Bob", f"argon2:{prepared}\n", ROOT)
    assert ("bob", "added") == (changed.user, changed.message)
    assert prepared == rig.state.users.get("bob").password_hash
    attempt = LoginAttempt(username="bob", password="of old, from the notebook", client="", request_id="id")
    assert "bob" == (await rig.keeper.log_in(attempt))[0].user
    assert prepared.encode() not in rig.sink.lines


@pytest.mark.parametrize("prepared", ["", "sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a", "hunter2"])
async def test_what_is_no_prepared_hash_makes_no_account(rig, prepared):
    with pytest.raises(InputRefused):
        await rig.keeper.accounts.add_prepared("bob", prepared, ROOT)
    assert ["ada"] == [user.name for user in rig.state.users.all()]


async def test_whoever_waits_for_an_account_hears_of_it_when_it_is_durable(rig):
    heard = []
    rig.keeper.accounts.on_added = lambda: heard.append(len(rig.sink.records("user.change")))
    await rig.keeper.accounts.add("bob", PASSWORD, ROOT)
    with pytest.raises(AccountError):
        await rig.keeper.accounts.add("bob", PASSWORD, ROOT)
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.accounts.add("carl", PASSWORD, ROOT)
    assert [2] == heard
