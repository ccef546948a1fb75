"""How everything is, for `nbgate status`: one value that JSON can hold, and no secret in it."""

from typing import Any

from nbgate import __version__
from nbgate.audit.events import timestamp
from nbgate.clock import Clock
from nbgate.keeper.audit_writer import AuditWriter
from nbgate.keeper.children import Children
from nbgate.keeper.guarded import Shown
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.workers import Worker
from nbgate.link.messages import ChildEvent


class StatusBoard:
    """Collects what `nbgate status` shows."""

    def __init__(self, keeper: Keeper, children: Children, audit: AuditWriter, clock: Clock) -> None:
        self._keeper = keeper
        self._children = children
        self._audit = audit
        self._clock = clock
        self._started_unix = clock.unix()
        self.urls: tuple[str, ...] = ()
        self.fingerprint = ""

    async def show(self) -> dict[str, Any]:
        """Return the state of the gateway."""
        users = await self._keeper.accounts.all()
        return {
            "version": __version__,
            "ready": self._keeper.is_ready(),
            "keeper_started": timestamp(self._started_unix),
            "listening": list(self.urls),
            "certificate_sha256": self.fingerprint,
            "policy_version": self._keeper.version,
            "users": len(users),
            "locked_down": self._keeper.is_locked_down,
            "sessions": sum(not session.is_token for session in self._keeper.live.all()),
            "tokens": sum(session.is_token for session in self._keeper.live.all()),
            "penalties": len(self._keeper.penalties.refused()),
            "processes": self._processes(),
            "discovers": self._keeper.mounts.discovers,
            "upstreams": [_upstream(shown) for shown in self._keeper.mounts.shown()],
            "audit": {
                "failing_since": _maybe_time(self._audit.failing_since_unix),
                "segment": self._audit.segment,
                "next_seq": self._audit.next_seq,
            },
        }

    def _processes(self) -> list[dict[str, Any]]:
        linked = {worker.id: worker for worker in self._keeper.workers}
        return [_process(event, linked.get(event.worker)) for event in self._children.running()]


def _upstream(shown: Shown) -> dict[str, Any]:
    return {
        "name": shown.route,
        "product": shown.product,
        "address": shown.address,
        "base_url": shown.base_url,
        "mounted_at": shown.host + shown.prefix,
        "at": shown.at,
        "host": shown.host,
        "source": shown.source.value,
        "allowed": list(shown.allowed),
        "condition": shown.condition.value,
        "since": timestamp(shown.since_unix),
        "last_seen": _maybe_time(shown.last_seen),
        "hint": shown.hint,
    }


def _process(event: ChildEvent, worker: Worker | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "role": event.role,
        "pid": event.pid,
        "started": timestamp(event.at_unix),
        "restarts": event.restarts,
    }
    if event.worker:
        shown |= _worker(event.worker, worker)
    return shown


def _worker(number: int, worker: Worker | None) -> dict[str, Any]:
    hello = None if worker is None else worker.hello
    status = None if worker is None else worker.status
    return {
        "worker": number,
        "linked": hello is not None,
        "confinement": [] if hello is None else list(hello.confinement),
        "accepting": status is not None and status.accepting,
        "connections": 0 if status is None else status.connections,
        "places": 0 if status is None else status.places,
        "strangers": 0 if status is None else status.strangers,
        "websockets": 0 if status is None else status.websockets,
        "requests": 0 if status is None else status.requests,
        "refused": 0 if status is None else status.refused,
        "lag_seconds": 0.0 if status is None else status.lag_seconds,
    }


def _maybe_time(unix: float) -> str | None:
    return timestamp(unix) if unix else None
