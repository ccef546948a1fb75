"""The worker's live sessions and what hangs on them: which connection must end when a session does.

The table's rules (generations, tombstones, misses) are pure and live in `nbgate.sessions.table`; here are the waiting
requests and the open connections. It never reads the store: it asks the keeper once and remembers the answer.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from nbgate.errors import LinkError
from nbgate.link.messages import SessionAsk, SessionsRevoked
from nbgate.model.session import Session
from nbgate.reasons import Reason
from nbgate.sessions.table import Lookup, SessionTable

ASK_SECONDS = 2.0
ACK_SECONDS = 0.6  # the keeper waits 700 ms

Found = Callable[[Session | None, Reason], None]


class Leg(Protocol):
    """A client connection that used a session."""

    def end_session(self, session_id: bytes, reason: Reason) -> bool:
        """End what runs on behalf of the session; True when nothing of it is left open towards the client."""
        ...

    def cut(self, reason: Reason) -> None:
        """End the connection at once."""
        ...


class Sessions:
    """Find sessions for cookies; end what hangs on revoked ones."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, table: SessionTable, ask: Callable[[SessionAsk], None]
    ) -> None:
        self._loop = loop
        self._table = table
        self._ask = ask
        self._legs: dict[bytes, set[Leg]] = {}
        self._waiting: dict[bytes, list[Found]] = {}
        self._timers: dict[bytes, asyncio.TimerHandle] = {}
        self._active: set[bytes] = set()

    @property
    def count(self) -> int:
        """Return how many live sessions this worker knows."""
        return len(self._table)

    def find(self, session_id: bytes) -> Session | Reason | None:
        """Return the session, why there is none, or None when only the keeper can say: then `ask`."""
        found = self._table.lookup(session_id)
        if isinstance(found, Session):
            return found
        if found is Lookup.MISS:
            return Reason.SESSION_ENDED
        if found is Lookup.ASK:
            with contextlib.suppress(LinkError):  # without an answer whoever waits is told so in time
                self._ask(SessionAsk(id=session_id))
        return None

    def ask(self, session_id: bytes, found: Found) -> None:
        """Call `found` with the keeper's answer, or with KEEPER_UNAVAILABLE after `ASK_SECONDS`."""
        self._waiting.setdefault(session_id, []).append(found)
        if session_id not in self._timers:
            settle = (session_id, None, Reason.KEEPER_UNAVAILABLE)
            self._timers[session_id] = self._loop.call_later(ASK_SECONDS, self._settle, *settle)

    def link_lost(self) -> None:
        """Give up the questions under way; they are asked again when their cookies come again."""
        for session_id in self._table.forget_asks():
            self._settle(session_id, None, Reason.KEEPER_UNAVAILABLE)

    def attach(self, session_id: bytes, leg: Leg) -> None:
        """Remember that `leg` acts for this session."""
        self._legs.setdefault(session_id, set()).add(leg)

    def detach(self, session_id: bytes, leg: Leg) -> None:
        """Forget it again."""
        legs = self._legs.get(session_id)
        if legs is not None:
            legs.discard(leg)
            if not legs:
                del self._legs[session_id]

    def was_active(self, session_id: bytes) -> None:
        """Note that a person did something; told to the keeper once a second."""
        self._active.add(session_id)

    def take_active(self) -> tuple[bytes, ...]:
        """Return and forget the sessions that were active since the last call."""
        active, self._active = self._active, set()
        return tuple(active)

    def put(self, session: Session) -> None:
        """Take a session that began or changed."""
        self._settle(session.id, self._table.put(session), Reason.SESSION_ENDED)

    def answered(self, session_id: bytes, session: Session | None) -> None:
        """Take the keeper's answer to a question."""
        self._settle(session_id, self._table.answer(session_id, session), Reason.SESSION_ENDED)

    def load(self, sessions: tuple[Session, ...], now_monotonic: float) -> None:
        """Take the keeper's full list; what is not in it has ended meanwhile."""
        for session_id in self._table.load(sessions, now_monotonic):
            self._end(session_id, Reason.SESSION_ENDED)
        for session in sessions:
            if session.id in self._waiting:  # its answer was lost with the old link
                self._settle(session.id, self._table.put(session), Reason.SESSION_ENDED)

    def expire(self, now_unix: float) -> None:
        """End the sessions whose absolute end has come."""
        for session_id in self._table.expire(now_unix):
            self._end(session_id, Reason.SESSION_EXPIRED)

    def revoke(self, message: SessionsRevoked, now_monotonic: float, acknowledge: Callable[[int], None]) -> None:
        """End these sessions and all that hangs on them; call `acknowledge(legs closed)` when that is done."""
        ended = self._table.revoke(message.ids, message.generation, now_monotonic)
        reason = Reason(message.reason)
        legs = [(session_id, *leg) for session_id in ended for leg in self._end(session_id, reason)]
        if all(done for _, _, done in legs):
            acknowledge(len(legs))
            return

        def cut_the_rest() -> None:
            for session_id, leg, _ in legs:
                if not leg.end_session(session_id, reason):
                    leg.cut(reason)
            acknowledge(len(legs))

        self._loop.call_later(ACK_SECONDS, cut_the_rest)

    def _end(self, session_id: bytes, reason: Reason) -> list[tuple[Leg, bool]]:
        self._settle(session_id, None, reason)
        return [(leg, leg.end_session(session_id, reason)) for leg in list(self._legs.get(session_id, ()))]

    def _settle(self, session_id: bytes, session: Session | None, reason: Reason) -> None:
        if (timer := self._timers.pop(session_id, None)) is not None:
            timer.cancel()
        for found in self._waiting.pop(session_id, ()):
            found(session, reason)
