"""Give a session another secret from time to time, so that a stolen one is worth little and its use is noticed.

The former secret stays good until the new one was seen and a grace has passed: answers get lost, and pages ask for
many things at once. After that whoever comes with it has it from somewhere else, and the session ends (THREATS 5.1).
Everything is durable before anybody hears of it: the secrets in the session's row, and, for the time of the grace,
which former ones are about to end; a keeper that is started anew goes on from there.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct, structs

from nbgate.clock import Clock
from nbgate.config.schema import Sessions
from nbgate.crypto.tokens import TOKEN_BYTES, new_session_token, parse_session_token
from nbgate.errors import StoreError
from nbgate.keeper.ending import Ending
from nbgate.keeper.sessions import LiveSessions
from nbgate.model.account import StoredSession
from nbgate.model.session import Session
from nbgate.ports import State, StoreRunner
from nbgate.reasons import Reason

VALUE: Final = "rotations"
MAX_RETIRED: Final = 64  # of one session; an older secret than that is an unknown one
ACTOR: Final = "nbgate"
_DECODER: Final = msgspec.msgpack.Decoder(dict[bytes, float])


class RotationParts(Struct, frozen=True, kw_only=True):
    """What `Rotation` works with.

    Attributes:
        options: How often, and how long the grace is.
        put: Puts a changed session into force everywhere; False when it has ended since.
    """

    state: State
    in_store: StoreRunner
    live: LiveSessions
    clock: Clock
    random_bytes: Callable[[int], bytes]
    options: Callable[[], Sessions]
    put: Callable[[StoredSession], bool]
    ending: Ending


class Rotation:
    """Replaces the secrets of logins."""

    def __init__(self, parts: RotationParts) -> None:
        self._parts = parts
        self._ends: dict[bytes, float] = {}  # id → monotonic time at which its former secret ends
        self._reused: dict[bytes, Session] = {}
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Go on where an earlier keeper ended; no former secret that was about to end gets more than a whole grace.

        Raises:
            StoreError: What is stored cannot be read.
        """
        saved = await self._parts.in_store(self._parts.state.values.get, VALUE)
        try:
            ends = {} if saved is None else _DECODER.decode(saved)
        except msgspec.DecodeError as error:
            raise StoreError("the stored rotations are damaged") from error
        now, now_unix = self._parts.clock.monotonic(), self._parts.clock.unix()
        grace = self._parts.options().rotate_grace_seconds
        for session_id, end_unix in ends.items():
            session = self._parts.live.find(session_id)
            if session is not None and session.former:
                self._ends[session_id] = now + min(max(end_unix - now_unix, 0.0), grace)

    async def rotate(self, session_id: bytes, presented: bytes) -> str | None:
        """Give the session another secret, if it is time.

        Args:
            session_id: Of a login.
            presented: The digest of the secret with which the browser came.

        Returns:
            The text of the new secret, which is kept nowhere; None: the browser goes on with what it has.

        Raises:
            StoreError: The store cannot be used; nothing has changed.
        """
        async with self._one_at_a_time:
            row = self._parts.live.row(session_id)
            if row is None or not self._may_rotate(row.session, presented):
                return None
            text = new_session_token(self._parts.random_bytes(TOKEN_BYTES))
            key = parse_session_token(text)
            assert key is not None  # noqa: S101 - it was made one line above
            new = _rotated(row, key, presented, self._parts.clock.unix() + self._parts.options().rotate_seconds)
            if not await self._replace(row, new):
                return None
            if self._ends.pop(session_id, None) is not None:  # it was about the secret before that one
                await self._store()
            return text

    def _may_rotate(self, session: Session, presented: bytes) -> bool:
        """Say whether it is time, and whether this secret may be the one that is replaced.

        The former one may be, where the new one never came to be used: its answer was lost, and nobody has it.
        """
        if session.is_token or presented not in session.keys or self._parts.clock.unix() < session.rotate_unix:
            return False
        return presented == session.keys[0] or session.id not in self._ends

    async def key_used(self, session_id: bytes, key: bytes) -> None:
        """Take note that a client has the secret of this digest: if it is the newest, the former one ends soon.

        Raises:
            StoreError: It could not be stored; it is in force until this keeper ends.
        """
        session = self._parts.live.find(session_id)
        if session is None or not session.former or key != session.keys[0] or session_id in self._ends:
            return
        self._ends[session_id] = self._parts.clock.monotonic() + self._parts.options().rotate_grace_seconds
        await self._store()

    async def end_formers(self) -> None:
        """End the former secrets whose grace is over.

        Raises:
            StoreError: The store cannot be used; it is tried again at the next call.
        """
        async with self._one_at_a_time:
            now = self._parts.clock.monotonic()
            over = [session_id for session_id, end in self._ends.items() if end <= now]
            for session_id in over:
                row = self._parts.live.row(session_id)
                if row is None or not row.session.former or await self._replace(row, _without_former(row)):
                    del self._ends[session_id]  # else its account was just changed: the next call sees that
            if over:
                await self._store()

    def note_reuse(self, key: bytes) -> bool:
        """Say whether this is the digest of a retired secret; then its session must end: `end_reused`."""
        session = self._parts.live.find_by_retired(key)
        if session is None:
            return False
        self._reused[session.id] = session
        return True

    async def end_reused(self) -> None:
        """End the sessions of which somebody has a secret that their owners' browsers have no more.

        Raises:
            StoreError: The store cannot be used; it is tried again at the next call.
        """
        async with self._one_at_a_time:
            while self._reused:
                session_id, session = next(iter(self._reused.items()))
                if self._parts.live.find(session_id) is not None:
                    await self._parts.ending.revoke((session,), Reason.SESSION_REUSED, ACTOR)
                self._reused.pop(session_id, None)

    async def _replace(self, row: StoredSession, new: StoredSession) -> bool:
        if not await self._parts.in_store(self._parts.state.sessions.replace, row, new):
            return False
        return self._parts.put(new)

    async def _store(self) -> None:
        now, now_unix = self._parts.clock.monotonic(), self._parts.clock.unix()
        ends = {session_id: now_unix + end - now for session_id, end in self._ends.items()}
        await self._parts.in_store(self._parts.state.values.put, VALUE, msgspec.msgpack.encode(ends))


def _rotated(row: StoredSession, key: bytes, presented: bytes, rotate_unix: float) -> StoredSession:
    """Return the session with `key` as its secret and `presented` as the former one; all others are retired."""
    session = row.session
    retired = (*row.retired, *(other for other in session.keys if other != presented))
    changed = structs.replace(
        session, key=key, former=presented, rotate_unix=rotate_unix, generation=session.generation + 1
    )
    return structs.replace(row, session=changed, retired=retired[-MAX_RETIRED:])


def _without_former(row: StoredSession) -> StoredSession:
    session = row.session
    changed = structs.replace(session, former=b"", generation=session.generation + 1)
    return structs.replace(row, session=changed, retired=(*row.retired, session.former)[-MAX_RETIRED:])
