"""An account changes as a whole, whoever else changes it, and one login may live through that."""

import pytest
from msgspec import structs

from nbgate.errors import StoreError
from nbgate.keeper.account_changes import ATTEMPTS, AccountError, AccountStore, Kept
from nbgate.model.account import StoredSession, User, as_disabled, with_new_password, with_recovery, with_role
from nbgate.model.session import Role, Scope, Session
from nbgate.stores.memory import MemoryState

ADA = User(name="ada", password_hash="one", created_unix=1.0)


async def run(call, *args, **kwargs):
    return call(*args, **kwargs)


@pytest.fixture
def state():
    made = MemoryState()
    made.users.add(ADA)
    return made


@pytest.fixture
def accounts(state):
    return AccountStore(state.users, state.sessions, run)


def login(state, number, *, scope=Scope.LOGIN, factors=("password",)):
    session = Session(
        id=bytes([number]) * 32, user="ada", created_unix=number, absolute_unix=1e9, scope=scope, factors=factors
    )
    stored = StoredSession(session=session, last_seen_unix=1.0, cred_epoch=state.users.get("ada").cred_epoch)
    state.sessions.create(stored)
    return stored


def new_password(user):
    return with_new_password(user, "two")


async def test_a_change_ends_what_hangs_on_the_account_as_it_was(accounts, state):
    ended = (login(state, 1), login(state, 2))
    token = login(state, 3, scope=Scope.ALL)
    replaced = await accounts.replace("ada", new_password)
    assert (new_password(ADA), None) == (replaced.user, replaced.kept)
    assert {each.session.id for each in ended} == set(replaced.ended)
    assert (token,) == state.sessions.all()


async def test_the_login_that_is_kept_lives_on_in_the_new_epoch(accounts, state):
    kept, other = login(state, 1), login(state, 2)
    replaced = await accounts.replace("ada", new_password, Kept(kept.session.id))
    session = structs.replace(kept.session, generation=2)
    assert structs.replace(kept, cred_epoch=2, session=session) == replaced.kept
    assert ((other.session.id,), (replaced.kept,)) == (replaced.ended, state.sessions.all())


@pytest.mark.parametrize(
    ("factors", "keep", "expected"),
    [
        (("password",), {"gains": "totp"}, ("password", "totp")),
        (("password", "totp"), {"gains": "totp"}, ("password", "totp")),
        (("password", "recovery"), {"loses": frozenset({"totp", "recovery"})}, ("password",)),
        (("login-link",), {}, ("login-link",)),
    ],
)
async def test_what_was_proven_meanwhile_counts_and_what_is_gone_does_not(accounts, state, factors, keep, expected):
    kept = login(state, 1, factors=factors)
    replaced = await accounts.replace("ada", new_password, Kept(kept.session.id, **keep))
    assert expected == replaced.kept.session.factors


@pytest.mark.parametrize("change", [as_disabled, lambda user: as_disabled(with_role(user, Role.VIEWER))])
async def test_nobody_is_kept_who_may_not_log_in(accounts, state, change):
    kept = login(state, 1)
    replaced = await accounts.replace("ada", change, Kept(kept.session.id))
    assert ((kept.session.id,), None, ()) == (replaced.ended, replaced.kept, state.sessions.all())


async def test_a_login_that_cannot_be_kept_ends_with_the_others(accounts, state, monkeypatch):
    kept, other = login(state, 1), login(state, 2)

    def broken(_stored):
        raise StoreError("the store cannot be written")

    monkeypatch.setattr(state.sessions, "create", broken)
    replaced = await accounts.replace("ada", new_password, Kept(kept.session.id))
    assert ({kept.session.id, other.session.id}, None) == ({*replaced.ended}, replaced.kept)


async def test_a_login_that_is_over_is_not_kept(accounts, state):
    other = login(state, 1)
    replaced = await accounts.replace("ada", new_password, Kept(b"?" * 32))
    assert ((other.session.id,), None) == (replaced.ended, replaced.kept)


async def test_a_change_that_ends_nothing_keeps_everything_as_it_is(accounts, state):
    kept = login(state, 1)
    replaced = await accounts.replace("ada", lambda user: with_recovery(user, (b"1" * 32,)), Kept(kept.session.id))
    assert ((), None, (kept,)) == (replaced.ended, replaced.kept, state.sessions.all())


async def test_a_change_in_between_is_seen_and_not_lost(accounts, state):
    turns = iter((True, False))

    def overtaken(user):
        if next(turns):
            state.users.replace(user, with_recovery(user, (b"1" * 32,)))
        return new_password(user)

    await accounts.replace("ada", overtaken)
    user = state.users.get("ada")
    assert ("two", (b"1" * 32,)) == (user.password_hash, user.recovery)


async def test_an_account_that_keeps_changing_is_given_up(accounts, state):
    seen = []

    def overtaken(user):
        seen.append(user)
        state.users.replace(user, with_recovery(user, (bytes([len(seen)]) * 32,)))
        return new_password(user)

    with pytest.raises(StoreError, match="keeps changing"):
        await accounts.replace("ada", overtaken)
    assert ATTEMPTS == len(seen)


@pytest.mark.parametrize("what", ["require", "remove", "replace"])
async def test_who_is_not_there_cannot_be_found(accounts, what):
    arguments = ("bob", new_password) if what == "replace" else ("bob",)
    with pytest.raises(AccountError, match="there is no user bob") as caught:
        await getattr(accounts, what)(*arguments)
    assert 404 == caught.value.status
    assert await accounts.get("bob") is None


async def test_a_new_account_is_made_in_view_of_the_others(accounts, state):
    bob = User(name="bob", password_hash="x", created_unix=2.0)
    seen = []

    def make(others):
        seen.append(others)
        return bob

    assert [True, False] == [await accounts.add(make), await accounts.add(make)]
    assert [(ADA,), (ADA, bob)] == seen
    assert (ADA, bob) == await accounts.all()


@pytest.mark.parametrize(("change", "epoch"), [(new_password, 3), (lambda user: with_recovery(user, (b"r" * 32,)), 1)])
async def test_a_change_is_put_back_and_what_ended_stays_ended(accounts, state, change, epoch):
    login(state, 1)
    kept = login(state, 2)
    replaced = await accounts.replace("ada", change, Kept(kept.session.id))
    ended = await accounts.put_back(replaced)
    assert structs.replace(ADA, cred_epoch=epoch) == state.users.get("ada")
    assert (2 if epoch == 1 else 0) == len(state.sessions.all())
    assert (() if epoch == 1 else (kept.session.id,)) == ended


async def test_what_was_changed_again_meanwhile_is_not_put_back(accounts, state):
    replaced = await accounts.replace("ada", new_password)
    again = await accounts.replace("ada", as_disabled)
    assert () == await accounts.put_back(replaced)
    assert again.user == state.users.get("ada")


async def test_a_change_that_changed_nothing_is_not_put_back(accounts, state):
    replaced = await accounts.replace("ada", lambda user: user)
    assert () == await accounts.put_back(replaced)
    assert ADA == state.users.get("ada")
