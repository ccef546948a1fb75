"""One TLS connection of a client: cuts requests out of its bytes and runs one exchange after the other.

Thin: parsing and judging are pure code elsewhere. It never begins a second request before the first is done: what is
behind an unfinished request waits unread. One of the three places that may catch `Exception`: a fault of ours becomes
a 500 with an error id and a log line, never a request let through.
"""

import asyncio
import math
from collections.abc import Callable
from typing import cast

import structlog

from nbgate.audit.events import HttpReject
from nbgate.edge.context import WorkerContext
from nbgate.edge.exchange import Exchange
from nbgate.edge.repeats import Repeats, Seen
from nbgate.edge.tunnel import Tunnel
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.errors import ProtocolError
from nbgate.http.head import Fields, HeadLimits, HeadParser, find_head_end, judge_partial
from nbgate.http.headers import HeaderTables
from nbgate.model.client import Client
from nbgate.model.session import Session
from nbgate.pipeline import answers
from nbgate.pipeline.cookies import session_id_of
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Forward
from nbgate.places import Place
from nbgate.policy import Policy
from nbgate.reasons import Reason

LINGER_SECONDS = 1.0
NEVER = math.inf

log = structlog.get_logger()


class ClientConnection(asyncio.Protocol):
    """The client's side of everything that happens on one connection.

    Attributes:
        deadline: Loop time at which `expire` is called; the worker sweeps. `NEVER` while somebody else keeps time.
    """

    __slots__ = (
        "_deadline_reason",
        "_fields",
        "_holds",
        "_is_ending",
        "_judged",
        "_parser",
        "_parser_limits",
        "_parser_tables",
        "_repeats",
        "_scanned",
        "_session_id",
        "_session_ids",
        "_unsent_bytes",
        "_writing_since",
        "buffer",
        "client",
        "deadline",
        "exchange",
        "heads",
        "transport",
        "tunnel",
        "worker",
    )

    def __init__(self, worker: WorkerContext, client: Client) -> None:
        self.worker = worker
        self.client = client
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.exchange: Exchange | Repeats | None = None
        self._repeats: Repeats | None = None
        self.tunnel: Tunnel | None = None
        self.deadline = NEVER
        self.heads = ConnectionHeads()
        self._deadline_reason = Reason.HEAD_TIMEOUT
        self._parser: HeadParser | None = None
        self._parser_limits: HeadLimits | None = None
        self._parser_tables: HeaderTables | None = None
        self._scanned = 0
        self._judged = 0
        self._session_ids: set[bytes] = set()
        self._fields: Fields | None = None
        self._session_id: bytes | Reason | None = None
        self._is_ending = False
        self._holds: set[str] = set()
        self._writing_since = NEVER
        self._unsent_bytes: float = math.inf

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the handshake is done."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self.worker.policy.limits.buffer_bytes)
        self._set_deadline(self.worker.policy.limits.head_seconds, Reason.HEAD_TIMEOUT)
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
        for session_id in self._session_ids:
            self.worker.sessions.detach(session_id, self)
        if self.tunnel is not None:
            self.guarded(self.tunnel.client_lost)
        elif self.exchange is not None:
            self.guarded(self.exchange.client_lost)

    def pause_writing(self) -> None:
        """Stop reading from the upstream: the client does not keep up."""
        self._writing_since = self.worker.loop.time()
        self._unsent_bytes = math.inf
        self._pass_pressure(full=True)

    def resume_writing(self) -> None:
        """Read from the upstream again, and take the request that waited for the client to read its answers."""
        self._writing_since = NEVER
        self._pass_pressure(full=False)
        self.guarded(self._next_request)

    # what exchanges and tunnels use

    def guarded(self, step: Callable[..., None], *args: object) -> None:
        """Run `step`; a fault of ours in it ends the request with a 500 and the connection, nothing else."""
        try:
            step(*args)
        except Exception:
            error_id = self.exchange.request_id if self.exchange else self.worker.next_request_id()
            try:
                self._apologise(error_id)  # first: the log may be the next thing that fails
            except Exception:
                self.abort()
                log.exception("no apology", error_id=error_id)
            log.exception("internal error", error_id=error_id)

    def _apologise(self, error_id: str) -> None:
        """End the exchange with a 500, if nothing of an answer was sent; in any other case cut the connection."""
        exchange = self.exchange
        if self.tunnel is None and exchange is not None and not exchange.is_done and not exchange.has_answered:
            exchange.break_off(Reason.INTERNAL, 500)
            self.exchange = None
            self.write(answers.broken(error_id))
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
        self._holds.add(why)

    def release(self, why: str) -> None:
        """Read again unless something else holds."""
        if why in self._holds:
            self._holds.discard(why)
            if not self._holds and self.transport is not None:
                self.transport.resume_reading()

    def expect_body(self) -> None:
        """The next bytes are a request body: they may pause for a while, not for ever."""
        self._set_deadline(self.worker.policy.limits.body_idle_seconds, Reason.BODY_TIMEOUT)
        self.release("behind")

    def expect_nothing(self) -> None:
        """Whoever runs the exchange keeps time."""
        self.deadline = NEVER

    def attach_session(self, session: Session) -> None:
        """Let the end of `session` end what this connection does for it."""
        if session.id not in self._session_ids:
            self._session_ids.add(session.id)
            self.worker.sessions.attach(session.id, self)

    def session_id(self, fields: Fields) -> bytes | Reason | None:
        """Return the id in the session cookie, None without one, or why the cookie cannot be used; judged once."""
        if fields is not self._fields:
            self._fields = fields
            self._session_id = session_id_of(fields)
        return self._session_id

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        """Give the connection to `tunnel`; what the client already sent behind its handshake are frames."""
        self.tunnel = tunnel
        self.deadline = NEVER
        early, self.buffer = self.buffer, b""
        if early:
            tunnel.client_data(early)
        self.release("behind")
        if self.worker.draining:  # the handshake was under way when the others were told
            tunnel.drain()

    def has_learnt(self, exchange: Exchange, session: Session, place: Place) -> bool:
        """Say whether the verdict of `exchange` is known already; what no longer holds is forgotten."""
        block = self._parser.last_block if self._parser is not None else b""
        if self._repeats is None or not self._repeats.holds_for(block, exchange.policy, session):
            self._repeats = Repeats(self, block, exchange.policy, session)
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
        head = HeadParser(policy.head_limits, policy.tables).parse(raw)
        exchange = self.exchange = Exchange(self, head, policy, request_id, started)
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
            self._set_deadline(self.worker.policy.limits.keepalive_seconds, Reason.KEEPALIVE_TIMEOUT)
            self.release("behind")

    def finish(self, seconds: float = LINGER_SECONDS) -> None:
        """End the connection so that what was written arrives within `seconds`: closing would reset unread bytes."""
        self.buffer = b""
        self._is_ending = True
        self._set_deadline(seconds, Reason.KEEPALIVE_TIMEOUT)
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
        if self._writing_since != NEVER and self._stalls(now):
            self.cut(Reason.WRITE_TIMEOUT)
        elif self.tunnel is not None:
            self.tunnel.expire(now)
        elif self.exchange is not None and now >= self.exchange.deadline:
            self.exchange.expire()
        elif now >= self.deadline:
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
        if self._writing_since != NEVER:  # who does not read the last answers gets no more: nothing would bound them
            self.hold("behind")
            return
        policy = self.worker.policy_now()
        if (
            self._parser is None
            or self._parser_limits is not policy.head_limits
            or self._parser_tables is not policy.tables
        ):
            self._parser = HeadParser(policy.head_limits, policy.tables)
            self._parser_limits, self._parser_tables = policy.head_limits, policy.tables
        try:
            end = find_head_end(self.buffer, self._scanned)
            if end < 0:
                self._wait_for_head()
                return
            raw, self.buffer = self.buffer[:end], self.buffer[end:]
            if not self.buffer:
                self.release("behind")
            self._scanned = self._judged = 0
            if self._repeats is not None and self._repeats.begin(raw):
                self.deadline = NEVER
                self.exchange = self._repeats
                return
            head = self._parser.parse(raw)
        except ProtocolError as error:
            self._reject(error)
            return
        self.deadline = NEVER
        self.exchange = Exchange(self, head, policy, self.worker.next_request_id(), self.worker.clock.monotonic())
        self.exchange.begin()

    def _wait_for_head(self) -> None:
        self._judged = judge_partial(self.buffer, self.worker.policy.head_limits, self._judged)
        if not self._scanned or self._deadline_reason is not Reason.HEAD_TIMEOUT:
            self._set_deadline(self.worker.policy.limits.head_seconds, Reason.HEAD_TIMEOUT)
        self._scanned = len(self.buffer)
        self.release("behind")

    def _reject(self, error: ProtocolError) -> None:
        self.worker.outbox.record(
            HttpReject,
            outcome="failure",
            client_ip=self.client.address,
            client_port=self.client.port,
            status=error.status,
            reason=error.reason.value,
            request_id=self.worker.next_request_id(),
        )
        self.write(answers.rejection(error.status))
        self.finish()

    def _expire_reading(self) -> None:
        if self._is_ending:
            self.abort()
        elif self._deadline_reason is Reason.HEAD_TIMEOUT and self.buffer:
            self._reject(ProtocolError(Reason.HEAD_TIMEOUT, 408))
        elif self.exchange is not None:
            self.exchange.body_late()
        else:
            self.finish()

    def _stalls(self, now: float) -> bool:
        """Say whether a client that is behind has read nothing for too long; who reads slowly is still reading."""
        unsent_bytes = self.transport.get_write_buffer_size() if self.transport is not None else 0
        if unsent_bytes < self._unsent_bytes:
            self._unsent_bytes, self._writing_since = unsent_bytes, now
        return now - self._writing_since >= self.worker.policy.limits.write_stall_seconds

    def _pass_pressure(self, *, full: bool) -> None:
        if self.tunnel is not None:
            self.tunnel.client_full(full=full)
        elif self.exchange is not None:
            self.exchange.client_full(full=full)

    def _set_deadline(self, seconds: float, reason: Reason) -> None:
        self.deadline = self.worker.loop.time() + seconds
        self._deadline_reason = reason
