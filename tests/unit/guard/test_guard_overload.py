"""When a loop that comes late is an overload, and for whom."""

import pytest

from nbgate.guard.overload import TICK_SECONDS, Overload


def after(*late, limit=0.125):
    """Return what is known after ticks that came so late."""
    overload = Overload(limit, 0.0)
    now = 0.0
    for seconds in late:
        now += TICK_SECONDS + seconds
        overload.tick(now)
    return round(overload.lag_seconds, 9), overload.refuses_strangers, overload.refuses_all


@pytest.mark.parametrize(
    ("late", "lag", "strangers", "everybody"),
    [
        ((), 0, False, False),
        ((0, 0), 0, False, False),
        ((0.1, 0.1, 0.1), 0.1, False, False),
        ((0.2, 0.2), 0.2, True, False),
        ((0.2, 0.2, 0), 0, False, False),
        ((60,), 0, False, False),
        ((0, 60, 0), 0, False, False),
        ((0.2, 60), 0.2, True, False),
        ((2, 1.5), 1.5, True, True),
        ((2, 2, 0.2), 0.2, True, False),
    ],
    ids=[
        "at first",
        "in time",
        "a little",
        "late twice",
        "over at once",
        "one long pause",
        "the machine slept",
        "the smaller counts",
        "hopeless",
        "better",
    ],
)
def test_two_late_ticks_are_an_overload(late, lag, strangers, everybody):
    assert (lag, strangers, everybody) == after(*late)


def test_a_tick_that_comes_early_is_not_late():
    overload = Overload(0.1, 10.0)
    overload.tick(0.0)
    assert (0.0, False) == (overload.lag_seconds, overload.refuses_strangers)
