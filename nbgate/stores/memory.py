"""The stores in memory: the reference that every other engine is compared with, and the one of fast tests.

Durable for as long as the process lives. Reads no clock and no file.
"""

from collections.abc import Iterable, Mapping

import msgspec

from nbgate.errors import CredentialRejected, StoreError
from nbgate.model.account import StoredSession, User


class MemoryState:
    """Accounts and sessions that keep the promises of `nbgate.ports.State` to each other."""

    def __init__(self) -> None:
        self.users = MemoryUsers()
        self.sessions = MemorySessions(self.users)

    def close(self) -> None:
        """Let go; there is nothing to let go of."""


class MemoryUsers:
    """A `nbgate.ports.UserStore`."""

    def __init__(self) -> None:
        self._rows: dict[str, User] = {}
        self._sessions: dict[bytes, StoredSession] = {}

    def get(self, name: str) -> User | None:
        """Return the account, None if there is none."""
        return self._rows.get(name)

    def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        return tuple(self._rows[name] for name in sorted(self._rows))

    def add(self, user: User) -> bool:
        """Store a new account; False if the name is taken."""
        return self._rows.setdefault(user.name, user) is user

    def replace(self, old: User, new: User) -> tuple[bytes, ...] | None:
        """Store `new` where exactly `old` is stored; returns the ids of the sessions that ended."""
        if new.name != old.name or new.cred_epoch < old.cred_epoch:
            raise ValueError("an account keeps its name, and its epoch only grows")
        if self._rows.get(old.name) != old:
            return None
        self._rows[new.name] = new
        return self._end_other_epochs(new.name, None if new.disabled else new.cred_epoch)

    def remove(self, name: str) -> tuple[bytes, ...] | None:
        """Remove an account; returns the ids of the sessions that ended."""
        if self._rows.pop(name, None) is None:
            return None
        return self._end_other_epochs(name, None)

    def _end_other_epochs(self, name: str, kept_epoch: int | None) -> tuple[bytes, ...]:
        rows = [row for row in self._sessions.values() if row.session.user == name and row.cred_epoch != kept_epoch]
        ended = tuple(sorted(row.session.id for row in rows))
        for session_id in ended:
            del self._sessions[session_id]
        return ended


class MemorySessions:
    """A `nbgate.ports.SessionStore`."""

    def __init__(self, users: MemoryUsers) -> None:
        self._users = users
        self._rows = users._sessions  # noqa: SLF001 - the two tables of one engine

    def create(self, session: StoredSession) -> None:
        """Store a new session of an account that still is what was proven."""
        user = self._users.get(session.session.user)
        if user is None or user.disabled or user.cred_epoch != session.cred_epoch:
            raise CredentialRejected
        if self._rows.setdefault(session.session.id, session) is not session:
            raise StoreError("this session id is taken")

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
