"""What the keeper does because a message said so, while nobody waits for it: one task each, kept until it is done.

It knows nothing of what is done. A failure of ours is said and nothing more: what failed is tried again by whoever
looks for it anyway (the sweep), or it was for this one time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from nbgate.errors import NbgateError

_log = structlog.get_logger("nbgate.keeper")


class Errands:
    """The tasks under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Do this beside everything else."""
        task = asyncio.get_running_loop().create_task(_guarded(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def done(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks)


async def _guarded(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        await coroutine
    except NbgateError as error:
        _log.error("housekeeping failed", error=error.public, hint=error.hint)
