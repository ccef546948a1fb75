"""The places to fill: one keeper and N workers. A slot remembers what its successive children did."""

from nbgate.link.messages import ChildEvent
from nbgate.supervisor.backoff import Backoff
from nbgate.supervisor.child import Child, Role


class Slot:
    """One wanted child: who fills the place now, how often it was filled, when it may be filled again."""

    def __init__(self, role: Role, worker: int = 0) -> None:
        self.role = role
        self.worker = worker
        self.child: Child | None = None
        self.started = ChildEvent(role=role.value, worker=worker, pid=0, what="started")  # the newest one
        self.starts = 0
        self.was_ever_ready = False
        self.start_at_monotonic = 0.0
        self._backoff = Backoff()

    @property
    def name(self) -> str:
        """Return what messages call it, for example `worker 2`."""
        return self.role.value if self.role is Role.KEEPER else f"{self.role.value} {self.worker}"

    @property
    def restarts(self) -> int:
        """Return how often it was filled again."""
        return max(self.starts - 1, 0)

    def fill(self, child: Child) -> None:
        """Note that `child` was started for this place."""
        self.child = child
        self.starts += 1

    def mark_ready(self, child: Child) -> None:
        """Note that `child` does its work."""
        child.is_ready = True
        self.was_ever_ready = True

    def vacate(self, child: Child, now_monotonic: float) -> None:
        """Note that `child` ended."""
        self.child = None
        self._wait(now_monotonic, now_monotonic - child.started_monotonic, was_ready=child.is_ready)

    def defer(self, now_monotonic: float) -> None:
        """Note that no child could be started."""
        self._wait(now_monotonic, 0.0, was_ready=False)

    def _wait(self, now_monotonic: float, alive_seconds: float, *, was_ready: bool) -> None:
        self._backoff, delay = self._backoff.after_end(alive_seconds, was_ready=was_ready)
        self.start_at_monotonic = now_monotonic + delay
