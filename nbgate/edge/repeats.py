"""Requests that a connection repeats: a page of a notebook server asks for one thing after the other in the same words.

What the pipeline decides of a GET follows from header block, session, policy and what kind of place its path is. When
all these are the same, to the byte or the very same object, the session is alive and the audit works, the verdict is
the same too and is not decided again. An answer that comes whole in one piece needs no more than its head judged.
Only that happy course lives here. Whatever else happens, this turns into the full `Exchange` in the same state, which
goes on from there; no request is judged less than there.
"""

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from nbgate.access.paths import RequestKind
from nbgate.audit.events import HttpRequest, cut
from nbgate.edge.records import request_event
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.errors import ProtocolError, UpstreamProtocolError
from nbgate.http.head import RequestHead
from nbgate.http.response import BodyFraming, ResponseHead
from nbgate.http.target import parse_target
from nbgate.model.route import RouteKind
from nbgate.model.rule import Action
from nbgate.model.session import Session
from nbgate.pipeline.response import answer_head, judge_answer
from nbgate.pipeline.verdict import Forward
from nbgate.places import Place
from nbgate.policy import Policy
from nbgate.reasons import Reason
from nbgate.rewrite.request import strip_token
from nbgate.routing.table import upstream_target

if TYPE_CHECKING:
    from nbgate.edge.client_connection import ClientConnection
    from nbgate.edge.exchange import Exchange

MAX_PATHS = 32
_GET = re.compile(rb'GET (/[!"$-~]*) HTTP/1\.1\r\n')  # the grammar of `nbgate.http.head` and `.target`, for a GET

_OK, _FIRST_ERROR = 200, 400
_Kind = tuple[str, bool, bool, bool]  # a place's route; whether it has data, is never rewritten, is user content


class Seen(Struct, frozen=True, gc=False):
    """A verdict of this connection, for every place of one kind.

    Attributes:
        head: A request that was judged so; another one differs in its target only.
        forward: The verdict.
        lines: The head's lines for the upstream, but for the request line and the request id.
        event: The audit event, to be stamped.
    """

    head: RequestHead
    forward: Forward
    lines: bytes
    event: HttpRequest


class Repeats:
    """What one connection may repeat; while it does, this stands in the place of the `Exchange`."""

    __slots__ = (
        "_after",
        "_answered",
        "_before",
        "_block",
        "_host",
        "_path",
        "_paths",
        "_policy",
        "_raw",
        "_seen",
        "_session",
        "_started",
        "_target",
        "_under_way",
        "_use",
        "_waiting",
        "connection",
        "deadline",
        "request_id",
        "upstream",
    )
    wants_body = False
    is_done = False
    is_own = False
    has_answered = False

    def __init__(
        self, connection: "ClientConnection", block: bytes, host: str, policy: Policy, session: Session
    ) -> None:
        self.connection = connection
        self.upstream: UpstreamConnection | None = None
        self.deadline = 0.0
        self.request_id = ""
        self._block = block
        self._host = host
        self._policy = policy
        self._session = session
        self._use = connection.attach_session(session).requests
        self._waiting = self._use
        self._seen: dict[_Kind, Seen] = {}
        self._paths: dict[bytes, Seen] = {}
        self._under_way: Seen | None = None
        self._raw = b""
        self._target = b""
        self._path = ""
        self._started = 0.0
        self._answered: tuple[ResponseHead, Seen] | None = None
        self._before = b""
        self._after = b""

    @property
    def session_id(self) -> bytes:
        """Return the id of the session on whose behalf this runs."""
        return self._session.id

    def holds_for(self, block: bytes, policy: Policy, session: Session) -> bool:
        """Say whether what was learnt is still true for this header block, policy and session."""
        return policy is self._policy and session is self._session and block == self._block

    def knows(self, place: Place) -> bool:
        """Say whether there is a verdict for places of this kind."""
        return _kind_of(place) in self._seen

    def learn(self, place: Place, seen: Seen) -> None:
        """Remember the verdict for places of this kind; there are few kinds for a route."""
        self._seen[_kind_of(place)] = seen
        self._paths.clear()

    # the happy course

    def begin(self, raw: bytes) -> bool:
        """Send the request whose head is `raw`, if it is a repetition; False when it must be judged."""
        match = _GET.match(raw)
        if match is None or len(raw) > self._policy.head_limits.line_bytes or raw[match.end() :] != self._block:
            return False  # no line of a head that is shorter than a line may be can be too long
        target = match[1]
        path = target.partition(b"?")[0]
        seen = self._paths.get(path)
        if seen is None and (seen := self._look(target, path)) is None:
            return False
        worker, session = self.connection.worker, self._session
        if worker.policy_now() is not self._policy or worker.draining or worker.clock.unix() >= session.absolute_unix:
            return False
        if not worker.sessions.is_live(session):
            return False
        waiting = worker.admission.repeats(self.connection.ticket, self._use, seen.forward.route.name, self._policy)
        upstream = worker.pool.take(seen.forward.route.upstream) if waiting is not None else None
        if waiting is None or upstream is None:
            return False
        self._use.n += 1
        waiting.n += 1
        self.upstream, self._under_way, self._raw, self._waiting = upstream, seen, raw, waiting
        route = seen.forward.route
        if route.prefix != route.base_url:
            target = upstream_target(route, parse_target(target))
        logged_in = bool(seen.forward.state.xsrf)
        self._target = strip_token(target, logged_in=logged_in) if b"?" in target else target
        self._path = path.decode("ascii")
        self.request_id = worker.next_request_id()
        self._started = worker.clock.monotonic()
        self.deadline = worker.loop.time() + self._policy.limits.upstream_answer_seconds
        upstream.user = self
        upstream.write(b"%b\r\n" % self._upstream_head(seen))
        return True

    def _look(self, raw_target: bytes, path: bytes) -> Seen | None:
        """Find the verdict for a path that comes for the first time, by what kind of place it is."""
        try:
            place = self._policy.places.find(parse_target(raw_target), self._host)
        except ProtocolError:  # told to the client where it is judged
            return None
        seen = self._seen.get(_kind_of(place)) if _is_plain(place) else None
        if seen is not None:
            if len(self._paths) >= MAX_PATHS:
                self._paths.clear()
            self._paths[path] = seen
        return seen

    def _upstream_head(self, seen: Seen) -> bytes:
        return b"GET %b HTTP/1.1\r\n%bX-Request-ID: %b\r\n" % (self._target, seen.lines, self.request_id.encode())

    def upstream_data(self, data: bytes) -> None:
        """Take bytes of the upstream (called by its connection)."""
        self.connection.guarded(self._answer, data)

    def _answer(self, data: bytes) -> None:
        seen, upstream, connection = self._under_way, self.upstream, self.connection
        end = data.find(b"\r\n\r\n") + 4
        if seen is None or upstream is None or end < 4:
            self._full().uplink_data(data)
            return
        worker = connection.worker
        try:
            head, date = worker.known_heads.read(data[:end], method="GET")
            whole = len(data) - end == (head.length if head.framing is BodyFraming.LENGTH else 0)
            if not (whole and upstream.has_sent_all and not worker.draining and self._judge(head, seen)):
                self._full().uplink_data(data)
                return
        except UpstreamProtocolError:  # judged again there, and answered
            self._full().uplink_data(data)
            return
        connection.write(
            b"%bX-Request-ID: %b\r\n%b%b%b" % (self._before, self.request_id.encode(), date, self._after, data[end:])
        )
        self._leave()
        worker.pool.give_back(upstream)
        outbox = worker.outbox
        timestamp, monotonic_us, number = outbox.stamp()
        event = msgspec.structs.replace(
            seen.event,
            timestamp=timestamp,
            monotonic_us=monotonic_us,
            n=number,
            request_id=self.request_id,
            path=cut(self._path),
            status=head.status,
            outcome="success" if head.status < _FIRST_ERROR else "failure",
            response_bytes=len(data) - end,
            duration_ns=int((worker.clock.monotonic() - self._started) * 1e9),
        )
        outbox.put(event)
        connection.exchange_done(keep=True)

    def _judge(self, head: ResponseHead, seen: Seen) -> bool:
        """Say whether the answer goes this way, and have its head for the client ready around request id and Date."""
        answered = self._answered
        if answered is not None and answered[0] is head and answered[1] is seen:
            return True
        if (
            (head.framing is not BodyFraming.LENGTH and head.framing is not BodyFraming.NONE)
            or not head.keep_alive
            or head.status < _OK
            or head.set_cookies
            or judge_answer(head, seen.forward) is not None
        ):
            return False
        worker = self.connection.worker
        built = answer_head(
            head,
            seen.head,
            seen.forward,
            worker.client_heads,
            user=self._session.user,
            keyring=self._policy.cookie_keys,
            random=worker.random,
            request_id="",
            date=b"",
            close=False,
        )
        if built.rewrite or built.chunked or not built.keep_alive:
            return False
        self._before, _, self._after = built.data.partition(b"X-Request-ID: \r\n")
        self._answered = (head, seen)
        return True

    # every other course

    def _full(self) -> "Exchange":
        """Turn into the full exchange, in the same state."""
        seen, upstream = self._under_way, self.upstream
        assert seen is not None and upstream is not None  # noqa: S101, PT018 - this stands in for it only meanwhile
        self._leave()
        forward = msgspec.structs.replace(seen.forward, upstream_head=self._upstream_head(seen))
        return self.connection.resume_exchange(
            self._raw, self._policy, self._session, forward, upstream, self.request_id, self._started
        )

    def _leave(self) -> None:
        """Be under way no more."""
        self.upstream = self._under_way = None
        self._use.n -= 1
        self._waiting.n -= 1

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


def learn_from(exchange: "Exchange") -> None:
    """Remember how `exchange` was judged, if a request that differs only in its target would be judged so too."""
    forward, session, head, policy = exchange.forward, exchange.session, exchange.head, exchange.policy
    if (
        session is None
        or forward is None
        or exchange.kind is not RequestKind.API
        or head.method != "GET"
        or head.minor != 1
        or head.fields.service_worker  # the folder of each path is judged (T23)
        or forward.route.kind is not RouteKind.NOTEBOOK
        or policy.audit_failing_since_unix  # how long that lasts decides each request anew
        or policy.limits.session_requests_per_second  # so does how many there were before
    ):
        return
    place = policy.places.find(head.target, head.fields.host)
    if _is_plain(place) and not exchange.connection.has_learnt(exchange, session, place):
        marker = b"X-Request-ID: %b\r\n" % exchange.request_id.encode()
        lines = forward.upstream_head.partition(b"\r\n")[2].removesuffix(marker)
        exchange.connection.learn(place, Seen(head, forward, lines, request_event(exchange, 0.0)))


def _is_plain(place: Place) -> bool:
    """Say whether what lies there is forwarded whenever the session, the origin and the upstream are good."""
    if place.page is not None or place.is_own or place.lacks_slash or place.has_effect or place.route is None:
        return False
    if place.kernelspecs:  # its body is mapped, as those of other places of its kind are not
        return False
    return not place.findings or place.finding(Action.DENY, "GET") is None


def _kind_of(place: Place) -> _Kind:
    """Return all of a plain place by which a verdict may differ."""
    return (place.route.name if place.route is not None else "", place.has_data, place.untouched, place.user_content)
