"""End sessions, whoever wants it and why: in the store first, then in every worker, then in the audit.

It decides about no session but those whose time is over. When a call returns nothing hangs on what it ended.
"""

from collections.abc import Callable
from itertools import groupby

from msgspec import Struct

from nbgate.clock import Clock
from nbgate.errors import NbgateError
from nbgate.keeper.audit import AuditLog
from nbgate.keeper.ended import record_ended
from nbgate.keeper.sessions import Due, LiveSessions
from nbgate.keeper.workers import Workers
from nbgate.model.account import StoredSession
from nbgate.model.session import Session
from nbgate.ports import SessionStore, StoreRunner
from nbgate.reasons import Reason
from nbgate.sessions.judge import judge_stored
from nbgate.sessions.table import FINAL_GENERATION

MIN_LABEL_CHARS = 4


class SessionNotFoundError(NbgateError):
    """Theirs: no live session has this label, or more than one begins so."""

    status = 404


class EndingParts(Struct, frozen=True, kw_only=True):
    """What `Ending` works with."""

    sessions: SessionStore
    in_store: StoreRunner
    live: LiveSessions
    workers: Workers
    audit: AuditLog
    clock: Clock


class Ending:
    """Ends sessions everywhere."""

    def __init__(self, parts: EndingParts) -> None:
        self._parts = parts

    async def load(self) -> None:
        """Learn the sessions that live on from before, and end those whose time ran out meanwhile."""
        now, live = self._parts.clock.unix(), self._parts.live
        over = []
        for stored in await self._parts.in_store(self._parts.sessions.all):
            reason = judge_stored(stored.session, stored.last_seen_unix, now, live.idle_seconds)
            if reason is None:
                live.put(stored)
            else:
                over.append(Due(stored.session, reason))
        await self._end_due(tuple(over))

    async def end_due(self) -> None:
        """End the sessions whose time is over."""
        await self._end_due(self._parts.live.due(self._parts.clock.unix()))

    async def revoke(self, sessions: tuple[Session, ...], reason: Reason, actor: str) -> None:
        """End these sessions.

        Raises:
            StoreError: They could not be ended in the store, and live on.
            AuditError: It could not be recorded; they are over all the same.
        """
        await self._parts.in_store(self._parts.sessions.end, tuple(session.id for session in sessions))
        await self._in_workers(tuple(session.id for session in sessions), reason)
        for user, of_user in groupby(sorted(sessions, key=_user_of), key=_user_of):
            await record_ended(self._parts.audit, user, tuple(session.id for session in of_user), reason, actor)

    async def everywhere(self, user: str, ids: tuple[bytes, ...], reason: Reason, actor: str) -> None:
        """Make sessions of a person that the store has ended end in every worker too, and record it.

        Raises:
            AuditError: It could not be recorded; they are over all the same.
        """
        await self._in_workers(ids, reason)
        await record_ended(self._parts.audit, user, ids, reason, actor)

    async def _in_workers(self, ids: tuple[bytes, ...], reason: Reason) -> None:
        if ids:
            self._parts.live.end(ids, self._parts.clock.monotonic())
            await self._parts.workers.revoke(ids, FINAL_GENERATION, reason)

    async def revoke_user(self, user: str, actor: str, keep: bytes | None = None) -> int:
        """End the logins of a person but `keep`; return how many."""
        sessions = await self._stored(lambda session: session.user == user and not session.is_token)
        ended = tuple(session for session in sessions if session.id != keep)
        await self.revoke(ended, Reason.SESSION_REVOKED, actor)
        return len(ended)

    async def revoke_all(self, reason: Reason, actor: str) -> int:
        """End every login and every token; return how many."""
        ended = await self._stored(lambda _session: True)
        await self.revoke(ended, reason, actor)
        return len(ended)

    def require(self, label: str, *, is_token: bool | None = None) -> StoredSession:
        """Return the live session whose label begins so.

        Args:
            label: The hexadecimal digits that lists show, or the first `MIN_LABEL_CHARS` or more of them.
            is_token: Look among tokens, or among logins, only.

        Raises:
            SessionNotFoundError: There is none, or more than one.
        """
        prefix = label.lower()
        found = [
            row
            for row in self._parts.live.rows()
            if len(prefix) >= MIN_LABEL_CHARS
            and row.session.label.startswith(prefix)
            and is_token in {None, row.session.is_token}
        ]
        if len(found) == 1:
            return found[0]
        what = {None: "session", True: "token", False: "login"}[is_token]
        listed = "nbgate token list shows them" if is_token else "nbgate sessions list shows them"
        if found:
            raise SessionNotFoundError(
                f"more than one {what} begins with these digits", hint=f"give more of them; {listed}"
            )
        raise SessionNotFoundError(f"there is no such {what}", hint=listed)

    async def _stored(self, wanted: Callable[[Session], bool]) -> tuple[Session, ...]:
        """Return sessions as stored: a login may be written down already and not be in force yet."""
        rows = await self._parts.in_store(self._parts.sessions.all)
        return tuple(row.session for row in rows if wanted(row.session))

    async def _end_due(self, due: tuple[Due, ...]) -> None:
        by_reason: dict[Reason, list[Session]] = {}
        for each in due:
            by_reason.setdefault(each.reason, []).append(each.session)
        for reason, sessions in by_reason.items():
            await self.revoke(tuple(sessions), reason, "nbgate")


def _user_of(session: Session) -> str:
    return session.user
