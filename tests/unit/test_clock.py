"""The one place where time is read, and the clock that a test moves."""

import time

from nbgate.clock import ManualClock, SystemClock


def test_the_system_clock_is_the_machines():
    before, wall = time.monotonic(), time.time()
    clock = SystemClock()
    assert before <= clock.monotonic() <= time.monotonic()
    assert wall <= clock.unix() <= time.time()


def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock(unix=10.0, monotonic=1.0)
    assert (10.0, 1.0) == (clock.unix(), clock.monotonic())
    clock.advance(2.5)
    assert (12.5, 3.5) == (clock.unix(), clock.monotonic())


def test_the_wall_clock_of_a_manual_clock_can_be_set_back():
    clock = ManualClock(unix=100.0, monotonic=5.0)
    clock.set_unix(40.0)
    assert (40.0, 5.0) == (clock.unix(), clock.monotonic())
