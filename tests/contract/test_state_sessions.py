"""One suite for every engine that keeps sessions: each sentence of `nbgate.ports.SessionStore` is a test here."""

import threading

import msgspec
import pytest
from state_rows import ADA, BOB, CODES, FULL, found, ids, login, rotated, token, with_seen

from nbgate.errors import CredentialRejected, StoreError
from nbgate.model.account import Spent, as_disabled, with_new_password, with_recovery
from nbgate.model.session import Role, Scope


@pytest.mark.parametrize(
    "now",
    [None, as_disabled(ADA), with_new_password(ADA, "$new"), msgspec.structs.replace(ADA, disabled=True)],
    ids=["gone", "disabled", "changed", "disabled-same-epoch"],
)
@pytest.mark.parametrize("session", [login(1), token(1)], ids=["login", "token"])
def test_what_was_proven_before_the_account_changed_makes_no_session(stores, now, session):
    if now is not None:
        stores.users.add(now)
    with pytest.raises(CredentialRejected):
        stores.sessions.create(session)
    assert () == stores.sessions.all()


def test_sessions_come_back_as_they_were_stored_oldest_first(stores):
    stores.users.add(ADA)
    young = login(1, created=2000.0, factors=("password", "totp"))
    old = login(2, created=1000.0, factors=())
    stores.sessions.create(young)
    stores.sessions.create(old)
    assert (old, young) == stores.sessions.all()
    assert young == stores.sessions.get(young.session.id)


@pytest.mark.parametrize("scope", Scope)
def test_all_that_is_known_of_a_session_comes_back(stores, scope):
    stores.users.add(ADA)
    session = msgspec.structs.replace(
        token(1, scope=scope).session,
        key=bytes([2]) * 32,
        former=bytes([3]) * 32,
        rotate_unix=1_800_000_900.125,
        role=Role.VIEWER,
    )
    row = msgspec.structs.replace(
        token(1), session=session, retired=CODES[3:6], label="Firefox, Linux: ünï", client="2001:db8::7"
    )
    assert () == stores.sessions.create(row)
    assert (row,) == stores.sessions.all()
    assert row == stores.sessions.get(row.session.id)
    back = stores.sessions.get(row.session.id).session
    assert (Role.VIEWER, scope) == (back.role, back.scope)
    assert (Role, Scope) == (type(back.role), type(back.scope))


def test_a_session_id_is_used_once(stores):
    stores.users.add(FULL)
    for number in (1, 2):
        stores.sessions.create(login(number, FULL))
    before = found(stores)
    with pytest.raises(StoreError):
        stores.sessions.create(
            login(1, FULL, created=5.0), spent=Spent(totp_step=FULL.totp_step + 1, recovery=CODES[0]), most=1
        )
    assert before == found(stores)


def test_a_time_step_is_spent_with_the_login_and_all_before_it(stores):
    stores.users.add(FULL)
    step = FULL.totp_step + 2
    assert () == stores.sessions.create(login(1, FULL), spent=Spent(totp_step=step))
    assert ((msgspec.structs.replace(FULL, totp_step=step),), (login(1, FULL),)) == found(stores)
    for late in (step, step - 1, FULL.totp_step):
        with pytest.raises(CredentialRejected):
            stores.sessions.create(login(2, FULL), spent=Spent(totp_step=late))
    stores.sessions.create(login(3, FULL), spent=Spent(totp_step=step + 1))
    assert step + 1 == stores.users.get("ada").totp_step


def test_the_last_step_stored_is_spent(stores):
    stores.users.add(FULL)
    with pytest.raises(CredentialRejected):
        stores.sessions.create(login(1, FULL), spent=Spent(totp_step=FULL.totp_step))
    assert ((FULL,), ()) == found(stores)


def test_a_recovery_code_is_spent_with_the_login_and_no_other_is(stores):
    stores.users.add(FULL)
    stores.sessions.create(login(1, FULL), spent=Spent(recovery=CODES[4]))
    left = with_recovery(FULL, CODES[:4] + CODES[5:])
    assert ((left,), (login(1, FULL),)) == found(stores)
    with pytest.raises(CredentialRejected):
        stores.sessions.create(login(2, FULL), spent=Spent(recovery=CODES[4]))
    assert ((left,), (login(1, FULL),)) == found(stores)


@pytest.mark.parametrize(
    "spent",
    [
        Spent(recovery=bytes(32)),
        Spent(recovery=CODES[0][:31]),
        Spent(totp_step=FULL.totp_step + 1, recovery=bytes(32)),
        Spent(totp_step=FULL.totp_step, recovery=CODES[0]),
    ],
    ids=["unknown-code", "part-of-a-code", "step-good-code-unknown", "code-good-step-spent"],
)
def test_a_login_that_is_rejected_changes_nothing(stores, spent):
    stores.users.add(FULL)
    stores.sessions.create(login(1, FULL))
    with pytest.raises(CredentialRejected):
        stores.sessions.create(login(2, FULL), spent=spent, most=1)
    assert ((FULL,), (login(1, FULL),)) == found(stores)


@pytest.mark.parametrize("spent", [None, Spent()], ids=["none", "empty"])
def test_a_login_that_spends_nothing_leaves_the_account(stores, spent):
    stores.users.add(FULL)
    stores.sessions.create(login(1, FULL), spent=spent)
    assert (FULL,) == stores.users.all()


def test_what_is_spent_of_one_account_is_not_of_another(stores):
    other = msgspec.structs.replace(FULL, name="bob")
    stores.users.add(FULL)
    stores.users.add(other)
    spent = Spent(totp_step=FULL.totp_step + 1, recovery=CODES[0])
    stores.sessions.create(login(1, FULL), spent=spent)
    assert other == stores.users.get("bob")
    stores.sessions.create(login(2, other), spent=spent)


def test_too_many_logins_end_those_idle_longest(stores):
    stores.users.add(ADA)
    for number, seen in ((1, 30.0), (2, 10.0), (3, 20.0), (4, 40.0)):
        stores.sessions.create(with_seen(login(number), seen))
    assert ids(2, 3) == stores.sessions.create(login(5), most=3)
    assert ids(1, 4, 5) == tuple(row.session.id for row in stores.sessions.all())
    assert () == stores.sessions.create(login(6), most=4)
    assert () == stores.sessions.create(login(7))


def test_what_was_touched_is_not_idle(stores):
    stores.users.add(ADA)
    for number in (1, 2):
        stores.sessions.create(with_seen(login(number), 10.0 + number))
    stores.sessions.touch({bytes([1]) * 32: 50.0})
    assert ids(2) == stores.sessions.create(login(3), most=2)


def test_a_new_login_stays_even_if_it_is_the_one_idle_longest(stores):
    stores.users.add(ADA)
    stores.sessions.create(with_seen(login(1), 1e9))
    assert ids(1) == stores.sessions.create(with_seen(login(2), 1.0), most=1)


def test_logins_idle_as_long_end_oldest_first(stores):
    stores.users.add(ADA)
    for number, created in ((1, 50.0), (2, 40.0), (3, 40.0)):
        stores.sessions.create(with_seen(login(number, created=created), 100.0))
    assert ids(2, 3, 1) == stores.sessions.create(login(4), most=1)


def test_tokens_and_other_peoples_logins_do_not_count(stores):
    stores.users.add(ADA)
    stores.users.add(BOB)
    for session in (token(1, seen=0.0), login(2, BOB), login(3)):
        stores.sessions.create(session)
    assert () == stores.sessions.create(token(4), most=1)
    assert ids(3) == stores.sessions.create(login(5), most=1)
    assert ids(1, 2, 4, 5) == tuple(row.session.id for row in stores.sessions.all())


def test_a_session_is_replaced_where_it_is_as_it_was_read(stores):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    stores.sessions.create(login(2))
    once = rotated(login(1), 7)
    assert stores.sessions.replace(login(1), once) is True
    assert (once, login(2)) == stores.sessions.all()
    assert stores.sessions.replace(login(1), rotated(login(1), 8)) is False
    assert once == stores.sessions.get(once.session.id)
    assert stores.sessions.replace(once, rotated(once, 9)) is True


def test_a_session_that_is_over_is_not_brought_back(stores):
    stores.users.add(ADA)
    assert stores.sessions.replace(login(1), rotated(login(1), 7)) is False
    stores.sessions.create(login(1))
    stores.sessions.end(ids(1))
    assert stores.sessions.replace(login(1), rotated(login(1), 7)) is False
    assert () == stores.sessions.all()


@pytest.mark.parametrize(("new", "expected"), [(1200.0, 1500.0), (1600.0, 1600.0)])
def test_activity_meanwhile_hinders_no_replacing_and_is_not_lost(stores, new, expected):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    stores.sessions.touch({bytes([1]) * 32: 1500.0})
    changed = rotated(login(1), 7, last_seen_unix=new)
    assert stores.sessions.replace(login(1), changed) is True
    assert (with_seen(changed, expected),) == stores.sessions.all()


@pytest.mark.parametrize(
    "new",
    [
        rotated(login(1), 7, cred_epoch=2),
        rotated(msgspec.structs.replace(login(1), session=login(2).session), 7),
        rotated(login(1, BOB), 7),
        login(1),
        msgspec.structs.replace(login(1), session=msgspec.structs.replace(login(1).session, generation=0)),
    ],
    ids=["epoch", "id", "user", "generation-same", "generation-lower"],
)
def test_a_session_keeps_its_id_user_and_epoch_and_its_generation_grows(stores, new):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    with pytest.raises(ValueError, match="session"):
        stores.sessions.replace(login(1), new)
    assert (login(1),) == stores.sessions.all()


def test_ending_names_those_that_were_there_in_the_order_given(stores):
    stores.users.add(ADA)
    for number in (1, 2, 3):
        stores.sessions.create(login(number))
    assert ids(3, 1) == stores.sessions.end(ids(3, 9, 1, 3))
    assert () == stores.sessions.end(())
    assert (login(2),) == stores.sessions.all()


def test_activity_moves_forward_only_and_revives_nothing(stores):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    stores.sessions.touch({bytes([1]) * 32: 1500.0, bytes([9]) * 32: 1500.0})
    stores.sessions.touch({bytes([1]) * 32: 1400.0})
    assert [1500.0] == [row.last_seen_unix for row in stores.sessions.all()]


def test_old_sessions_stay_until_they_are_ended(stores):
    stores.users.add(ADA)
    ancient = login(1, created=-1e9)
    stores.sessions.create(ancient)
    assert (ancient,) == stores.sessions.all()


def test_calls_may_come_from_one_thread_after_another(stores):
    stores.users.add(ADA)
    thread = threading.Thread(target=stores.sessions.create, args=(login(1),))
    thread.start()
    thread.join()
    assert (login(1),) == stores.sessions.all()
