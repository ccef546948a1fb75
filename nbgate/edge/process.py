"""The worker process: take what the supervisor handed down, confine, link, serve, drain.

Everything it does with requests is `nbgate.edge.worker`; here are only the process's own beginnings and ends.
"""

import asyncio
import gc
import os
import secrets
import signal
import socket
from collections.abc import Coroutine
from typing import Any, assert_never

import uvloop

from nbgate.clock import SystemClock
from nbgate.edge.confine import confine_worker
from nbgate.edge.tls import keep_names_out_of_the_log
from nbgate.edge.worker import WorkerCore
from nbgate.errors import ExitCode, LinkError, StartError
from nbgate.link.channel import open_link
from nbgate.link.control import ControlLink
from nbgate.link.messages import (
    MAX_TO_WORKER_BYTES,
    DrainAsked,
    LinkKeeper,
    ListenHere,
    ToWorker,
    ToWorkerFromSupervisor,
    WorkerReady,
)
from nbgate.log import configure_log
from nbgate.terminal import print_error


class WorkerProcess:
    """Connects a `WorkerCore` with its two links and the process's signals."""

    def __init__(self, control: socket.socket, listening: list[socket.socket], http_port: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._arriving: list[socket.socket] = []
        confinement = confine_worker()
        self._core = WorkerCore(
            loop=self._loop,
            clock=SystemClock(),
            listening=listening,
            http_port=http_port,
            boot=secrets.token_hex(8),
            random_bytes=os.urandom,
            confinement=confinement,
            pid=os.getpid(),
            ready=self._tell_ready,
        )
        self._control: ControlLink[ToWorkerFromSupervisor] = ControlLink(
            control, receives=ToWorkerFromSupervisor, on_message=self._take, on_lost=self._supervisor_lost
        )

    async def run(self) -> int:
        """Serve until told to drain; return the exit code."""
        return await self._ended

    def _tell_ready(self) -> None:
        gc.collect()
        gc.freeze()  # what is here now stays: no collection needs to look at it again
        self._control.send(WorkerReady())

    def _take(self, message: ToWorkerFromSupervisor, descriptor: int | None) -> None:
        match message:
            case LinkKeeper():
                assert descriptor is not None  # noqa: S101 - the control link refuses the message without it
                self._spawn(self._link(socket.socket(fileno=descriptor)))
            case ListenHere(is_last=is_last):
                assert descriptor is not None  # noqa: S101 - the same
                self._arriving.append(socket.socket(fileno=descriptor))
                if is_last:
                    self._core.listen_on(self._arriving)
                    self._arriving = []
            case DrainAsked(deadline_seconds=seconds):
                self._spawn(self._drain(seconds))
            case _:
                assert_never(message)

    async def _link(self, sock: socket.socket) -> None:
        link = await open_link(
            sock,
            receives=ToWorker,
            max_bytes=MAX_TO_WORKER_BYTES,
            on_message=self._core.take,
            on_lost=lambda _cause: self._core.link_lost(),
        )
        self._core.linked(link)

    async def _drain(self, seconds: float) -> None:
        await self._core.drain(seconds)
        self._end(ExitCode.DONE)

    def _supervisor_lost(self, _cause: LinkError | None) -> None:
        self._end(ExitCode.FAILURE)

    def _end(self, code: ExitCode) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def run_worker(control_fd: int, listen_fds: tuple[int, ...], http_port: int = 0) -> int:
    """Be a worker until the supervisor says otherwise; return the exit code.

    Args:
        control_fd: Our end of the control link.
        listen_fds: Sockets that are bound, and listening once the keeper is ready.
        http_port: Those of them on which plain HTTP is spoken; 0 for none.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C reaches the whole group; the supervisor drains us
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    listening = [socket.socket(fileno=fd) for fd in listen_fds]

    async def serve() -> int:
        return await WorkerProcess(control, listening, http_port).run()

    gc.set_threshold(50_000, 20, 50)  # requests make no cycles; the default looks 70 times as often
    configure_log("info")
    keep_names_out_of_the_log()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve())
    except StartError as error:
        control.close()
        print_error(error)
        return error.exit_code
