"""The engines agree: whatever is asked of them, in whatever order, each gives the answers of the reference."""

import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import CODES, found, login, rotated, token, with_seen

from nbgate.errors import CredentialRejected, StoreError
from nbgate.model.account import Spent, User, as_disabled, as_enabled, with_new_password, with_rehash, with_role
from nbgate.model.session import Role
from nbgate.stores.memory import MemoryState
from nbgate.stores.sqlite import open_state

names = st.sampled_from(["ada", "bob"])
numbers = st.integers(1, 5)
users = st.builds(User, name=names, password_hash=st.just("$"), created_unix=st.just(1.0), recovery=st.just(CODES[:2]))
changes = st.sampled_from(
    [
        as_disabled,
        as_enabled,
        lambda user: with_new_password(user, "$new"),
        lambda user: with_rehash(user, "$same"),
        lambda user: with_role(user, Role.VIEWER),
        lambda user: msgspec.structs.replace(user, role=Role.OWNER),
        lambda user: msgspec.structs.replace(user, totp_step=user.totp_step - 1),
    ]
)
spends = st.none() | st.builds(
    Spent, totp_step=st.integers(0, 4), recovery=st.sampled_from([b"", b"", b"", *CODES[:3]])
)
places = st.sampled_from(["/lab/", "/lab1/", "/Lab/", "ada.example.org/", "/\N{GREEK SMALL LETTER ALPHA}/"])
seconds = st.sampled_from([900.0, 1000.0, 1500.0, 2000.0])


def replace_user(state, name, change):
    old = state.users.get(name)
    return None if old is None else state.users.replace(old, change(old))


def create(state, make, number, name, seen, epochs_ago, spent, most):
    user = state.users.get(name) or User(name=name, password_hash="$", created_unix=1.0)
    user = msgspec.structs.replace(user, cred_epoch=max(1, user.cred_epoch - epochs_ago))
    return state.sessions.create(with_seen(make(number, user), seen), spent=spent, most=most)


def replace_session(state, number, seen):
    old = state.sessions.get(bytes([number]) * 32)
    return None if old is None else state.sessions.replace(with_seen(old, seen), rotated(old, number + 100))


calls = st.one_of(
    st.tuples(st.just(lambda state, user: state.users.add(user)), users),
    st.tuples(st.just(lambda state, name: state.users.remove(name)), names),
    st.tuples(st.just(replace_user), names, changes),
    st.tuples(
        st.just(create),
        st.sampled_from([login, login, token]),
        numbers,
        names,
        seconds,
        st.sampled_from([0, 0, 0, 1]),
        spends,
        st.integers(0, 2),
    ),
    st.tuples(st.just(replace_session), numbers, seconds),
    st.tuples(
        st.just(lambda state, number, seen: state.sessions.touch({bytes([number]) * 32: seen})), numbers, seconds
    ),
    st.tuples(st.just(lambda state, number: state.sessions.end([bytes([number]) * 32])), numbers),
    st.tuples(st.just(lambda state, name: state.values.get(name)), names),
    st.tuples(st.just(lambda state, name, value: state.values.put(name, value)), names, st.binary(max_size=3)),
    st.tuples(st.just(lambda state, name: state.values.remove(name)), names),
    st.tuples(st.just(lambda state, at, value: state.routes.put(at, value)), places, st.binary(max_size=3)),
    st.tuples(st.just(lambda state, at: state.routes.remove(at)), places),
)


def answer(state, call):
    act, *arguments = call
    try:
        return act(state, *arguments)
    except (CredentialRejected, StoreError, ValueError) as error:
        return type(error)


@settings(max_examples=60, deadline=None)
@given(st.lists(calls, min_size=5, max_size=40))
def test_every_engine_answers_as_the_reference_does(script):
    with tempfile.TemporaryDirectory() as folder:
        reference, state = MemoryState(), open_state(Path(folder) / "state.db")
        try:
            for name in ("ada", "bob"):
                user = User(name=name, password_hash="$", created_unix=1.0, recovery=CODES[:2])
                assert [True, True] == [engine.users.add(user) for engine in (reference, state)]
            for call in script:
                assert answer(reference, call) == answer(state, call)
                assert found(reference) == found(state)
                assert reference.routes.all() == state.routes.all()
        finally:
            state.close()
