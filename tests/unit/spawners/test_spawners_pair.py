"""A server and the gateway in front of it begin in order and end together."""

import os
import signal
import sys
from collections import deque
from selectors import DefaultSelector

import pytest

from nbgate.clock import ManualClock
from nbgate.errors import ExitCode, StartError
from nbgate.spawners import pair as pair_room
from nbgate.spawners.output import ServerOutput
from nbgate.spawners.pair import END_GRACE_SECONDS, KILL_SECONDS, START_SECONDS, Pair, how_ended
from nbgate.spawners.process import start_process
from nbgate.testing.process import is_running
from nbgate.testing.wait import wait_until

# The first word of its life is on its output; then it does what a test says, on SIGTERM too.
SERVER = """
import os, signal, sys, time
{on_start}
signal.signal(signal.SIGTERM, lambda *_: {on_term})
print("serving", flush=True)
while True:
    time.sleep(60)
"""
GRACEFUL, STUBBORN = "sys.exit(0)", "None"
GATEWAY = """
import os, signal, sys, time
def heard(number, frame):
    with open(os.environ["HEARD"], "a") as file:
        file.write(signal.Signals(number).name + "\\n")
    {on_signal}
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, heard)
open(os.environ["HEARD"], "w").close()
while True:
    time.sleep(60)
"""
DRAINS = GATEWAY.format(on_signal="number == signal.SIGHUP or sys.exit(0)")
ENDS_AT_ONCE = GATEWAY.format(on_signal="sys.exit(130)")


class Queue:
    """Signals that the test puts in."""

    def __init__(self):
        self._read, self._write = os.pipe2(os.O_NONBLOCK)
        self._waiting = deque()

    def put(self, number):
        self._waiting.append(number)
        os.write(self._write, b"x")

    def fileno(self):
        return self._read

    def take(self):
        os.read(self._read, 4096)
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def close(self):
        os.close(self._read)
        os.close(self._write)


class Scene:
    """A server that runs, and what happens to it when the pair looks."""

    def __init__(self, tmp_path):
        self.queue, self.clock = Queue(), ManualClock()
        self.told, self.heard = [], tmp_path / "heard"
        self.is_terminal_gone = False
        self._log = tmp_path / "log"
        self.server = self.gateway = None

    def run(self, on_term=GRACEFUL, on_start="", answers=None, gateway=DRAINS):
        pair = self.start(on_term, on_start)
        try:
            return pair.run(answers or self.serves, lambda: self._start_gateway(gateway))
        finally:
            was_gone = self.server.is_gone()
            pair.close()
            assert was_gone

    def start(self, on_term=GRACEFUL, on_start=""):
        code = SERVER.format(on_term=on_term, on_start=on_start)
        self.server = start_process([sys.executable, "-c", code], os.environ, keep_output=True)
        return Pair(
            self.server,
            ServerOutput(self._log, "5ecret"),
            self.queue,
            name="jupyter lab",
            hint="see the log",
            say=self.told.append,
            is_terminal_gone=lambda: self.is_terminal_gone,
            clock=self.clock,
        )

    def serves(self):
        return "serving" in self._log.read_text()

    def was_asked_to_end(self):
        return "asked" in self._log.read_text()

    def is_up(self):
        return self.heard.exists()

    def _start_gateway(self, code):
        environ = {**os.environ, "HEARD": str(self.heard)}
        self.gateway = start_process([sys.executable, "-c", code], environ)
        return self.gateway


@pytest.fixture
def scene(tmp_path, monkeypatch):
    monkeypatch.setattr(pair_room, "LOOK_SECONDS", 0.005)
    scene = Scene(tmp_path)
    yield scene
    scene.queue.close()


@pytest.fixture
def happening(monkeypatch):
    """Do something once, as soon as something `happened`: looked at whenever the pair waits."""

    def happening(happened, do):
        class Looking(DefaultSelector):
            is_done = False

            def select(self, timeout=None):
                if not self.is_done and happened():
                    self.is_done = True
                    do()
                return super().select(0.02 if timeout is None else timeout)

        monkeypatch.setattr(pair_room.selectors, "DefaultSelector", Looking)

    return happening


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_gateway_and_then_the_server(scene, happening, number):
    happening(scene.is_up, lambda: scene.queue.put(number))
    assert ExitCode.DONE == scene.run()
    assert f"{number.name}\n" == scene.heard.read_text()
    assert (0, []) == (scene.server.status, scene.told)


def test_a_hangup_is_passed_on_and_ends_nothing(scene, happening):
    def reload():
        scene.queue.put(signal.SIGHUP)
        scene.queue.put(signal.SIGTERM)

    happening(scene.is_up, reload)
    assert ExitCode.DONE == scene.run()
    assert ["SIGHUP", "SIGTERM"] == sorted(scene.heard.read_text().split())


def test_a_hangup_without_a_terminal_any_more_is_the_end(scene, happening):
    scene.is_terminal_gone = True
    happening(scene.is_up, lambda: scene.queue.put(signal.SIGHUP))
    assert ExitCode.DONE == scene.run()
    assert "SIGTERM\n" == scene.heard.read_text()


def test_the_second_signal_ends_a_stubborn_server_at_once(scene, happening):
    def insist():
        scene.queue.put(signal.SIGINT)
        scene.queue.put(signal.SIGINT)

    happening(scene.is_up, insist)
    code = scene.run(on_term=STUBBORN, gateway=ENDS_AT_ONCE)
    assert ExitCode.INTERRUPTED == code
    assert 128 + signal.SIGKILL == scene.server.status


def test_a_server_that_does_not_end_is_killed_after_its_grace(scene, happening):
    happening(scene.was_asked_to_end, lambda: scene.clock.advance(END_GRACE_SECONDS + 0.1))
    assert ExitCode.DONE == scene.run(on_term="print('asked', flush=True)", gateway="raise SystemExit(0)")
    assert 128 + signal.SIGKILL == scene.server.status


def test_whoever_cannot_even_be_killed_is_not_waited_for_for_ever(scene, happening, monkeypatch):
    happening(scene.was_asked_to_end, lambda: scene.clock.advance(END_GRACE_SECONDS + KILL_SECONDS + 0.1))
    pair = scene.start(on_term="print('asked', flush=True)")
    kill = scene.server.kill
    monkeypatch.setattr(scene.server, "kill", lambda: None)  # as in an uninterruptible sleep
    assert ExitCode.FAILURE == pair.run(scene.serves, lambda: scene._start_gateway("raise SystemExit(1)"))
    monkeypatch.setattr(scene.server, "kill", kill)
    pair.close()
    wait_until(scene.server.is_gone, what="the end of the server")


def test_a_server_that_was_shut_down_ends_the_gateway_too(scene, happening):
    happening(scene.is_up, lambda: os.kill(scene.server.pid, signal.SIGTERM))
    assert ExitCode.DONE == scene.run()
    assert ["nbgate: jupyter lab ended; the gateway ends too"] == scene.told
    assert "SIGTERM\n" == scene.heard.read_text()


def test_a_server_that_was_lost_is_told_with_its_last_words(scene, happening):
    happening(scene.is_up, lambda: os.kill(scene.server.pid, signal.SIGKILL))
    assert ExitCode.UNAVAILABLE == scene.run()
    killed = "nbgate: jupyter lab was ended by signal 9 (Killed); the gateway ends too"
    assert ["nbgate: the last lines of jupyter lab:", "  | serving", killed, "  hint: see the log"] == scene.told


@pytest.mark.parametrize("code", [ExitCode.TRY_AGAIN, ExitCode.CONFIGURATION])
def test_a_gateway_that_cannot_serve_takes_the_server_with_it_and_its_code_is_ours(scene, code):
    assert code == scene.run(gateway=f"raise SystemExit({int(code)})")
    assert (0, []) == (scene.server.status, scene.told)


def test_a_gateway_that_is_killed_takes_the_server_with_it(scene, happening):
    happening(scene.is_up, lambda: os.kill(scene.gateway.pid, signal.SIGKILL))
    assert ExitCode.FAILURE == scene.run()
    assert ["nbgate: the gateway was ended by signal 9 (Killed); jupyter lab ends too"] == scene.told
    assert not is_running(scene.server.pid)


def test_a_server_that_ends_before_it_answers_is_told_with_its_last_words(scene):
    with pytest.raises(StartError) as refused:
        scene.run(on_start="print('no 5ecret here'); sys.exit(3)", answers=lambda: False)
    assert "jupyter lab ended with exit code 3 before it answered" == refused.value.public
    assert ("see the log", ExitCode.UNAVAILABLE) == (refused.value.hint, refused.value.exit_code)
    assert ["nbgate: the last lines of jupyter lab:", "  | no (token) here"] == scene.told
    assert scene.gateway is None


def test_a_server_that_never_answers_has_a_deadline(scene, happening):
    happening(scene.serves, lambda: scene.clock.advance(START_SECONDS + 0.1))
    with pytest.raises(StartError, match="jupyter lab did not answer within 120 s") as refused:
        scene.run(answers=lambda: False)
    assert ExitCode.UNAVAILABLE == refused.value.exit_code
    assert 0 == scene.server.status
    assert scene.gateway is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.DONE)])
def test_a_signal_before_it_answers_ends_it_and_starts_nothing(scene, happening, number, code):
    happening(scene.serves, lambda: (scene.queue.put(signal.SIGHUP), scene.queue.put(number)))
    assert code == scene.run(answers=lambda: False)
    assert (0, None, []) == (scene.server.status, scene.gateway, scene.told)


@pytest.mark.parametrize(
    ("status", "said"), [(0, "ended"), (3, "ended with exit code 3"), (143, "was ended by signal 15 (Terminated)")]
)
def test_an_end_is_told_in_words(status, said):
    assert said == how_ended(status)
