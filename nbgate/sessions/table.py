"""The live sessions one worker knows, the ones it knows to be over, and the ones it has asked for.

Pure: no link, no clock, no waiting; the caller sends the questions and brings the time. It never judges age
(`nbgate.sessions.judge`), and never makes a session: all come from the keeper.

Bounds: misses `MAX_MISSES` (past it the oldest is forgotten: a stranger with many made-up cookies buys one more
question to the keeper each, nothing else); questions under way `MAX_ASKS` (past it an unknown id is a miss that is not
remembered: refused now, asked for next time). Tombstones are bounded by what the keeper revokes within a minute.
"""

from collections.abc import Iterable
from enum import Enum
from itertools import takewhile
from typing import Final

from nbgate.model.session import Session

TOMBSTONE_SECONDS: Final = 60.0
MAX_MISSES: Final = 4096
MAX_ASKS: Final = 1024
FINAL_GENERATION: Final = (1 << 63) - 1  # carried by a revocation that must hold whatever was pushed before it


class Lookup(Enum):
    """What there is to say about an id that is no live session."""

    MISS = "miss"  # there is no such session
    ASK = "ask"  # unknown: send SessionAsk now, `answer` will be called
    WAIT = "wait"  # asked already, the answer is on its way


class SessionTable:
    """What a worker knows of sessions; fed by the messages of the keeper, in their order."""

    def __init__(self, *, max_misses: int = MAX_MISSES, max_asks: int = MAX_ASKS) -> None:
        self._live: dict[bytes, Session] = {}
        self._tombstones: dict[bytes, float] = {}  # id → monotonic end, oldest first
        self._misses: dict[bytes, None] = {}  # oldest first
        self._asked: set[bytes] = set()
        self._max_misses = max_misses
        self._max_asks = max_asks

    def __len__(self) -> int:
        return len(self._live)

    def lookup(self, session_id: bytes) -> Session | Lookup:
        """Return the session, or what to do without one. `ASK` is said once per id until `answer`."""
        session = self._live.get(session_id)
        if session is not None:
            return session
        if session_id in self._asked:
            return Lookup.WAIT
        if session_id in self._misses or session_id in self._tombstones or len(self._asked) >= self._max_asks:
            return Lookup.MISS
        self._asked.add(session_id)
        return Lookup.ASK

    def put(self, session: Session) -> Session | None:
        """Learn that a session began or changed; ignored if it is over, or if a higher generation is known.

        Returns:
            The session that is in force now, None if it is over.
        """
        self._misses.pop(session.id, None)
        if session.id in self._tombstones:
            return None
        known = self._live.get(session.id)
        if known is None or known.generation <= session.generation:
            known = self._live[session.id] = session
        return known

    def answer(self, session_id: bytes, session: Session | None) -> Session | None:
        """Take the keeper's answer to `ASK`; None is remembered as a miss until a push clears it.

        Returns:
            The session that is in force now, None if there is none.
        """
        self._asked.discard(session_id)
        if session is not None:
            return self.put(session)
        known = self._live.get(session_id)  # pushed after the keeper had looked
        if known is None:
            self._misses[session_id] = None
            if len(self._misses) > self._max_misses:
                del self._misses[next(iter(self._misses))]
        return known

    def revoke(self, ids: Iterable[bytes], generation: int, now_monotonic: float) -> tuple[bytes, ...]:
        """End sessions, and bury their ids so that nothing late brings them back.

        A session whose generation is higher than `generation` stays: this message is older than what is known of it.

        Returns:
            The ids that were live: what hangs on them must be closed now.
        """
        self.forget_tombstones(now_monotonic)
        ended = []
        for session_id in ids:
            known = self._live.get(session_id)
            if known is not None and known.generation > generation:
                continue
            if known is not None:
                del self._live[session_id]
                ended.append(session_id)
            self._bury(session_id, now_monotonic)
        return tuple(ended)

    def load(self, sessions: Iterable[Session], now_monotonic: float) -> tuple[bytes, ...]:
        """Take a full snapshot in place of all that was known; questions and misses are void, tombstones stay.

        Returns:
            The ids that were live and are not in the snapshot: they ended while nobody could tell us.
        """
        self.forget_tombstones(now_monotonic)
        before = self._live
        self._live = {session.id: session for session in sessions if session.id not in self._tombstones}
        self._misses.clear()
        self._asked.clear()
        ended = tuple(session_id for session_id in before if session_id not in self._live)
        for session_id in ended:
            self._bury(session_id, now_monotonic)
        return ended

    def expire(self, now_unix: float) -> tuple[bytes, ...]:
        """Forget the sessions whose absolute end has come, and return their ids, to close what hangs on them."""
        ended = tuple(session.id for session in self._live.values() if session.absolute_unix <= now_unix)
        for session_id in ended:
            del self._live[session_id]
        return ended

    def forget_asks(self) -> tuple[bytes, ...]:
        """Give up the questions under way, because the link is lost; returns their ids. They may be asked again."""
        given_up = tuple(self._asked)
        self._asked.clear()
        return given_up

    def forget_tombstones(self, now_monotonic: float) -> None:
        """Drop the tombstones whose minute is over."""
        over = takewhile(lambda item: item[1] <= now_monotonic, self._tombstones.items())
        for session_id, _ in list(over):
            del self._tombstones[session_id]

    def _bury(self, session_id: bytes, now_monotonic: float) -> None:
        self._tombstones.pop(session_id, None)
        self._tombstones[session_id] = now_monotonic + TOMBSTONE_SECONDS
        self._misses.pop(session_id, None)
