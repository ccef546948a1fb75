"""The live sessions one worker knows, the ones it knows to be over, and the secrets it has asked about.

A session is found by the digests of its secrets and by nothing else; it changes, ends and is buried by its id, which
no secret need stand for any more. Pure: no link, no clock, no waiting; the caller sends the questions and brings the
time. It never judges age (`nbgate.sessions.judge`), and never makes a session: all come from the keeper.

Bounds: misses `MAX_MISSES` (past it the oldest is forgotten: a stranger with many made-up cookies buys one more
question to the keeper each, nothing else); questions under way `MAX_ASKS` (past it an unknown digest is a miss that is
not remembered: refused now, asked for next time). Tombstones are bounded by what the keeper revokes within a minute.
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
    """What there is to say about a digest that finds no live session."""

    MISS = "miss"  # there is no such session
    ASK = "ask"  # unknown: send SessionAsk now, `answer` will be called
    WAIT = "wait"  # asked already, the answer is on its way


class SessionTable:
    """What a worker knows of sessions; fed by the messages of the keeper, in their order."""

    def __init__(self, *, max_misses: int = MAX_MISSES, max_asks: int = MAX_ASKS) -> None:
        self._live: dict[bytes, Session] = {}  # by id
        self._by_key: dict[bytes, Session] = {}
        self._tombstones: dict[bytes, float] = {}  # id → monotonic end, oldest first
        self._misses: dict[bytes, None] = {}  # digests, oldest first
        self._asked: set[bytes] = set()  # digests
        self._max_misses = max_misses
        self._max_asks = max_asks

    def __len__(self) -> int:
        return len(self._live)

    def is_live(self, session: Session) -> bool:
        """Say whether this very session is in force: it has neither ended nor changed since it was found."""
        return self._live.get(session.id) is session

    def lookup(self, key: bytes) -> Session | Lookup:
        """Return the session of a secret's digest, or what to do without one.

        `ASK` is said once per digest until `answer`.
        """
        session = self._by_key.get(key)
        if session is not None:
            return session
        if key in self._asked:
            return Lookup.WAIT
        if key in self._misses or key in self._tombstones or len(self._asked) >= self._max_asks:
            return Lookup.MISS
        self._asked.add(key)
        return Lookup.ASK

    def put(self, session: Session) -> Session | None:
        """Learn that a session began or changed; ignored if it is over, or if a higher generation is known.

        Returns:
            The session that is in force now, None if it is over.
        """
        if session.id in self._tombstones:
            return None
        known = self._live.get(session.id)
        if known is not None:
            if known.generation > session.generation:
                return known
            self._remove(known)
        self._live[session.id] = session
        for key in session.keys:
            self._by_key[key] = session
            self._misses.pop(key, None)
        return session

    def answer(self, key: bytes, session: Session | None) -> Session | None:
        """Take the keeper's answer to `ASK`; None is remembered as a miss until a push clears it.

        Returns:
            The session that this digest finds now, None if there is none.
        """
        self._asked.discard(key)
        if session is not None:
            self.put(session)
        known = self._by_key.get(key)  # it may have been pushed, or changed, after the keeper had looked
        if known is None and session is None:
            self._misses[key] = None
            if len(self._misses) > self._max_misses:
                del self._misses[next(iter(self._misses))]
        return known

    def revoke(self, ids: Iterable[bytes], generation: int, now_monotonic: float) -> tuple[Session, ...]:
        """End sessions, and bury their ids so that nothing late brings them back.

        A session whose generation is higher than `generation` stays: this message is older than what is known of it.

        Returns:
            Those that were live: what hangs on them must be closed now.
        """
        self.forget_tombstones(now_monotonic)
        ended = []
        for session_id in ids:
            known = self._live.get(session_id)
            if known is not None and known.generation > generation:
                continue
            if known is not None:
                self._remove(known)
                ended.append(known)
            self._bury(session_id, now_monotonic)
        return tuple(ended)

    def load(self, sessions: Iterable[Session], now_monotonic: float) -> tuple[Session, ...]:
        """Take a full snapshot in place of all that was known; questions and misses are void, tombstones stay.

        What is known in a higher generation stays as it is: a secret that was retired finds nothing ever after.

        Returns:
            Those that were live and are not in the snapshot: they ended while nobody could tell us.
        """
        self.forget_tombstones(now_monotonic)
        before, self._live, self._by_key = self._live, {}, {}
        self._misses.clear()
        self._asked.clear()
        for session in sessions:
            known = before.get(session.id, session)
            self.put(known if known.generation > session.generation else session)
        ended = tuple(session for session_id, session in before.items() if session_id not in self._live)
        for session in ended:
            self._bury(session.id, now_monotonic)
        return ended

    def expire(self, now_unix: float) -> tuple[Session, ...]:
        """Forget the sessions whose absolute end has come, and return them, to close what hangs on them."""
        ended = tuple(session for session in self._live.values() if session.absolute_unix <= now_unix)
        for session in ended:
            self._remove(session)
        return ended

    def forget_asks(self) -> tuple[bytes, ...]:
        """Give up the questions under way, because the link is lost; returns their digests. They may be asked again."""
        given_up = tuple(self._asked)
        self._asked.clear()
        return given_up

    def forget_tombstones(self, now_monotonic: float) -> None:
        """Drop the tombstones whose minute is over."""
        over = takewhile(lambda item: item[1] <= now_monotonic, self._tombstones.items())
        for session_id, _ in list(over):
            del self._tombstones[session_id]

    def _remove(self, session: Session) -> None:
        del self._live[session.id]
        for key in session.keys:
            self._by_key.pop(key, None)

    def _bury(self, session_id: bytes, now_monotonic: float) -> None:
        self._tombstones.pop(session_id, None)
        self._tombstones[session_id] = now_monotonic + TOMBSTONE_SECONDS
