"""When a child that ended may be started again. Pure."""

from msgspec import Struct

FIRST_DELAY_SECONDS = 0.1
STEADY_SECONDS = 10.0

# A child that was ready and then ended was of use; it may return sooner than one that never gets so far.
LONGEST_DELAY_SECONDS = 5.0
LONGEST_DELAY_AFTER_READY_SECONDS = 0.25


class Backoff(Struct, frozen=True):
    """`failures` is the number of ends in a row, each less than `STEADY_SECONDS` after its start."""

    failures: int = 0

    def after_end(self, alive_seconds: float, *, was_ready: bool) -> tuple["Backoff", float]:
        """Return what to remember, and after how many seconds to start again: at once, then 0.1, 0.2, 0.4, ..."""
        failures = 0 if alive_seconds >= STEADY_SECONDS else self.failures
        longest = LONGEST_DELAY_AFTER_READY_SECONDS if was_ready else LONGEST_DELAY_SECONDS
        delay = min(FIRST_DELAY_SECONDS * 2 ** min(failures - 1, 16), longest) if failures else 0.0
        return Backoff(failures + 1), delay
