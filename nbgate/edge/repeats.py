"""Requests that a connection repeats: pages of notebook servers poll the same few addresses as long as they are open.

What the pipeline decided for a GET holds for the next one as long as everything it was decided by is the same: header
block and path to the byte, policy and session the same objects, the session alive. An answer whose head is the same but
for its Date needs no second judgement either. Only that happy course lives here. Whatever else happens, this turns into
the full `Exchange` in the same state, which goes on from there; no request is judged less than there.
"""

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from nbgate.access.paths import RequestKind
from nbgate.audit.events import HttpRequest
from nbgate.edge.records import request_event
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.errors import UpstreamProtocolError
from nbgate.http.response import BodyFraming, ResponseHead
from nbgate.model.route import RouteKind
from nbgate.model.session import Session
from nbgate.pipeline.response import ClientHead
from nbgate.pipeline.verdict import Forward
from nbgate.policy import Policy
from nbgate.reasons import Reason

if TYPE_CHECKING:
    from nbgate.edge.client_connection import ClientConnection
    from nbgate.edge.exchange import Exchange

MAX_PATHS = 4
MAX_BODY_BYTES = 65536
_GET = re.compile(rb'GET (/[!"$-~]*) HTTP/1\.1\r\n')  # the grammar of `nbgate.http.head` and `.target`, for a GET
_OK = 200


class Seen(Struct, frozen=True, gc=False):
    """One address that was answered before on this connection.

    Attributes:
        forward: The verdict.
        lines: The head's lines for the upstream, but for the request line and the request id.
        response: The answer's head; the reader gives the same object for the same bytes.
        before: The client's head up to the request id, `after` what follows the Date.
        event: The audit event, to be stamped.
    """

    forward: Forward
    lines: bytes
    response: ResponseHead
    length: int
    before: bytes
    after: bytes
    event: HttpRequest


class Repeats:
    """What one connection may repeat; while it does, this stands in the place of the `Exchange`."""

    __slots__ = (
        "_block",
        "_policy",
        "_raw",
        "_seen",
        "_session",
        "_started",
        "_target",
        "_under_way",
        "connection",
        "deadline",
        "request_id",
        "upstream",
    )
    wants_body = False
    is_done = False
    is_own = False
    has_answered = False

    def __init__(self, connection: "ClientConnection", block: bytes, policy: Policy, session: Session) -> None:
        self.connection = connection
        self.upstream: UpstreamConnection | None = None
        self.deadline = 0.0
        self.request_id = ""
        self._block = block
        self._policy = policy
        self._session = session
        self._seen: dict[bytes, Seen] = {}
        self._under_way: Seen | None = None
        self._raw = b""
        self._target = b""
        self._started = 0.0

    @property
    def session_id(self) -> bytes:
        """Return the id of the session on whose behalf this runs."""
        return self._session.id

    def holds_for(self, block: bytes, policy: Policy, session: Session) -> bool:
        """Say whether what was learnt is still true for this header block, policy and session."""
        return policy is self._policy and session is self._session and block == self._block

    def learn(self, path: bytes, seen: Seen) -> None:
        """Remember an answered address; past `MAX_PATHS` all are forgotten."""
        if len(self._seen) >= MAX_PATHS:
            self._seen.clear()
        self._seen[path] = seen

    # the happy course

    def begin(self, raw: bytes) -> bool:
        """Send the request whose head is `raw`, if it is a repetition; False when it must be judged."""
        match = _GET.match(raw)
        if match is None:
            return False
        target = match[1]
        path, mark, query = target.partition(b"?")
        seen = self._seen.get(path)
        if seen is None or raw[match.end() :] != self._block or (mark and (b"token" in query or b"%" in query)):
            return False
        worker, session = self.connection.worker, self._session
        if worker.policy_now() is not self._policy or worker.draining or worker.clock.unix() >= session.absolute_unix:
            return False
        if worker.sessions.find(session.id) is not session:
            return False
        upstream = worker.pool.take(seen.forward.route.upstream)
        if upstream is None:
            return False
        self.upstream, self._under_way, self._raw, self._target = upstream, seen, raw, target
        self.request_id = worker.next_request_id()
        self._started = worker.clock.monotonic()
        self.deadline = worker.loop.time() + self._policy.limits.upstream_answer_seconds
        upstream.user = self
        upstream.write(b"%b\r\n" % self._upstream_head(seen))
        return True

    def _upstream_head(self, seen: Seen) -> bytes:
        return b"GET %b HTTP/1.1\r\n%bX-Request-ID: %b\r\n" % (self._target, seen.lines, self.request_id.encode())

    def upstream_data(self, data: bytes) -> None:
        """Take bytes of the upstream (called by its connection)."""
        self.connection.guarded(self._answer, data)

    def _answer(self, data: bytes) -> None:
        seen, upstream, connection = self._under_way, self.upstream, self.connection
        end = data.find(b"\r\n\r\n") + 4
        if seen is None or upstream is None or len(data) - end != seen.length or end < 4:
            self._full().uplink_data(data)
            return
        worker = connection.worker
        try:
            head, date = worker.known_heads.read(data[:end], method="GET")
        except UpstreamProtocolError:  # judged again there, and answered
            self._full().uplink_data(data)
            return
        if head is not seen.response or not upstream.has_sent_all or worker.draining:
            self._full().uplink_data(data)
            return
        connection.write(
            b"%bX-Request-ID: %b\r\n%b%b%b" % (seen.before, self.request_id.encode(), date, seen.after, data[end:])
        )
        self.upstream = self._under_way = None
        worker.pool.give_back(upstream)
        outbox = worker.outbox
        timestamp, monotonic_us, number = outbox.stamp()
        event = msgspec.structs.replace(
            seen.event,
            timestamp=timestamp,
            monotonic_us=monotonic_us,
            n=number,
            request_id=self.request_id,
            duration_ns=int((worker.clock.monotonic() - self._started) * 1e9),
        )
        outbox.put(event)
        connection.exchange_done(keep=True)

    # every other course

    def _full(self) -> "Exchange":
        """Turn into the full exchange, in the same state."""
        seen, upstream = self._under_way, self.upstream
        assert seen is not None and upstream is not None  # noqa: S101, PT018 - this stands in for it only meanwhile
        self.upstream = self._under_way = None
        forward = msgspec.structs.replace(seen.forward, upstream_head=self._upstream_head(seen))
        return self.connection.resume_exchange(
            self._raw, self._policy, self._session, forward, upstream, self.request_id, self._started
        )

    def upstream_lost(self, *, broken: bool) -> None:
        """Take note that the upstream's connection is gone."""
        self._full().uplink_lost(broken=broken)

    def upstream_full(self, *, full: bool) -> None:
        """Stop or go on reading from the client."""
        self._full().uplink_full(full=full)

    def client_data(self, data: bytes) -> None:
        """Take bytes of a request body: a repetition has none, so this is never called."""
        self._full().client_data(data)

    def client_full(self, *, full: bool) -> None:
        """Stop or go on reading from the upstream."""
        self._full().client_full(full=full)

    def client_lost(self) -> None:
        """Release the upstream: nobody waits for the answer any more."""
        self._full().client_lost()

    def body_late(self) -> None:
        """End the exchange for a body that paused: a repetition has none."""
        self._full().body_late()

    def expire(self) -> None:
        """End the exchange: the upstream took too long."""
        self._full().expire()

    def break_off(self, reason: Reason, status: int) -> None:
        """End without an answer."""
        self._full().break_off(reason, status)


def learn_from(exchange: "Exchange", response: ResponseHead, head: ClientHead, date: bytes) -> None:
    """Remember what `exchange` was answered, if the same may come again."""
    forward, session, connection = exchange.forward, exchange.session, exchange.connection
    if (
        response.framing is not BodyFraming.LENGTH
        or response.status != _OK
        or response.set_cookies
        or head.rewrite
        or session is None
        or forward is None
        or exchange.kind is not RequestKind.API
        or exchange.head.method != "GET"
        or exchange.head.minor != 1
        or forward.route.kind is not RouteKind.NOTEBOOK
        or forward.route.prefix != forward.route.base_url
        or (response.length or 0) > MAX_BODY_BYTES
        or exchange.policy.audit_failing_since_unix  # how long that lasts decides each request anew
    ):
        return
    marker = b"X-Request-ID: %b\r\n" % exchange.request_id.encode()
    before, _, after = head.data.partition(marker)
    lines = forward.upstream_head.partition(b"\r\n")[2].removesuffix(marker)
    seen = Seen(
        forward, lines, response, response.length or 0, before, after.removeprefix(date), request_event(exchange, 0.0)
    )
    connection.learn(exchange, session, exchange.head.target.raw_path.encode("ascii"), seen)
