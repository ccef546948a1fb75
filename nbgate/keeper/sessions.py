"""The live sessions as the keeper remembers them, beside the store that survives it.

Values and rules only: it sends nothing, stores nothing and reads no clock. What ended is remembered for a minute, so
that a login which was under way when its account changed brings no dead session back.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, structs

from nbgate.model.account import StoredSession
from nbgate.model.session import Session
from nbgate.reasons import Reason
from nbgate.sessions.judge import judge_stored

BURIED_SECONDS: Final = 60.0


class Due(Struct, frozen=True):
    """A session whose time is over, and why."""

    session: Session
    reason: Reason


class LiveSessions:
    """Every session that lives: logins and tokens.

    Args:
        idle_seconds: How long a login lives without activity.
    """

    def __init__(self, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self._rows: dict[bytes, StoredSession] = {}
        self._by_key: dict[bytes, bytes] = {}  # digest of a secret that is good → id
        self._by_retired: dict[bytes, bytes] = {}  # digest of a secret that was good → id
        self._buried: dict[bytes, float] = {}
        self._touched: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def all(self) -> tuple[Session, ...]:
        """Return the sessions, for a snapshot."""
        return tuple(row.session for row in self._rows.values())

    def rows(self, user: str | None = None) -> tuple[StoredSession, ...]:
        """Return what is known of the sessions, or of one user's: the newest first."""
        rows = (row for row in self._rows.values() if user is None or row.session.user == user)
        return tuple(sorted(rows, key=lambda row: (-row.session.created_unix, row.session.id)))

    def find(self, session_id: bytes) -> Session | None:
        """Return the live session of this id."""
        row = self._rows.get(session_id)
        return None if row is None else row.session

    def row(self, session_id: bytes) -> StoredSession | None:
        """Return all that is known of the live session of this id."""
        return self._rows.get(session_id)

    def find_by_key(self, key: bytes) -> Session | None:
        """Return the live session for which the secret of this digest stands."""
        session_id = self._by_key.get(key)
        return None if session_id is None else self.find(session_id)

    def find_by_retired(self, key: bytes) -> Session | None:
        """Return the live session for which the secret of this digest stands no more: whoever has it has stolen it."""
        session_id = self._by_retired.get(key)
        return None if session_id is None else self.find(session_id)

    def put(self, stored: StoredSession) -> bool:
        """Remember a session that began or changed; False when it has ended since it was made."""
        session = stored.session
        if session.id in self._buried:
            return False
        before = self._rows.get(session.id)
        if before is not None:
            self._forget_keys(before)
            stored = structs.replace(stored, last_seen_unix=max(stored.last_seen_unix, before.last_seen_unix))
        self._rows[session.id] = stored
        self._by_retired |= dict.fromkeys(stored.retired, session.id)
        self._by_key |= dict.fromkeys(session.keys, session.id)
        return True

    def end(self, ids: Iterable[bytes], now_monotonic: float) -> tuple[Session, ...]:
        """Forget these sessions and return those that were known."""
        self._buried = {id_: end for id_, end in self._buried.items() if end > now_monotonic}
        ended = []
        for session_id in ids:
            self._buried[session_id] = now_monotonic + BURIED_SECONDS
            self._touched.pop(session_id, None)
            row = self._rows.pop(session_id, None)
            if row is not None:
                self._forget_keys(row)
                ended.append(row.session)
        return tuple(ended)

    def touch(self, ids: Iterable[bytes], now_unix: float) -> None:
        """Note activity; ids of sessions that are over are ignored."""
        for session_id in ids:
            row = self._rows.get(session_id)
            if row is not None and row.last_seen_unix < now_unix:
                self._rows[session_id] = structs.replace(row, last_seen_unix=now_unix)
                self._touched[session_id] = now_unix

    def take_touched(self) -> dict[bytes, float]:
        """Return the activity since the last call, for the store."""
        touched, self._touched = self._touched, {}
        return touched

    def due(self, now_unix: float) -> tuple[Due, ...]:
        """Return the sessions that must end now."""
        judged = (
            (row.session, judge_stored(row.session, row.last_seen_unix, now_unix, self.idle_seconds))
            for row in self._rows.values()
        )
        return tuple(Due(session, reason) for session, reason in judged if reason is not None)

    def _forget_keys(self, row: StoredSession) -> None:
        for key in row.session.keys:
            self._by_key.pop(key, None)
        for key in row.retired:
            self._by_retired.pop(key, None)
