"""The keeper's links to the workers: who is linked, what goes to all of them, and when a revocation is done.

It knows neither users nor stores, and drops no message: a worker that cannot take one, or has not closed what hangs on
an ended session in time, is replaced by the supervisor.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from nbgate.errors import LinkError
from nbgate.link.messages import Message, SessionsRevoked, WorkerHello, WorkerStatus
from nbgate.reasons import Reason

ACK_SECONDS = 0.7


class WorkerLink(Protocol):
    """What the keeper needs of a link; `send` raises LinkError when the worker does not read or is gone."""

    def send(self, message: Message) -> None:
        """Send `message`."""
        ...

    def close(self) -> None:
        """End the link without a call back."""
        ...


class Worker:
    """One linked worker and what it last said about itself.

    `is_new` says that its process has just been started: until it says hello it holds nothing, and accepts nothing.
    `channels` is how many notebooks, consoles and terminals each session has open there.
    """

    def __init__(self, worker_id: int, pid: int, link: WorkerLink, *, is_new: bool) -> None:
        self.id = worker_id
        self.pid = pid
        self.link = link
        self.is_new = is_new
        self.hello: WorkerHello | None = None
        self.status: WorkerStatus | None = None
        self.channels: dict[bytes, int] = {}
        self.pending: dict[int, asyncio.Event] = {}

    @property
    def may_hold_sessions(self) -> bool:
        """True unless it is still starting: then its snapshot, and what was sent after it, come before any client."""
        return self.hello is not None or not self.is_new

    def acknowledge(self, ack: int) -> None:
        """Note that everything of revocation `ack` is closed; an unknown number says nothing."""
        done = self.pending.pop(ack, None)
        if done is not None:
            done.set()

    def forget(self) -> None:
        """Wait for nothing from this worker any more: its process is gone or was given up."""
        for done in self.pending.values():
            done.set()
        self.pending.clear()


class Workers:
    """All linked workers.

    Args:
        kill: Called as `kill(worker_id, pid, reason)` for a worker that must be replaced.
        ack_seconds: How long a worker may take to acknowledge a revocation.
    """

    def __init__(self, kill: Callable[[int, int, Reason], None], *, ack_seconds: float = ACK_SECONDS) -> None:
        self._kill = kill
        self._ack_seconds = ack_seconds
        self._workers: dict[int, Worker] = {}
        self._last_ack = 0

    def attach(self, worker_id: int, pid: int, link: WorkerLink, *, is_new: bool = False) -> Worker:
        """Take a new link; an older one of the same worker is void."""
        older = self._workers.pop(worker_id, None)
        if older is not None:
            older.link.close()
            older.forget()
        worker = self._workers[worker_id] = Worker(worker_id, pid, link, is_new=is_new)
        return worker

    def lost(self, worker: Worker) -> None:
        """Note that the link of `worker` is over; a worker that cannot be reached is replaced."""
        if self._workers.get(worker.id) is worker:
            self._give_up(worker, Reason.LINK_OVERFLOW)

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers.values()))

    def __len__(self) -> int:
        return len(self._workers)

    def channels(self, session_id: bytes) -> int:
        """Return how many notebooks, consoles and terminals the session has open in all workers."""
        return sum(worker.channels.get(session_id, 0) for worker in self)

    def send(self, worker: Worker, message: Message) -> None:
        """Send `message` to one worker, or have it replaced."""
        try:
            worker.link.send(message)
        except LinkError:
            self._give_up(worker, Reason.LINK_OVERFLOW)

    def broadcast(self, message: Message) -> None:
        """Send `message` to every worker."""
        for worker in tuple(self._workers.values()):
            self.send(worker, message)

    async def revoke(self, ids: tuple[bytes, ...], generation: int, reason: Reason) -> None:
        """Tell every worker that these sessions are over; return when nothing hangs on them any more.

        A worker that has not acknowledged in time is given up: its process, and all it holds open, ends. One that is
        still starting is told, and not waited for.
        """
        self._last_ack += 1
        message = SessionsRevoked(ack=self._last_ack, ids=ids, generation=generation, reason=reason.value)
        waiting: list[tuple[Worker, asyncio.Event]] = []
        for worker in tuple(self._workers.values()):
            if worker.may_hold_sessions:
                done = worker.pending[message.ack] = asyncio.Event()
                waiting.append((worker, done))
            self.send(worker, message)
        try:
            async with asyncio.timeout(self._ack_seconds):
                for _, done in waiting:
                    await done.wait()
        except TimeoutError:
            for worker, done in waiting:
                if not done.is_set():
                    self._give_up(worker, Reason.SLOW_REVOCATION)

    def close(self) -> None:
        """End every link; the workers go on with what they know."""
        for worker in self._workers.values():
            worker.link.close()
            worker.forget()
        self._workers.clear()

    def _give_up(self, worker: Worker, reason: Reason) -> None:
        if self._workers.get(worker.id) is worker:
            del self._workers[worker.id]
        worker.link.close()
        worker.forget()
        self._kill(worker.id, worker.pid, reason)
