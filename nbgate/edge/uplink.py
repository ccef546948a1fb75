"""The request of one exchange on its way up: a connection, the head, the body framed anew, and a second try.

Sends only what the pipeline decided to forward. A request that may have had an effect is never sent twice. The keeper
gets a body whole, so that a client that is slow with it, a stranger perhaps, holds nothing but its own connection.
"""

import errno
import math
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

from nbgate.access.paths import RequestKind
from nbgate.edge.admission import Count
from nbgate.edge.relay import Relay
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.errors import ProtocolError
from nbgate.http.framing import LAST_CHUNK, ChunkedBody, LengthBody, encode_chunk
from nbgate.link.listener_owner import ForeignListenerError
from nbgate.model.route import RouteKind
from nbgate.pipeline.request import SAFE_METHODS
from nbgate.pipeline.verdict import Forward
from nbgate.reasons import Reason

if TYPE_CHECKING:
    from nbgate.edge.exchange import Exchange

NEVER = math.inf
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_BODY = b"Content-Length: 0\r\n\r\n"
_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
_SAYS_NO_BODY = frozenset({"PATCH", "POST", "PUT"})  # RFC 9110 section 8.6


class Uplink:
    """Carries `exchange` to its upstream.

    Attributes:
        upstream: The connection in use, None before and after.
        relay: The answer, from the moment the head is sent.
    """

    __slots__ = (
        "_body",
        "_own",
        "_waiting",
        "_whole",
        "exchange",
        "forward",
        "relay",
        "upstream",
    )

    def __init__(self, exchange: "Exchange", forward: Forward) -> None:
        self.exchange = exchange
        self.forward = forward
        self.upstream: UpstreamConnection | None = None
        self.relay: Relay | None = None
        self._own = forward.route.kind is RouteKind.OWN
        self._body: ChunkedBody | LengthBody | None = None
        self._waiting: Count | None = None
        self._whole = b""

    def start(self) -> None:
        """Send the request on a kept connection, or on a new one."""
        exchange = self.exchange
        head = exchange.head
        collects = self._own and exchange.wants_body  # and waits for nobody but its own client until then
        if not (collects or self._may_wait()):
            return
        if exchange.wants_body:
            length = head.fields.content_length
            if self._own and length is not None and length > exchange.policy.limits.own_body_bytes:
                exchange.refuse(Reason.BODY_TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                return
            if head.wants_continue and not exchange.connection.buffer:
                exchange.connection.write(_CONTINUE)
            self._body = ChunkedBody(strict=True) if head.fields.chunked else LengthBody(length or 0)
            exchange.connection.expect_body()
            if self._own:
                body, exchange.connection.buffer = exchange.connection.buffer, b""
                self._collect(self._body, body)
                return
        self._find_connection()

    def _may_wait(self) -> bool:
        """Let the request wait for the upstream's answer, or refuse it."""
        if self._joins_those_who_wait():
            return True
        self.exchange.refuse(Reason.UPSTREAM_BUSY, HTTPStatus.SERVICE_UNAVAILABLE)
        return False

    def _joins_those_who_wait(self) -> bool:
        """Count the request among those that wait for this upstream's answer; False where there are enough."""
        waiting = self.exchange.worker.admission.waiting(self.forward.route.name)
        if waiting.n >= self.exchange.policy.limits.upstream_requests:
            return False
        waiting.n += 1
        self._waiting = waiting
        return True

    def wait_no_longer(self) -> None:
        """Take note that the answer has begun, or that nobody waits for it any more."""
        if self._waiting is not None:
            self._waiting.n -= 1
            self._waiting = None

    # connecting

    def _find_connection(self) -> None:
        exchange = self.exchange
        kept = None
        if exchange.kind is not RequestKind.WEBSOCKET:
            kept = exchange.worker.pool.take(self.forward.route.upstream)
        if kept is not None:
            self._send(kept)
        else:
            self._begin_connecting()

    def _begin_connecting(self) -> None:
        self.exchange.connection.hold("connecting")
        self.exchange.worker.spawn(self.exchange.connection.guarded_task(self._connect()))

    async def _connect(self) -> None:
        exchange = self.exchange
        try:
            upstream = await exchange.worker.pool.connect(self.forward.route.upstream, exchange.policy.limits)
        except TimeoutError:
            self._connect_failed(Reason.UPSTREAM_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT)
            return
        except ForeignListenerError:
            self._connect_failed(Reason.UPSTREAM_UID_MISMATCH, HTTPStatus.BAD_GATEWAY)
            return
        except ssl.SSLError:
            self._connect_failed(Reason.UPSTREAM_CERTIFICATE, HTTPStatus.BAD_GATEWAY)
            return
        except OSError as error:
            ours = error.errno in _OUT_OF_DESCRIPTORS
            reason = Reason.WORKER_FULL if ours else Reason.UPSTREAM_REFUSED
            self._connect_failed(reason, HTTPStatus.SERVICE_UNAVAILABLE)
            return
        if exchange.is_done:
            upstream.abort()
            return
        if not upstream.is_open:  # it was lost at once: of a server that wants another certificate from us, say
            self._connect_failed(Reason.UPSTREAM_LOST, HTTPStatus.BAD_GATEWAY)
            return
        exchange.connection.guarded(self._send, upstream)
        exchange.connection.release("connecting")

    def _connect_failed(self, reason: Reason, status: HTTPStatus) -> None:
        exchange = self.exchange
        if exchange.is_done:
            return
        if reason is not Reason.WORKER_FULL:
            exchange.suspect()
        exchange.connection.release("connecting")
        exchange.connection.guarded(exchange.fail, reason, status)

    # sending

    def adopt(self, upstream: UpstreamConnection) -> None:
        """Wait for the answer on a connection on which the request, which has no body, is sent already."""
        self._joins_those_who_wait()
        self.upstream = upstream
        upstream.user = self
        self.relay = Relay(self.exchange)
        self._await_answer()

    def _send(self, upstream: UpstreamConnection) -> None:
        """Send the head, framed anew, and as much of the body as is here."""
        exchange = self.exchange
        self.upstream = upstream
        upstream.user = self
        self.relay = Relay(exchange)
        head = self.forward.upstream_head
        if self._body is None:
            self._await_answer()
            upstream.write(head + (_NO_BODY if exchange.head.method in _SAYS_NO_BODY else b"\r\n"))
            return
        if self._own:
            self._await_answer()
            upstream.write(head + b"Content-Length: %d\r\n\r\n" % len(self._whole) + self._whole)
            return
        length = exchange.head.fields.content_length
        framing = b"Transfer-Encoding: chunked\r\n\r\n" if length is None else b"Content-Length: %d\r\n\r\n" % length
        body, exchange.connection.buffer = exchange.connection.buffer, b""
        try:
            encoded = self._decode(self._body, body)
        except ProtocolError as error:
            self._broken(error)
            return
        upstream.write(head + framing + encoded)

    def client_data(self, data: bytes) -> None:
        """Take bytes of the request body."""
        if self._own and self._body is not None:
            self._collect(self._body, data)
            return
        if self.upstream is None or self._body is None:  # still connecting: reading is held, this was under way
            self.exchange.connection.buffer += data
            return
        try:
            encoded = self._decode(self._body, data)
        except ProtocolError as error:
            self._broken(error)
            return
        if encoded:
            self.upstream.write(encoded)

    def _collect(self, body: ChunkedBody | LengthBody, data: bytes) -> None:
        """Keep the bytes of a body for the keeper until it is whole; `own_body_bytes` bounds it."""
        try:
            self._whole += self._decode(body, data)
        except ProtocolError as error:
            self._broken(error)
            return
        if not self.exchange.wants_body and self._may_wait():
            self._find_connection()

    def _decode(self, body: ChunkedBody | LengthBody, data: bytes) -> bytes:
        """Take the client's framing off, and put ours on unless the body is collected."""
        exchange = self.exchange
        payload, rest, finished = body.feed(data)
        exchange.request_bytes += len(payload)
        if self._own and exchange.request_bytes > exchange.policy.limits.own_body_bytes:
            raise ProtocolError(Reason.BODY_TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if finished:
            exchange.wants_body = False
            exchange.connection.patience.stop()
            self._await_answer()
            exchange.connection.buffer = rest
            if rest:
                exchange.connection.hold("behind")
        else:
            exchange.connection.expect_body(len(payload))
        if self._own or not exchange.head.fields.chunked:
            return payload
        return encode_chunk(payload) + (LAST_CHUNK if finished else b"")

    def _await_answer(self) -> None:
        """From here, and not while the client still sends, the upstream's time to answer runs."""
        exchange = self.exchange
        if self.relay is not None and not self.relay.has_begun:
            exchange.deadline = exchange.worker.loop.time() + exchange.policy.limits.upstream_answer_seconds

    def body_late(self) -> None:
        """End the exchange: the body paused for too long, or came too slowly."""
        self._broken(ProtocolError(self.exchange.connection.patience.reason, HTTPStatus.REQUEST_TIMEOUT))

    def _broken(self, error: ProtocolError) -> None:
        """A body that breaks its framing: the upstream must not take what came for the whole."""
        self.exchange.body_broken(error, answered=self.relay is not None and self.relay.has_begun)

    # what the upstream's connection says

    def upstream_data(self, data: bytes) -> None:
        """Take bytes of the upstream."""
        self.exchange.connection.guarded(self._take, data)

    def _take(self, data: bytes) -> None:
        if self.exchange.tunnel is not None:
            self.exchange.tunnel.upstream_data(data)
        elif self.relay is not None and not self.exchange.is_done:
            self.relay.take(data)
            if self.relay is not None and self.relay.has_begun:
                self.wait_no_longer()

    def upstream_lost(self, *, broken: bool) -> None:
        """Take note that the upstream's connection is gone."""
        self.exchange.connection.guarded(self._lost, broken)

    def _lost(self, broken: bool) -> None:
        exchange, upstream = self.exchange, self.upstream
        self.upstream = None
        if exchange.tunnel is not None:
            exchange.tunnel.upstream_lost()
        elif exchange.is_done or self.relay is None:
            return
        elif self.relay.has_begun:
            self.relay.end_of_upstream(broken=broken)
        elif upstream is not None and upstream.reused and self._may_retry(self.relay):
            self.relay = None
            exchange.deadline = NEVER  # connecting has its own
            self._begin_connecting()
        else:
            exchange.suspect()
            exchange.fail(Reason.UPSTREAM_LOST, HTTPStatus.BAD_GATEWAY)

    def _may_retry(self, relay: Relay) -> bool:
        """The kept connection was stale: no byte of an answer came, asking twice changes nothing (RFC 9110 9.2.2)."""
        head = self.exchange.head
        return head.method in SAFE_METHODS and not head.has_body and not relay.has_bytes

    def upstream_full(self, *, full: bool) -> None:
        """Stop or go on reading from the client; while it is not read it is the upstream that must do something."""
        exchange = self.exchange
        if full:
            exchange.connection.hold("upstream")
        else:
            exchange.connection.release("upstream")
        if exchange.tunnel is not None:
            exchange.tunnel.upstream_full(full=full)
        elif full or not exchange.wants_body:
            self._await_answer()
        elif self.relay is not None and not self.relay.has_begun:
            exchange.deadline = NEVER

    def client_full(self, *, full: bool) -> None:
        """Stop or go on reading from the upstream."""
        if self.upstream is not None:
            if full:
                self.upstream.pause_reading()
            else:
                self.upstream.resume_reading()

    def let_go(self, *, reusable: bool) -> None:
        """Give the connection back, or end it when its exchange was not written and read to the end."""
        upstream, self.upstream = self.upstream, None
        if upstream is None:
            return
        if reusable and not self.exchange.wants_body and upstream.has_sent_all:
            self.exchange.worker.pool.give_back(upstream)
        else:
            upstream.abort()
