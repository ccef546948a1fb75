"""Programs are started, listened to, and ended by their id."""

import os
import sys

import pytest

from nbgate.testing.process import Program, descendants, is_running, kill_quietly
from nbgate.testing.wait import wait_until

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
PARENT = "import subprocess, sys; print('up', flush=True); subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"


def python(tmp_path, code, **environment):
    return Program([sys.executable, "-c", code], tmp_path / "log", environment)


def test_what_it_says_is_found_and_kept(tmp_path):
    program = python(tmp_path, "import os; print('port', os.environ['PORT'])", PORT="17")
    program.start()
    assert "17" == program.wait_for_line(r"port (\d+)")[1]
    wait_until(lambda: program.process is not None and program.process.poll() is not None, what="its own end")
    assert 0 == program.end()
    assert "port 17\n" == program.said()


def test_an_early_end_is_told_with_its_last_words(tmp_path):
    program = python(tmp_path, "raise SystemExit('no such thing')")
    program.start()
    with pytest.raises(RuntimeError, match="no such thing"):
        program.wait_for_line("never")


def test_one_that_does_not_end_is_killed(tmp_path):
    program = python(tmp_path, STUBBORN)
    program.start()
    program.wait_for_line("ready")
    assert -9 == program.end(deadline_seconds=0.1)


def test_descendants_are_found(tmp_path):
    program = Program(
        [sys.executable, "-c", PARENT.replace("'input()'", "'import time; time.sleep(60)'")], tmp_path / "log"
    )
    program.start()
    try:
        family = wait_until(lambda: (found := descendants(program.pid))[1:] and found, what="the child")
        assert program.pid == family[0]
        assert 2 == len(family)
        assert is_running(family[1])
    finally:
        for pid in descendants(program.pid)[1:]:
            kill_quietly(pid)
        program.end()


def test_killing_what_has_ended_is_no_error(tmp_path):
    program = python(tmp_path, "")
    program.start()
    program.wait()
    kill_quietly(program.pid)
    assert not is_running(program.pid)


def test_a_program_that_was_not_started_has_no_id(tmp_path):
    program = python(tmp_path, "")
    with pytest.raises(RuntimeError):
        _ = program.pid
    assert 0 == program.end()
    assert os.getpid() in descendants(os.getpid())
