"""Whether a worker is behind with its work, by how late its own timer comes.

Pure: the caller runs the timer and says when it came. One pause, however long, is no overload: a page was rewritten, or
the machine slept. Two late ticks in a row are one: work comes in faster than it is done.
"""

TICK_SECONDS = 0.1
EVERYBODY = 10  # times the limit for strangers


class Overload:
    """How late the loop is, and whom it refuses therefore.

    Attributes:
        lag_seconds: How late the last two ticks were at least.
        refuses_strangers: There is more work than is good for those who are at work.
        refuses_all: There is so much that nobody would get an answer in time.
    """

    __slots__ = ("_due", "_last", "lag_seconds", "limit_seconds", "refuses_all", "refuses_strangers")

    def __init__(self, limit_seconds: float, now: float) -> None:
        self.limit_seconds = limit_seconds
        self.lag_seconds = 0.0
        self.refuses_strangers = False
        self.refuses_all = False
        self._last = 0.0
        self._due = now + TICK_SECONDS

    def tick(self, now: float) -> None:
        """Take note that the timer came; the next one is due `TICK_SECONDS` later."""
        late = max(now - self._due, 0.0)
        self.lag_seconds = min(late, self._last)
        self._last, self._due = late, now + TICK_SECONDS
        self.refuses_strangers = self.lag_seconds > self.limit_seconds
        self.refuses_all = self.lag_seconds > EVERYBODY * self.limit_seconds
