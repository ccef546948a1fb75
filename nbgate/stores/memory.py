"""The stores in memory: the reference that every other engine is compared with, and the one of fast tests.

Durable for as long as the process lives. Reads no clock and no file.
"""

from collections.abc import Iterable, Mapping

import msgspec

from nbgate.errors import StoreError
from nbgate.model.account import Spent, StoredSession, User
from nbgate.stores import changes


class MemoryState:
    """Accounts, sessions, values and routes that keep the promises of `nbgate.ports.State` to each other."""

    def __init__(self) -> None:
        users: dict[str, User] = {}
        sessions: dict[bytes, StoredSession] = {}
        self.users = MemoryUsers(users, sessions)
        self.sessions = MemorySessions(users, sessions)
        self.values = MemoryValues()
        self.routes = MemoryRoutes()

    def close(self) -> None:
        """Let go; there is nothing to let go of."""


class MemoryUsers:
    """A `nbgate.ports.UserStore`."""

    def __init__(self, users: dict[str, User], sessions: dict[bytes, StoredSession]) -> None:
        self._rows = users
        self._sessions = sessions

    def get(self, name: str) -> User | None:
        """Return the account, None if there is none."""
        return self._rows.get(name)

    def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        return tuple(self._rows[name] for name in sorted(self._rows))

    def add(self, user: User) -> bool:
        """Store a new account; False if the name is taken."""
        if user.name in self._rows:
            return False
        self._rows[user.name] = user
        return True

    def replace(self, old: User, new: User) -> tuple[bytes, ...] | None:
        """Store `new` where exactly `old` is stored; returns the ids of the sessions that ended."""
        changes.require_account_grows(old, new)
        if self._rows.get(old.name) != old:
            return None
        self._rows[new.name] = new
        return self._end(changes.ended_by(old, new, _of_user(self._sessions, new.name)))

    def remove(self, name: str) -> tuple[bytes, ...] | None:
        """Remove an account; returns the ids of the sessions that ended."""
        if self._rows.pop(name, None) is None:
            return None
        return self._end(changes.sorted_ids(_of_user(self._sessions, name)))

    def _end(self, ids: tuple[bytes, ...]) -> tuple[bytes, ...]:
        for session_id in ids:
            del self._sessions[session_id]
        return ids


class MemorySessions:
    """A `nbgate.ports.SessionStore`."""

    def __init__(self, users: dict[str, User], sessions: dict[bytes, StoredSession]) -> None:
        self._users = users
        self._rows = sessions

    def create(self, session: StoredSession, *, spent: Spent | None = None, most: int = 0) -> tuple[bytes, ...]:
        """Store a new session of an account that still is what was proven; returns the ids of the logins that ended."""
        name = session.session.user
        user = changes.with_login(self._users.get(name), session, spent)
        if session.session.id in self._rows:
            raise StoreError("this session id is taken")
        self._users[name] = user
        displaced = changes.displaced_by(session, most, _of_user(self._rows, name))
        self._rows[session.session.id] = session
        return self.end(displaced)

    def replace(self, old: StoredSession, new: StoredSession) -> bool:
        """Store `new` where `old` is stored; False if it is not."""
        changes.require_session_grows(old, new)
        changed = changes.with_change(self._rows.get(old.session.id), old, new)
        if changed is not None:
            self._rows[new.session.id] = changed
        return changed is not None

    def get(self, session_id: bytes) -> StoredSession | None:
        """Return the session, None if there is none."""
        return self._rows.get(session_id)

    def all(self) -> tuple[StoredSession, ...]:
        """Return all sessions, oldest login first."""
        return tuple(sorted(self._rows.values(), key=lambda row: (row.session.created_unix, row.session.id)))

    def end(self, ids: Iterable[bytes]) -> tuple[bytes, ...]:
        """End sessions; returns the ids that were there."""
        return tuple(session_id for session_id in ids if self._rows.pop(session_id, None) is not None)

    def touch(self, last_seen_unix: Mapping[bytes, float]) -> None:
        """Move the time of the last activity forward, never back."""
        for session_id, seen in last_seen_unix.items():
            row = self._rows.get(session_id)
            if row is not None and row.last_seen_unix < seen:
                self._rows[session_id] = msgspec.structs.replace(row, last_seen_unix=seen)


class MemoryValues:
    """A `nbgate.ports.ValueStore`."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """Return the value, None if there is none."""
        return self._rows.get(name)

    def put(self, name: str, value: bytes) -> None:
        """Store a value in place of the one before."""
        self._rows[name] = value

    def remove(self, name: str) -> bool:
        """Remove a value; False if there was none."""
        return self._rows.pop(name, None) is not None


class MemoryRoutes:
    """A `nbgate.ports.RouteStore`."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}

    def all(self) -> tuple[tuple[str, bytes], ...]:
        """Return (where, value) of each, sorted."""
        return tuple(sorted(self._rows.items()))

    def put(self, at: str, value: bytes) -> None:
        """Store a route in place of the one that is there."""
        self._rows[at] = value

    def remove(self, at: str) -> bool:
        """Remove a route; False if there was none."""
        return self._rows.pop(at, None) is not None


def _of_user(sessions: dict[bytes, StoredSession], name: str) -> list[StoredSession]:
    return [row for row in sessions.values() if row.session.user == name]
