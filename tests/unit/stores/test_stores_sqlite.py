"""What is special about the engine in a file: modes, damage, durability, versions. The promises are in tests/contract."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

import nbgate
from nbgate.errors import StoreError
from nbgate.model.account import StoredSession, User
from nbgate.model.session import Session
from nbgate.stores.sqlite import may_hold_users, open_state

ADA = User(name="ada", password_hash="$hash", created_unix=1.0)
LOGIN = StoredSession(
    session=Session(id=bytes(32), user="ada", created_unix=1.0, absolute_unix=2.0), last_seen_unix=1.0, cred_epoch=1
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


def make(path):
    state = open_state(path)
    state.users.add(ADA)
    state.sessions.create(LOGIN)
    state.close()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o277])
def test_files_are_for_the_owner_alone_whatever_the_umask_is(path, umask):
    before = os.umask(umask)
    try:
        state = open_state(path)
        state.users.add(ADA)
        found = {file.name: mode(file) for file in path.parent.iterdir()}
        state.close()
    finally:
        os.umask(before)
    assert {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600} == found


def test_what_was_stored_is_there_after_reopening(path):
    make(path)
    state = open_state(path)
    assert ((ADA,), (LOGIN,)) == (state.users.all(), state.sessions.all())
    state.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from nbgate.model.account import Spent, StoredSession, User
from nbgate.model.session import Session
from nbgate.stores.sqlite import open_state
state = open_state(Path(sys.argv[1]))
state.users.add(User(name="ada", password_hash="$hash", created_unix=1.0))
session = Session(id=bytes(32), user="ada", created_unix=1.0, absolute_unix=2.0)
state.sessions.create(StoredSession(session=session, last_seen_unix=1.0, cred_epoch=1), spent=Spent(totp_step=7))
state.values.put("lockdown", b"1")
state.routes.put("/lab/", b"2")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_stored_survives_a_process_that_is_killed(path):
    root = Path(nbgate.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", KILLED, path], env={"PYTHONPATH": str(root)})
    assert -signal.SIGKILL == done.returncode
    assert path.with_name("state.db-wal").stat().st_size
    state = open_state(path)
    spent = msgspec.structs.replace(ADA, totp_step=7)
    assert ((spent,), (LOGIN,), b"1") == (state.users.all(), state.sessions.all(), state.values.get("lockdown"))
    assert (("/lab/", b"2"),) == state.routes.all()
    state.close()


def test_changes_are_synced_fully_and_activity_is_not(path):
    state = open_state(path)
    seen = []
    state._connection.set_trace_callback(seen.append)
    state.users.add(ADA)
    state.sessions.create(LOGIN)
    state.sessions.touch({bytes(32): 5.0})
    state.sessions.end([bytes(32)])
    state.values.put("lockdown", b"1")
    state.routes.put("/lab/", b"2")
    state.close()
    full, normal = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
    assert [full, full, normal, full, full, full] == [sql for sql in seen if sql.startswith("PRAGMA synchronous")]


def test_the_log_mode_and_the_checks_of_references_are_on(path):
    state = open_state(path)
    asked = ("journal_mode", "foreign_keys", "busy_timeout")
    found = [state._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
    state.close()
    assert ["wal", 1, 5000] == found


def overwrite(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


DAMAGE = {
    "emptied": lambda path: os.truncate(path, 0),
    "not a database": lambda path: path.write_bytes(b"hello" * 1000),
    "header": lambda path: overwrite(path, 0, b"\xff" * 100),
    "first page": lambda path: overwrite(path, 100, b"\xff" * 3000),
    "later pages": lambda path: overwrite(path, 4096, b"\xff" * (path.stat().st_size - 4096)),
    "cut": lambda path: os.truncate(path, 4096),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_an_error_and_is_left_as_it_is(path, damage):
    make(path)
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        open_state(path)
    assert "the state store is damaged" == caught.value.public
    assert str(path) in caught.value.hint
    assert before == path.read_bytes()


def test_the_database_of_another_program_is_refused(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE users (name TEXT)")
    path.chmod(0o600)
    with pytest.raises(StoreError, match="damaged"):
        open_state(path)


@pytest.mark.parametrize("version", [0, 4, -1])
def test_the_schema_of_another_version_is_refused(path, version):
    make(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="of another nbgate") as caught:
        open_state(path)
    assert f"{path}: schema {version}, not 3; use the nbgate that wrote it, or a newer one" == caught.value.hint
    assert before == path.read_bytes()


def test_a_file_that_is_in_use_by_force_is_not_called_damaged(path, monkeypatch):
    make(path)
    monkeypatch.setattr("nbgate.stores.sqlite.BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="cannot be opened") as caught:
            open_state(path)
    assert f"{path}: database is locked" == caught.value.hint


def test_rows_that_break_their_own_rules_are_damage(path):
    make(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.execute("UPDATE users SET cred_epoch = 0")
    with pytest.raises(StoreError, match="damaged") as caught:
        open_state(path)
    assert "its pages do not fit together" in caught.value.hint


def test_a_log_without_its_file_is_refused(path):
    path.with_name("state.db-wal").write_bytes(b"x")
    with pytest.raises(StoreError, match="damaged"):
        open_state(path)
    assert not path.exists()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(path, bits):
    make(path)
    path.chmod(bits)
    with pytest.raises(StoreError) as caught:
        open_state(path)
    assert f"{path} is open to other users: chmod 600 {path}" == caught.value.hint


def test_a_symbolic_link_is_not_followed(path, tmp_path):
    elsewhere = tmp_path / "elsewhere.db"
    make(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_state(path)


def test_a_missing_folder_is_an_error_of_the_store(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened"):
        open_state(tmp_path / "nowhere" / "state.db")


def test_nothing_is_left_beside_the_file(path):
    make(path)
    assert ["state.db"] == [file.name for file in path.parent.iterdir()]


def test_a_state_that_appears_while_one_is_made_is_not_replaced(path, monkeypatch):
    def link(source, target):
        monkeypatch.undo()
        make(path)
        os.link(source, target)

    monkeypatch.setattr("nbgate.stores.sqlite.os.link", link)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_state(path)
    state = open_state(path)
    assert (ADA,) == state.users.all()
    state.close()


def test_a_call_after_close_is_an_error_of_the_store(path):
    state = open_state(path)
    state.close()
    for call in (state.users.all, state.sessions.all, lambda: state.users.get("ada"), lambda: state.users.add(ADA)):
        with pytest.raises(StoreError, match="cannot be used"):
            call()


def test_damage_found_while_running_is_an_error_of_the_store(path):
    make(path)
    state = open_state(path)
    state._connection.execute("PRAGMA cache_size = 0")
    overwrite(path, 4096, b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match="cannot be used"):
        state.sessions.all()
    state.close()


def test_whether_there_is_an_account_is_seen_without_a_change(tmp_path):
    path = tmp_path / "state.db"
    assert not may_hold_users(path)
    state = open_state(path)
    assert not may_hold_users(path)
    state.close()
    assert not may_hold_users(path)
    state = open_state(path)
    state.users.add(User(name="ada", password_hash="h", created_unix=0.0))
    assert may_hold_users(path)
    state.close()
    before = sorted((entry.name, entry.stat().st_mtime_ns) for entry in tmp_path.iterdir())
    assert may_hold_users(path)
    assert before == sorted((entry.name, entry.stat().st_mtime_ns) for entry in tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no database at all, but some text that is long enough" * 10])
def test_what_cannot_be_looked_at_may_hold_an_account(tmp_path, content):
    (tmp_path / "state.db").write_bytes(content)

    assert may_hold_users(tmp_path / "state.db")
