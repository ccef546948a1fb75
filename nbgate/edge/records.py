"""The audit events of exchanges and tunnels: which of their facts are recorded; of headers only the user agent."""

from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import UNSET

from nbgate.access.paths import OWN
from nbgate.audit.events import HttpRequest, WebsocketClose, WebsocketOpen, cut
from nbgate.http.target import Target
from nbgate.reasons import Reason
from nbgate.websocket.frames import FrameTracker

if TYPE_CHECKING:
    from nbgate.edge.exchange import Exchange

_SECRET_BELOW = frozenset({"link", "setup"})
_ABNORMAL_CLOSE = 1006
_BAD_REQUEST = 400
_ORDERLY_ENDS = frozenset({None, Reason.CLIENT_GONE, Reason.DRAINING})


def recorded_path(target: Target) -> str:
    """Return the path as it is recorded: without what is itself a credential, however and wherever it was spelled.

    A link that somebody opens below the wrong base URL is as good as it was.
    """
    if OWN in target.path.lower():
        for depth, (first, second) in enumerate(pairwise(map(str.lower, target.segments[:-1]))):
            if first == OWN and second in _SECRET_BELOW:
                return f"{'/…' if depth else ''}/{OWN}/{second}/…"
    return cut(target.raw_path)


def record_request(exchange: "Exchange", duration_seconds: float) -> None:
    """Record a request and its answer."""
    exchange.worker.outbox.put(request_event(exchange, duration_seconds))


def request_event(exchange: "Exchange", duration_seconds: float) -> HttpRequest:
    """Return the event of a request and its answer, with the next stamp. Written out: it is made for every request."""
    outbox = exchange.worker.outbox
    fields, session, client = exchange.head.fields, exchange.session, exchange.client
    timestamp, monotonic_us, number = outbox.stamp()
    return HttpRequest(
        timestamp=timestamp,
        monotonic_us=monotonic_us,
        boot=outbox.boot,
        n=number,
        outcome="success" if 0 < exchange.status < _BAD_REQUEST else "failure",
        request_id=exchange.request_id,
        client_ip=client.address,
        client_port=client.port or UNSET,
        method=exchange.head.method,
        host=cut(fields.host),
        path=recorded_path(exchange.head.target),
        status=exchange.status,
        duration_ns=int(duration_seconds * 1e9),
        request_bytes=exchange.request_bytes,
        response_bytes=exchange.response_bytes,
        user=UNSET if session is None else session.user,
        session=UNSET if session is None else session.label,
        user_agent=UNSET if fields.user_agent is None else cut(fields.user_agent),
        upstream=UNSET if exchange.forward is None else exchange.forward.route.name,
        reason=UNSET if exchange.reason is None else exchange.reason.value,
        rule=exchange.rule or UNSET,
    )


def record_open(exchange: "Exchange") -> None:
    """Record that a websocket was accepted."""
    head, session, client = exchange.head, exchange.session, exchange.client
    exchange.worker.outbox.record(
        WebsocketOpen,
        request_id=exchange.request_id,
        client_ip=client.address,
        client_port=client.port or UNSET,
        host=cut(head.fields.host),
        path=recorded_path(head.target),
        user=session.user if session is not None else UNSET,
        session=session.label if session is not None else UNSET,
        user_agent=cut(head.fields.user_agent) if head.fields.user_agent is not None else UNSET,
        upstream=exchange.forward.route.name if exchange.forward is not None else UNSET,
    )


def record_close(
    exchange: "Exchange",
    *,
    duration_seconds: float,
    close_code: int,
    up: FrameTracker,
    down: FrameTracker,
    reason: Reason | None,
) -> None:
    """Record the end of a websocket, with what passed in either direction."""
    session = exchange.session
    exchange.worker.outbox.record(
        WebsocketClose,
        outcome="success" if reason in _ORDERLY_ENDS else "failure",
        request_id=exchange.request_id,
        duration_ns=int(duration_seconds * 1e9),
        close_code=close_code or _ABNORMAL_CLOSE,
        request_bytes=up.payload_bytes,
        response_bytes=down.payload_bytes,
        frames_in=up.frames,
        frames_out=down.frames,
        user=session.user if session is not None else UNSET,
        session=session.label if session is not None else UNSET,
        reason=reason.value if reason is not None else UNSET,
    )
