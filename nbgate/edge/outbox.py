"""The worker's side of the audit: events on their way to the keeper, kept until the keeper says they are in the log.

What the keeper has not acknowledged is sent again on the next link; it knows a record by (boot, number). Overflow: from
`SOFT_LIMIT` unacknowledged events on the worker behaves as if the audit could not be written (THREATS 5.6), so that a
long absence of the keeper ends in refusals, not in unrecorded requests. Nothing is ever thrown away here.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from nbgate.audit.events import Event, encode_event
from nbgate.clock import Clock
from nbgate.errors import LinkError
from nbgate.link.messages import Records

SOFT_LIMIT = 20_000
FLUSH_SECONDS = 0.02
BATCH = 1000

E = TypeVar("E", bound=Event)


class Outbox:
    """Number events, batch them, keep them until acknowledged."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, clock: Clock, boot: str, send: Callable[[Records], None]
    ) -> None:
        self._loop = loop
        self._clock = clock
        self.boot = boot
        self._send = send
        self._next = 1
        self._unsent: list[bytes] = []
        self._unacked: deque[tuple[int, bytes]] = deque()
        self._empty = asyncio.Event()
        self._scheduled = False
        self._second = -1
        self._prefix = ""
        self.full_since_unix = 0.0

    @property
    def waiting(self) -> int:
        """Return how many events are not in the log yet, as far as this worker knows."""
        return len(self._unacked)

    def record(self, kind: Callable[..., E], **fields: Any) -> None:
        """Make an event of `kind`, stamped and numbered, and hand it to the keeper within `FLUSH_SECONDS`."""
        timestamp, monotonic_us, number = self.stamp()
        self.put(kind(timestamp=timestamp, monotonic_us=monotonic_us, boot=self.boot, n=number, **fields))

    def stamp(self) -> tuple[str, int, int]:
        """Return timestamp, monotonic microseconds and number of the next event, which must be `put` next."""
        return self._timestamp(self._clock.unix()), int(self._clock.monotonic() * 1_000_000), self._next

    def put(self, event: Event) -> None:
        """Hand over an event that carries the last `stamp`."""
        body = encode_event(event)
        self._unacked.append((self._next, body))
        self._unsent.append(body)
        self._next += 1
        if len(self._unacked) > SOFT_LIMIT and not self.full_since_unix:
            self.full_since_unix = self._clock.unix()
        self._schedule()

    def flush(self) -> None:
        """Send what has not been sent on this link; what the link does not take waits, the numbers have no gap."""
        self._scheduled = False
        first = self._next - len(self._unsent)
        with contextlib.suppress(LinkError):
            while self._unsent:
                bodies = tuple(self._unsent[:BATCH])
                self._send(Records(boot=self.boot, first=first, bodies=bodies))
                del self._unsent[:BATCH]
                first += len(bodies)
        if self._unsent:
            self._schedule()

    def acknowledge(self, upto: int) -> None:
        """Forget the events up to and including number `upto`: they are in the log."""
        while self._unacked and self._unacked[0][0] <= upto:
            self._unacked.popleft()
        if not self._unacked:
            self._empty.set()
        if self.full_since_unix and len(self._unacked) < SOFT_LIMIT // 2:
            self.full_since_unix = 0.0

    async def all_written(self, seconds: float) -> None:
        """Wait until everything is acknowledged, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._unacked:
                    self._empty.clear()
                    await self._empty.wait()

    def send_again(self) -> None:
        """Send everything that was not acknowledged, on a new link."""
        self._unsent = [body for _, body in self._unacked]
        self.flush()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_later(FLUSH_SECONDS, self.flush)

    def _timestamp(self, unix: float) -> str:
        """RFC 3339 with microseconds; the part down to the second is made once a second (0.3 µs instead of 1.2)."""
        second = int(unix)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._prefix}{int((unix - second) * 1_000_000):06d}Z"
