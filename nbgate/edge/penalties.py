"""A worker's side of penalties: which netblocks it refuses, and what it reports of strangers. It judges nothing.

Reports wait a moment, so that a scanner costs one message where it sends a hundred requests; past `MAX_PENDING` kinds
of them the newest are lost until the next message: overflow is permissive.
"""

import asyncio
from collections.abc import Callable, Iterable

from nbgate.clock import Clock
from nbgate.link.messages import Offences
from nbgate.model.penalty import Offence, Penalty

GATHER_SECONDS = 0.05
MAX_PENDING = 4096
FEW = 1024  # as many that ended may stay in the table as are in force, and these


class Penalties:
    """The penalties that one worker knows."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, send: Callable[[Offences], None]) -> None:
        self._loop = loop
        self._clock = clock
        self._send = send
        self._until: dict[str, float] = {}
        self._full_at = FEW
        self._pending: dict[tuple[str, str], int] = {}

    def load(self, penalties: Iterable[Penalty]) -> None:
        """Take the keeper's full list."""
        self._until = {penalty.netblock: penalty.until_monotonic for penalty in penalties}

    def put(self, penalties: Iterable[Penalty]) -> None:
        """Take new and longer penalties; now and then those that ended go."""
        self._until.update((penalty.netblock, penalty.until_monotonic) for penalty in penalties)
        if len(self._until) > self._full_at:
            now = self._clock.monotonic()
            self._until = {netblock: until for netblock, until in self._until.items() if until > now}
            self._full_at = 2 * len(self._until) + FEW

    def seconds_left(self, netblock: str) -> float:
        """Return for how long `netblock` is refused; 0 when it is not."""
        until = self._until.get(netblock)
        return 0.0 if until is None else max(until - self._clock.monotonic(), 0.0)

    def report(self, netblock: str, rule: str) -> None:
        """Tell the keeper soon that a stranger did what `rule` penalises."""
        if not self._pending:
            self._loop.call_later(GATHER_SECONDS, self._flush)
        key = (netblock, rule)
        if key in self._pending or len(self._pending) < MAX_PENDING:
            self._pending[key] = self._pending.get(key, 0) + 1

    def _flush(self) -> None:
        pending, self._pending = self._pending, {}
        self._send(Offences(offences=tuple(Offence(*key, count) for key, count in pending.items())))
