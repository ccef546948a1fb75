"""A worker process: accepts connections and serves them by the policy the keeper sent.

It parses what strangers send, and holds neither password hashes nor the store nor the audit; after `confine` the
kernel keeps it so. It talks to the keeper over one link and to the supervisor over another, and reads no file.
"""

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, assert_never

from msgspec import structs

from nbgate.clock import Clock
from nbgate.edge.admission import Admission, End, Ticket
from nbgate.edge.client_connection import ClientConnection
from nbgate.edge.context import WorkerContext
from nbgate.edge.listener import Listener
from nbgate.edge.outbox import Outbox
from nbgate.edge.penalties import Penalties
from nbgate.edge.pool import Pool
from nbgate.edge.recheck import end_unrecorded, judge_again
from nbgate.edge.redirects import Redirects
from nbgate.edge.refusals import Refusals
from nbgate.edge.sessions import Sessions
from nbgate.edge.tls import make_context, names_asked_for
from nbgate.edge.uses import Uses
from nbgate.errors import LinkError
from nbgate.guard.overload import TICK_SECONDS
from nbgate.link.channel import Link
from nbgate.link.messages import (
    Activity,
    AuditState,
    Message,
    OpenChannels,
    PenaltiesPut,
    Records,
    RecordsWritten,
    RevokeAck,
    RoutesChanged,
    SessionAnswer,
    SessionPut,
    SessionsRevoked,
    Snapshot,
    ToWorker,
    UpstreamPut,
    UpstreamSuspect,
    WorkerHello,
    WorkerStatus,
)
from nbgate.model.client import Client
from nbgate.model.route import Condition
from nbgate.pipeline.request import audit_grace_is_over
from nbgate.policy import compile_policy
from nbgate.reasons import Reason
from nbgate.rewrite.response import ClientHeads
from nbgate.sessions.table import SessionTable

SWEEP_SECONDS = 0.25
TELL_SECONDS = 1.0
HAND_OVER_SECONDS = 2.0


class WorkerCore:
    """A worker without its process: sockets, link and loop are handed to it, so that a test can wire one up.

    Args of the constructor:
        listening: Sockets to accept on; those of port `http_port` speak plain HTTP (0: none does).
        boot: Names this process in audit records: 16 hex digits.
        random_bytes: Returns that many random bytes.
        ready: Called once, when the first snapshot is in force and connections are accepted.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        listening: list[socket.socket],
        http_port: int = 0,
        boot: str,
        random_bytes: Callable[[int], bytes],
        confinement: tuple[str, ...],
        pid: int,
        ready: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._boot = boot
        self._random = random_bytes
        self._hello = WorkerHello(pid=pid, boot=boot, confinement=confinement)
        self._ready = ready
        self._link: Link[ToWorker] | None = None
        self._tls: ssl.SSLContext | None = None
        self._names: set[str] = set()
        self._tls_of_hops: ssl.SSLContext | None = None
        self._http_port = http_port
        self._https_port = 0
        self._listener = Listener(loop, [], self)
        self._redirects = Redirects(
            loop, [], self, policy=lambda: self._require().policy, public_port=lambda: self._https_port
        )
        self.listen_on(listening)
        self._outbox = Outbox(loop=loop, clock=clock, boot=boot, send=self._send_records)
        self._sessions = Sessions(loop=loop, table=SessionTable(), ask=self._send)
        self._uses = Uses()
        self._pool = Pool(loop, self._uses.has)
        self._penalties = Penalties(loop, clock, self._send)
        self._context: WorkerContext | None = None
        self._told: WorkerStatus | None = None
        self._told_channels: tuple[tuple[bytes, int], ...] = ()
        self._timers: list[asyncio.TimerHandle] = []
        self._swept = loop.time()

    # the link to the keeper

    def linked(self, link: Link[ToWorker]) -> None:
        """Use `link` from now on; the keeper answers the greeting with a snapshot."""
        if self._link is not None:
            self._link.close()
        self._link = link
        self._told, self._told_channels = None, ()
        link.send(self._hello)

    def link_lost(self) -> None:
        """Go on with the sessions that are known, until the supervisor brings a new link and a snapshot comes on it.

        Nobody is sent to an own page on the way to a notebook meanwhile: the keeper serves it.
        """
        self._link = None
        self._sessions.link_lost()
        if self._context is not None:
            policy = self._context.policy
            own = structs.replace(policy.own_state, condition=Condition.DOWN)
            self._context.policy = structs.replace(policy, own_state=own)

    def take(self, message: ToWorker) -> None:
        """Act on a message of the keeper."""
        match message:
            case Snapshot():
                self._load(message)
            case SessionPut(session=session):
                self._sessions.put(session)
            case SessionsRevoked():
                link = self._link
                self._sessions.revoke(
                    message, self._clock.monotonic(), lambda closed: self._acknowledge(message, closed, link)
                )
            case SessionAnswer(id=session_id, session=session):
                self._sessions.answered(session_id, session)
            case UpstreamPut(state=state):
                if self._context is not None:
                    self._context.policy = self._context.policy.with_upstream(state)
            case RoutesChanged():
                if self._context is not None:
                    self._change_routes(message, self._context)
            case PenaltiesPut(penalties=penalties):
                self._penalties.put(penalties)
            case RecordsWritten(upto=upto):
                self._outbox.acknowledge(upto)
            case AuditState(failing_since_unix=since):
                if self._context is not None:
                    self._context.policy = self._context.policy.with_audit(since)
                if not since:
                    self._outbox.send_again()  # what came during the outage was not written
            case _:
                assert_never(message)

    def _load(self, snapshot: Snapshot) -> None:
        policy = compile_policy(
            version=snapshot.version,
            limits=snapshot.limits,
            tables=snapshot.tables,
            routes=snapshot.routes,
            upstreams=snapshot.upstreams,
            sealing_keys=snapshot.sealing_keys,
            audit_failing_since_unix=snapshot.audit_failing_since_unix,
            banner=snapshot.banner,
            exposure=snapshot.exposure,
            rules=snapshot.rules,
            second_factor_roles=snapshot.second_factor_roles,
            contact=snapshot.contact,
            base_url=snapshot.base_url,
        )
        self._uses.load(policy.places.routes)
        self._names = names_asked_for(policy.hosts)
        self._tls = make_context(snapshot.tls, self._names)
        self._tls_of_hops = make_context(snapshot.tls)  # the name they ask for may be what they call us themselves
        self._sessions.load(snapshot.sessions, self._clock.monotonic())
        self._penalties.load(snapshot.penalties)
        self._outbox.send_again()
        if self._context is not None:
            self._context.policy = policy
            self._context.admission.load(policy)
            self._context.refusals.load(policy.limits.netblock_refusals_per_minute)
            self._context.client_heads = ClientHeads(policy.tables, policy.always_headers)
            judge_again(self._context)
            return
        self._context = WorkerContext(
            loop=self._loop,
            clock=self._clock,
            policy=policy,
            client_heads=ClientHeads(policy.tables, policy.always_headers),
            outbox=self._outbox,
            admission=Admission(policy, self._loop.time()),
            refusals=Refusals(self._outbox, self._clock, policy.limits.netblock_refusals_per_minute),
            sessions=self._sessions,
            pool=self._pool,
            penalties=self._penalties,
            random=self._random,
            suspect=lambda route: self._send(UpstreamSuspect(route=route)),
            id_prefix=self._boot[:6],
        )
        self._listener.start()
        self._redirects.start()
        self._timers = [
            self._loop.call_later(SWEEP_SECONDS, self._sweep),
            self._loop.call_later(0, self._tell),
            self._loop.call_later(TICK_SECONDS, self._tick),
        ]
        self._ready()

    def _change_routes(self, message: RoutesChanged, context: WorkerContext) -> None:
        before = context.policy.places.routes
        context.policy = context.policy.with_routes(message.put, message.states, message.gone)
        names = {*message.gone, *(route.name for route in message.put)}
        self._uses.change(before, context.policy.places.routes, names)
        if self._names:
            self._names.update(route.host for route in message.put if route.host)
        context.admission.change_routes(context.policy, message.gone)
        judge_again(context, names)

    def _acknowledge(self, message: SessionsRevoked, closed: int, asked_on: Link[ToWorker] | None) -> None:
        if asked_on is self._link:  # another keeper counts from one again
            self._outbox.flush()
            self._send(RevokeAck(ack=message.ack, closed=closed))

    def _send(self, message: Message) -> None:
        """Send to the keeper; without a link it is void: a snapshot will come."""
        with contextlib.suppress(LinkError):  # the loss is told by `link_lost`
            if self._link is not None:
                self._link.send(message)

    def _send_records(self, records: Records) -> None:
        """Send to the keeper; without a link they wait in the outbox, which sends them again on the next one.

        Raises:
            LinkError: The keeper does not keep up: they are to be offered again.
        """
        if self._link is not None:
            self._link.send(records)

    # what listener and redirects ask (`TlsGate`)

    def enter(self, client: Client, end: End) -> Ticket | None:
        """Give a connection its ticket; None, and it is recorded, when there is no place for it."""
        ticket = self._require().admission.enter(client, end)
        if ticket is None:
            self._require().reject(client, Reason.WORKER_FULL, 0, is_stranger=True)
        return ticket

    def make_room(self) -> object:
        """End a connection that can be spared: no more files can be opened."""
        return self._require().admission.make_room()

    def identify(self, ticket: Ticket, client: Client) -> None:
        """Take note of what the PROXY header says."""
        self._require().admission.identify(ticket, client)

    def handshake(self) -> tuple[float, bool]:
        """Return the seconds a handshake may take, and whether a PROXY header comes first."""
        policy = self._require().policy
        return policy.limits.tls_handshake_seconds, policy.exposure.proxy_protocol

    def tls(self, ticket: Ticket) -> ssl.SSLContext:
        """Return the context now in force for this connection."""
        context = self._tls_of_hops if ticket.is_trusted else self._tls
        assert context is not None  # noqa: S101 - accepting begins after the first snapshot
        return context

    def connection(self, ticket: Ticket) -> ClientConnection:
        """Return the protocol for a client whose handshake is about to begin."""
        return ClientConnection(self._require(), ticket)

    def refused(self, ticket: Ticket, reason: Reason | None, status: int) -> None:
        """Take note that a connection never became one, and record why; None: nobody needs to know."""
        context = self._require()
        context.admission.leave(ticket)
        if reason is not None:
            context.reject(ticket.client, reason, status, is_stranger=True)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a handshake."""
        self._require().spawn(coroutine)

    def listen_on(self, sockets: list[socket.socket]) -> None:
        """Accept on `sockets` from now on, on none of those before; what is accepted goes on."""
        https = [sock for sock in sockets if sock.getsockname()[1] != self._http_port]
        self._https_port = https[0].getsockname()[1] if https else 0
        self._listener.replace(https)
        self._redirects.replace([sock for sock in sockets if sock not in https])

    # ending

    async def drain(self, seconds: float) -> None:
        """Stop accepting, let running requests end, close websockets with 1012 at random times, hand over the records.

        Returns when all that is done, or after `seconds`.
        """
        context = self._context
        self._listener.stop()
        self._redirects.close()
        if context is None:
            return
        context.draining = True
        latest = min(context.policy.limits.drain_jitter_seconds, seconds / 2)
        for connection in list(context.connections):
            if connection.tunnel is not None:
                jitter = random.uniform(0, latest)  # noqa: S311 - spreads load
                self._loop.call_later(jitter, connection.tunnel.drain)
            else:
                connection.drain()
        await context.all_gone(seconds)
        for connection in list(context.connections):
            connection.cut(Reason.DRAINING)
        self._pool.close()
        context.refusals.sum_up(everything=True)
        self._outbox.flush()
        if self._link is not None:
            await self._outbox.all_written(HAND_OVER_SECONDS)
        self.close()

    def close(self) -> None:
        """Stop the timers and the link; for the end of the process, and of a test."""
        for timer in self._timers:
            timer.cancel()
        self._listener.stop()
        self._redirects.close()
        if self._link is not None:
            self._link.close()

    # time

    def _sweep(self) -> None:
        self._timers[0] = self._loop.call_later(SWEEP_SECONDS, self._sweep)  # first: no fault below may stop the clock
        context = self._require()
        woken, self._swept = self._swept + SWEEP_SECONDS, self._loop.time()
        now = min(self._swept, woken)  # after the machine slept: what came meanwhile is read before it is called late
        for connection in list(context.connections):
            connection.guarded(connection.expire, now)
        self._listener.expire(now)
        self._redirects.expire(now)
        self._pool.expire(now - context.policy.limits.upstream_idle_seconds)
        self._sessions.expire(self._clock.unix())
        context.refusals.sum_up()
        if context.websockets and audit_grace_is_over(context.policy_now(), self._clock.unix()):
            end_unrecorded(context)

    def _tick(self) -> None:
        self._timers[2] = self._loop.call_later(TICK_SECONDS, self._tick)
        self._require().admission.overload.tick(self._loop.time())

    def _tell(self) -> None:
        self._timers[1] = self._loop.call_later(TELL_SECONDS, self._tell)
        context = self._require()
        self.tell_activity()
        context.awaited.clear()
        context.channels = +context.channels  # without those who have closed all of theirs
        channels = tuple(sorted(context.channels.items()))
        if channels != self._told_channels and self._link is not None:
            self._told_channels = channels
            self._send(OpenChannels(sessions=channels))
        admission = context.admission
        status = WorkerStatus(
            connections=admission.held,
            strangers=admission.strangers,
            places=admission.places,
            websockets=context.websockets,
            requests=context.requests,
            refused=context.refusals.count,
            lag_seconds=round(admission.overload.lag_seconds, 2),
            accepting=self._listener.is_accepting,
        )
        if status != self._told and self._link is not None:
            self._told = status
            self._send(status)

    def tell_activity(self) -> bool:
        """Tell the keeper which sessions were active since the last time; False when there was none."""
        active = self._sessions.take_active()
        if active:
            self._send(Activity(ids=active))
        return bool(active)

    def _require(self) -> WorkerContext:
        assert self._context is not None  # noqa: S101 - set before the first accept
        return self._context
