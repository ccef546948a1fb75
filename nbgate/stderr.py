"""Standard error of a process that serves: a line for which nobody makes room is lost and counted, never waited for.

A full pipe, a terminal that was stopped, a journal that hangs must not stop a gateway. Says how many lines are missing
as soon as there is room again. Judges no text, and never changes the descriptor it was given: other programs share it.
"""

import io
import os
import select
import socket
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDERR: Final = 2
_OWN: Final = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def never_wait() -> None:
    """Let whatever this process says from now on be lost rather than waited for; without a stderr all of it is."""
    if sys.stderr is not None:
        lossy = Lossy(STDERR)
        sys.stderr = io.TextIOWrapper(lossy, encoding="utf-8", errors="backslashreplace", line_buffering=True)


class Lossy(io.RawIOBase):
    """Writes whole lines to `fd`; a longer one than a pipe takes at once (`PIPE_BUF`) is cut."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._put, self._let_go = _open(fd)
        self._lost = 0
        self._is_inside_line = False

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def close(self) -> None:
        """Close what is ours; `fd` stays open."""
        if not self.closed:
            self._let_go()
        super().close()

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write what there is room for; it counts as written in any case."""
        whole = bytes(data)
        for line in whole.splitlines(keepends=True):
            if not self._lost or self._confess():
                self._write_line(line if len(line) <= select.PIPE_BUF else line[: select.PIPE_BUF - 1] + b"\n")
            else:
                self._lost += 1
        return len(whole)

    def _confess(self) -> bool:
        missing, self._lost = self._lost, 0
        note = b"nbgate: %d lines are missing here: nobody read them\n" % missing
        self._write_line(b"\n" + note if self._is_inside_line else note)
        if self._lost:
            self._lost = missing
        return not self._lost

    def _write_line(self, line: bytes) -> None:
        try:
            written = self._put(line)
        except OSError:  # no room, nobody there, or the disk is full
            written = 0
        if written:
            self._is_inside_line = line[written - 1 : written] != b"\n"
        if written < len(line):
            self._lost += 1


def _open(fd: int) -> tuple[Callable[[bytes], int], Callable[[], None]]:
    """Return what writes to `fd` without waiting, and what closes what was opened for that.

    A descriptor of our own on the same pipe or terminal has its own O_NONBLOCK. Files never wait.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        same = socket.socket(fileno=os.dup(fd))
        return lambda data: same.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL), same.close
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        try:
            own = os.open(f"/proc/self/fd/{fd}", _OWN)
        except OSError:  # a terminal of somebody else, who became us: what is left is to look first
            return lambda data: os.write(fd, data) if _has_room(fd) else 0, _nothing
        return lambda data: os.write(own, data), lambda: os.close(own)
    return lambda data: os.write(fd, data), _nothing


def _nothing() -> None:
    """Close what belongs to somebody else: not at all."""


def _has_room(fd: int) -> bool:
    looking = select.poll()
    looking.register(fd, select.POLLOUT)
    return bool(looking.poll(0))
