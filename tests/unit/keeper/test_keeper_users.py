import hashlib

import pytest

from nbgate.crypto.passwords import hash_password
from nbgate.errors import AuditError, InputRefused, StoreError
from nbgate.keeper.account_changes import AccountError
from nbgate.keeper.login import LoginAttempt
from nbgate.link.messages import SessionPut, SessionsRevoked, Snapshot
from nbgate.model.session import Role, Scope
from nbgate.testing.keeper_parts import CHEAP, PASSWORD, Rig

ROOT = "uid:0 root"
SALT = "0123456789ab"
OF_A_NOTEBOOK = f"sha1:{SALT}:{hashlib.sha1(b'of old, from the notebook' + SALT.encode()).hexdigest()}"


async def test_an_account_is_added_once_under_its_canonical_name(rig):
    changed = await rig.keeper.accounts.add("Bob", PASSWORD, ROOT)
    assert ("bob", "added", 0) == (changed.user, changed.message, changed.ended_sessions)
    assert ["ada", "bob"] == [user.name for user in await rig.keeper.accounts.all()]
    with pytest.raises(AccountError) as caught:
        await rig.keeper.accounts.add("BOB", PASSWORD, ROOT)
    assert (409, "there is a user bob already") == (caught.value.status, caught.value.public)


async def test_the_first_account_is_made_once_and_only_while_there_is_no_other():
    rig = Rig()
    made = await rig.keeper.accounts.add_first("Ada", PASSWORD, ROOT)
    assert ("ada", Role.OWNER) == (made.user, rig.state.users.get("ada").role)
    for name in ("bob", "ada"):
        with pytest.raises(AccountError) as caught:
            await rig.keeper.accounts.add_first(name, PASSWORD, ROOT)
        assert (410, "there is an account already") == (caught.value.status, caught.value.public)
    assert ["ada"] == [user.name for user in rig.state.users.all()]
    assert 1 == len(rig.sink.records("user.change"))
    await rig.close()


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
    assert "bob" == (await rig.keeper.log_in(attempt)).session.user
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


async def test_the_first_account_owns_the_gateway_and_the_others_work_with_notebooks(rig):
    await rig.keeper.accounts.add("bob", PASSWORD, ROOT)
    await rig.keeper.accounts.add("eve", PASSWORD, ROOT, Role.AUDITOR)
    prepared = hash_password("of old, from the notebook", salt=b"s" * 16, parameters=CHEAP)
    await rig.keeper.accounts.add_prepared("kim", prepared, ROOT, Role.VIEWER)
    assert [("ada", "owner"), ("bob", "editor"), ("eve", "auditor"), ("kim", "viewer")] == [
        (user.name, user.role) for user in await rig.keeper.accounts.all()
    ]


async def test_an_account_is_found_by_any_spelling_of_its_name(rig):
    assert rig.state.users.get("ada") == await rig.keeper.accounts.get("ADA")
    assert await rig.keeper.accounts.get("bob") is None
    with pytest.raises(InputRefused):
        await rig.keeper.accounts.get("a b")


async def test_a_password_of_a_notebook_server_opens_an_account_and_is_renewed(rig):
    await rig.keeper.accounts.import_hash("bob", OF_A_NOTEBOOK, ROOT)
    assert OF_A_NOTEBOOK == rig.state.users.get("bob").password_hash
    attempt = LoginAttempt(username="bob", password="of old, from the notebook", client="", request_id="id")
    await rig.keeper.log_in(attempt)
    assert rig.state.users.get("bob").password_hash.startswith("$argon2id$")
    with pytest.raises(InputRefused):
        await rig.keeper.accounts.import_hash("eve", "of old, from the notebook", ROOT)


async def test_another_role_ends_logins_and_tokens_and_the_same_one_nothing(rig):
    attempt = LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r")
    session = (await rig.keeper.log_in(attempt)).session
    token, _ = await rig.keeper.tokens.add("ada", "laptop", Scope.ALL, (), rig.clock.unix() + 60, ROOT)
    assert 0 == (await rig.keeper.accounts.set_role("ada", Role.OWNER, ROOT)).ended_sessions
    assert {session.id, token.session.id} == {row.session.id for row in rig.keeper.sessions_of("ada")}
    changed = await rig.keeper.accounts.set_role("ada", Role.VIEWER, ROOT)
    assert ("role viewer", 2, Role.VIEWER) == (
        changed.message,
        changed.ended_sessions,
        (await rig.keeper.accounts.get("ada")).role,
    )
    assert () == rig.keeper.sessions_of("ada")
    assert ["role-changed"] * 2 == [record["event.reason"] for record in rig.sink.records("session.end")]


async def test_who_changes_the_own_password_stays_signed_in_there_and_nowhere_else(rig):
    link = rig.attach()
    attempt = LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r")
    kept, other = [(await rig.keeper.log_in(attempt)).session for _ in range(2)]
    epoch = rig.state.users.get("ada").cred_epoch
    changed = await rig.keeper.accounts.set_password("ada", "another horse battery", "ada", keep=kept.id)
    assert 1 == changed.ended_sessions
    (revoked,) = link.of(SessionsRevoked)
    assert ((other.id,), "password-changed") == (revoked.ids, revoked.reason)
    (row,) = rig.keeper.sessions_of("ada")
    assert (kept.id, 2, epoch + 1) == (row.session.id, row.session.generation, row.cred_epoch)
    assert (row,) == rig.state.sessions.all()
    assert SessionPut(session=row.session) == link.of(SessionPut)[-1]
    again = Rig(state=rig.state, clock=rig.clock)
    await again.keeper.start()
    assert row.session == again.keeper.find_session(kept.id)
    await again.close()


async def test_what_cannot_be_recorded_has_happened_all_the_same_and_is_known(rig):
    link = rig.attach()
    await rig.keeper.log_in(LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r"))
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.accounts.disable("ada", ROOT)
    assert ((), 1, "") == (rig.keeper.sessions_of("ada"), len(link.of(SessionsRevoked)), link.of(Snapshot)[-1].contact)
