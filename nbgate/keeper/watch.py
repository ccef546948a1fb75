"""Watch upstreams: look at each on a beat, and soon when somebody suspects something, at most once a second.

What was found is said only when it changed. How one looks is not known here (`nbgate.keeper.upstreams`), nor where an
upstream is mounted.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from nbgate.clock import Clock
from nbgate.config.schema import Probe
from nbgate.errors import NbgateError
from nbgate.keeper.upstreams import GOOD, Eyes, Look, Watched, look, within_reach
from nbgate.model.route import Condition, Upstream

MIN_SECONDS_BETWEEN: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 15.0
LOOKS_PER_LANE: Final = 8

_log = structlog.get_logger("nbgate.keeper")


class Lanes:
    """How many upstreams are looked at at once: as many of those that work, or that somebody waits for, as of the rest.

    So a thousand that say nothing, five seconds each, keep nobody from being seen to be back.
    """

    def __init__(self) -> None:
        self.quick = asyncio.Semaphore(LOOKS_PER_LANE)
        self.patient = asyncio.Semaphore(LOOKS_PER_LANE)


class UpstreamWatch:
    """One upstream's watch.

    Args:
        watched: The upstream.
        eyes: How to look.
        probe: How often.
        clock: Where time is read.
        on_change: Called when `found` has changed.
        lanes: Shared with the other watches.

    Attributes:
        found: What the last look found; None before the first.
        base_url: The server's own as far as it is known, "" until then; kept while it is down.
        since_unix: Since when it is in this condition.
        seen_unix: When it was last seen to be good; 0.0 when it never was.
    """

    def __init__(
        self,
        watched: Watched,
        eyes: Eyes,
        *,
        probe: Probe,
        clock: Clock,
        on_change: Callable[["UpstreamWatch"], None],
        lanes: Lanes,
    ) -> None:
        self.watched = watched
        self.found: Look | None = None
        self.base_url = watched.base_url
        self.since_unix = clock.unix()
        self.seen_unix = 0.0
        self._eyes = eyes
        self._probe = probe
        self._clock = clock
        self._on_change = on_change
        self._lanes = lanes
        self._wake = asyncio.Event()
        self._is_awaited = False
        self._retry_seconds = probe.retry_seconds
        self._looked_monotonic = clock.monotonic()
        self._one_at_a_time = asyncio.Lock()

    @property
    def condition(self) -> Condition:
        """Return how the upstream is."""
        return Condition.UNKNOWN if self.found is None else self.found.condition

    @property
    def upstream(self) -> Upstream:
        """Return where it is, as far as that is known."""
        return within_reach(self.watched.upstream) if self.found is None else self.found.upstream

    def suspect(self) -> None:
        """Look again soon: a worker saw something that does not fit."""
        self._wake.set()

    async def look_once(self) -> Look:
        """Look now, and say so if anything changed."""
        async with self._one_at_a_time:
            is_quick = self._is_awaited or self.condition in GOOD
            async with self._lanes.quick if is_quick else self._lanes.patient:
                return await self._look()

    async def _look(self) -> Look:
        self._looked_monotonic = self._clock.monotonic()
        found = await look(self.watched, self._eyes, self.found)
        if found.condition in GOOD:
            self.seen_unix = self._clock.unix()
            self._retry_seconds = self._probe.retry_seconds
        if found != self.found:
            self._take(found)
        return found

    def _take(self, found: Look) -> None:
        if found.condition is not self.condition:
            self.since_unix = self._clock.unix()
        if found.base_url != "/" or found.condition is not Condition.DOWN:
            self.base_url = found.base_url  # that nothing answers at "/" says nothing about it
        self.found = found
        self._on_change(self)

    async def run(self) -> None:
        """Look again and again, until cancelled; at once where nobody has looked yet."""
        if self.found is not None:
            await self._rest()
        while True:
            try:
                await self.look_once()
            except (NbgateError, OSError) as error:  # an unreadable token file, no descriptor left: nothing changes
                _log.warning("upstream cannot be looked at", upstream=self.watched.address, error=str(error))
            await self._rest()

    async def _rest(self) -> None:
        is_good = self.condition in GOOD
        self._is_awaited = False
        try:
            async with asyncio.timeout(self._probe.interval_seconds if is_good else self._retry_seconds):
                await self._wake.wait()
        except TimeoutError:
            if not is_good:
                self._retry_seconds = longer(self._retry_seconds)
            return
        self._wake.clear()
        self._is_awaited = True
        await asyncio.sleep(max(0.0, self._looked_monotonic + MIN_SECONDS_BETWEEN - self._clock.monotonic()))


def longer(retry_seconds: float) -> float:
    """Return how long to wait after having waited so long in vain."""
    return max(retry_seconds, min(2 * retry_seconds, LONGEST_RETRY_SECONDS))
