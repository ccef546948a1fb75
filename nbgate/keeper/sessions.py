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
    """Every session that lives.

    Args:
        idle_seconds: How long a session lives without activity.
    """

    def __init__(self, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self._rows: dict[bytes, StoredSession] = {}
        self._buried: dict[bytes, float] = {}
        self._touched: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def all(self) -> tuple[Session, ...]:
        """Return the sessions, for a snapshot."""
        return tuple(row.session for row in self._rows.values())

    def find(self, session_id: bytes) -> Session | None:
        """Return the live session of this id."""
        row = self._rows.get(session_id)
        return None if row is None else row.session

    def put(self, stored: StoredSession) -> bool:
        """Remember a session; False when it has ended since it was made."""
        if stored.session.id in self._buried:
            return False
        self._rows[stored.session.id] = stored
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
