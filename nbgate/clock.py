"""Where time is read. Everything else takes it as an argument, or a `Clock` that a test moves by hand."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records and expiry, monotonic time for deadlines and order."""

    def unix(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds; comparable between the processes of one machine."""
        ...


class SystemClock:
    """The machine's own clock."""

    def unix(self) -> float:
        """Return seconds since the epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until `advance` is called; for tests and for replaying what happened."""

    def __init__(self, unix: float = 1_800_000_000.0, monotonic: float = 1000.0) -> None:
        self._unix = unix
        self._monotonic = monotonic

    def unix(self) -> float:
        """Return the set wall time."""
        return self._unix

    def monotonic(self) -> float:
        """Return the set monotonic time."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds`."""
        self._unix += seconds
        self._monotonic += seconds

    def set_unix(self, unix: float) -> None:
        """Set the wall clock, as an operator or a time server does; the monotonic one goes on."""
        self._unix = unix
