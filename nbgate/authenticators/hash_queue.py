"""Runs password hashes on a few threads of their own: so many at once, so many waiting, for so long.

Each hash takes 64 MiB and a fifth of a second of a core: without this a flood of logins would take the machine. Knows
no user and no password; what is over its bounds is told so (`LoginBusy`) before anything of it was looked at.
"""

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from nbgate.errors import LoginBusy

P = ParamSpec("P")
T = TypeVar("T")

NICE: Final = 19


class HashQueue:
    """Two lanes, in each of which the first to come is served first; the second waits while anybody is in the first.

    The first lane is for browsers that a person logged in from before: what strangers send neither delays them by more
    than the hashes that are being computed nor takes their places. It cannot starve the second one for long, because
    each browser has a bucket of its own (THREATS 5.2).

    Args:
        at_once: Hashes computed at the same time.
        waiting: Callers of each lane that may wait for their turn; one more gets `LoginBusy` at once.
        wait_seconds: How long a caller waits before it gets `LoginBusy`.
    """

    def __init__(self, *, at_once: int, waiting: int, wait_seconds: float) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="hash", initializer=_be_nice)
        self._free = at_once
        self._first: deque[asyncio.Future[None]] = deque()
        self._second: deque[asyncio.Future[None]] = deque()
        self._max_waiting = waiting
        self._wait_seconds = wait_seconds

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `call` returns or raises, after all others that came before.

        A caller that is cancelled gives its turn back only when its hash, which no one can stop, is done.

        Raises:
            LoginBusy: Too many are waiting, or the wait was too long; `call` was not called.
        """
        return await self._run_in(self._second, lambda: call(*args, **kwargs))

    async def run_first(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the same in the first lane."""
        return await self._run_in(self._first, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Take no more; what is being computed ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run_in(self, lane: deque[asyncio.Future[None]], call: Callable[[], T]) -> T:
        await self._take_turn(lane)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        except RuntimeError:  # it was closed meanwhile
            self._give_turn()
            raise
        future.add_done_callback(lambda _: self._give_turn())
        return await asyncio.shield(future)

    async def _take_turn(self, lane: deque[asyncio.Future[None]]) -> None:
        if self._free:  # nobody waits: a turn that is given back goes to who does
            self._free -= 1
            return
        if len(lane) >= self._max_waiting:
            raise LoginBusy
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.append(turn)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except BaseException as error:
            if turn.cancelled():
                lane.remove(turn)
            else:  # it came in the same moment: others may have it
                self._give_turn()
            if isinstance(error, TimeoutError):
                raise LoginBusy from None
            raise

    def _give_turn(self) -> None:
        for lane in (self._first, self._second):
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1


def _be_nice() -> None:
    """Let everything else of the machine go first; of both, Linux makes the thread's own affair.

    The lowest priority is not enough: what it was given it keeps until the next tick of the clock, some milliseconds in
    which people wait. Hence one processor is left to them, where there is more than one.
    """
    with contextlib.suppress(OSError):  # a seccomp filter that forbids it: the number of threads bounds them anyway
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        processors = os.sched_getaffinity(0)
        if len(processors) > 1:
            os.sched_setaffinity(0, processors - {min(processors)})
