"""Accounts, sessions, values and routes in a SQLite file that is open: each call is one transaction. Opens no file."""

from collections.abc import Iterable, Mapping
from typing import Final

from nbgate.errors import StoreError
from nbgate.model.account import Spent, StoredSession, User
from nbgate.stores import changes, rows
from nbgate.stores.database import Database

_TOUCH: Final = "UPDATE sessions SET last_seen_unix = max(last_seen_unix, ?) WHERE id = ?"
_PUT_VALUE: Final = """
INSERT INTO small_values (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_PUT_ROUTE: Final = "INSERT INTO routes (at, value) VALUES (?, ?) ON CONFLICT (at) DO UPDATE SET value = excluded.value"


class SqliteUsers:
    """A `nbgate.ports.UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> User | None:
        """Return the account, None if there is none."""
        with self._database.errors_named():
            return rows.user(self._database, name)

    def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        with self._database.errors_named():
            return rows.users(self._database)

    def add(self, user: User) -> bool:
        """Store a new account; False if the name is taken."""
        with self._database.transaction():
            return rows.add_user(self._database, user)

    def replace(self, old: User, new: User) -> tuple[bytes, ...] | None:
        """Store `new` where exactly `old` is stored; returns the ids of the sessions that ended."""
        changes.require_account_grows(old, new)
        with self._database.transaction():
            if rows.user(self._database, old.name) != old:
                return None
            rows.change_user(self._database, new)
            return rows.end_sessions(
                self._database, changes.ended_by(old, new, rows.sessions_of(self._database, new.name))
            )

    def remove(self, name: str) -> tuple[bytes, ...] | None:
        """Remove an account; returns the ids of the sessions that ended."""
        with self._database.transaction():
            ended = rows.end_sessions(self._database, changes.sorted_ids(rows.sessions_of(self._database, name)))
            removed = self._database.change("DELETE FROM users WHERE name = ?", (name,))
        return ended if removed else None


class SqliteSessions:
    """A `nbgate.ports.SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, session: StoredSession, *, spent: Spent | None = None, most: int = 0) -> tuple[bytes, ...]:
        """Store a new session of an account that still is what was proven; returns the ids of the logins that ended."""
        name = session.session.user
        with self._database.transaction():
            stored = rows.user(self._database, name)
            user = changes.with_login(stored, session, spent)
            if user != stored:
                rows.change_user(self._database, user)
            displaced = changes.displaced_by(session, most, rows.sessions_of(self._database, name))
            if not rows.add_session(self._database, session):
                raise StoreError("this session id is taken")
            return rows.end_sessions(self._database, displaced)

    def replace(self, old: StoredSession, new: StoredSession) -> bool:
        """Store `new` where `old` is stored; False if it is not."""
        changes.require_session_grows(old, new)
        with self._database.transaction():
            changed = changes.with_change(rows.session(self._database, old.session.id), old, new)
            if changed is not None:
                rows.change_session(self._database, changed)
        return changed is not None

    def get(self, session_id: bytes) -> StoredSession | None:
        """Return the session, None if there is none."""
        with self._database.errors_named():
            return rows.session(self._database, session_id)

    def all(self) -> tuple[StoredSession, ...]:
        """Return all sessions, oldest login first."""
        with self._database.errors_named():
            return rows.sessions(self._database)

    def end(self, ids: Iterable[bytes]) -> tuple[bytes, ...]:
        """End sessions; returns the ids that were there."""
        with self._database.transaction():
            return rows.end_sessions(self._database, ids)

    def touch(self, last_seen_unix: Mapping[bytes, float]) -> None:
        """Move the time of the last activity forward, never back."""
        with self._database.transaction(durable=False):
            for session_id, seen in last_seen_unix.items():
                self._database.change(_TOUCH, (seen, session_id))


class SqliteValues:
    """A `nbgate.ports.ValueStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> bytes | None:
        """Return the value, None if there is none."""
        with self._database.errors_named():
            found = self._database.rows("SELECT value FROM small_values WHERE name = ?", (name,))
        return found[0][0] if found else None

    def put(self, name: str, value: bytes) -> None:
        """Store a value in place of the one before."""
        with self._database.transaction():
            self._database.change(_PUT_VALUE, (name, value))

    def remove(self, name: str) -> bool:
        """Remove a value; False if there was none."""
        with self._database.transaction():
            return self._database.change("DELETE FROM small_values WHERE name = ?", (name,)) == 1


class SqliteRoutes:
    """A `nbgate.ports.RouteStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[tuple[str, bytes], ...]:
        """Return (where, value) of each, sorted."""
        with self._database.errors_named():
            return tuple((at, value) for at, value in self._database.rows("SELECT at, value FROM routes ORDER BY at"))

    def put(self, at: str, value: bytes) -> None:
        """Store a route in place of the one that is there."""
        with self._database.transaction():
            self._database.change(_PUT_ROUTE, (at, value))

    def remove(self, at: str) -> bool:
        """Remove a route; False if there was none."""
        with self._database.transaction():
            return self._database.change("DELETE FROM routes WHERE at = ?", (at,)) == 1
