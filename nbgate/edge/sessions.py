"""The worker's live sessions and what hangs on them: which connection must end when a session does.

The table's rules (generations, tombstones, misses) are pure and live in `nbgate.sessions.table`; here are the waiting
requests and the open connections. Requests come with the digest of a secret; what runs for a session hangs on its id,
which stays when the secret is replaced. It never reads the store: it asks the keeper once and remembers the answer.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from nbgate.errors import LinkError
from nbgate.link.messages import SessionAsk, SessionKeyUsed, SessionsRevoked
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
    """Find sessions for cookies and tokens; end what hangs on revoked ones.

    Args of the constructor:
        loop: Where it runs.
        table: What this worker knows of sessions.
        ask: Sends a message to the keeper; one that it cannot send is void.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        table: SessionTable,
        ask: Callable[[SessionAsk | SessionKeyUsed], None],
    ) -> None:
        self._loop = loop
        self._table = table
        self._ask = ask
        self._legs: dict[bytes, set[Leg]] = {}  # by id
        self._waiting: dict[bytes, list[Found]] = {}  # by digest, and so are the timers
        self._timers: dict[bytes, asyncio.TimerHandle] = {}
        self._active: set[bytes] = set()
        self._told: dict[bytes, bytes] = {}  # id → the new key of a rotation that the keeper knows to be in use

    @property
    def count(self) -> int:
        """Return how many live sessions this worker knows."""
        return len(self._table)

    def find(self, key: bytes) -> Session | Reason | None:
        """Return the session of a secret's digest, why there is none, or None when only the keeper can say: `ask`."""
        found = self._table.lookup(key)
        if isinstance(found, Session):
            if found.former:
                self._tell_of_use(key, found)
            return found
        if found is Lookup.MISS:
            return Reason.SESSION_ENDED
        if found is Lookup.ASK:
            with contextlib.suppress(LinkError):  # without an answer whoever waits is told so in time
                self._ask(SessionAsk(id=key))
        return None

    def is_live(self, session: Session) -> bool:
        """Say whether this very session, as it was found, is in force still; cheap enough for each request."""
        return self._table.is_live(session)

    def ask(self, key: bytes, found: Found) -> None:
        """Call `found` with the keeper's answer, or with KEEPER_UNAVAILABLE after `ASK_SECONDS`."""
        self._waiting.setdefault(key, []).append(found)
        if key not in self._timers:
            settle = (key, None, Reason.KEEPER_UNAVAILABLE)
            self._timers[key] = self._loop.call_later(ASK_SECONDS, self._settle, *settle)

    def link_lost(self) -> None:
        """Give up the questions under way; they are asked again when their cookies come again."""
        for key in self._table.forget_asks():
            self._settle(key, None, Reason.KEEPER_UNAVAILABLE)

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
        in_force = self._table.put(session)
        for key in session.keys:
            found = in_force if in_force is not None and key in in_force.keys else None
            self._settle(key, found, Reason.SESSION_ENDED)

    def answered(self, key: bytes, session: Session | None) -> None:
        """Take the keeper's answer to a question."""
        self._settle(key, self._table.answer(key, session), Reason.SESSION_ENDED)

    def load(self, sessions: tuple[Session, ...], now_monotonic: float) -> None:
        """Take the keeper's full list; what is not in it has ended meanwhile.

        It may be another keeper's, that does not know which secrets are in use: it will be told again.
        """
        self._told.clear()
        for session in self._table.load(sessions, now_monotonic):
            self._end(session, Reason.SESSION_ENDED)
        for session in sessions:
            if not self._waiting.keys().isdisjoint(session.keys):  # its answer was lost with the old link
                self.put(session)

    def expire(self, now_unix: float) -> None:
        """End the sessions whose absolute end has come."""
        for session in self._table.expire(now_unix):
            self._end(session, Reason.SESSION_EXPIRED)

    def revoke(self, message: SessionsRevoked, now_monotonic: float, acknowledge: Callable[[int], None]) -> None:
        """End these sessions and all that hangs on them; call `acknowledge(legs closed)` when that is done."""
        ended = self._table.revoke(message.ids, message.generation, now_monotonic)
        reason = Reason(message.reason)
        legs = [(session.id, *leg) for session in ended for leg in self._end(session, reason)]
        if all(done for _, _, done in legs):
            acknowledge(len(legs))
            return

        def cut_the_rest() -> None:
            for session_id, leg, _ in legs:
                if not leg.end_session(session_id, reason):
                    leg.cut(reason)
            acknowledge(len(legs))

        self._loop.call_later(ACK_SECONDS, cut_the_rest)

    def _end(self, session: Session, reason: Reason) -> list[tuple[Leg, bool]]:
        self._told.pop(session.id, None)
        for key in session.keys:
            self._settle(key, None, reason)
        return [(leg, leg.end_session(session.id, reason)) for leg in list(self._legs.get(session.id, ()))]

    def _settle(self, key: bytes, session: Session | None, reason: Reason) -> None:
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        waiting = self._waiting.pop(key, ())
        if waiting and session is not None and session.former:
            self._tell_of_use(key, session)
        for found in waiting:
            found(session, reason)

    def _tell_of_use(self, key: bytes, session: Session) -> None:
        """Tell the keeper, once, that a client came with the newest secret: the former one may end."""
        newest = session.keys[0]
        if key != newest or self._told.get(session.id) == newest:
            return
        with contextlib.suppress(LinkError):
            self._ask(SessionKeyUsed(id=session.id, key=newest))
            self._told[session.id] = newest
