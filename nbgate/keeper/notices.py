"""What a person should know about logins to their account, kept for their account page: `MAX_NOTICES` of them.

What happens again from the same address is the same notice, with a count, and past the bound the oldest of the
commonest kind goes: many of one kind push no other off the page.
Also where somebody has logged in from before: a login from another network is such a notice. A notice is recorded in
the audit when it is noted and stored within a second, so that no answer waits for it: how long a login takes tells
nobody whether the password was right (T05).
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct, structs

from nbgate.audit.events import AuthNotice
from nbgate.clock import Clock
from nbgate.keeper.audit import AuditLog
from nbgate.ports import StoreRunner, UserStore, ValueStore

WRONG_CODE: Final = "right-password-wrong-code"
NEW_NETWORK: Final = "new-network"
RECOVERY_USED: Final = "recovery-code-used"
WRONG_IN_SESSION: Final = "wrong-proof-in-session"
MAX_NOTICES: Final = 20
MAX_NETWORKS: Final = 20
MAX_PENDING: Final = 1024  # people who have something to be stored; past it what comes new is in the audit only


_T = TypeVar("_T")


class Notice(Struct, frozen=True, gc=False, array_like=True):
    """One thing to know: when it was the last time, what it was, the client's address, and how often it was."""

    at_unix: float
    message: str
    client: str
    count: int = 1


class _Known(Struct, frozen=True, array_like=True):
    """What is stored for the account that was made at `since_unix`, the newest first."""

    since_unix: float
    notices: tuple[Notice, ...] = ()
    networks: tuple[str, ...] = ()


class _Seen(Struct, frozen=True):
    """Something that is not stored yet: a notice, or a login from a network, which may be one."""

    notice: Notice
    network: str = ""
    request_id: str = ""


_DECODER: Final = msgspec.msgpack.Decoder(_Known)


class Notices:
    """The notices of everybody.

    Args of the constructor:
        values: Where they are kept.
        users: The accounts: who gets the name of somebody who is gone learns nothing of theirs.
        in_store: Runs calls of both where the store is used.
        audit: Where each is recorded.
        clock: Says when it was.
    """

    def __init__(
        self, *, values: ValueStore, users: UserStore, in_store: StoreRunner, audit: AuditLog, clock: Clock
    ) -> None:
        self._values = values
        self._users = users
        self._in_store = in_store
        self._audit = audit
        self._clock = clock
        self._pending: dict[str, tuple[_Seen, ...]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def of(self, user: str) -> tuple[Notice, ...]:
        """Return what `user` should know, the newest first.

        Raises:
            StoreError: It cannot be read.
        """
        await self.flush()
        known = await self._in_store(self._read, user)
        return () if known is None else known.notices

    def note(self, user: str, message: str, client: str, request_id: str = "") -> None:
        """Record something in the audit; it is stored by the next `flush`."""
        self._record(user, message, client, request_id)
        self._wait(user, _Seen(Notice(self._clock.unix(), message, client)))

    def logged_in(self, user: str, network: str, client: str, request_id: str = "") -> None:
        """Remember a login: from a network that `user` was not on lately it is a notice, unless it is the very first.

        Args:
            user: Who.
            network: The network around the client's netblock; "" for none, which is no news.
            client: The client's address.
            request_id: Of the login.
        """
        if network:
            notice = Notice(self._clock.unix(), NEW_NETWORK, client)
            self._wait(user, _Seen(notice, network, request_id))

    async def flush(self) -> None:
        """Store what is not stored yet.

        Raises:
            StoreError: It cannot be stored; the next call tries again.
        """
        async with self._one_at_a_time:
            for user in list(self._pending):
                await self._store(user)

    def _wait(self, user: str, seen: _Seen) -> None:
        if user in self._pending or len(self._pending) < MAX_PENDING:
            self._pending[user] = _with_waiting(self._pending.get(user, ()), seen)

    async def _store(self, user: str) -> None:
        waiting, self._pending[user] = self._pending[user], ()  # its place is kept for what comes meanwhile
        try:
            known = await self._in_store(self._read, user)
            if known is not None:
                await self._add(user, known, waiting)
        except BaseException:
            for seen in self._pending[user]:
                waiting = _with_waiting(waiting, seen)
            self._pending[user] = waiting
            raise
        if not self._pending[user]:
            del self._pending[user]

    async def _add(self, user: str, before: _Known, waiting: tuple[_Seen, ...]) -> None:
        known, news = before, []
        for seen in waiting:
            known, is_news = _with_seen(known, seen)
            news += [seen] if is_news else []
        if known != before:
            await self._in_store(self._values.put, _name_of(user), msgspec.msgpack.encode(known))
        for seen in news:
            self._record(user, NEW_NETWORK, seen.notice.client, seen.request_id)

    def _read(self, user: str) -> _Known | None:
        """Run in the store: return what is stored for an account, None if there is no such account."""
        account, value = self._users.get(user), self._values.get(_name_of(user))
        if account is None:
            return None
        try:
            known = _DECODER.decode(value or b"")
        except ValueError:  # nothing yet; or another version of nbgate wrote it
            known = _Known(account.created_unix)
        return known if known.since_unix == account.created_unix else _Known(account.created_unix)

    def _record(self, user: str, message: str, client: str, request_id: str) -> None:
        audit = self._audit
        audit.append(AuthNotice(**audit.stamp(), user=user, client_ip=client, message=message, request_id=request_id))


def _with_seen(known: _Known, seen: _Seen) -> tuple[_Known, bool]:
    """Return what is known then, and whether a login was from a new network."""
    is_news = bool(seen.network and known.networks and seen.network not in known.networks)
    if seen.network:
        others = (other for other in known.networks if other != seen.network)
        known = structs.replace(known, networks=(seen.network, *others)[:MAX_NETWORKS])
    if is_news or not seen.network:
        newest, older = _counted(seen.notice, known.notices)
        known = structs.replace(known, notices=_bounded((newest, *older), [newest, *older]))
    return known, is_news


def _with_waiting(waiting: tuple[_Seen, ...], seen: _Seen) -> tuple[_Seen, ...]:
    """Return what waits then; logins stay as they are: which network was new is judged in their order."""
    if not seen.network:
        newest, _ = _counted(seen.notice, tuple(each.notice for each in waiting if not each.network))
        waiting = tuple(each for each in waiting if each.network or not _is_same(each.notice, newest))
        seen = structs.replace(seen, notice=newest)
    newest_first = (seen, *reversed(waiting))
    return _bounded(newest_first, [each.notice for each in newest_first])[::-1]


def _bounded(newest_first: tuple[_T, ...], notices: Sequence[Notice]) -> tuple[_T, ...]:
    """Return all, or all but the oldest of the commonest kind where there is one too many.

    Args:
        newest_first: What is bounded; at most one more than there may be.
        notices: The notice of each.
    """
    if len(newest_first) <= MAX_NOTICES:
        return newest_first
    kinds = [notice.message for notice in notices]
    commonest, _ = Counter(kinds).most_common(1)[0]
    oldest = len(kinds) - 1 - kinds[::-1].index(commonest)
    return newest_first[:oldest] + newest_first[oldest + 1 :]


def _counted(notice: Notice, before: tuple[Notice, ...]) -> tuple[Notice, list[Notice]]:
    """Return a notice with how often it was in all, and those before it that say something else."""
    count = notice.count + sum(each.count for each in before if _is_same(each, notice))
    return structs.replace(notice, count=count), [each for each in before if not _is_same(each, notice)]


def _is_same(one: Notice, other: Notice) -> bool:
    return (one.message, one.client) == (other.message, other.client)


def _name_of(user: str) -> str:
    return f"notices:{user}"
