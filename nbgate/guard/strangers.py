"""The places for strangers: connections of which nobody knows yet that a live session is behind them.

Pure: it says whom to drop, and never drops anybody itself. Whoever comes is let in; when that makes too many, it is the
one that has waited longest in the netblock that holds most who must go (THREATS, decided since), so that one crowd
displaces itself and leaves the others alone. Among netblocks that hold the same it is the one that has held so many for
longest. All steps take the same time however many there are.
"""

from typing import Generic, TypeVar

from nbgate.reasons import Reason

K = TypeVar("K")


class Strangers(Generic[K]):
    """Who waits, by netblock, in the order in which they came.

    Args of the constructor:
        places: For all together.
        netblock_places: For those of one netblock.
    """

    def __init__(self, *, places: int, netblock_places: int) -> None:
        self.places = places
        self.netblock_places = netblock_places
        self._waiting: dict[str, dict[K, None]] = {}
        self._levels: dict[int, dict[str, None]] = {}  # how many are held → by which netblocks, first reached first
        self._most = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: K, netblock: str) -> tuple[K, Reason] | None:
        """Let `key` in; return who must go for it, and why. Whoever is named is not held here any more."""
        held = self._waiting.setdefault(netblock, {})
        held[key] = None
        self._count += 1
        self._move(netblock, len(held) - 1, len(held))
        if len(held) > self.netblock_places:
            return self._oldest(netblock), Reason.NETBLOCK_CONNECTIONS
        if self._count > self.places:
            return self._oldest(self._fullest()), Reason.STRANGER_CONNECTIONS
        return None

    def remove(self, key: K, netblock: str) -> None:
        """Forget `key`: it is gone, or no stranger any more."""
        held = self._waiting[netblock]
        del held[key]
        self._count -= 1
        self._move(netblock, len(held) + 1, len(held))

    def evict(self) -> K | None:
        """Return the one that must go when anybody must, and forget it; None where there is no stranger."""
        return self._oldest(self._fullest()) if self._count else None

    def _fullest(self) -> str:
        return next(iter(self._levels[self._most]))

    def _oldest(self, netblock: str) -> K:
        key = next(iter(self._waiting[netblock]))
        self.remove(key, netblock)
        return key

    def _move(self, netblock: str, before: int, after: int) -> None:
        """Put a netblock on the level of how many it holds now."""
        if before:
            level = self._levels[before]
            del level[netblock]
            if not level:
                del self._levels[before]
        if after:
            self._levels.setdefault(after, {})[netblock] = None
        else:
            del self._waiting[netblock]
        if after > self._most or (before == self._most and before not in self._levels):
            self._most = after
