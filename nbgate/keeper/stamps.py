"""Number and date the events that the keeper itself records. It writes none."""

from typing import TypedDict

from nbgate.audit.events import timestamp
from nbgate.clock import Clock


class Stamp(TypedDict):
    """The fields that every event has."""

    timestamp: str
    monotonic_us: int
    boot: str
    n: int


class Stamps:
    """Gives each event of one process its time and its running number, from 1.

    Args:
        clock: Where time is read.
        boot: Random name of this run of the process; with the number it is unique.
    """

    def __init__(self, clock: Clock, boot: str) -> None:
        self._clock = clock
        self._boot = boot
        self._last = 0

    def next(self) -> Stamp:
        """Return the fields for the event that happens now."""
        self._last += 1
        return Stamp(
            timestamp=timestamp(self._clock.unix()),
            monotonic_us=int(self._clock.monotonic() * 1_000_000),
            boot=self._boot,
            n=self._last,
        )
