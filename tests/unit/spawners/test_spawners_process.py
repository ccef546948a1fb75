"""Processes that die with us, and are ended with all that they started."""

import os
import select
import signal
import subprocess
import sys

import pytest

from nbgate.errors import ExitCode, StartError
from nbgate.spawners import process as process_room
from nbgate.spawners.process import family_of, session_of, start_process
from nbgate.testing.process import is_running, kill_quietly
from nbgate.testing.wait import wait_until

# Prints its own id and those of a child in its session and of one in a session of its own; ignores SIGTERM.
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = [sys.executable, "-c", "import signal, time; signal.signal(15, 1); print('up', flush=True); time.sleep(60)"]
near = subprocess.Popen(sleep, stdout=subprocess.PIPE)
far = subprocess.Popen(sleep, stdout=subprocess.PIPE, start_new_session=True)
near.stdout.readline(), far.stdout.readline()
print(os.getpid(), near.pid, far.pid, flush=True)
time.sleep(60)
"""
PARENT = """
import os, sys, time
from nbgate.spawners.process import start_process
child = start_process([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"], os.environ)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start():
    started = []

    def start(code, environ=None, **options):
        started.append(start_process([sys.executable, "-c", code], environ or os.environ, **options))
        return started[-1]

    yield start
    for process in started:
        for pid in family_of(process.pid):
            kill_quietly(pid)
        wait_until(lambda process=process: process.status is not None, what="its end")
        process.close()


def read_line(process):
    text = b""
    while not text.endswith(b"\n"):
        assert select.select([process.output], [], [], 20)[0], text
        text += process.output.read() or b""
    return text.decode().strip()


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(0)", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_its_end_is_seen_on_the_descriptor_and_told_as_shells_do(start, code, status):
    process = start(code)
    assert select.select([process.pidfd], [], [], 20)[0]
    assert status == process.status
    process.send(signal.SIGTERM)
    process.ask_to_end()
    process.kill()
    assert process.is_gone()


def test_it_leads_a_session_has_no_input_and_prints_to_us(start):
    process = start(
        "import os, sys; print(os.getsid(0), sys.stdin.read()); print('!', file=sys.stderr)", keep_output=True
    )
    said = read_line(process)
    assert str(process.pid) == said.split()[0]
    wait_until(lambda: process.status is not None, what="its end")
    assert 0 == process.status


def test_it_has_the_environment_it_is_given_and_no_other(start):
    process = start("import os; print(sorted(os.environ))", {"LC_ALL": "C"}, keep_output=True)
    assert "['LC_ALL']" == read_line(process)


def test_killing_ends_whoever_it_started_in_whatever_session(start):
    process = start(FAMILY, keep_output=True)
    pid, near, far = map(int, read_line(process).split())
    assert [pid, near] == sorted(session_of(pid))
    assert {pid, near, far} == set(family_of(pid))
    process.ask_to_end()
    assert not process.is_gone()
    process.kill()
    wait_until(process.is_gone, what="the end of its session")
    wait_until(lambda: not is_running(far), what="the end of the other session")


def test_asking_reaches_what_a_wrapper_started(start):
    process = start("import subprocess, sys; subprocess.run(['sleep', '60'])")
    wait_until(lambda: len(session_of(process.pid)) > 1, what="the wrapped program")
    process.ask_to_end()
    wait_until(process.is_gone, what="the end of both")


def test_it_does_not_outlive_us():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        said = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        (child,) = (int(word) for word in said if word != "up")
        assert is_running(child)
        parent.kill()
    wait_until(lambda: not is_running(child), what="the child's end")


def test_one_that_has_ended_by_itself_needs_no_killing(start, monkeypatch):
    process = start("pass")
    wait_until(lambda: process.status is not None, what="its end")
    monkeypatch.setattr(process_room, "family_of", lambda pid: [pid])
    process.kill()
    assert process.is_gone()


def test_a_program_that_cannot_be_started_is_told_with_a_hint(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/python\n")
    broken.chmod(0o755)
    with pytest.raises(StartError, match=r"cannot start .*broken: no such file") as refused:
        start_process([str(broken)], os.environ)
    assert ExitCode.UNAVAILABLE == refused.value.exit_code
    assert refused.value.hint
