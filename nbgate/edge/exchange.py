"""One request and its answer, from the parsed head to the audit event.

Performs the verdict of `nbgate.pipeline.request`: asks for the session, opens or takes an upstream connection, relays
the body up and hands the answer to `Relay`. Every way out leads through `_close`, which records the one event.
"""

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from nbgate.access.paths import RequestKind, classify
from nbgate.audit.events import HttpRequest, WebsocketOpen, cut
from nbgate.edge.context import WorkerContext
from nbgate.edge.relay import Relay
from nbgate.edge.tunnel import Tunnel
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.errors import ProtocolError
from nbgate.http.framing import LAST_CHUNK, ChunkedBody, LengthBody, encode_chunk
from nbgate.http.head import RequestHead
from nbgate.http.response import ResponseHead
from nbgate.http.upgrade import judge_switch
from nbgate.model.route import RouteKind
from nbgate.model.session import Session
from nbgate.pipeline import answers
from nbgate.pipeline.request import SAFE_METHODS, Asker, decide
from nbgate.pipeline.response import judge_answer, switch_head
from nbgate.pipeline.verdict import Challenge, Drop, Forward, Respond
from nbgate.policy import Policy
from nbgate.reasons import Reason

if TYPE_CHECKING:
    from nbgate.edge.client_connection import ClientConnection

NEVER = math.inf
_PASSED_REFUSALS = frozenset({403, 404, 410, 500, 503})  # of a websocket handshake; the page can act on these


class Exchange:
    """One exchange; made when a request head is complete, gone when its event is recorded.

    Attributes:
        wants_body: Bytes of the client belong to this request's body.
        deadline: Loop time by which the upstream must have done its next step.
    """

    def __init__(self, connection: "ClientConnection", head: RequestHead, policy: Policy) -> None:
        self.connection = connection
        self.worker: WorkerContext = connection.worker
        self.head = head
        self.policy = policy
        self.request_id = self.worker.next_request_id()
        self.kind = classify(head.method, head.fields)
        self.session: Session | None = None
        self.route_name: str | None = None
        self.forward: Forward | None = None
        self.upstream: UpstreamConnection | None = None
        self.relay: Relay | None = None
        self.wants_body = head.has_body
        self.deadline = NEVER
        self.is_done = False
        self.status = 0
        self.reason: Reason | None = None
        self.request_bytes = 0
        self.response_bytes = 0
        self._started = self.worker.clock.monotonic()
        self._body: ChunkedBody | LengthBody | None = None

    @property
    def user(self) -> str:
        """Return the name of the person on whose behalf this runs, "" for nobody."""
        return self.session.user if self.session is not None else ""

    @property
    def session_id(self) -> bytes | None:
        """Return the id of the session on whose behalf this runs."""
        return self.session.id if self.session is not None else None

    # deciding

    def begin(self) -> None:
        """Find the session, then decide."""
        claimed = self.connection.session_id(self.head.fields)
        if claimed is None:
            self._decide(None, Reason.LOGIN_REQUIRED)
        elif isinstance(claimed, Reason):
            self._decide(None, claimed)
        else:
            found = self.worker.sessions.find(claimed)
            if found is None:
                self.connection.hold("session")
                self.worker.sessions.ask(claimed, self._session_answered)
            elif isinstance(found, Reason):
                self._decide(None, found)
            else:
                self._decide(found, Reason.LOGIN_REQUIRED)

    def _session_answered(self, session: Session | None, reason: Reason) -> None:
        if not self.is_done:
            self.connection.release("session")
            self.connection.guarded(self._decide, session, reason)

    def _decide(self, session: Session | None, no_session: Reason) -> None:
        if no_session is Reason.KEEPER_UNAVAILABLE:
            self._answer(Respond(503, no_session))
            return
        verdict = decide(
            self.head,
            self.kind,
            Asker(self.connection.client, session, no_session),
            self.policy,
            self.connection.heads,
            self.request_id,
            self.worker.clock.unix(),
        )
        self.session = session
        match verdict:
            case Forward():
                self._forward(verdict)
            case Respond():
                self._answer(verdict)
            case Challenge():
                self._challenge(verdict)
            case Drop(reason):
                self.break_off(reason, 0)
                self.connection.abort()

    # answering here

    def _answer(self, verdict: Respond) -> None:
        close = self._must_close()
        data = answers.respond(
            verdict, self.kind, request_id=self.request_id, close=close, head_only=self.head.method == "HEAD"
        )
        self._send_own(data, verdict.status, verdict.reason, close=close)

    def _challenge(self, verdict: Challenge) -> None:
        close = self._must_close()
        data = answers.challenge(verdict, request_id=self.request_id, close=close, head_only=self.head.method == "HEAD")
        status = 303 if verdict.location else 401
        self._send_own(data, status, verdict.reason, close=close)

    def _send_own(self, data: bytes, status: int, reason: Reason, *, close: bool) -> None:
        self.connection.write(data)
        self.status = status
        self.reason = None if reason is Reason.FIXED else reason
        self.wants_body = False
        self.done(keep=not close)

    def _must_close(self) -> bool:
        """A body that nobody reads ends the connection; so do a drain and a client that asked for it."""
        return self.wants_body or not self.head.keep_alive or self.worker.draining

    # forwarding

    def _forward(self, verdict: Forward) -> None:
        self.forward = verdict
        self.route_name = verdict.route.name
        if self.session is not None:
            self.connection.attach_session(self.session)
            if self.kind is RequestKind.NAVIGATION or self.head.method not in SAFE_METHODS:
                self.worker.sessions.was_active(self.session.id)
        if self.wants_body and not self._begin_body(verdict):
            return
        upstream = None
        if self.kind is not RequestKind.WEBSOCKET:
            upstream = self.worker.pool.take(verdict.route.upstream)
        if upstream is not None:
            self._send(upstream)
        else:
            self.connection.hold("connecting")
            self.worker.spawn(self._connect(verdict))

    def _begin_body(self, verdict: Forward) -> bool:
        fields = self.head.fields
        own = verdict.route.kind is RouteKind.OWN
        if own and fields.content_length is not None and fields.content_length > self.policy.limits.own_body_bytes:
            self._answer(Respond(413, Reason.BODY_TOO_LARGE))
            return False
        if self.head.wants_continue and not self.connection.buffer:
            self.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._body = ChunkedBody(strict=True) if fields.chunked else LengthBody(fields.content_length or 0)
        self.connection.expect_body()
        return True

    async def _connect(self, verdict: Forward) -> None:
        try:
            upstream = await self.worker.pool.connect(verdict.route.upstream, self.policy.limits)
        except TimeoutError:
            self._connect_failed(verdict, Reason.UPSTREAM_TIMEOUT, 504)
            return
        except OSError:
            self._connect_failed(verdict, Reason.UPSTREAM_REFUSED, 503)
            return
        if self.is_done:
            upstream.abort()
            return
        self.connection.guarded(self._send, upstream)
        self.connection.release("connecting")

    def _connect_failed(self, verdict: Forward, reason: Reason, status: int) -> None:
        if self.is_done:
            return
        own = verdict.route.kind is RouteKind.OWN
        if not own:
            self.worker.suspect(verdict.route.name)
        self.connection.release("connecting")
        self.connection.guarded(self.fail, Reason.KEEPER_UNAVAILABLE if own else reason, status)

    def _send(self, upstream: UpstreamConnection) -> None:
        """Send the head, framed anew, and as much of the body as is here."""
        assert self.forward is not None  # noqa: S101 - set by the only callers
        self.upstream = upstream
        upstream.user = self
        self.relay = Relay(self)
        self.deadline = self.worker.loop.time() + self.policy.limits.upstream_answer_seconds
        head = self.forward.upstream_head
        if self._body is None:
            upstream.write(head + (b"Content-Length: 0\r\n\r\n" if self._announces_nothing() else b"\r\n"))
            return
        length = self.head.fields.content_length
        framing = b"Transfer-Encoding: chunked\r\n\r\n" if length is None else b"Content-Length: %d\r\n\r\n" % length
        body, self.connection.buffer = self.connection.buffer, b""
        try:
            encoded = self._decode(body)
        except ProtocolError as error:  # nothing was sent: the connection is still good
            self._body_broken(error)
            return
        upstream.write(head + framing + encoded)

    def _announces_nothing(self) -> bool:
        return self.head.method in {"POST", "PUT", "PATCH"}  # RFC 9110 section 8.6: say that there is no body

    def client_data(self, data: bytes) -> None:
        """Take bytes of the request body."""
        if self.upstream is None:  # still connecting: reading is held, this was under way
            self.connection.buffer += data
            return
        try:
            encoded = self._decode(data)
        except ProtocolError as error:
            self._body_broken(error)
            return
        if encoded:
            self.upstream.write(encoded)

    def _decode(self, data: bytes) -> bytes:
        assert self._body is not None  # noqa: S101 - only called while a body is read
        payload, rest, finished = self._body.feed(data)
        self.request_bytes += len(payload)
        self._judge_own_body()
        encoded = payload
        if self.head.fields.chunked:
            encoded = encode_chunk(payload)
            if finished:
                encoded += LAST_CHUNK
        if finished:
            self.wants_body = False
            self.connection.expect_nothing()
            self.connection.buffer = rest
            if rest:
                self.connection.hold("behind")
        else:
            self.connection.expect_body()
        return encoded

    def _judge_own_body(self) -> None:
        assert self.forward is not None  # noqa: S101 - a body is read only when forwarding
        if self.forward.route.kind is RouteKind.OWN and self.request_bytes > self.policy.limits.own_body_bytes:
            raise ProtocolError(Reason.BODY_TOO_LARGE, 413)

    def _body_broken(self, error: ProtocolError) -> None:
        """A body that breaks its framing: the upstream must not take what came for the whole."""
        self.status, self.reason = error.status, error.reason
        if self.relay is None or not self.relay.has_begun:
            self.connection.write(answers.rejection(error.status))
            self._abort_upstream()
            self.wants_body = False
            self.done(keep=False)
        else:
            self.break_off(error.reason, error.status)
            self.connection.abort()

    def body_late(self) -> None:
        """End the exchange: the body paused for too long (asked by the connection's deadline)."""
        self._body_broken(ProtocolError(Reason.BODY_TIMEOUT, HTTPStatus.REQUEST_TIMEOUT))

    # what the upstream does

    def upstream_data(self, data: bytes) -> None:
        """Take bytes of the upstream (called by its connection)."""
        self.connection.guarded(self._upstream_data, data)

    def _upstream_data(self, data: bytes) -> None:
        if self.connection.tunnel is not None:
            self.connection.tunnel.upstream_data(data)
        elif self.relay is not None and not self.is_done:
            self.relay.take(data)

    def upstream_lost(self) -> None:
        """Take note that the upstream's connection is gone (called by it)."""
        self.connection.guarded(self._upstream_lost)

    def _upstream_lost(self) -> None:
        upstream, self.upstream = self.upstream, None
        if self.connection.tunnel is not None:
            self.connection.tunnel.upstream_lost()
        elif self.is_done or self.relay is None:
            return
        elif self.relay.has_begun:
            self.relay.end_of_upstream()
        elif upstream is not None and upstream.reused and self._may_retry():
            self._forward_again()
        else:
            self._suspect()
            self.fail(Reason.UPSTREAM_LOST, 502)

    def _may_retry(self) -> bool:
        """The kept connection was stale: no byte of an answer came, asking twice changes nothing (RFC 9110 9.2.2)."""
        assert self.relay is not None  # noqa: S101 - checked by the caller
        return self.head.method in SAFE_METHODS and not self.head.has_body and not self.relay.has_bytes

    def _forward_again(self) -> None:
        assert self.forward is not None  # noqa: S101 - an upstream was in use
        self.relay = None
        self.connection.hold("connecting")
        self.worker.spawn(self._connect(self.forward))

    def upstream_full(self, *, full: bool) -> None:
        """Stop or go on reading from the client (called by the upstream's connection)."""
        if full:
            self.connection.hold("upstream")
        else:
            self.connection.release("upstream")

    def client_full(self, *, full: bool) -> None:
        """Stop or go on reading from the upstream (called by the client's connection)."""
        if self.upstream is not None:
            if full:
                self.upstream.pause_reading()
            else:
                self.upstream.resume_reading()

    # websockets

    def switch(self, head: ResponseHead, rest: bytes) -> None:
        """Become a tunnel, if the upstream's answer is the 101 that was asked for (THREATS D23).

        Raises:
            UpstreamProtocolError: It claims to switch, and does not prove that it read this handshake.
        """
        offer, forward = self.head.fields.websocket, self.forward
        assert offer is not None and forward is not None  # noqa: S101, PT018 - this is a handshake, and it was sent
        if head.status != HTTPStatus.SWITCHING_PROTOCOLS:
            if judge_answer(head, forward) is not None:
                self.worker.suspect(forward.route.name)
            self.fail(Reason.UPSTREAM_BAD_RESPONSE, head.status if head.status in _PASSED_REFUSALS else 502)
            return
        sent = msgspec.structs.replace(offer, extensions=None) if forward.channel else offer
        switch = judge_switch(head, sent)
        data = switch_head(
            head,
            self.head,
            forward,
            self.worker.client_heads,
            user=self.user,
            keyring=self.policy.cookie_keys,
            random=self.worker.random,
            request_id=self.request_id,
        )
        self.connection.write(data)
        self.deadline = NEVER
        self.is_done = True
        self._record_open()
        tunnel = self.connection.begin_tunnel(Tunnel(self, extensions=switch.extensions is not None))
        if rest:
            tunnel.upstream_data(rest)

    def _record_open(self) -> None:
        head, session = self.head, self.session
        self.worker.outbox.record(
            WebsocketOpen,
            request_id=self.request_id,
            client_ip=self.connection.client.address,
            client_port=self.connection.client.port,
            host=head.fields.host,
            path=cut(head.target.raw_path),
            user=session.user if session is not None else UNSET,
            session=session.label if session is not None else UNSET,
            user_agent=cut(head.fields.user_agent) if head.fields.user_agent is not None else UNSET,
            upstream=self.route_name or UNSET,
        )

    # ends

    def client_lost(self) -> None:
        """Release the upstream: nobody waits for the answer any more."""
        self.break_off(Reason.CLIENT_GONE, self.status)

    def expire(self) -> None:
        """End the exchange: the upstream took too long."""
        if self.relay is not None and self.relay.has_begun:
            self.break_off(Reason.UPSTREAM_TIMEOUT, self.status)
            self.connection.abort()
        else:
            self._suspect()
            self._abort_upstream()
            self.fail(Reason.UPSTREAM_TIMEOUT, 504)

    def fail(self, reason: Reason, status: int) -> None:
        """Answer with an error page: the upstream gave no answer that could be passed on."""
        self._abort_upstream()
        self._answer(Respond(status, reason))

    def break_off(self, reason: Reason, status: int) -> None:
        """End without (the rest of) an answer; the caller ends the client's connection."""
        if not self.is_done:
            self.reason = reason
            self.status = self.status or status
            self._abort_upstream()
            self._close()

    def done(self, *, keep: bool) -> None:
        """End normally; `keep` says whether the client may ask again on this connection."""
        if not self.is_done:
            self._close()
            self.connection.exchange_done(keep=keep)

    def release_upstream(self, *, reusable: bool) -> None:
        """Give the upstream's connection back, or end it when its exchange was not read and written to the end."""
        upstream, self.upstream = self.upstream, None
        if upstream is None:
            return
        if reusable and not self.wants_body:
            self.worker.pool.give_back(upstream)
        else:
            upstream.abort()

    def _abort_upstream(self) -> None:
        self.release_upstream(reusable=False)

    def _suspect(self) -> None:
        if self.forward is not None and self.forward.route.kind is not RouteKind.OWN:
            self.worker.suspect(self.forward.route.name)

    def _close(self) -> None:
        self.is_done = True
        head, session = self.head, self.session
        self.worker.outbox.record(
            HttpRequest,
            outcome="success" if 0 < self.status < HTTPStatus.BAD_REQUEST else "failure",
            request_id=self.request_id,
            client_ip=self.connection.client.address,
            client_port=self.connection.client.port,
            method=head.method,
            host=head.fields.host,
            path=cut(head.target.raw_path),
            status=self.status,
            duration_ns=int((self.worker.clock.monotonic() - self._started) * 1e9),
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            user=session.user if session is not None else UNSET,
            session=session.label if session is not None else UNSET,
            user_agent=cut(head.fields.user_agent) if head.fields.user_agent is not None else UNSET,
            upstream=self.route_name or UNSET,
            reason=self.reason.value if self.reason is not None else UNSET,
        )
