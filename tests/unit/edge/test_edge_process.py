"""The worker process: its links, its signals, its end; in this process, and once as a real child."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import nbgate
from nbgate.edge import process as module
from nbgate.edge.process import WorkerProcess, run_worker
from nbgate.errors import ExitCode, StartError
from nbgate.link.channel import open_link
from nbgate.link.descriptors import ControlSocket
from nbgate.link.messages import (
    MAX_TO_KEEPER_BYTES,
    DrainAsked,
    LinkKeeper,
    ListenHere,
    Snapshot,
    ToKeeper,
    ToSupervisor,
    WorkerHello,
    WorkerReady,
)
from nbgate.testing.edge_rig import EdgeRig
from nbgate.testing.raw_client import RawClient


@pytest.fixture
def confined(monkeypatch):
    """Leave out what could not be undone."""
    monkeypatch.setattr(module, "confine_worker", lambda: ("none, this is a test",))
    monkeypatch.setattr(module.gc, "freeze", lambda: None)


@pytest.fixture
def snapshot():
    rig = EdgeRig(1)
    rig._loop.close()
    return rig.snapshot()


class Keeper:
    """The keeper's end of one link: answers the greeting with a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.hello: list[WorkerHello] = []
        self.link = None

    async def connect(self) -> int:
        """Return the worker's end of a new link."""
        ours, theirs = socket.socketpair()
        self.link = await open_link(
            ours, receives=ToKeeper, max_bytes=MAX_TO_KEEPER_BYTES, on_message=self.take, on_lost=lambda _cause: None
        )
        return theirs.detach()

    def take(self, message):
        if isinstance(message, WorkerHello):
            self.hello.append(message)
            self.link.send(self.snapshot)


async def receive(supervisor):
    """Return the next messages on the control link."""
    async with asyncio.timeout(10):
        while not (pairs := supervisor.receive()) and not supervisor.ended:
            await asyncio.sleep(0.005)
    return [message for message, _ in pairs]


async def test_a_worker_is_ready_when_it_has_its_snapshot_and_ends_when_drained(confined, snapshot):
    ours, theirs = socket.socketpair()
    supervisor = ControlSocket(ours, ToSupervisor)
    worker = WorkerProcess(theirs, [socket.create_server(("127.0.0.1", 0))])
    running = asyncio.ensure_future(worker.run())
    keeper = Keeper(snapshot)
    supervisor.send(LinkKeeper(), await keeper.connect())
    assert [WorkerReady()] == await receive(supervisor)
    assert os.getpid() == keeper.hello[0].pid
    assert ("none, this is a test",) == keeper.hello[0].confinement
    supervisor.send(LinkKeeper(), await keeper.connect())  # a new keeper
    async with asyncio.timeout(10):
        while len(keeper.hello) < 2:
            await asyncio.sleep(0.005)
    assert keeper.hello[0].boot == keeper.hello[1].boot
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for number, listening in enumerate(sockets, 1):
        supervisor.send(ListenHere(is_last=number == 2), os.dup(listening.fileno()))
    for listening in sockets:
        assert 400 == await asyncio.to_thread(plain_status, listening.getsockname()[1])
        listening.close()
    supervisor.send(DrainAsked(deadline_seconds=0.2))
    supervisor.send(DrainAsked(deadline_seconds=0.2))
    assert ExitCode.DONE == await asyncio.wait_for(running, 10)
    worker._control.close()
    supervisor.close()
    keeper.link.close()
    await asyncio.sleep(0.01)


async def test_a_worker_without_a_supervisor_ends_as_failed(confined):
    ours, theirs = socket.socketpair()
    worker = WorkerProcess(theirs, [])
    ours.close()
    assert ExitCode.FAILURE == await asyncio.wait_for(worker.run(), 10)


@pytest.fixture
def signals(monkeypatch):
    """Put back what `run_worker` changes in its own process."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    monkeypatch.setattr(module.gc, "set_threshold", lambda *_args: None)
    monkeypatch.setattr(module, "configure_log", lambda _level: None)
    monkeypatch.setattr(module, "keep_names_out_of_the_log", lambda: None)
    yield kept
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_run_worker_ignores_the_signals_of_the_group_and_gives_the_exit_code(confined, signals):
    ours, theirs = socket.socketpair()
    ours.close()
    assert ExitCode.FAILURE == run_worker(theirs.detach(), ())
    assert [signal.SIG_IGN] * 2 == [signal.getsignal(number) for number in signals]


def test_a_worker_that_cannot_be_confined_does_not_start_and_says_why(signals, monkeypatch, capsys):
    def refused():
        raise StartError("this kernel does not confine", hint="take another", exit_code=ExitCode.PERMISSION)

    monkeypatch.setattr(module, "confine_worker", refused)
    ours, theirs = socket.socketpair()
    with ours:
        assert ExitCode.PERMISSION == run_worker(theirs.detach(), ())
    assert "this kernel does not confine" in capsys.readouterr().err


async def test_a_real_child_is_confined_serves_and_drains(snapshot):
    ours, theirs = socket.socketpair()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "nbgate.app", "worker", "--control-fd", str(theirs.fileno()),
         "--listen-fds", str(listening.fileno()), "--id", "0"],
        pass_fds=(theirs.fileno(), listening.fileno()),
        env={**os.environ, "PYTHONPATH": str(Path(nbgate.__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    ) as child:  # fmt: skip
        theirs.close()
        listening.close()
        supervisor, keeper = ControlSocket(ours, ToSupervisor), Keeper(snapshot)
        supervisor.send(LinkKeeper(), await keeper.connect())
        try:
            assert [WorkerReady()] == await receive(supervisor)
            assert "no_new_privs" in keeper.hello[0].confinement
            assert 400 == await asyncio.to_thread(plain_status, port)
            child.send_signal(signal.SIGINT)
            child.send_signal(signal.SIGHUP)
            supervisor.send(DrainAsked(deadline_seconds=0.5))
            assert ExitCode.DONE == await asyncio.to_thread(child.wait, 10)
        finally:
            child.kill()
    supervisor.close()
    keeper.link.close()
    await asyncio.sleep(0.01)


def plain_status(port):
    """Return the status of plain HTTP on the TLS port: enough to see that somebody accepts."""
    with RawClient(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n")
        return client.read_answer().status
