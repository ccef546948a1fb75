"""Signals arrive as values, in order, and the former handlers return."""

import os
import signal

from nbgate.supervisor.signals import queued_signals


def test_signals_are_queued_in_order_and_others_are_not_ours():
    def other(number, frame):
        """Somebody else's handler; its number reaches the descriptor too."""

    former = signal.signal(signal.SIGUSR1, other)
    with queued_signals() as queue:
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        taken = queue.take()
        assert [] == queue.take()
        assert queue.fileno() >= 0
    signal.signal(signal.SIGUSR1, former)

    assert [signal.SIGHUP, signal.SIGTERM, signal.SIGINT] == taken


def test_the_former_handlers_return():
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    with queued_signals():
        assert former != {number: signal.getsignal(number) for number in former}

    assert former == {number: signal.getsignal(number) for number in former}
