"""Which refusals of strangers are told one by one, and which are only counted (THREATS T40).

Pure: it writes nothing, and the caller brings monotonic seconds. The first refusals of a netblock within a minute are
told; what is above that is counted by its kind, and the sums are given out when the minute is over. When there are more
than `MAX_NETBLOCKS` the minute that began first is over early: nothing is lost, only told sooner.
"""

from collections import Counter
from collections.abc import Hashable, Iterator

MAX_NETBLOCKS = 65_536
MINUTE_SECONDS = 60.0


class _Minute:
    """What one netblock was refused since `began`."""

    __slots__ = ("began", "counted", "told")

    def __init__(self, began: float) -> None:
        self.began = began
        self.told = 0
        self.counted: Counter[Hashable] = Counter()


class Tally:
    """The minutes under way, the oldest first.

    Args of the constructor:
        told: How many refusals of one netblock are told in a minute.
    """

    def __init__(self, *, told: int, max_netblocks: int = MAX_NETBLOCKS) -> None:
        self.told = told
        self._max_netblocks = max_netblocks
        self._minutes: dict[str, _Minute] = {}

    def tells(self, netblock: str, kind: Hashable, now: float) -> bool:
        """Say whether this refusal is to be told; one that is not is counted."""
        minute = self._minutes.get(netblock)
        if minute is None:
            minute = self._minutes[netblock] = _Minute(now)
        if minute.told < self.told:
            minute.told += 1
            return True
        minute.counted[kind] += 1
        return False

    def due(self, now: float, *, everything: bool = False) -> Iterator[tuple[str, Hashable, int]]:
        """Give out netblock, kind and sum of what was counted in the minutes that are over, and forget these."""
        while self._minutes:
            netblock, minute = next(iter(self._minutes.items()))
            is_over = now - minute.began >= MINUTE_SECONDS or len(self._minutes) > self._max_netblocks
            if not (is_over or everything):
                return
            del self._minutes[netblock]
            for kind, count in minute.counted.items():
                yield netblock, kind, count
