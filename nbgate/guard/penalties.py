"""Remember which netblocks misbehaved, and for how long they are refused: OpenSSH's PerSourcePenalties.

Pure: the caller passes monotonic time. This room does not know HTTP, never reads a clock and never logs.

Penalties of a netblock add up: each one moves its end further away, never further than `longest_seconds`. Below
`threshold_seconds` nothing happens, once it is reached the netblock is refused until the end. Time alone makes it good:
what ended is forgotten. At most `netblocks` of them are remembered; past that the one nearest its end is forgotten for
the next, so overflow is permissive: it refuses nobody who did nothing.
"""

import heapq

from msgspec import Struct


class PenaltyLimits(Struct, frozen=True, kw_only=True):
    """From when a netblock is refused, for how long at most, and how many are remembered."""

    threshold_seconds: float
    longest_seconds: float
    netblocks: int


class _Held(Struct):
    """What a netblock has to its name."""

    until_monotonic: float
    refused: bool = False


class PenaltyTable:
    """The netblocks that misbehaved; `limits` may be replaced at any time."""

    def __init__(self, limits: PenaltyLimits) -> None:
        self.limits = limits
        self._held: dict[str, _Held] = {}
        self._ends: list[tuple[float, str]] = []  # a heap; a netblock whose end moved stands in it more than once

    def __len__(self) -> int:
        return len(self._held)

    def add(self, netblock: str, seconds: float, now_monotonic: float) -> bool:
        """Note a penalty; return whether the netblock is refused from now on and was not before."""
        self._forget(now_monotonic)
        held = self._held.get(netblock)
        if held is None:
            while len(self._held) >= self.limits.netblocks:
                self._drop_first()
            held = self._held[netblock] = _Held(now_monotonic)
        longest = now_monotonic + self.limits.longest_seconds
        held.until_monotonic = min(held.until_monotonic + seconds, longest)
        heapq.heappush(self._ends, (held.until_monotonic, netblock))
        threshold = min(now_monotonic + self.limits.threshold_seconds, longest)  # else it would never be reached
        takes_force = not held.refused and held.until_monotonic >= threshold  # ends, for a difference is rounded
        held.refused = held.refused or takes_force
        self._tidy()
        return takes_force

    def refused_until(self, netblock: str, now_monotonic: float) -> float | None:
        """Return until when the netblock is refused; None when it is not."""
        held = self._held.get(netblock)
        if held is None or not held.refused or held.until_monotonic <= now_monotonic:
            return None
        return held.until_monotonic

    def refused(self, now_monotonic: float) -> dict[str, float]:
        """Return every netblock that is refused, and until when."""
        self._forget(now_monotonic)
        return {netblock: held.until_monotonic for netblock, held in self._held.items() if held.refused}

    def clear(self, netblock: str | None = None) -> tuple[str, ...]:
        """Forget what one netblock has to its name, or all of them; return those that were refused or near it."""
        cleared = tuple(known for known in self._held if netblock in {None, known})
        for known in cleared:
            del self._held[known]
        return cleared

    def _forget(self, now_monotonic: float) -> None:
        """Drop what has ended."""
        while self._ends and self._ends[0][0] <= now_monotonic:
            self._drop_first()

    def _tidy(self) -> None:
        """Make the heap anew when most of it is void."""
        if len(self._ends) > 2 * len(self._held) + 64:
            self._ends = [(held.until_monotonic, netblock) for netblock, held in self._held.items()]
            heapq.heapify(self._ends)

    def _drop_first(self) -> None:
        """Drop what is nearest its end; or an end that was moved since, which is void."""
        end, netblock = heapq.heappop(self._ends)
        held = self._held.get(netblock)
        if held is not None and held.until_monotonic == end:
            del self._held[netblock]
