"""Rows give back the types that went in, and hold nothing that would be read back as something else."""

import math
import sqlite3

import msgspec
import pytest

from nbgate.model.account import StoredSession, User
from nbgate.model.session import Role, Scope, Session
from nbgate.stores import rows, schema
from nbgate.stores.database import Database

ADA = User(name="ada", password_hash="$", created_unix=1.0)
LOGIN = StoredSession(
    session=Session(id=bytes(32), user="ada", created_unix=1.0, absolute_unix=2.0), last_seen_unix=1.0, cred_epoch=1
)


@pytest.fixture
def database(tmp_path):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.make(connection)
    yield Database(connection, tmp_path)
    connection.close()


def test_a_login_that_is_never_due_comes_back_so(database):
    rows.add_user(database, ADA)
    rows.add_session(database, LOGIN)
    assert math.inf == rows.session(database, bytes(32)).session.rotate_unix
    assert (LOGIN,) == rows.sessions_of(database, "ada")


@pytest.mark.parametrize("digests", [(bytes(31),), (bytes(33), bytes(31)), (bytes(16), bytes(16)), (b"",)])
def test_digests_of_another_length_are_refused(database, digests):
    with pytest.raises(ValueError, match="32 bytes"):
        rows.add_user(database, msgspec.structs.replace(ADA, recovery=digests))
    with pytest.raises(ValueError, match="32 bytes"):
        rows.add_session(database, msgspec.structs.replace(LOGIN, retired=digests))


@pytest.mark.parametrize(
    "change",
    [{"id": bytes(31)}, {"key": bytes(16)}, {"former": bytes(33)}, {"scope": "root"}, {"role": "root"}],
    ids=lambda change: next(iter(change)),
)
def test_a_session_that_breaks_the_rules_of_its_row_is_not_stored(database, change):
    rows.add_user(database, ADA)
    session = msgspec.structs.replace(LOGIN.session, **change)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        rows.add_session(database, msgspec.structs.replace(LOGIN, session=session))


@pytest.mark.parametrize("change", [{"cred_epoch": 0}, {"totp_step": -1}, {"role": "root"}, {"disabled": 2}], ids=str)
def test_an_account_that_breaks_the_rules_of_its_row_is_not_stored(database, change):
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        rows.add_user(database, msgspec.structs.replace(ADA, **change))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("scope", Scope)
def test_the_rows_know_every_role_and_every_scope(database, role, scope):
    rows.add_user(database, msgspec.structs.replace(ADA, role=role))
    session = msgspec.structs.replace(LOGIN.session, role=role, scope=scope)
    assert rows.add_session(database, msgspec.structs.replace(LOGIN, session=session))
