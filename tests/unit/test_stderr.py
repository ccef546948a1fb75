"""Nobody reads what a gateway says: nothing waits for them, and they are told what they missed."""

import contextlib
import fcntl
import os
import select
import socket
import subprocess
import sys
import termios
import time

import pytest

from nbgate import stderr
from nbgate.stderr import Lossy

LINE = b"x" * 99 + b"\n"
LINES = 20_000  # far more than any of them takes
QUICK_SECONDS = 5.0


@contextlib.contextmanager
def pipe():
    reading, writing = os.pipe()
    yield writing, lambda: os.read(reading, 1 << 20)
    os.close(reading)
    os.close(writing)


@contextlib.contextmanager
def journal():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs.fileno(), lambda: ours.recv(1 << 20)


@contextlib.contextmanager
def terminal():
    ours, theirs = os.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    yield theirs, lambda: os.read(ours, 1 << 20)
    os.close(ours)
    os.close(theirs)


def read_all(read, fd, lossy):
    """Make room, let it say one thing more, and return all that came; the note is before that."""
    got = b""
    while not select.select([], [fd], [], 0)[1]:
        got += read()
    lossy.write(b"end\n")
    while not got.endswith(b"end\n"):
        got += read()
    return got.splitlines(keepends=True)


@pytest.mark.parametrize("kind", [pipe, journal, terminal])
def test_a_reader_who_stops_is_not_waited_for_and_told_what_is_missing(kind):
    with kind() as (fd, read):
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        with Lossy(fd) as lossy:
            begun = time.monotonic()
            assert [len(LINE)] * LINES == [lossy.write(LINE) for _ in range(LINES)]
            assert time.monotonic() - begun < QUICK_SECONDS
            assert flags == fcntl.fcntl(fd, fcntl.F_GETFL), "others who write there would fail"
            *said, end = read_all(read, fd, lossy)
        os.fstat(fd)  # it is still open for others
    assert b"end\n" == end
    notes = [line for line in said if b" lines are missing here: nobody read them\n" in line]
    whole = said.count(LINE)
    assert whole
    assert 1 <= len(notes) <= 2  # a short note may still fit where a line did not
    assert LINES == whole + sum(int(line.split()[1]) for line in notes)
    assert len(said) - whole <= 2 * len(notes)  # a terminal takes a part of a line


def test_what_is_too_long_for_one_piece_is_cut():
    with pipe() as (fd, read):
        with Lossy(fd) as lossy:
            lossy.write(b"y" * 5000 + b"\nnext\n")
        assert b"y" * (select.PIPE_BUF - 1) + b"\nnext\n" == read()


def test_nobody_there_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    with Lossy(writing) as lossy:
        assert [len(LINE)] * 2 == [lossy.write(LINE), lossy.write(LINE)]
    os.close(writing)


def test_a_file_is_appended_to_where_others_write(tmp_path):
    with (tmp_path / "log").open("ab") as file, Lossy(file.fileno()) as lossy:
        os.write(file.fileno(), b"theirs\n")
        lossy.write(b"ours\n")
    assert b"theirs\nours\n" == (tmp_path / "log").read_bytes()


def test_a_terminal_of_somebody_else_is_looked_at_first(monkeypatch):
    def refused(*_args):
        raise PermissionError

    with pipe() as (fd, read):
        monkeypatch.setattr(stderr.os, "open", refused)
        with Lossy(fd) as lossy:
            monkeypatch.undo()
            for _ in range(LINES):
                lossy.write(LINE)
            assert b" lines are missing here: nobody read them\n" in read_all(read, fd, lossy)[-2]
        os.fstat(fd)


SAYS = """
import sys
from nbgate.stderr import never_wait
from nbgate.terminal import say
never_wait()
for _ in range(20000): say("a line of some length, so that the pipe is soon full")
print("done")
"""


def test_a_process_with_a_full_pipe_goes_on():
    with subprocess.Popen([sys.executable, "-c", SAYS], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert b"done\n" == child.stdout.read()
        assert b"a line of some length" in child.stderr.read()
        assert 0 == child.wait()


def test_a_process_without_stderr_says_nothing():
    command = f"{sys.executable} -c 'from nbgate.stderr import never_wait; never_wait(); print(1)' 2>&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert "1\n" == done.stdout
