"""Runs the calls of a store on one thread of their own, in order, so that a slow disk never stalls an event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """The one thread on which a state store is used. The queue is bounded by those who wait: each caller awaits."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `call` returns or raises. A caller that is cancelled does not stop a call that has begun."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._pool, lambda: call(*args, **kwargs)))

    def close(self) -> None:
        """Wait for the calls that were made; take no more."""
        self._pool.shutdown(wait=True)
