"""What is special about the stores in a file: each call is one transaction. The promises are in tests/contract."""

import msgspec
import pytest

from nbgate.errors import StoreError
from nbgate.model.account import Spent, StoredSession, User
from nbgate.model.session import Session
from nbgate.stores.sqlite import open_state

ADA = User(name="ada", password_hash="$hash", created_unix=1.0, recovery=(bytes(32),))
LOGIN = StoredSession(
    session=Session(id=bytes(32), user="ada", created_unix=1.0, absolute_unix=2.0), last_seen_unix=1.0, cred_epoch=1
)


@pytest.fixture
def state(tmp_path):
    state = open_state(tmp_path / "state.db")
    state.users.add(ADA)
    yield state
    state.close()


def traced(state, call):
    seen = []
    state._connection.set_trace_callback(seen.append)
    call()
    state._connection.set_trace_callback(None)
    return [sql.split()[0] for sql in seen if not sql.startswith("PRAGMA")]


def test_a_login_and_what_it_spends_are_one_transaction(state):
    new = msgspec.structs.replace(LOGIN.session, id=b"1" * 32)
    state.sessions.create(LOGIN)
    seen = traced(
        state,
        lambda: state.sessions.create(
            msgspec.structs.replace(LOGIN, session=new), spent=Spent(totp_step=5, recovery=bytes(32)), most=1
        ),
    )
    assert ["BEGIN", "SELECT", "UPDATE", "SELECT", "INSERT", "DELETE", "COMMIT"] == seen


def test_a_change_of_an_account_and_the_end_of_its_logins_are_one_transaction(state):
    state.sessions.create(LOGIN)
    seen = traced(state, lambda: state.users.replace(ADA, msgspec.structs.replace(ADA, cred_epoch=2)))
    assert ["BEGIN", "SELECT", "UPDATE", "SELECT", "DELETE", "COMMIT"] == seen


def test_what_cannot_be_stored_changes_nothing(state):
    with pytest.raises(ValueError, match="32 bytes"):
        state.sessions.create(msgspec.structs.replace(LOGIN, retired=(b"x",)), spent=Spent(totp_step=5))
    assert ((ADA,), ()) == (state.users.all(), state.sessions.all())
    with pytest.raises(StoreError, match="cannot be used"):
        state.users.replace(ADA, msgspec.structs.replace(ADA, role="root"))
    assert (ADA,) == state.users.all()


def test_values_routes_and_all_of_a_session_are_there_after_reopening(state, tmp_path):
    state.sessions.create(LOGIN)
    session = msgspec.structs.replace(LOGIN.session, generation=2, key=b"2" * 32, former=bytes(32), rotate_unix=9.5)
    changed = msgspec.structs.replace(LOGIN, session=session, retired=(b"3" * 32,))
    assert state.sessions.replace(LOGIN, changed)
    state.values.put("throttle", b"\0")
    state.routes.put("/lab/", b"\xff")
    state.close()
    again = open_state(tmp_path / "state.db")
    assert (changed, b"\0") == (again.sessions.get(bytes(32)), again.values.get("throttle"))
    assert (("/lab/", b"\xff"),) == again.routes.all()
    again.close()
