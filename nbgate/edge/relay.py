"""The answer of one exchange, from the upstream's bytes to the client's: head checked and rewritten, body framed anew.

It streams: what arrives is passed on, and a body that must be rewritten goes through the page rewriter chunk by chunk.
What the upstream breaks off, the client sees broken off: never a clean end of an incomplete body (THREATS D30).
"""

from typing import TYPE_CHECKING

from nbgate.access.paths import RequestKind
from nbgate.edge.repeats import learn_from
from nbgate.errors import UpstreamProtocolError
from nbgate.http.framing import LAST_CHUNK, Body, NoBody, encode_chunk
from nbgate.http.head import find_head_end
from nbgate.http.response import BodyFraming, ResponseHead, body_of
from nbgate.pipeline.response import ClientHead, answer_head, body_rewriter, judge_answer
from nbgate.reasons import Reason
from nbgate.rewrite.html import PageRewriter
from nbgate.rewrite.kernelspecs import KernelspecsRewriter

if TYPE_CHECKING:
    from nbgate.edge.exchange import Exchange

_MAX_INFORMATIONAL = 16


class Relay:
    """The answer to `exchange`.

    Attributes:
        has_bytes: Something arrived; the upstream has seen the request.
        has_begun: The client has been sent the head.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_date",
        "_head",
        "_informational",
        "_page",
        "_reusable",
        "_scanned",
        "exchange",
        "has_begun",
        "has_bytes",
    )

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.has_bytes = False
        self.has_begun = False
        self._buffer = b""
        self._scanned = 0
        self._date = b""
        self._informational = 0
        self._body: Body = NoBody()
        self._head: ClientHead | None = None
        self._page: PageRewriter | KernelspecsRewriter | None = None
        self._reusable = False

    def take(self, data: bytes) -> None:
        """Take bytes of the upstream."""
        self.has_bytes = True
        try:
            if self._head is None:
                self._take_head(self._buffer + data if self._buffer else data)
            else:
                self._take_body(data, b"")
        except UpstreamProtocolError as error:
            self._broken(error.reason)

    def end_of_upstream(self, *, broken: bool) -> None:
        """Take note that the upstream's connection ended, or broke, while the body was under way."""
        if self._body.eof() and not broken:
            self._pass_on(b"", b"", finished=True)
        else:
            self._broken(Reason.UPSTREAM_TRUNCATED)

    def _take_head(self, buffer: bytes) -> None:
        exchange = self.exchange
        while True:
            end = find_head_end(buffer, self._scanned)
            if (end if end >= 0 else len(buffer)) > exchange.policy.limits.response_head_bytes:
                raise UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)
            if end < 0:
                self._buffer, self._scanned = buffer, len(buffer)
                return
            head, self._date = exchange.worker.known_heads.read(buffer[:end], method=exchange.head.method)
            buffer, self._scanned = buffer[end:], 0
            if not head.is_informational or head.status == 101:
                break
            self._informational += 1  # 1xx of the upstream mean nothing to the client: its 100 was ours (D29)
            if self._informational > _MAX_INFORMATIONAL:
                raise UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)
        self._buffer = b""
        if exchange.kind is RequestKind.WEBSOCKET:
            exchange.switch(head, buffer)
        elif head.status == 101:
            raise UpstreamProtocolError(Reason.UPSTREAM_BAD_RESPONSE)  # D24: nobody asked for it
        else:
            self._begin(head, buffer)

    def _begin(self, head: ResponseHead, rest: bytes) -> None:
        exchange = self.exchange
        assert exchange.forward is not None  # noqa: S101 - an upstream answered
        refused = judge_answer(head, exchange.forward)
        if refused is Reason.UPSTREAM_REJECTED_CREDENTIAL:
            exchange.suspect()
            if head.status != 403:  # a 403 may also mean the file: it is passed on, and the keeper looks again
                exchange.fail(refused, 502)
                return
        self._head = answer_head(
            head,
            exchange.head,
            exchange.forward,
            exchange.worker.client_heads,
            user=exchange.user,
            keyring=exchange.policy.cookie_keys,
            random=exchange.worker.random,
            request_id=exchange.request_id,
            date=self._date,
            close=exchange.worker.draining or exchange.wants_body,
        )
        if self._head.rewrite:
            banner = exchange.policy.banner_script
            self._page = body_rewriter(self._head, head, exchange.head, exchange.forward, banner)
        self._body = body_of(head)
        self._reusable = head.keep_alive and head.framing is not BodyFraming.EOF
        exchange.status = head.status
        exchange.deadline = exchange.worker.loop.time() + exchange.policy.limits.upstream_body_seconds
        self._take_body(rest, self._head.data)

    def _take_body(self, data: bytes, before: bytes) -> None:
        payload, rest, finished = self._body.feed(data)
        if rest:
            self._reusable = False  # bytes behind the answer belong to no request: they are not read
        self._pass_on(before, payload, finished=finished)

    def _pass_on(self, before: bytes, payload: bytes, *, finished: bool) -> None:
        exchange, head = self.exchange, self._head
        assert head is not None  # noqa: S101 - the body begins after it
        if self._page is not None:
            payload = self._page.feed(payload) + (self._page.finish() if finished else b"")
            if self._page.leaked:
                self._broken(Reason.SECRET_IN_RESPONSE)
                return
        self.has_begun = True
        exchange.response_bytes += len(payload)
        if head.chunked:
            payload = encode_chunk(payload) + (LAST_CHUNK if finished else b"")
        if before or payload:
            exchange.connection.write(before + payload if before else payload)
        if finished:
            keep = head.keep_alive and not exchange.wants_body
            if keep:
                learn_from(exchange)
            exchange.release_upstream(reusable=self._reusable)
            exchange.done(keep=keep)
        elif payload:
            exchange.deadline = exchange.worker.loop.time() + exchange.policy.limits.upstream_body_seconds

    def _broken(self, reason: Reason) -> None:
        if self.has_begun:
            self.exchange.break_off(reason, self.exchange.status)
            self.exchange.connection.abort()
        else:
            self.exchange.fail(reason, 502, close=True)
