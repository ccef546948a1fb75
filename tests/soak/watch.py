"""Memory and descriptors of each process of a gateway, looked at again and again while something runs."""

import asyncio
import contextlib
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

from bench.cpu import own_bytes
from nbgate.testing.gateway import Gateway
from nbgate.testing.process import descendants

LOOKS = 60
LEAST_PAUSE_SECONDS = 0.2
MIB = 1 << 20


class Watch:
    """What was seen of each process, oldest first."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.memory_bytes: defaultdict[int, list[int]] = defaultdict(list)
        self.descriptors: defaultdict[int, list[int]] = defaultdict(list)

    def look(self) -> None:
        """Look once."""
        for pid in descendants(self._gateway.program.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                self.memory_bytes[pid].append(own_bytes(pid))
                with contextlib.suppress(PermissionError):  # only root may count those of most of our processes
                    self.descriptors[pid].append(sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))

    @contextlib.asynccontextmanager
    async def looking(self, seconds: float) -> AsyncIterator[None]:
        """Look some `LOOKS` times in the block, which takes about `seconds`."""

        async def look_often() -> None:
            while True:
                self.look()
                await asyncio.sleep(max(seconds / LOOKS, LEAST_PAUSE_SECONDS))

        looking = asyncio.get_running_loop().create_task(look_often())
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking

    @property
    def memory_grown_mib(self) -> float:
        """Return by how much the process that grew most has grown."""
        return max(grown(values) for values in self.memory_bytes.values()) / MIB

    @property
    def descriptors_grown(self) -> float:
        """Return the same of descriptors."""
        return max(grown(values) for values in self.descriptors.values())

    @property
    def most_memory_mib(self) -> float:
        """Return the most that all processes held together."""
        return max(map(sum, zip(*self.memory_bytes.values(), strict=False))) / MIB

    def seen(self) -> dict[str, float]:
        """Return all that as findings."""
        return {
            "memory grown, MiB": self.memory_grown_mib,
            "descriptors more": self.descriptors_grown,
            "most memory of all processes, MiB": self.most_memory_mib,
            "processes whose descriptors could be counted": len(self.descriptors),
        }


def grown(values: list[int]) -> float:
    """Return the median of the last quarter less that of the second one: the first warms up."""
    quarter = max(len(values) // 4, 1)
    return statistics.median(values[-quarter:]) - statistics.median(values[quarter : 2 * quarter] or values[:quarter])


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred is above."""
    return sorted(values)[len(values) * 99 // 100]
