"""The stores in one SQLite file: the embedded default.

WAL; a created or ended session and every change of an account is on the disk before the call returns. A file that is
damaged, of another program or of a newer nbgate is refused with a `StoreError`: it is never taken for an empty store,
because an empty store would greet a stranger as the first user. Not for network file systems.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from nbgate.errors import CredentialRejected, StoreError
from nbgate.files import FILE_MODE, open_private, sync_folder
from nbgate.model.account import StoredSession, User
from nbgate.model.session import Session

APPLICATION_ID: Final = 0x6E626774  # "nbgt": tells our files from other SQLite files
SCHEMA_VERSION: Final = 1
BUSY_SECONDS: Final = 5.0

_SCHEMA: Final = f"""
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
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_ALL_USERS: Final = "SELECT name, password_hash, created_unix, disabled, cred_epoch FROM users ORDER BY name"
_ONE_USER: Final = "SELECT name, password_hash, created_unix, disabled, cred_epoch FROM users WHERE name = ?"
_ADD_USER: Final = """
INSERT INTO users (name, password_hash, created_unix, disabled, cred_epoch) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_CHANGE_USER: Final = """
UPDATE users SET password_hash = ?, created_unix = ?, disabled = ?, cred_epoch = ? WHERE name = ?
"""
_ALL_SESSIONS: Final = """
SELECT id, user, created_unix, absolute_unix, factors, generation, last_seen_unix, cred_epoch
FROM sessions ORDER BY created_unix, id
"""
_ONE_SESSION: Final = """
SELECT id, user, created_unix, absolute_unix, factors, generation, last_seen_unix, cred_epoch
FROM sessions WHERE id = ?
"""
_STILL_PROVEN: Final = "SELECT 1 FROM users WHERE name = ? AND NOT disabled AND cred_epoch = ?"
_ADD_SESSION: Final = """
INSERT INTO sessions (id, user, created_unix, absolute_unix, factors, generation, last_seen_unix, cred_epoch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_END_OTHER_EPOCHS: Final = "DELETE FROM sessions WHERE user = ? AND cred_epoch IS NOT ? RETURNING id"
_TOUCH: Final = "UPDATE sessions SET last_seen_unix = max(last_seen_unix, ?) WHERE id = ?"


def open_state(path: Path) -> "SqliteState":
    """Open the state in the file `path`, or make a new one (0600) if there is none.

    Raises:
        StoreError: The file is damaged, open to other users, not ours, or cannot be opened.
    """
    try:
        if not os.path.lexists(path):
            _create(path)
        os.close(open_private(path, os.O_RDWR))
        return SqliteState(_connect(path), path)
    except OSError as error:
        raise StoreError("the state store cannot be opened", hint=str(error)) from error
    except sqlite3.Error as error:
        raise _damaged(path, str(error)) from error


def may_hold_users(path: Path) -> bool:
    """Say whether the state in the file `path` holds an account, or cannot be looked at; changes nothing there."""
    if not os.path.lexists(path):
        return False
    is_still = not os.path.lexists(f"{path}-wal")  # closed in order: nobody writes, reading needs no files beside it
    how = "mode=ro&immutable=1" if is_still else "mode=ro"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS)
        try:
            return connection.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None
        finally:
            connection.close()
    except sqlite3.Error:  # whoever opens it to use it says what is wrong with it
        return True


class SqliteState:
    """Accounts and sessions in one file; used by one thread at a time, from any."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        database = _Database(connection, path)
        self.users = SqliteUsers(database)
        self.sessions = SqliteSessions(database)
        self._connection = connection

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._connection.close()


class SqliteUsers:
    """A `nbgate.ports.UserStore`."""

    def __init__(self, database: "_Database") -> None:
        self._database = database

    def get(self, name: str) -> User | None:
        """Return the account, None if there is none."""
        with self._database.errors_named():
            return self._get(name)

    def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        with self._database.errors_named():
            rows = self._database.rows(_ALL_USERS)
        return tuple(_user(row) for row in rows)

    def add(self, user: User) -> bool:
        """Store a new account; False if the name is taken."""
        with self._database.transaction():
            changed = self._database.change(
                _ADD_USER,
                (user.name, user.password_hash, user.created_unix, user.disabled, user.cred_epoch),
            )
        return changed == 1

    def replace(self, old: User, new: User) -> tuple[bytes, ...] | None:
        """Store `new` where exactly `old` is stored; returns the ids of the sessions that ended."""
        if new.name != old.name or new.cred_epoch < old.cred_epoch:
            raise ValueError("an account keeps its name, and its epoch only grows")
        with self._database.transaction():
            if self._get(old.name) != old:
                return None
            self._database.change(
                _CHANGE_USER,
                (new.password_hash, new.created_unix, new.disabled, new.cred_epoch, new.name),
            )
            return self._end_other_epochs(new.name, None if new.disabled else new.cred_epoch)

    def remove(self, name: str) -> tuple[bytes, ...] | None:
        """Remove an account; returns the ids of the sessions that ended."""
        with self._database.transaction():
            ended = self._end_other_epochs(name, None)
            removed = self._database.change("DELETE FROM users WHERE name = ?", (name,))
        return ended if removed else None

    def _get(self, name: str) -> User | None:
        rows = self._database.rows(_ONE_USER, (name,))
        return _user(rows[0]) if rows else None

    def _end_other_epochs(self, name: str, kept_epoch: int | None) -> tuple[bytes, ...]:
        rows = self._database.rows(_END_OTHER_EPOCHS, (name, kept_epoch))
        return tuple(sorted(row[0] for row in rows))


class SqliteSessions:
    """A `nbgate.ports.SessionStore`."""

    def __init__(self, database: "_Database") -> None:
        self._database = database

    def create(self, session: StoredSession) -> None:
        """Store a new session of an account that still is what was proven."""
        new = session.session
        with self._database.transaction():
            proven = self._database.rows(_STILL_PROVEN, (new.user, session.cred_epoch))
            if not proven:
                raise CredentialRejected
            created = self._database.change(
                _ADD_SESSION,
                (
                    new.id,
                    new.user,
                    new.created_unix,
                    new.absolute_unix,
                    " ".join(new.factors),
                    new.generation,
                    session.last_seen_unix,
                    session.cred_epoch,
                ),
            )
        if not created:
            raise StoreError("this session id is taken")

    def get(self, session_id: bytes) -> StoredSession | None:
        """Return the session, None if there is none."""
        with self._database.errors_named():
            rows = self._database.rows(_ONE_SESSION, (session_id,))
        return _stored_session(rows[0]) if rows else None

    def all(self) -> tuple[StoredSession, ...]:
        """Return all sessions, oldest login first."""
        with self._database.errors_named():
            rows = self._database.rows(_ALL_SESSIONS)
        return tuple(_stored_session(row) for row in rows)

    def end(self, ids: Iterable[bytes]) -> tuple[bytes, ...]:
        """End sessions; returns the ids that were there."""
        with self._database.transaction():
            return tuple(
                session_id
                for session_id in ids
                if self._database.change("DELETE FROM sessions WHERE id = ?", (session_id,))
            )

    def touch(self, last_seen_unix: Mapping[bytes, float]) -> None:
        """Move the time of the last activity forward, never back."""
        with self._database.transaction(durable=False):
            for session_id, seen in last_seen_unix.items():
                self._database.change(_TOUCH, (seen, session_id))


class _Database:
    """A connection whose errors are `StoreError` and whose changes are transactions."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def change(self, sql: str, values: tuple[Any, ...]) -> int:
        return self._connection.execute(sql, values).rowcount

    @contextmanager
    def errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError("the state store cannot be used", hint=f"{self._path}: {error}") from error

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        with self.errors_named():
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    def pragma(name: str) -> Any:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]

    if path.stat().st_size == 0 or pragma("application_id") != APPLICATION_ID:
        raise _damaged(path, "it is no state of nbgate")
    version = pragma("user_version")
    if version != SCHEMA_VERSION:
        raise StoreError("the state store is of another nbgate", hint=f"{path}: schema {version}, not {SCHEMA_VERSION}")
    if pragma("quick_check") != "ok":
        raise _damaged(path, "its pages do not fit together")
    pragma("journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")


def _create(path: Path) -> None:
    """Make a complete state under another name first: a crash in between leaves no empty file at `path`."""
    if os.path.lexists(f"{path}-wal"):  # SQLite would replay it into the new file
        raise _damaged(path, f"it is missing but its log {path.name}-wal is there")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        os.fchmod(descriptor, FILE_MODE)
        os.close(descriptor)
        connection = sqlite3.connect(name, isolation_level=None)
        try:
            connection.executescript("PRAGMA synchronous = FULL;" + _SCHEMA)
        finally:
            connection.close()
        os.link(name, path)  # unlike a rename, this never replaces a state that somebody else made meanwhile
    finally:
        Path(name).unlink()
    sync_folder(path.parent)


def _damaged(path: Path, what: str) -> StoreError:
    hint = f"{path}: {what}; restore it from a backup (moving it away forgets every user and every login)"
    return StoreError("the state store is damaged", hint=hint)


def _user(row: tuple[Any, ...]) -> User:
    name, password_hash, created_unix, disabled, cred_epoch = row
    return User(
        name=name,
        password_hash=password_hash,
        created_unix=created_unix,
        disabled=bool(disabled),
        cred_epoch=cred_epoch,
    )


def _stored_session(row: tuple[Any, ...]) -> StoredSession:
    session_id, user, created_unix, absolute_unix, factors, generation, last_seen_unix, cred_epoch = row
    session = Session(
        id=session_id,
        user=user,
        created_unix=created_unix,
        absolute_unix=absolute_unix,
        factors=tuple(factors.split()),
        generation=generation,
    )
    return StoredSession(session=session, last_seen_unix=last_seen_unix, cred_epoch=cred_epoch)
