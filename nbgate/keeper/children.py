"""What the supervisor tells about the processes: remembered for `status`, recorded in the audit."""

from typing import Final

from msgspec import UNSET, structs

from nbgate import __version__
from nbgate.audit.events import ProcessEvent, timestamp
from nbgate.keeper.audit import AuditLog
from nbgate.link.messages import ChildEvent
from nbgate.reasons import Reason

SIGNAL_STATUS: Final = 128
STARTED: Final = "started"
RUNNING: Final = "running"


class Children:
    """The newest event of each place: the keeper's, and each worker's.

    Args:
        audit: Where each event is recorded.
    """

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._running: dict[tuple[str, int], ChildEvent] = {}

    def take(self, event: ChildEvent) -> None:
        """Remember and record an event."""
        place = event.role, event.worker
        if event.what in {STARTED, RUNNING}:
            self._running[place] = event
        elif place in self._running and self._running[place].pid == event.pid:
            del self._running[place]
        if event.what != RUNNING:  # an earlier keeper has recorded it
            self._audit.append(_recorded(event, self._audit))

    def is_running(self, worker: int, pid: int) -> bool:
        """Say whether we were told that this process was started in this worker's place."""
        event = self._running.get(("worker", worker))
        return event is not None and event.pid == pid

    def running(self) -> tuple[ChildEvent, ...]:
        """Return how each process that runs was started, the keeper first."""
        return tuple(self._running[place] for place in sorted(self._running))


def _recorded(event: ChildEvent, audit: AuditLog) -> ProcessEvent:
    exited = event.what != STARTED
    recorded = ProcessEvent(
        **audit.stamp(),
        outcome="failure" if event.status else "success",
        role=event.role,
        pid=event.pid,
        message=event.what,
        worker=event.worker or UNSET,
        exit_code=event.status if exited else UNSET,
        restarts=event.restarts or UNSET,
        reason=_reason(event.status).value if exited else UNSET,
        version=UNSET if exited else __version__,
    )
    if event.at_unix:  # told late to a keeper that was not there when it happened
        return structs.replace(recorded, timestamp=timestamp(event.at_unix))
    return recorded


def _reason(status: int) -> Reason:
    if not status:
        return Reason.ENDED
    return Reason.KILLED if status > SIGNAL_STATUS else Reason.CRASHED
