"""Runs password hashes on a few threads of their own: so many at once, so many waiting, for so long.

Each hash takes 64 MiB and a fifth of a second of a core: without this a flood of logins would take the machine. Knows
no user and no password; what is over its bounds is told so (`LoginBusy`) before anything of it was looked at.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from nbgate.errors import LoginBusy

P = ParamSpec("P")
T = TypeVar("T")


class HashQueue:
    """First come, first served.

    Args:
        at_once: Hashes computed at the same time.
        waiting: Callers that may wait for their turn; one more gets `LoginBusy` at once.
        wait_seconds: How long a caller waits before it gets `LoginBusy`.
    """

    def __init__(self, *, at_once: int, waiting: int, wait_seconds: float) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="hash")
        self._turns = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._max_waiting = waiting
        self._wait_seconds = wait_seconds

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `call` returns or raises.

        A caller that is cancelled gives its turn back only when its hash, which no one can stop, is done.

        Raises:
            LoginBusy: Too many are waiting, or the wait was too long; `call` was not called.
        """
        await self._take_turn()
        future = asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))
        future.add_done_callback(lambda _: self._turns.release())
        return await asyncio.shield(future)

    def close(self) -> None:
        """Take no more; what is being computed ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _take_turn(self) -> None:
        if self._turns.locked() and self._waiting >= self._max_waiting:
            raise LoginBusy
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise LoginBusy from None
        finally:
            self._waiting -= 1
