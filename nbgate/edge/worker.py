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

from nbgate.audit.events import HttpReject
from nbgate.clock import Clock
from nbgate.edge.client_connection import ClientConnection
from nbgate.edge.context import WorkerContext
from nbgate.edge.listener import Listener
from nbgate.edge.outbox import Outbox
from nbgate.edge.pool import Pool
from nbgate.edge.sessions import Sessions
from nbgate.edge.tls import make_context
from nbgate.errors import LinkError
from nbgate.link.channel import Link
from nbgate.link.messages import (
    Activity,
    AuditState,
    Message,
    Records,
    RecordsWritten,
    RevokeAck,
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
from nbgate.pipeline.request import audit_grace_is_over
from nbgate.policy import compile_policy
from nbgate.reasons import Reason
from nbgate.rewrite.response import ClientHeads
from nbgate.sessions.table import SessionTable
from nbgate.websocket.close_codes import SERVICE_RESTART

SWEEP_SECONDS = 0.25
TELL_SECONDS = 1.0
HAND_OVER_SECONDS = 2.0


class WorkerCore:
    """A worker without its process: sockets, link and loop are handed to it, so that a test can wire one up.

    Args of the constructor:
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
        self._listener = Listener(loop, listening, self)
        self._outbox = Outbox(loop=loop, clock=clock, boot=boot, send=self._send_records)
        self._sessions = Sessions(loop=loop, table=SessionTable(), ask=self._send)
        self._pool = Pool(loop)
        self._context: WorkerContext | None = None
        self._told: tuple[int, int, int, bool] | None = None
        self._timers: list[asyncio.TimerHandle] = []

    # the link to the keeper

    def linked(self, link: Link[ToWorker]) -> None:
        """Use `link` from now on; the keeper answers the greeting with a snapshot."""
        if self._link is not None:
            self._link.close()
        self._link = link
        self._told = None
        link.send(self._hello)

    def link_lost(self) -> None:
        """Go on with the sessions that are known, until the supervisor brings a new link."""
        self._link = None
        self._sessions.link_lost()

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
        )
        self._tls = make_context(snapshot.tls)
        self._sessions.load(snapshot.sessions, self._clock.monotonic())
        self._outbox.send_again()
        if self._context is not None:
            self._context.policy = policy
            self._context.client_heads = ClientHeads(policy.tables)
            return
        self._context = WorkerContext(
            loop=self._loop,
            clock=self._clock,
            policy=policy,
            client_heads=ClientHeads(policy.tables),
            outbox=self._outbox,
            sessions=self._sessions,
            pool=self._pool,
            random=self._random,
            suspect=lambda route: self._send(UpstreamSuspect(route=route)),
            id_prefix=self._boot[:6],
        )
        self._listener.start()
        self._timers = [self._loop.call_later(SWEEP_SECONDS, self._sweep), self._loop.call_later(0, self._tell)]
        self._ready()

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

    # what the listener asks (`Gate`)

    def admits(self) -> bool:
        """Say whether one more connection may be held."""
        context = self._require()
        held = len(context.connections) + context.pending + self._listener.waiting
        return held < context.policy.limits.connections

    def tls(self) -> tuple[ssl.SSLContext, float]:
        """Return the context now in force and the seconds a handshake may take."""
        assert self._tls is not None  # noqa: S101 - accepting begins after the first snapshot
        return self._tls, self._require().policy.limits.tls_handshake_seconds

    def connection(self, client: Client) -> ClientConnection:
        """Return the protocol for a client whose handshake is about to begin."""
        return ClientConnection(self._require(), client)

    def refused(self, client: Client, reason: Reason, status: int) -> None:
        """Record a connection that never became one."""
        self._outbox.record(
            HttpReject,
            outcome="failure",
            client_ip=client.address,
            client_port=client.port,
            status=status,
            reason=reason.value,
            request_id=self._require().next_request_id(),
        )

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a handshake."""
        self._require().spawn(coroutine)

    def listen_on(self, sockets: list[socket.socket]) -> None:
        """Accept on `sockets` from now on, on none of those before; what is accepted goes on."""
        self._listener.replace(sockets)

    # ending

    async def drain(self, seconds: float) -> None:
        """Stop accepting, let running requests end, close websockets with 1012 at random times, hand over the records.

        Returns when all that is done, or after `seconds`.
        """
        context = self._context
        self._listener.stop()
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
        self._outbox.flush()
        if self._link is not None:
            await self._outbox.all_written(HAND_OVER_SECONDS)
        self.close()

    def close(self) -> None:
        """Stop the timers and the link; for the end of the process, and of a test."""
        for timer in self._timers:
            timer.cancel()
        self._listener.stop()
        if self._link is not None:
            self._link.close()

    # time

    def _sweep(self) -> None:
        self._timers[0] = self._loop.call_later(SWEEP_SECONDS, self._sweep)  # first: no fault below may stop the clock
        context = self._require()
        now = self._loop.time()
        for connection in list(context.connections):
            connection.guarded(connection.expire, now)
        self._listener.expire(now)
        self._pool.expire(now - context.policy.limits.upstream_idle_seconds)
        self._sessions.expire(self._clock.unix())
        if context.websockets and audit_grace_is_over(context.policy_now(), self._clock.unix()):
            self._end_websockets(context)

    def _end_websockets(self, context: WorkerContext) -> None:
        """THREATS 5.6: ten minutes after the audit could be written last nothing goes on unrecorded."""
        for connection in list(context.connections):
            if connection.tunnel is not None:
                connection.guarded(connection.tunnel.close, SERVICE_RESTART, Reason.AUDIT_UNAVAILABLE)

    def _tell(self) -> None:
        self._timers[1] = self._loop.call_later(TELL_SECONDS, self._tell)
        context = self._require()
        if active := self._sessions.take_active():
            self._send(Activity(ids=active))
        status = (len(context.connections), context.websockets, context.requests, self._listener.is_accepting)
        if status != self._told and self._link is not None:
            self._told = status
            connections, websockets, requests, accepting = status
            self._send(
                WorkerStatus(connections=connections, websockets=websockets, requests=requests, accepting=accepting)
            )

    def _require(self) -> WorkerContext:
        assert self._context is not None  # noqa: S101 - set before the first accept
        return self._context
