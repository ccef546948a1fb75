"""The switch that closes all logins: everybody is signed out, and nobody can sign in until it is lifted.

It holds over restarts. What is asked for in need happens first and is recorded after, so that a full disk stops nobody
from closing the door.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from nbgate.audit.events import Lockdown as LockdownEvent
from nbgate.errors import LockedDown
from nbgate.keeper.audit import AuditLog
from nbgate.ports import StoreRunner, ValueStore
from nbgate.reasons import Reason

VALUE: Final = "lockdown"


class Lockdown:
    """The switch of one gateway; `load` first.

    Args of the constructor:
        values: Where it is kept.
        in_store: Runs a call of `values` where the store is used.
        audit: Where it is recorded.
        end_all: Ends every login and every token, in the store too, and returns how many: `end_all(reason, actor)`.
    """

    def __init__(
        self,
        *,
        values: ValueStore,
        in_store: StoreRunner,
        audit: AuditLog,
        end_all: Callable[[Reason, str], Awaitable[int]],
    ) -> None:
        self._values = values
        self._in_store = in_store
        self._audit = audit
        self._end_all = end_all
        self._is_on = False

    @property
    def is_on(self) -> bool:
        """Say whether nobody can sign in."""
        return self._is_on

    def require_open(self) -> None:
        """Return if people may sign in.

        Raises:
            LockedDown: They may not.
        """
        if self._is_on:
            raise LockedDown

    async def load(self) -> None:
        """Learn how the keeper before this one was left."""
        self._is_on = await self._in_store(self._values.get, VALUE) is not None

    async def begin(self, actor: str) -> int:
        """Sign everybody out, end all tokens, and let nobody sign in; return how many logins and tokens ended.

        Raises:
            StoreError: Nobody can sign in until a restart, but that is not stored, or not everybody is out.
            AuditError: It could not be recorded; it has happened all the same.
        """
        self._is_on = True  # first: who is signing in now finds it, here or in the store
        await self._in_store(self._values.put, VALUE, actor.encode())
        ended = await self._end_all(Reason.LOCKED_DOWN, actor)
        stamp = self._audit.stamp()
        await self._audit.append_durable(
            LockdownEvent(**stamp, message="everybody signed out", actor=actor, ended_sessions=ended)
        )
        return ended

    async def lift(self, actor: str) -> None:
        """Let people sign in again.

        Raises:
            AuditError: It could not be recorded; nobody can sign in, as before.
        """
        await self._audit.append_durable(LockdownEvent(**self._audit.stamp(), message="lifted", actor=actor))
        await self._in_store(self._values.remove, VALUE)
        self._is_on = False
