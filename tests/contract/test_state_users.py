"""One suite for every engine that keeps accounts: each sentence of `nbgate.ports.UserStore` is a test here."""

import msgspec
import pytest
from state_rows import ADA, BOB, CODES, FULL, found, ids, login, token

from nbgate.model.account import (
    as_disabled,
    as_enabled,
    with_new_password,
    with_recovery,
    with_rehash,
    with_role,
    with_totp,
    without_totp,
)
from nbgate.model.session import Role, Scope


def test_a_new_store_is_empty(stores):
    assert (None, ()) == (stores.users.get("ada"), stores.users.all())
    assert (None, ()) == (stores.sessions.get(bytes(32)), stores.sessions.all())


def test_accounts_come_back_as_they_were_stored_sorted_by_name(stores):
    disabled = as_disabled(msgspec.structs.replace(BOB, name="a.b@c-d_e"))
    assert [True, True, True] == [stores.users.add(user) for user in (BOB, ADA, disabled)]
    assert (disabled, ADA, BOB) == stores.users.all()
    assert BOB == stores.users.get("bob")


@pytest.mark.parametrize("role", Role)
def test_all_that_is_known_of_an_account_comes_back(stores, role):
    user = msgspec.structs.replace(FULL, role=role)
    stores.users.add(user)
    assert user == stores.users.get("ada")
    assert role is stores.users.get("ada").role
    fewer = with_recovery(without_totp(user), CODES[:1])
    stores.users.replace(user, fewer)
    assert (fewer,) == stores.users.all()


def test_a_taken_name_is_not_stored_twice(stores):
    stores.users.add(ADA)
    assert stores.users.add(msgspec.structs.replace(ADA, password_hash="$other")) is False
    assert ADA == stores.users.get("ada")


def test_names_are_compared_exactly(stores):
    stores.users.add(ADA)
    assert stores.users.get("Ada") is None


def test_replace_changes_only_what_is_still_as_it_was_read(stores):
    stores.users.add(ADA)
    changed = with_new_password(ADA, "$new")
    assert () == stores.users.replace(ADA, changed)
    stores.sessions.create(login(1, changed))
    assert stores.users.replace(ADA, with_new_password(ADA, "$late")) is None
    assert ((changed,), (login(1, changed),)) == found(stores)
    assert stores.users.replace(BOB, BOB) is None


@pytest.mark.parametrize(
    "other", [{"totp_step": 1}, {"recovery": CODES[:9]}, {"role": Role.VIEWER}, {"totp": "v1.other"}], ids=str
)
def test_replace_compares_all_that_is_known_of_an_account(stores, other):
    stores.users.add(FULL)
    base = msgspec.structs.replace(FULL, **other)
    assert stores.users.replace(base, with_new_password(FULL, "$new")) is None
    assert FULL == stores.users.get("ada")


@pytest.mark.parametrize(
    "new",
    [
        msgspec.structs.replace(FULL, name="bob"),
        msgspec.structs.replace(FULL, cred_epoch=FULL.cred_epoch - 1),
        msgspec.structs.replace(FULL, totp_step=FULL.totp_step - 1),
    ],
    ids=["name", "epoch", "step"],
)
def test_an_account_keeps_its_name_and_never_goes_back_an_epoch_or_a_step(stores, new):
    stores.users.add(FULL)
    with pytest.raises(ValueError, match="epoch only grows"):
        stores.users.replace(FULL, new)
    assert (FULL,) == stores.users.all()


def test_a_new_password_ends_the_sessions_of_this_person_only(stores):
    stores.users.add(ADA)
    stores.users.add(BOB)
    for session in (login(2), login(1), login(3, BOB)):
        stores.sessions.create(session)
    assert ids(1, 2) == stores.users.replace(ADA, with_new_password(ADA, "$new"))
    assert (login(3, BOB),) == stores.sessions.all()


@pytest.mark.parametrize(
    "new", [with_rehash(ADA, "$same-password"), with_recovery(ADA, CODES)], ids=["hash", "recovery-codes"]
)
def test_what_leaves_the_epoch_ends_no_session(stores, new):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    assert () == stores.users.replace(ADA, new)
    assert login(1) == stores.sessions.get(bytes([1]) * 32)


@pytest.mark.parametrize(
    "new", [with_new_password(ADA, "$new"), with_totp(ADA, "v1.sealed", 5, CODES), without_totp(ADA)]
)
def test_a_new_epoch_ends_logins_and_no_tokens(stores, new):
    stores.users.add(ADA)
    for session in (token(1), login(2), token(3, scope=Scope.ALL)):
        stores.sessions.create(session)
    assert ids(2) == stores.users.replace(ADA, new)
    assert (token(1), token(3, scope=Scope.ALL)) == stores.sessions.all()
    later = with_new_password(new, "$newer")
    assert () == stores.users.replace(new, later)
    assert ids(1, 3) == tuple(row.session.id for row in stores.sessions.all())


@pytest.mark.parametrize(
    "new",
    [
        with_role(ADA, Role.VIEWER),
        msgspec.structs.replace(ADA, role=Role.VIEWER),
        as_disabled(ADA),
        msgspec.structs.replace(ADA, disabled=True),
    ],
    ids=["role", "role-same-epoch", "disabled", "disabled-same-epoch"],
)
def test_another_role_and_disabling_end_logins_and_tokens_of_this_person(stores, new):
    stores.users.add(ADA)
    stores.users.add(BOB)
    for session in (token(3), login(2), token(1), login(4, BOB), token(5, BOB)):
        stores.sessions.create(session)
    assert ids(1, 2, 3) == stores.users.replace(ADA, new)
    assert (login(4, BOB), token(5, BOB)) == stores.sessions.all()


def test_a_token_ends_with_the_role_however_many_epochs_ago_it_began(stores):
    stores.users.add(ADA)
    stores.sessions.create(token(1))
    changed = with_new_password(ADA, "$new")
    stores.users.replace(ADA, changed)
    assert ids(1) == stores.users.replace(changed, with_role(changed, Role.AUDITOR))


def test_disabling_ends_sessions_and_enabling_brings_none_back(stores):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    disabled = as_disabled(ADA)
    assert ids(1) == stores.users.replace(ADA, disabled)
    enabled = as_enabled(disabled)
    assert () == stores.users.replace(disabled, enabled)
    assert () == stores.sessions.all()
    stores.sessions.create(login(2, enabled))
    assert ids(2) == tuple(row.session.id for row in stores.sessions.all())


def test_disabling_ends_sessions_even_if_the_epoch_stays(stores):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    assert ids(1) == stores.users.replace(ADA, msgspec.structs.replace(ADA, disabled=True))


def test_removing_an_account_ends_its_sessions_for_ever(stores):
    stores.users.add(ADA)
    stores.users.add(BOB)
    for session in (token(2), login(1), login(3, BOB)):
        stores.sessions.create(session)
    assert ids(1, 2) == stores.users.remove("ada")
    assert stores.users.remove("ada") is None
    assert ((BOB,), (login(3, BOB),)) == found(stores)
    stores.users.add(ADA)
    assert stores.sessions.get(bytes([1]) * 32) is None
