"""One TLS connection of a client: cuts requests out of its bytes and runs one exchange after the other.

Thin: parsing and judging are pure code elsewhere. It never begins a second request before the first is done: what is
behind an unfinished request waits unread. One of the three places that may catch `Exception`: a fault of ours becomes
a 500 with an error id and a log line, never a request let through.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

import structlog

from nbgate.edge.admission import Ticket, Use
from nbgate.edge.context import WorkerContext
from nbgate.edge.exchange import Exchange
from nbgate.edge.head_reader import HeadReader
from nbgate.edge.patience import NEVER, Patience
from nbgate.edge.repeats import Repeats, Seen
from nbgate.edge.tunnel import Tunnel
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.errors import ProtocolError
from nbgate.http.head import RequestHead
from nbgate.model.session import Session
from nbgate.pipeline import answers
from nbgate.pipeline.claims import Claim
from nbgate.pipeline.identity import Identity
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Forward
from nbgate.places import Place
from nbgate.policy import Policy
from nbgate.reasons import Reason

LINGER_SECONDS = 1.0
LONGEST_REST_SECONDS = 5.0

log = structlog.get_logger()


class ClientConnection(asyncio.Protocol):
    """The client's side of everything that happens on one connection.

    Attributes:
        ticket: Its place in the worker.
        patience: How long it waits for its client; the worker's sweep calls `expire`.
    """

    __slots__ = (
        "_holds",
        "_identity",
        "_is_ending",
        "_reader",
        "_repeats",
        "_uses",
        "buffer",
        "client",
        "exchange",
        "heads",
        "patience",
        "ticket",
        "transport",
        "tunnel",
        "worker",
    )

    def __init__(self, worker: WorkerContext, ticket: Ticket) -> None:
        self.worker = worker
        self.ticket = ticket
        self.client = ticket.client
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.exchange: Exchange | Repeats | None = None
        self._repeats: Repeats | None = None
        self.tunnel: Tunnel | None = None
        self.patience = Patience(worker.loop)
        self.heads = ConnectionHeads()
        self._identity = Identity(self.client)
        self._reader = HeadReader()
        self._uses: dict[bytes, Use] = {}
        self._is_ending = False
        self._holds: set[str] = set()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the handshake is done."""
        self.transport = cast(asyncio.Transport, transport)
        server_name = getattr(self.transport.get_extra_info("ssl_object"), "server_name", None)
        self._identity = Identity(self.client, server_name)
        self.transport.set_write_buffer_limits(high=self.worker.policy.limits.buffer_bytes)
        self.patience.wait(self.worker.policy.limits.head_seconds, Reason.HEAD_TIMEOUT)
        self.ticket.end = partial(self.guarded, self._drop)
        self.worker.connections.add(self)
        if self.worker.draining:
            self.finish()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        self.guarded(self._take, data)

    def eof_received(self) -> bool:
        """End the connection: over TLS there is no half-open close worth keeping."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Release everything that ran for this client."""
        self.transport = None
        self.worker.gone(self)
        if self.tunnel is not None:
            self.tunnel.exchange.leave()
            self.guarded(self.tunnel.client_lost)
        elif self.exchange is not None:
            self.guarded(self.exchange.client_lost)
        for session_id in self._uses:  # last: what ran is counted there
            self.worker.sessions.detach(session_id, self)
            self.worker.admission.detach(session_id)
        self.exchange = self._repeats = self.tunnel = None  # they point back here, and would wait for the collector

    def pause_writing(self) -> None:
        """Stop reading from the upstream: the client does not keep up."""
        self.patience.falls_behind()
        self._pass_pressure(full=True)

    def resume_writing(self) -> None:
        """Read from the upstream again, and take the request that waited for the client to read its answers."""
        self.patience.catches_up()
        self._pass_pressure(full=False)
        self.guarded(self._next_request)

    # what exchanges and tunnels use

    def guarded(self, step: Callable[..., None], *args: object) -> None:
        """Run `step`; a fault of ours in it ends the request with a 500 and the connection, nothing else."""
        try:
            step(*args)
        except Exception as error:  # noqa: BLE001 - it is logged there
            self._broke(error)

    async def guarded_task(self, steps: Coroutine[Any, Any, None]) -> None:
        """Run `steps` with the same care: a request never waits for a task that is no more."""
        try:
            await steps
        except Exception as error:  # noqa: BLE001 - it is logged there
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        error_id = self.exchange.request_id if self.exchange else self.worker.next_request_id()
        try:
            self._apologise(error_id)  # first: the log may be the next thing that fails
        except Exception:
            self.abort()
            log.exception("no apology", error_id=error_id)
        log.error("internal error", error_id=error_id, exc_info=error)

    def _apologise(self, error_id: str) -> None:
        """End the exchange with a 500, if nothing of an answer was sent; in any other case cut the connection."""
        exchange = self.exchange
        if self.tunnel is None and exchange is not None and not exchange.is_done and not exchange.has_answered:
            exchange.break_off(Reason.INTERNAL, 500)
            self.exchange = None
            self.write(answers.broken(error_id, self.worker.policy.always_headers))
            self.finish()
        else:
            self.cut(Reason.INTERNAL, 500)

    def write(self, data: bytes) -> None:
        """Send `data`; on a connection that is gone it is dropped."""
        if self.transport is not None:
            self.transport.write(data)

    def hold(self, why: str) -> None:
        """Stop reading from the client until every `why` is released."""
        if not self._holds and self.transport is not None:
            self.transport.pause_reading()
            self.patience.hold()
        self._holds.add(why)

    def release(self, why: str) -> None:
        """Read again unless something else holds."""
        if why in self._holds:
            self._holds.discard(why)
            if not self._holds and self.transport is not None:
                self.transport.resume_reading()
                self.patience.go_on()

    def rest(self, seconds: float) -> None:
        """Read no further request for `seconds`: who asks too much is not even heard. A hop asks for others too."""
        if self.ticket.is_trusted:
            return
        self.hold("rest")
        self.worker.loop.call_later(min(seconds, LONGEST_REST_SECONDS), self._rested)

    def expect_body(self, received_bytes: int = 0) -> None:
        """The next bytes are a request body, of which some may have come: it may pause for a while, not for ever."""
        self.release("behind")
        self.patience.wait_for_body(self.worker.policy.limits, received_bytes)

    def attach_session(self, session: Session) -> Use:
        """Let the end of `session` end what this connection does for it; return what it has under way."""
        use = self._uses.get(session.id)
        if use is None:
            use = self._uses[session.id] = self.worker.admission.attach(session.id)
            self.worker.sessions.attach(session.id, self)
        return use

    def claim(self, head: RequestHead) -> Claim:
        """Return which session a request claims."""
        return self._reader.claim(head)

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        """Give the connection to `tunnel`; what the client already sent behind its handshake are frames."""
        self.tunnel = tunnel
        self.patience.stop()
        # What is remembered for the next head: none will come, and it is 1.6 KiB of what an idle websocket costs.
        self._reader, self.heads, self._repeats = HeadReader(), ConnectionHeads(), None
        early, self.buffer = self.buffer, b""
        if early:
            tunnel.client_data(early)
        self.release("behind")
        if (reason := self.worker.no_longer_wants(tunnel.exchange)) is not None:  # the others have been told
            tunnel.drain(reason)

    def has_learnt(self, exchange: Exchange, session: Session, place: Place) -> bool:
        """Say whether the verdict of `exchange` is known already; what no longer holds is forgotten."""
        block = self._reader.last_block
        if self._repeats is None or not self._repeats.holds_for(block, exchange.policy, session):
            self._repeats = Repeats(self, block, exchange.head.fields.host, exchange.policy, session)
        return self._repeats.knows(place)

    def learn(self, place: Place, seen: Seen) -> None:
        """Remember a verdict for the next request of its kind."""
        if self._repeats is not None:
            self._repeats.learn(place, seen)

    def resume_exchange(
        self,
        raw: bytes,
        policy: Policy,
        session: Session,
        forward: Forward,
        upstream: UpstreamConnection,
        request_id: str,
        started: float,
    ) -> Exchange:
        """Put the full exchange in the place of a repetition that does not go as before; `raw` was judged before."""
        head = self._reader.read(raw, policy)
        client = self._identity.identify(head.fields, policy)
        exchange = self.exchange = Exchange(self, client, head, policy, request_id, started)
        exchange.resume(session, forward, upstream)
        return exchange

    def exchange_done(self, *, keep: bool) -> None:
        """Go on with what is behind the finished exchange, or end the connection."""
        self.exchange = None
        self.release("upstream")
        if not keep or self.worker.draining:
            self.finish(self.worker.policy.limits.write_stall_seconds)
        elif self.buffer:
            self.hold("behind")
            self.worker.loop.call_soon(self.guarded, self._next_request)
        else:
            self.patience.wait(self.worker.policy.limits.keepalive_seconds, Reason.KEEPALIVE_TIMEOUT)
            self.release("behind")

    def finish(self, seconds: float = LINGER_SECONDS) -> None:
        """End the connection so that what was written arrives within `seconds`: closing would reset unread bytes."""
        self.buffer = b""
        self._is_ending = True
        self.patience.stop()
        self.patience.wait(seconds, Reason.KEEPALIVE_TIMEOUT)
        self._holds.clear()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """End the connection at once; a body under way stays visibly incomplete."""
        if self.transport is not None:
            self.transport.abort()

    def cut(self, reason: Reason, status: int = 0) -> None:
        """End the connection at once, and record what ran on it as ended by `reason`."""
        if self.tunnel is not None:
            self.tunnel.break_off(reason)
        elif self.exchange is not None:
            self.exchange.break_off(reason, status)
        self.abort()

    def drain(self) -> None:
        """End the connection if it is idle; a running exchange ends it when it is done, a tunnel is closed apart."""
        if self.exchange is None and self.tunnel is None:
            self.finish()

    def end_session(self, session_id: bytes, reason: Reason) -> bool:
        """End what runs on behalf of the session (asked by `Sessions`); the keeper's answer to a logout passes."""
        if self.tunnel is not None and self.tunnel.session_id == session_id:
            return self.tunnel.end_session(reason)
        if self.exchange is not None and self.exchange.session_id == session_id and not self.exchange.is_own:
            self.cut(reason, 401)
        return True

    def expire(self, now: float) -> None:
        """Act on a passed deadline (asked by the worker's sweep)."""
        if self.patience.is_behind and self._stalls(now):
            self.cut(Reason.WRITE_TIMEOUT)
        elif self.tunnel is not None:
            self.tunnel.expire(now)
        elif self.exchange is not None and now >= self.exchange.deadline:
            self.exchange.expire()
        elif now >= self.patience.deadline:
            self._expire_reading()

    # reading requests

    def _take(self, data: bytes) -> None:
        if self.tunnel is not None:
            self.tunnel.client_data(data)
        elif self.exchange is not None:
            if self.exchange.wants_body:
                self.exchange.client_data(data)
            else:
                self.buffer += data
                self.hold("behind")
        elif not self._is_ending:
            self.buffer = self.buffer + data if self.buffer else data
            self._next_request()

    def _next_request(self) -> None:
        if self.exchange is not None or self.transport is None or not self.buffer:
            return
        if self._holds and "rest" in self._holds:
            return
        if self.patience.is_behind:  # who does not read the last answers gets no more: nothing would bound them
            self.hold("behind")
            return
        policy = self.worker.policy_now()
        try:
            end = self._reader.find_end(self.buffer, policy)
            if end < 0:
                self._wait_for_head()
                return
            raw, self.buffer = self.buffer[:end], self.buffer[end:]
            if not self.buffer:
                self.release("behind")
            if self._repeats is not None and self._repeats.begin(raw):
                self.patience.deadline = NEVER
                self.exchange = self._repeats
                return
            head = self._reader.read(raw, policy)
            client = self._identity.identify(head.fields, policy)
        except ProtocolError as error:
            self._reject(error)
            return
        self.patience.deadline = NEVER
        self.exchange = Exchange(
            self, client, head, policy, self.worker.next_request_id(), self.worker.clock.monotonic()
        )
        self.exchange.begin()

    def _wait_for_head(self) -> None:
        if self.patience.reason is not Reason.HEAD_TIMEOUT or self.patience.deadline == NEVER:
            self.patience.wait(self.worker.policy.limits.head_seconds, Reason.HEAD_TIMEOUT)
        self.release("behind")

    def _reject(self, error: ProtocolError) -> None:
        self.worker.reject(self.client, error.reason, error.status, is_stranger=not self._uses)
        self.write(answers.rejection(error.status, self.worker.policy.always_headers))
        self.finish()

    def _expire_reading(self) -> None:
        if self._is_ending:
            self.abort()
        elif self.patience.reason is Reason.HEAD_TIMEOUT and self.buffer:
            self._reject(ProtocolError(Reason.HEAD_TIMEOUT, 408))
        elif self.exchange is not None:
            self.exchange.body_late()
        else:
            self.finish()

    def _stalls(self, now: float) -> bool:
        unsent_bytes = self.transport.get_write_buffer_size() if self.transport is not None else 0
        return self.patience.stalls(now, unsent_bytes, self.worker.policy.limits.write_stall_seconds)

    def _drop(self, reason: Reason) -> None:
        """Give the place to somebody else."""
        if self.exchange is not None:
            self.cut(reason)
        else:
            self.worker.reject(self.client, reason, 0, is_stranger=True)
            self.abort()

    def _rested(self) -> None:
        self.release("rest")
        self.guarded(self._next_request)

    def _pass_pressure(self, *, full: bool) -> None:
        if self.tunnel is not None:
            self.tunnel.client_full(full=full)
        elif self.exchange is not None:
            self.exchange.client_full(full=full)
