"""The stores in one SQLite file: the embedded default.

WAL; a created or ended session and every change of an account is on the disk before the call returns. A file that is
damaged, of another program or of a newer nbgate is refused with a `StoreError`: it is never taken for an empty store,
because an empty store would greet a stranger as the first user. One of an older nbgate is brought up to date when it is
opened. Not for network file systems.
"""

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, Final

from nbgate.errors import StoreError
from nbgate.files import FILE_MODE, open_private, sync_folder
from nbgate.stores import schema
from nbgate.stores.database import Database
from nbgate.stores.sqlite_stores import SqliteRoutes, SqliteSessions, SqliteUsers, SqliteValues

BUSY_SECONDS: Final = 5.0


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
    except sqlite3.OperationalError as error:  # locked, no room left: the file is as good as it was
        raise StoreError("the state store cannot be opened", hint=f"{path}: {error}") from error
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
        try:  # every schema has this table
            return connection.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None
        finally:
            connection.close()
    except sqlite3.Error:  # whoever opens it to use it says what is wrong with it
        return True


class SqliteState:
    """Accounts, sessions, values and routes in one file; used by one thread at a time, from any."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        database = Database(connection, path)
        self.users = SqliteUsers(database)
        self.sessions = SqliteSessions(database)
        self.values = SqliteValues(database)
        self.routes = SqliteRoutes(database)
        self._connection = connection

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._connection.close()


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

    if path.stat().st_size == 0 or pragma("application_id") != schema.APPLICATION_ID:
        raise _damaged(path, "it is no state of nbgate")
    version = schema.version_of(connection)
    if not schema.OLDEST_VERSION <= version <= schema.SCHEMA_VERSION:
        hint = f"{path}: schema {version}, not {schema.SCHEMA_VERSION}; use the nbgate that wrote it, or a newer one"
        raise StoreError("the state store is of another nbgate", hint=hint)
    if pragma("quick_check") != "ok":
        raise _damaged(path, "its pages do not fit together")
    pragma("journal_mode = WAL")
    schema.migrate(connection)
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
            schema.make(connection)
        finally:
            connection.close()
        os.link(name, path)  # unlike a rename, this never replaces a state that somebody else made meanwhile
    finally:
        Path(name).unlink()
    sync_folder(path.parent)


def _damaged(path: Path, what: str) -> StoreError:
    hint = f"{path}: {what}; restore it from a backup (moving it away forgets every user and every login)"
    return StoreError("the state store is damaged", hint=hint)
