"""A supervisor whose children are small scripts that write down what they hear."""

import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nbgate.supervisor.family import Plan
from nbgate.supervisor.loop import Supervisor
from nbgate.supervisor.signals import queued_signals
from nbgate.supervisor.sockets import bind_sockets

CHILD = """
import os, select, signal, socket, sys, threading
from nbgate.link.descriptors import ControlSocket
from nbgate.link.messages import *
role = sys.argv[1]
replaces = "--replaces" in sys.argv
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
name = role + options.get("--id", "")
receives = ToKeeperFromSupervisor if role == "keeper" else ToWorkerFromSupervisor
control = ControlSocket(socket.socket(fileno=int(options["--control-fd"])), receives)
log = os.open(os.environ["LOG"], os.O_WRONLY | os.O_APPEND)

def say(text):
    os.write(log, f"{name} {text}\\n".encode())

def heard():
    while not control.ended:
        select.select([control], [], [])
        for message, descriptor in control.receive():
            say(message)
            yield message, descriptor

def forever():
    while True:
        signal.pause()

say("start")
if replaces:
    say("replaces")
exec(os.environ[role.upper()])
say("end")
"""

KEEPER = """
links = {}
control.send(KeeperReady(users=1))
for message, descriptor in heard():
    if isinstance(message, LinkWorker):
        link = socket.socket(fileno=descriptor)
        link.send(b"to %d" % message.worker)
        links[message.worker] = link
    if isinstance(message, DrainAsked):
        break
"""

WORKER = """
for message, descriptor in heard():
    if isinstance(message, LinkKeeper):
        link = socket.socket(fileno=descriptor)
        control.send(WorkerReady())
        threading.Thread(target=lambda link=link: say(f"linked {link.recv(100)}"), daemon=True).start()
    if isinstance(message, DrainAsked):
        break
"""


class Harness:
    """Drives a supervisor step by step in this process until something has happened."""

    def __init__(
        self,
        tmp_path,
        *,
        keeper: str = KEEPER,
        worker: str = WORKER,
        workers=1,
        ip="127.0.0.1",
        http_port=0,
        base_url="/",
    ) -> None:
        self._log = tmp_path / "log"
        self._log.touch()
        self.said: list[str] = []
        plan = Plan(
            program=(sys.executable, "-c", CHILD),
            source_json='{"config":"{control}"}',
            environ={
                **os.environ,
                "LOG": str(self._log),
                "KEEPER": textwrap.dedent(keeper),
                "WORKER": textwrap.dedent(worker),
                "PYTHONPATH": str(Path.cwd()),
            },
            workers=workers,
            ip=ip,
            http_port=http_port,
            base_url=base_url,
            drain_seconds=20.0,
        )
        self.sockets = bind_sockets(ip, 0)
        self.port = self.sockets[0].getsockname()[1]
        self.notified: list[str] = []
        self.opened: list[str] = []
        self.supervisor = Supervisor(
            plan, self.sockets, say=self.said.append, notify=self.notified.append, on_listening=self.opened.append
        )
        self.family = self.supervisor.family

    @property
    def log(self) -> list[str]:
        return self._log.read_text().splitlines()

    def count(self, text: str) -> int:
        return sum(text in line for line in self.log)

    def until(self, condition) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, (self.log, self.said)
            assert not self.supervisor.is_over, (self.log, self.said)
            self.supervisor.step(0.02)

    def until_said(self, text: str, times: int = 1) -> None:
        self.until(lambda: sum(text in line for line in self.said) >= times)

    def until_logged(self, text: str, times: int = 1) -> None:
        self.until(lambda: self.count(text) >= times)

    def until_over(self) -> int:
        deadline = time.monotonic() + 20
        while not self.supervisor.is_over:
            assert time.monotonic() < deadline, (self.log, self.said)
            self.supervisor.step(0.02)
        return self.supervisor.exit_code

    def pid(self, slot) -> int:
        assert slot.child is not None
        return slot.child.pid

    def kill(self, slot) -> int:
        pid = self.pid(slot)
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: slot.child is None or slot.child.pid != pid)
        return pid

    def signal(self, number: int) -> None:
        os.kill(os.getpid(), number)


@pytest.fixture
def supervise(tmp_path):
    made: list[Harness] = []
    with queued_signals() as queue:

        def make(**options) -> Harness:
            harness = Harness(tmp_path, **options)
            harness.supervisor.watch(queue)
            made.append(harness)
            return harness

        yield make
        for harness in made:
            harness.supervisor.close()
