"""The watches of all upstreams: one for each way to look at one, however many routes lead there.

Who uses a watch is only counted here; where servers are mounted, and what is told of them, is not known.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from nbgate.clock import Clock
from nbgate.config.schema import Probe
from nbgate.keeper.mounted import Mount
from nbgate.keeper.upstreams import Eyes, Watched
from nbgate.keeper.watch import Lanes, UpstreamWatch

_NOBODY: Final[tuple[Mount, ...]] = ()


class _Held:
    __slots__ = ("task", "users", "watch")

    def __init__(self, watch: UpstreamWatch) -> None:
        self.watch = watch
        self.users: dict[Mount, None] = {}
        self.task: asyncio.Task[None] | None = None


class Watches:
    """All watches; each lasts as long as somebody uses it.

    Args:
        eyes: How upstreams are looked at.
        probe: How often.
        clock: Where time is read.
        on_change: Called with a watch that found something new.
    """

    def __init__(self, eyes: Eyes, *, probe: Probe, clock: Clock, on_change: Callable[[UpstreamWatch], None]) -> None:
        self._eyes = eyes
        self._probe = probe
        self._clock = clock
        self._on_change = on_change
        self._lanes = Lanes()
        self._held: dict[Watched, _Held] = {}
        self._group: asyncio.TaskGroup | None = None

    @property
    def is_running(self) -> bool:
        """Say whether upstreams are looked at by themselves."""
        return self._group is not None

    def use(self, watched: Watched, mount: Mount) -> None:
        """Give `mount` the watch of this upstream, which begins if there is none."""
        held = self._held.get(watched)
        if held is None:
            held = self._held[watched] = _Held(self._make(watched))
            self._begin(held)
        held.users[mount] = None
        mount.watch = held.watch

    def release(self, mount: Mount) -> None:
        """Note that `mount` uses its watch no longer; it ends with its last user."""
        held = self._held[mount.watch.watched]
        del held.users[mount]
        if not held.users:
            del self._held[mount.watch.watched]
            if held.task is not None:
                held.task.cancel()

    def users(self, watch: UpstreamWatch) -> tuple[Mount, ...]:
        """Return who uses this watch; nobody, where it has ended while it looked."""
        held = self._held.get(watch.watched)
        return tuple(held.users) if held is not None and held.watch is watch else _NOBODY

    async def look_once(self) -> None:
        """Look at every upstream now.

        Raises:
            NbgateError: The first that a look raised, when all have looked.
        """
        looks = [held.watch.look_once() for held in self._held.values()]
        for outcome in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Watch in tasks of `group` from now on."""
        self._group = group
        for held in self._held.values():
            self._begin(held)

    def _begin(self, held: _Held) -> None:
        if self._group is not None:
            held.task = self._group.create_task(held.watch.run())

    def _make(self, watched: Watched) -> UpstreamWatch:
        return UpstreamWatch(
            watched,
            self._eyes,
            probe=self._probe,
            clock=self._clock,
            on_change=self._on_change,
            lanes=self._lanes,
        )
