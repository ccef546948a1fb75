"""A state of an older schema becomes one of this when it is opened: all of it or nothing, and nothing is lost."""

import math
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import nbgate
from nbgate.errors import StoreError
from nbgate.model.account import StoredSession, User, as_disabled
from nbgate.model.session import Role, Session
from nbgate.stores import schema
from nbgate.stores.sqlite import may_hold_users, open_state

# As nbgate wrote it when there were no roles. Never changed: such files are out there.
SCHEMA_1 = """
BEGIN;
CREATE TABLE users (
    name TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    created_unix REAL NOT NULL,
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    cred_epoch INTEGER NOT NULL CHECK (cred_epoch >= 1)
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    user TEXT NOT NULL REFERENCES users (name),
    created_unix REAL NOT NULL,
    absolute_unix REAL NOT NULL,
    factors TEXT NOT NULL,
    generation INTEGER NOT NULL,
    last_seen_unix REAL NOT NULL,
    cred_epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user);
PRAGMA application_id = 1851942772;
PRAGMA user_version = 1;
COMMIT;
"""
# As nbgate wrote it when no route was added while it ran. Never changed either.
SCHEMA_2 = """
BEGIN;
CREATE TABLE users (
    name TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    created_unix REAL NOT NULL,
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    cred_epoch INTEGER NOT NULL CHECK (cred_epoch >= 1),
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer', 'auditor')),
    totp TEXT NOT NULL,
    totp_step INTEGER NOT NULL CHECK (totp_step >= 0),
    recovery BLOB NOT NULL CHECK (length(recovery) % 32 = 0)
) STRICT, WITHOUT ROWID
;
CREATE TABLE sessions (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    user TEXT NOT NULL REFERENCES users (name),
    created_unix REAL NOT NULL,
    absolute_unix REAL NOT NULL,
    factors TEXT NOT NULL,
    generation INTEGER NOT NULL,
    key BLOB NOT NULL CHECK (length(key) IN (0, 32)),
    former BLOB NOT NULL CHECK (length(former) IN (0, 32)),
    rotate_unix REAL NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer', 'auditor')),
    scope TEXT NOT NULL CHECK (scope IN ('login', 'read', 'execute', 'routes-admin', 'all')),
    routes TEXT NOT NULL,
    last_seen_unix REAL NOT NULL,
    cred_epoch INTEGER NOT NULL,
    retired BLOB NOT NULL CHECK (length(retired) % 32 = 0),
    label TEXT NOT NULL,
    client TEXT NOT NULL
) STRICT, WITHOUT ROWID
;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE small_values (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
PRAGMA application_id = 1851942772;
PRAGMA user_version = 2;
COMMIT;
"""
USERS_1 = [
    ("ada", "$hash-of-ada", 1000.25, 0, 4),
    ("bob", "$hash-of-bob", 500.0, 0, 1),
    ("cyd", "$hash-of-cyd", 500.0, 1, 2),
]
SESSIONS_1 = [
    (b"1" * 32, "ada", 2000.5, 9000.0, "password totp", 3, 2500.125, 4),
    (b"2" * 32, "bob", 1500.0, 8000.0, "", 1, 1500.0, 1),
]
USERS = (
    User(name="ada", password_hash="$hash-of-ada", created_unix=1000.25, cred_epoch=4, role=Role.EDITOR),
    User(name="bob", password_hash="$hash-of-bob", created_unix=500.0, cred_epoch=1, role=Role.OWNER),
    as_disabled(User(name="cyd", password_hash="$hash-of-cyd", created_unix=500.0, role=Role.EDITOR)),
)


def old_login(number, user, created, absolute, factors, generation, seen, epoch, role):
    session = Session(
        id=number * 32,
        user=user,
        created_unix=created,
        absolute_unix=absolute,
        factors=factors,
        generation=generation,
        rotate_unix=created,
        role=role,
    )
    return StoredSession(session=session, last_seen_unix=seen, cred_epoch=epoch)


SESSIONS = (
    old_login(b"2", "bob", 1500.0, 8000.0, (), 1, 1500.0, 1, Role.OWNER),
    old_login(b"1", "ada", 2000.5, 9000.0, ("password", "totp"), 3, 2500.125, 4, Role.EDITOR),
)


def make_old(path, users=USERS_1, sessions=SESSIONS_1):
    path.touch(0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA_1)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?)", users)
        connection.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", sessions)


def make_2(path):
    """Make a state of schema 2 with the same accounts and logins."""
    path.touch(0o600)
    users = [
        (row.name, row.password_hash, row.created_unix, row.disabled, row.cred_epoch, row.role, "", 0, b"")
        for row in USERS
    ]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA_2)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executemany(f"INSERT INTO users VALUES (?{', ?' * 8})", users)
        connection.executemany(f"INSERT INTO sessions VALUES (?{', ?' * 16})", map(row_2, SESSIONS))
        connection.execute("INSERT INTO small_values VALUES ('lockdown', x'01')")


def row_2(stored):
    new = stored.session
    head = (new.id, new.user, new.created_unix, new.absolute_unix, " ".join(new.factors), new.generation)
    keys = (new.key, new.former, new.rotate_unix, new.role, new.scope, "[]")
    return (*head, *keys, stored.last_seen_unix, stored.cred_epoch, b"", "", "")


@pytest.fixture
def path(tmp_path):
    make_old(tmp_path / "state.db")
    return tmp_path / "state.db"


@pytest.fixture(params=[make_old, make_2], ids=["1", "2"])
def any_path(request, tmp_path):
    request.param(tmp_path / "state.db")
    return tmp_path / "state.db"


def stored(path):
    state = open_state(path)
    try:
        return state.users.all(), state.sessions.all()
    finally:
        state.close()


def shape(path):
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall()
        return names, schema.version_of(connection)


def test_every_account_and_login_is_there_afterwards_and_the_first_account_is_the_owner(any_path):
    assert (USERS, SESSIONS) == stored(any_path)
    assert (USERS, SESSIONS) == stored(any_path)


def test_the_values_of_an_older_schema_stay_and_no_route_is_there(tmp_path):
    make_2(tmp_path / "state.db")
    state = open_state(tmp_path / "state.db")
    assert (b"\1", ()) == (state.values.get("lockdown"), state.routes.all())
    state.close()


def test_the_owner_is_who_was_created_first_even_if_disabled(tmp_path):
    make_old(tmp_path / "state.db", [(*USERS_1[0][:2], 1.0, 1, 4), *USERS_1[1:]], [])
    users, _ = stored(tmp_path / "state.db")
    assert [Role.OWNER, Role.EDITOR, Role.EDITOR] == [user.role for user in users]


def test_a_store_without_accounts_has_no_owner(tmp_path):
    make_old(tmp_path / "state.db", [], [])
    assert ((), ()) == stored(tmp_path / "state.db")
    assert not may_hold_users(tmp_path / "state.db")


def test_old_logins_are_due_for_another_secret(path):
    _, sessions = stored(path)
    assert all(row.session.rotate_unix < math.inf and row.session.keys == (row.session.id,) for row in sessions)


def test_a_migrated_file_is_shaped_as_a_new_one(any_path, tmp_path):
    stored(any_path)
    stored(tmp_path / "new.db")
    assert shape(tmp_path / "new.db") == shape(any_path)
    with closing(sqlite3.connect(any_path)) as connection:
        assert [] == connection.execute("PRAGMA foreign_key_check").fetchall()
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()


def test_what_is_of_this_schema_is_not_written_to(any_path):
    stored(any_path)
    before = any_path.read_bytes()
    stored(any_path)
    assert before == any_path.read_bytes()


def test_the_log_of_an_old_process_that_was_killed_is_not_lost(path, tmp_path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("INSERT INTO users VALUES ('dan', '$', 1.0, 0, 1)")
    (tmp_path / "after").mkdir()
    for name in ("state.db", "state.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / "after" / name)
    connection.close()
    users, _ = stored(tmp_path / "after" / "state.db")
    assert [("ada", Role.EDITOR), ("bob", Role.EDITOR), ("cyd", Role.EDITOR), ("dan", Role.OWNER)] == [
        (user.name, user.role) for user in users
    ]


def test_whether_there_is_an_account_is_seen_without_migrating(any_path):
    before = any_path.read_bytes()
    assert may_hold_users(any_path)
    assert before == any_path.read_bytes()
    stored(any_path)
    assert may_hold_users(any_path)


def test_an_error_on_the_way_leaves_the_old_schema(path, monkeypatch):
    before = shape(path)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_FROM_1", (*schema._FROM_1, "SELECT * FROM nowhere"))
        with pytest.raises(StoreError, match="cannot be opened") as caught:
            open_state(path)
    assert f"{path}: no such table: nowhere" == caught.value.hint
    assert before == shape(path)
    assert (USERS, SESSIONS) == stored(path)


def test_a_damaged_old_file_is_refused_as_it_is(any_path):
    with any_path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (any_path.stat().st_size - 4096))
    before = any_path.read_bytes()
    with pytest.raises(StoreError, match="damaged"):
        open_state(any_path)
    assert before == any_path.read_bytes()


def test_a_process_that_was_slower_migrates_nothing_twice(any_path):
    """The other one migrates between this one's look at the version and its transaction."""
    connection = sqlite3.connect(any_path, isolation_level=None)

    def trace(sql):
        if sql == "PRAGMA synchronous = FULL":
            stored(any_path)

    connection.set_trace_callback(trace)
    schema.migrate(connection)
    connection.close()
    assert (USERS, SESSIONS) == stored(any_path)


# Kills a child before each statement of opening the file in turn, until one lives; prints how far each came.
KILLED = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from nbgate.stores.sqlite import open_state

real = sqlite3.connect
folder = Path(sys.argv[1])

def opened(number):
    left = number
    def trace(sql):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def connect(*args, **kwargs):
        connection = real(*args, **kwargs)
        connection.execute("PRAGMA cache_spill = 1")
        connection.set_trace_callback(trace)
        return connection
    sqlite3.connect = connect
    open_state(folder / str(number) / "state.db")
    os._exit(0)

number, status = 0, 1
while status:
    (folder / str(number)).mkdir(parents=True)
    shutil.copy(folder.parent / "state.db", folder / str(number))
    child = os.fork() or opened(number)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    number += 1
"""


def test_a_process_that_is_killed_leaves_one_schema_or_the_other(any_path, tmp_path):
    environment = {"PYTHONPATH": str(Path(nbgate.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "killed"], env=environment, check=True, timeout=50)
    old, new = shape(any_path), (stored(any_path), shape(any_path))[1]
    found = []
    for number in range(len(list((tmp_path / "killed").iterdir()))):
        killed = tmp_path / "killed" / str(number) / "state.db"
        found.append(shape(killed))
        assert may_hold_users(killed)
        assert (USERS, SESSIONS) == stored(killed)
        assert new == shape(killed)
    olds = found.count(old)
    assert olds > len(schema._FROM_1 if old[1] == 1 else schema._FROM_2)
    assert [old] * olds + [new] * (len(found) - olds) == found
    assert found[-1] == new
