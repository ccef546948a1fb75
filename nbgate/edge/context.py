"""What every connection of one worker shares. Values and counters only; who fills them is `nbgate.edge.worker`."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbgate.clock import Clock
from nbgate.edge.outbox import Outbox
from nbgate.edge.pool import Pool
from nbgate.edge.sessions import Sessions
from nbgate.http.response import KnownHeads
from nbgate.policy import Policy
from nbgate.rewrite.response import ClientHeads

if TYPE_CHECKING:
    from nbgate.edge.client_connection import ClientConnection


@dataclass(slots=True, kw_only=True)
class WorkerContext:
    """One worker's shared parts.

    Attributes:
        policy: The snapshot for the next request; replaced whole, never changed.
        client_heads: Serialises response heads by that policy's tables.
        random: Returns that many random bytes.
        suspect: Tells the keeper that a route's upstream does not behave as it said.
        id_prefix: Six hex digits that make request ids unique across workers and restarts.
    """

    loop: asyncio.AbstractEventLoop
    clock: Clock
    policy: Policy
    client_heads: ClientHeads
    outbox: Outbox
    sessions: Sessions
    pool: Pool
    random: Callable[[int], bytes]
    suspect: Callable[[str], None]
    id_prefix: str
    known_heads: KnownHeads = field(default_factory=KnownHeads)
    connections: "set[ClientConnection]" = field(default_factory=set)
    requests: int = 0
    websockets: int = 0
    draining: bool = False
    _empty: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def pending(self) -> int:
        """Return how many handshakes and connects are under way."""
        return len(self._tasks)

    def policy_now(self) -> Policy:
        """Return the snapshot for the next request; with too many events unacknowledged the audit counts as failing."""
        since = self.outbox.full_since_unix
        if since and not self.policy.audit_failing_since_unix:
            return self.policy.with_audit(since)
        return self.policy

    def gone(self, connection: "ClientConnection") -> None:
        """Forget a connection that is lost."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    async def all_gone(self, seconds: float) -> None:
        """Wait until no connection is left, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.connections:
                    self._empty.clear()
                    await self._empty.wait()

    def next_request_id(self) -> str:
        """Return the id of a new request; short, and printed on error pages."""
        self.requests += 1
        return f"{self.id_prefix}{self.requests:06x}"

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run `coroutine`; the reference that keeps it alive goes when it ends."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
