"""Who is let in, and what is more than one worker, netblock, session or upstream should carry.

Connections: a stranger is one of which no live session is known; there are few places for strangers, and who comes
displaces who has waited. Requests: each is judged once, when its session is known; whoever has none comes off worst.
What is under way is counted here, and nothing is waited for: too much is refused at once, with the time to try again.
It opens and closes nothing itself, and knows neither bytes nor paths.
"""

import math
import resource
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from nbgate.access.paths import RequestKind
from nbgate.config.schema import Limits
from nbgate.guard.overload import Overload
from nbgate.guard.rates import Rates
from nbgate.guard.strangers import Strangers
from nbgate.http.forwarded import is_trusted
from nbgate.model.client import Client
from nbgate.model.session import Session
from nbgate.pipeline.verdict import Respond
from nbgate.policy import Policy
from nbgate.reasons import Reason

if TYPE_CHECKING:
    from nbgate.edge.exchange import Exchange

LEAST_CONNECTIONS = 16
SPARE_DESCRIPTORS = 128  # sockets to accept on, links, idle connections to upstreams
BUSY_SECONDS = 1.0
MAX_SPARED = 32

End = Callable[[Reason], None]


class Count:
    """How many of something are under way."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class Use:
    """What one session has under way; kept while a connection that acted for it is open."""

    __slots__ = ("connections", "requests", "websockets")

    def __init__(self) -> None:
        self.connections = 0
        self.requests = Count()
        self.websockets = Count()


class Ticket:
    """One connection, from accept to its end.

    Attributes:
        client: Who is at the other end, or who the PROXY header says is.
        end: Ends the connection at once, and records it with this reason; whoever holds the connection sets it.
        is_stranger: It takes one of the places for strangers.
        is_trusted: A trusted hop, which speaks for many: it takes none.
        has_left: It is over, and counted no more.
    """

    __slots__ = ("client", "end", "has_left", "is_stranger", "is_trusted")

    def __init__(self, client: Client, end: End) -> None:
        self.client = client
        self.end = end
        self.is_stranger = False
        self.is_trusted = False
        self.has_left = False


class Admission:
    """The places and counters of one worker.

    Attributes:
        held: Connections that are open, in whatever state.
        places: How many there may be: the option, or what the process may open.
        overload: How late the worker is with its work.
    """

    def __init__(self, policy: Policy, now: float) -> None:
        limits = policy.limits
        self.held = 0
        self.places = 0
        self.overload = Overload(limits.overload_lag_seconds, now)
        self._strangers: Strangers[Ticket] = Strangers(places=0, netblock_places=0)
        self._spared = 0
        self._uses: dict[bytes, Use] = {}
        self._waiting: dict[str, Count] = {}
        self._gone: set[str] = set()
        self._netblocks: Rates | None = None
        self._sessions: Rates | None = None
        self._policy = policy
        self._limits: Limits | None = None
        self.load(policy)

    @property
    def strangers(self) -> int:
        """Return how many connections take a place for strangers."""
        return len(self._strangers)

    def load(self, policy: Policy) -> None:
        """Go on by another policy; what is open stays, and rates that did not change go on where they are."""
        self._policy = policy
        limits, before = policy.limits, self._limits
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.places = min(limits.connections, connections_for_descriptors(descriptors))
        self.overload.limit_seconds = limits.overload_lag_seconds
        self._strangers.places = limits.stranger_connections
        self._strangers.netblock_places = limits.netblock_connections
        names = {policy.own_route.name, *policy.upstreams}
        self._waiting = {name: count for name, count in self._waiting.items() if count.n or name in names}
        if before is None or _netblock_rate(before) != _netblock_rate(limits):
            self._netblocks = _rates(*_netblock_rate(limits))
        if before is None or _session_rate(before) != _session_rate(limits):
            self._sessions = _rates(*_session_rate(limits))
        self._limits = limits

    def change_routes(self, policy: Policy, gone: Iterable[str]) -> None:
        """Go on by a policy with other routes; who still waits on one that is gone is counted to the end."""
        self._policy = policy
        self._gone.update(gone)
        for name in [name for name in self._gone if not self.waiting(name).n]:
            self._gone.discard(name)
            del self._waiting[name]

    # connections

    def enter(self, client: Client, end: End) -> Ticket | None:
        """Give a connection its ticket; None when everybody who is here has a live session and there is no place."""
        if self.held >= self.places and not self.make_room():
            return None
        self.held += 1
        ticket = Ticket(client, end)
        self.identify(ticket, client)
        return ticket

    def identify(self, ticket: Ticket, client: Client) -> None:
        """Take note of who the client is: at first, and again when a PROXY header has told."""
        if ticket.is_stranger:
            self._befriend(ticket)
        ticket.client = client
        ticket.is_trusted = is_trusted(client.address, self._policy.trusted_hops)
        self._estrange(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Take note that a connection is gone."""
        if not ticket.has_left:
            ticket.has_left = True
            ticket.end = _is_over  # it led back to who holds the ticket: without the cycle all is freed at once
            self.held -= 1
            if ticket.is_stranger:
                self._befriend(ticket)

    def make_room(self) -> bool:
        """End a stranger because there is no place at all; False when there is none."""
        ticket = self._strangers.evict()
        if ticket is not None:
            self._drop(ticket, Reason.WORKER_FULL)
        return ticket is not None

    def spare(self, ticket: Ticket) -> bool:
        """Take a connection out of the places for strangers while a login on it is looked at.

        For those that come with what may be a device cookie: else a crowd of newcomers from as many netblocks as there
        are places would drop the owner, who waits for a password to be checked. It is a few at once, because anybody
        can make such a cookie up; past `MAX_SPARED` a login takes its chance with the others.

        Returns:
            True if it was; then `spare_no_longer` is to be called.
        """
        if not ticket.is_stranger or self._spared >= MAX_SPARED:
            return False
        self._spared += 1
        self._befriend(ticket)
        return True

    def spare_no_longer(self, ticket: Ticket) -> None:
        """Put the connection back, as the newest one."""
        self._spared -= 1
        self._estrange(ticket)

    def _befriend(self, ticket: Ticket) -> None:
        ticket.is_stranger = False
        self._strangers.remove(ticket, ticket.client.netblock)

    def _estrange(self, ticket: Ticket) -> None:
        if ticket.is_trusted or ticket.is_stranger or ticket.has_left:
            return
        ticket.is_stranger = True
        dropped = self._strangers.add(ticket, ticket.client.netblock)
        if dropped is not None:
            self._drop(*dropped)

    def _drop(self, ticket: Ticket, reason: Reason) -> None:
        ticket.is_stranger = False
        end = ticket.end
        self.leave(ticket)  # now, and not when its socket is closed: the newcomer takes its place
        end(reason)

    # requests

    def attach(self, session_id: bytes) -> Use:
        """Return what the session has under way, for one more connection that acts for it."""
        use = self._uses.setdefault(session_id, Use())
        use.connections += 1
        return use

    def detach(self, session_id: bytes) -> None:
        """Take note that one of these connections is gone."""
        use = self._uses[session_id]
        use.connections -= 1
        if not use.connections:
            del self._uses[session_id]

    def waiting(self, upstream: str) -> Count:
        """Return how many requests wait for the answer of the route's upstream."""
        count = self._waiting.get(upstream)
        if count is None:
            count = self._waiting[upstream] = Count()
        return count

    def judge(self, exchange: "Exchange", session: Session | None, now: float) -> Respond | None:
        """Say why a request is not served now; else it is under way until `exchange` leaves its `count`."""
        if session is None:
            return self._judge_stranger(exchange, now)
        ticket = exchange.connection.ticket
        if ticket.is_stranger:
            self._befriend(ticket)
        if self.overload.refuses_all:
            return Respond(503, Reason.OVERLOADED)
        use, limits = exchange.connection.attach_session(session), exchange.policy.limits
        if exchange.kind is RequestKind.WEBSOCKET:
            count, most, reason = use.websockets, limits.session_websockets, Reason.SESSION_WEBSOCKETS
        else:
            count, most, reason = use.requests, limits.session_requests, Reason.SESSION_REQUESTS
        if count.n >= most:
            return too_many(reason, BUSY_SECONDS)
        if self._sessions is not None and (wait := self._sessions.take(session.id, now)):
            exchange.connection.rest(wait)
            return too_many(Reason.SESSION_RATE, wait)
        count.n += 1
        exchange.count = count
        return None

    def repeats(self, ticket: Ticket, requests: Count, upstream: str, policy: Policy) -> Count | None:
        """Return where a repeated request of a session waits for its answer; None when it is to be judged in full."""
        waiting, limits = self.waiting(upstream), policy.limits
        if (
            ticket.is_stranger
            or self.overload.refuses_all
            or requests.n >= limits.session_requests
            or waiting.n >= limits.upstream_requests
        ):
            return None
        return waiting

    def _judge_stranger(self, exchange: "Exchange", now: float) -> Respond | None:
        """Refuse, and do not even read the next request before its time: a refusal costs work too."""
        self._estrange(exchange.connection.ticket)
        if self.overload.refuses_strangers:
            exchange.connection.rest(BUSY_SECONDS)
            return Respond(503, Reason.OVERLOADED)
        if self._netblocks is not None and (wait := self._netblocks.take(exchange.client.netblock, now)):
            exchange.connection.rest(wait)
            return too_many(Reason.NETBLOCK_RATE, wait)
        return None


def _is_over(_reason: Reason) -> None:
    """End nothing: the connection is gone."""


def too_many(reason: Reason, seconds: float) -> Respond:
    """Return the answer to a request that comes too early: when to come again, in whole seconds."""
    return Respond(429, reason, headers=(("Retry-After", str(math.ceil(seconds))),))


def connections_for_descriptors(descriptors: int) -> int:
    """Return how many connections a process may hold that may open so many files: each may need one to an upstream."""
    if descriptors == resource.RLIM_INFINITY:
        return 1 << 31
    return max(LEAST_CONNECTIONS, (descriptors - SPARE_DESCRIPTORS) // 2)


def _netblock_rate(limits: Limits) -> tuple[float, int]:
    return limits.netblock_requests_per_second, limits.netblock_request_burst


def _session_rate(limits: Limits) -> tuple[float, int]:
    return limits.session_requests_per_second, limits.session_request_burst


def _rates(per_second: float, burst: int) -> Rates | None:
    return Rates(per_second=per_second, burst=burst) if per_second else None
