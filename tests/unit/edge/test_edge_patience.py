"""What one connection waits for, and for how long; the test is the clock."""

import pytest

from nbgate.config.schema import Limits
from nbgate.edge.patience import NEVER, Patience
from nbgate.reasons import Reason

LIMITS = Limits(body_idle_seconds=8, body_grace_seconds=4, body_bytes_per_second=16)


class Loop:
    """A loop that only tells the time."""

    def __init__(self):
        self.now = 100.0

    def time(self):
        return self.now


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def patience(loop):
    return Patience(loop)


def waits(patience):
    return patience.deadline, patience.reason


def test_at_first_nothing_is_waited_for(patience):
    assert NEVER == patience.deadline


def test_something_must_come_in_time(patience):
    patience.wait(3, Reason.KEEPALIVE_TIMEOUT)
    assert (103, Reason.KEEPALIVE_TIMEOUT) == waits(patience)
    patience.stop()
    assert NEVER == patience.deadline


@pytest.mark.parametrize(
    ("pieces", "deadline", "reason"),
    [
        ([], 104, Reason.BODY_TOO_SLOW),
        ([(1, 16)], 105, Reason.BODY_TOO_SLOW),
        ([(1, 1)], 104.0625, Reason.BODY_TOO_SLOW),
        ([(3, 1), (3, 1)], 104.125, Reason.BODY_TOO_SLOW),
    ],
)
def test_a_body_may_not_come_too_slowly_for_longer_than_the_grace(loop, patience, pieces, deadline, reason):
    patience.wait_for_body(LIMITS, 0)
    for seconds, count in pieces:
        loop.now += seconds
        patience.wait_for_body(LIMITS, count)
    assert (deadline, reason) == waits(patience)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(body_idle_seconds=8, body_bytes_per_second=0),
        Limits(body_idle_seconds=8, body_grace_seconds=60),
    ],
    ids=["no rate", "a long grace"],
)
def test_a_pause_is_a_reason_of_its_own(patience, limits):
    patience.wait_for_body(limits, 0)
    assert (108, Reason.BODY_TIMEOUT) == waits(patience)


def test_while_nobody_reads_a_body_cannot_be_late(loop, patience):
    patience.wait_for_body(LIMITS, 0)
    loop.now += 3
    patience.hold()
    assert NEVER == patience.deadline
    loop.now += 1000
    patience.go_on()
    assert (1104, Reason.BODY_TOO_SLOW) == waits(patience)


def test_the_next_body_begins_anew(loop, patience):
    patience.wait_for_body(LIMITS, 0)
    patience.stop()
    loop.now += 50
    patience.wait_for_body(LIMITS, 0)
    assert 154 == patience.deadline


def test_without_a_body_a_hold_changes_nothing(patience):
    patience.wait(3, Reason.KEEPALIVE_TIMEOUT)
    patience.hold()
    patience.go_on()
    assert (103, Reason.KEEPALIVE_TIMEOUT) == waits(patience)


def test_who_reads_slowly_is_still_reading_and_who_does_not_is_not(loop, patience):
    assert not patience.stalls(1000, 50, 5)
    patience.falls_behind()
    for now, unsent, stalls in (
        (101, 50, False),
        (105, 49, False),
        (109, 49, False),
        (110, 49, True),
        (110, 48, False),
    ):
        assert stalls is patience.stalls(now, unsent, 5)
    patience.catches_up()
    assert not patience.stalls(1000, 48, 5)
