"""How fast is too fast, and how slow is too slow: rates of many, and the pace of one body.

Pure: the caller brings monotonic seconds. It never counts what is under way, knows neither requests nor netblocks, and
holds at most `MAX_KEYS` keys. Overflow is permissive: past it the key that asked longest ago is forgotten, and begins
with a full bucket again (THREATS T40).
"""

from collections.abc import Hashable

MAX_KEYS = 65_536


class Rates:
    """A bucket for each key: so many at once, so many a second on average (GCRA).

    A key is held as the one time at which its bucket will be full again, so a key that asks nothing costs nothing.
    """

    def __init__(self, *, per_second: float, burst: int, max_keys: int = MAX_KEYS) -> None:
        self._interval = 1.0 / per_second
        self._allowance = self._interval * (burst - 1)
        self._max_keys = max_keys
        self._full_at: dict[Hashable, float] = {}  # the key that asked longest ago stands first

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, now: float) -> float:
        """Take one from the bucket of `key`; return 0.0, or the seconds until there is one when there is none."""
        full_at = max(self._full_at.pop(key, now), now)
        wait = full_at - now - self._allowance
        self._full_at[key] = full_at if wait > 0 else full_at + self._interval
        if len(self._full_at) > self._max_keys:
            del self._full_at[next(iter(self._full_at))]
        return max(wait, 0.0)


class Pace:
    """Whether bytes come fast enough: never slower than a rate for longer than a grace.

    Bytes buy time, but never more than the grace: who sent much at first may not trickle for hours after it. Time in
    which nobody read does not count.

    Attributes:
        late_at: When it has been too slow for too long, unless more comes; meaningless while it is held.
    """

    __slots__ = ("_grace", "_left", "_rate", "late_at")

    def __init__(self, *, per_second: float, grace_seconds: float, now: float) -> None:
        self._rate = per_second
        self._grace = grace_seconds
        self._left: float | None = None
        self.late_at = now + grace_seconds

    def took(self, count: int, now: float) -> None:
        """Take note of `count` bytes."""
        self.late_at = min(self.late_at + count / self._rate, now + self._grace)

    def hold(self, now: float) -> None:
        """Stop the time: nobody reads."""
        if self._left is None:
            self._left = self.late_at - now

    def go_on(self, now: float) -> None:
        """Let the time run again."""
        if self._left is not None:
            self.late_at, self._left = now + self._left, None
