"""What every connection of one worker shares. Values and counters only; who fills them is `nbgate.edge.worker`."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from nbgate.clock import Clock
from nbgate.edge.admission import Admission
from nbgate.edge.outbox import Outbox
from nbgate.edge.penalties import Penalties
from nbgate.edge.pool import Pool
from nbgate.edge.refusals import Refusals
from nbgate.edge.sessions import Sessions
from nbgate.http.response import KnownHeads
from nbgate.model.client import Client
from nbgate.policy import Policy
from nbgate.reasons import Reason
from nbgate.rewrite.response import ClientHeads

log = structlog.get_logger()

_NO_GOOD_UPSTREAM = frozenset({
    Reason.UPSTREAM_CERTIFICATE, Reason.UPSTREAM_CHECKING, Reason.UPSTREAM_OPEN, Reason.UPSTREAM_REFUSED,
    Reason.UPSTREAM_TOKEN_UNKNOWN, Reason.UPSTREAM_UID_MISMATCH,
})  # fmt: skip

if TYPE_CHECKING:
    from nbgate.edge.client_connection import ClientConnection
    from nbgate.edge.exchange import Exchange


@dataclass(slots=True, kw_only=True)
class WorkerContext:
    """One worker's shared parts.

    Attributes:
        policy: The snapshot for the next request; replaced whole, never changed.
        client_heads: Serialises response heads by that policy's tables.
        random: Returns that many random bytes.
        suspect: Tells the keeper that a route's upstream does not behave as it said.
        awaited: Routes whose upstream is no good and is asked for; emptied as often as the keeper is to hear it.
        channels: How many notebooks, consoles and terminals each session has open here.
        id_prefix: Six hex digits that make request ids unique across workers and restarts.
    """

    loop: asyncio.AbstractEventLoop
    clock: Clock
    policy: Policy
    client_heads: ClientHeads
    outbox: Outbox
    admission: Admission
    refusals: Refusals
    sessions: Sessions
    pool: Pool
    penalties: Penalties
    random: Callable[[int], bytes]
    suspect: Callable[[str], None]
    id_prefix: str
    known_heads: KnownHeads = field(default_factory=KnownHeads)
    connections: "set[ClientConnection]" = field(default_factory=set)
    requests: int = 0
    websockets: int = 0
    awaited: set[str] = field(default_factory=set)
    channels: Counter[bytes] = field(default_factory=Counter)
    draining: bool = False
    _empty: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def policy_now(self) -> Policy:
        """Return the snapshot for the next request; with too many events unacknowledged the audit counts as failing."""
        since = self.outbox.full_since_unix
        if since and not self.policy.audit_failing_since_unix:
            return self.policy.with_audit(since)
        return self.policy

    def leads_elsewhere(self, exchange: "Exchange") -> bool:
        """Say whether the route by which `exchange` was forwarded is gone, or leads to another upstream now."""
        if exchange.forward is None:
            return False
        route = self.policy.places.routes.get(exchange.forward.route.name)
        return route is None or route.upstream != exchange.forward.route.upstream

    def no_longer_wants(self, exchange: "Exchange") -> Reason | None:
        """Say why a websocket whose handshake was under way meanwhile is ended again."""
        if self.draining:
            return Reason.DRAINING
        return Reason.ROUTE_CHANGED if self.leads_elsewhere(exchange) else None

    def note_refusal(self, exchange: "Exchange", reason: Reason) -> None:
        """Have the keeper look again at an upstream that was no good when it looked: somebody waits for it."""
        if reason in _NO_GOOD_UPSTREAM:
            route = exchange.policy.places.find(exchange.head.target, exchange.head.fields.host).route
            if route is not None and route.name not in self.awaited:
                self.awaited.add(route.name)
                self.suspect(route.name)

    def gone(self, connection: "ClientConnection") -> None:
        """Forget a connection that is lost."""
        self.admission.leave(connection.ticket)
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
        task.add_done_callback(self._ended)

    def reject(self, client: Client, reason: Reason, status: int, *, is_stranger: bool) -> None:
        """Record bytes, or a connection, that were refused."""
        self.refusals.reject(client, reason, status, self.next_request_id(), is_stranger=is_stranger)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("internal error", exc_info=error)
