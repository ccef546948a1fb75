"""Signals as bytes on a descriptor: a handler only enqueues, the loop decides."""

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_READ_BYTES = 4096


class SignalQueue:
    """Signals that arrived and were not looked at yet."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Return the descriptor that is readable while a signal waits."""
        return self._descriptor

    def take(self) -> list[signal.Signals]:
        """Return the handled signals that wait, in order."""
        numbers = b""
        with contextlib.suppress(BlockingIOError):
            numbers = os.read(self._descriptor, _READ_BYTES)
        return [signal.Signals(number) for number in numbers if number in HANDLED]


@contextmanager
def queued_signals() -> Iterator[SignalQueue]:
    """Queue the handled signals while the block runs; main thread only."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    former_wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    former = {number: signal.signal(number, _leave_it_to_the_queue) for number in HANDLED}
    try:
        yield SignalQueue(read)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(former_wakeup)
        os.close(read)
        os.close(write)


def _leave_it_to_the_queue(number: int, frame: FrameType | None) -> None:
    """Do nothing: that a handler is set makes the interpreter write the number to the wake-up descriptor."""
