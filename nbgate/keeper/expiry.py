"""When to warn that the certificate ends: pure, and each warning once.

It knows no certificate but by its end, and reads no clock.
"""

from datetime import datetime, timedelta
from typing import Final

WARN_DAYS: Final = (1, 7, 14, 30)
AFTER_THE_END: Final = timedelta(hours=1)


class ExpiryWarnings:
    """Remembers which warnings were given of the certificate that was asked about last."""

    def __init__(self) -> None:
        self._ends: datetime | None = None
        self._step: int | None = None
        self._said_over: datetime | None = None

    def due(self, ends: datetime, now: datetime) -> str:
        """Return what to say now of a certificate that ends at `ends`, "" for nothing.

        It is said when 30, 14, 7 and 1 days are left, at the first look after each; and each hour once it has ended.
        """
        if ends != self._ends:
            self._ends, self._step, self._said_over = ends, None, None
        left = ends - now
        if left <= timedelta(0):
            return self._over(ends, now)
        step = next((days for days in WARN_DAYS if left <= timedelta(days=days)), None)
        if step is None or (self._step is not None and step >= self._step):
            return ""
        self._step = step
        return f"ends on {ends:%Y-%m-%d at %H:%M} UTC, in {_in_words(left)}"

    def _over(self, ends: datetime, now: datetime) -> str:
        if self._said_over is not None and now - self._said_over < AFTER_THE_END:
            return ""
        self._said_over = now
        return f"ended on {ends:%Y-%m-%d at %H:%M} UTC: browsers refuse it"


def _in_words(left: timedelta) -> str:
    if left >= timedelta(days=2):
        return f"{left.days} days"
    hours = left // timedelta(hours=1)
    return f"{hours} hours" if hours > 1 else "less than 2 hours"
