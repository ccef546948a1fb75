"""One suite for every engine that keeps state: each sentence of the Protocols in `nbgate.ports` is a test here."""

import threading
from dataclasses import dataclass

import msgspec
import pytest

from nbgate.errors import CredentialRejected, StoreError
from nbgate.model.account import StoredSession, User, as_disabled, as_enabled, with_new_password, with_rehash
from nbgate.model.session import Session
from nbgate.ports import SessionStore, State, UserStore
from nbgate.stores.memory import MemoryState
from nbgate.stores.sqlite import open_state

ADA = User(name="ada", password_hash="$hash-of-ada", created_unix=1_800_000_000.25)
BOB = User(name="bob", password_hash="$hash-of-bob", created_unix=1_800_000_001.5)


@dataclass(frozen=True)
class Stores:
    users: UserStore
    sessions: SessionStore


@pytest.fixture(params=["memory", "sqlite"])
def stores(request, tmp_path):
    state: State = MemoryState() if request.param == "memory" else open_state(tmp_path / "state.db")
    yield Stores(state.users, state.sessions)
    state.close()


def login(number: int, user: User = ADA, *, created: float = 1000.0, factors: tuple[str, ...] = ("password",)):
    session = Session(
        id=bytes([number]) * 32,
        user=user.name,
        created_unix=created,
        absolute_unix=created + 604800.125,
        factors=factors,
        generation=number,
    )
    return StoredSession(session=session, last_seen_unix=created + 0.5, cred_epoch=user.cred_epoch)


def ids(*numbers: int) -> tuple[bytes, ...]:
    return tuple(bytes([number]) * 32 for number in numbers)


def test_a_new_store_is_empty(stores):
    assert (None, ()) == (stores.users.get("ada"), stores.users.all())
    assert (None, ()) == (stores.sessions.get(bytes(32)), stores.sessions.all())


def test_accounts_come_back_as_they_were_stored_sorted_by_name(stores):
    disabled = as_disabled(msgspec.structs.replace(BOB, name="a.b@c-d_e"))
    assert [True, True, True] == [stores.users.add(user) for user in (BOB, ADA, disabled)]
    assert (disabled, ADA, BOB) == stores.users.all()
    assert BOB == stores.users.get("bob")


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
    assert stores.users.replace(ADA, with_new_password(ADA, "$late")) is None
    assert changed == stores.users.get("ada")
    assert stores.users.replace(BOB, BOB) is None


@pytest.mark.parametrize("new", [BOB, msgspec.structs.replace(ADA, cred_epoch=0)])
def test_an_account_keeps_its_name_and_never_goes_back_an_epoch(stores, new):
    stores.users.add(ADA)
    with pytest.raises(ValueError, match="epoch only grows"):
        stores.users.replace(ADA, new)


def test_a_new_password_ends_the_sessions_of_this_person_only(stores):
    stores.users.add(ADA)
    stores.users.add(BOB)
    for session in (login(2), login(1), login(3, BOB)):
        stores.sessions.create(session)
    assert ids(1, 2) == stores.users.replace(ADA, with_new_password(ADA, "$new"))
    assert (login(3, BOB),) == stores.sessions.all()


def test_a_renewed_hash_ends_no_session(stores):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    assert () == stores.users.replace(ADA, with_rehash(ADA, "$same-password"))
    assert login(1) == stores.sessions.get(bytes([1]) * 32)


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
    stores.sessions.create(login(1))
    assert ids(1) == stores.users.remove("ada")
    assert stores.users.remove("ada") is None
    assert (None, ()) == (stores.users.get("ada"), stores.sessions.all())
    stores.users.add(ADA)
    assert stores.sessions.get(bytes([1]) * 32) is None


@pytest.mark.parametrize(
    "now",
    [None, as_disabled(ADA), with_new_password(ADA, "$new"), msgspec.structs.replace(ADA, disabled=True)],
    ids=["gone", "disabled", "changed", "disabled-same-epoch"],
)
def test_what_was_proven_before_the_account_changed_makes_no_session(stores, now):
    if now is not None:
        stores.users.add(now)
    with pytest.raises(CredentialRejected):
        stores.sessions.create(login(1))
    assert () == stores.sessions.all()


def test_sessions_come_back_as_they_were_stored_oldest_first(stores):
    stores.users.add(ADA)
    young = login(1, created=2000.0, factors=("password", "totp"))
    old = login(2, created=1000.0, factors=())
    stores.sessions.create(young)
    stores.sessions.create(old)
    assert (old, young) == stores.sessions.all()
    assert young == stores.sessions.get(young.session.id)


def test_a_session_id_is_used_once(stores):
    stores.users.add(ADA)
    stores.sessions.create(login(1))
    with pytest.raises(StoreError):
        stores.sessions.create(login(1, created=5.0))
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
