"""Buckets of many keys, and the pace of one body; the test is the clock. Times are binary fractions, so sums are exact."""

import pytest

from nbgate.guard.rates import Pace, Rates

A, B = "192.0.2.1/32", "192.0.2.2/32"


@pytest.mark.parametrize(
    ("per_second", "burst", "asked", "waits"),
    [
        (4, 1, [0, 0, 0.25, 0.25], [0, 0.25, 0, 0.25]),
        (4, 3, [0, 0, 0, 0, 0.125, 0.25, 0.25], [0, 0, 0, 0.25, 0.125, 0, 0.25]),
        (4, 2, [0, 10, 10, 10], [0, 0, 0, 0.25]),
        (0.5, 1, [0, 1, 2], [0, 1, 0]),
        (4, 2, [0, 0, 0, 0, 0, 0.25], [0, 0, 0.25, 0.25, 0.25, 0]),
        (4, 1, [5, 4], [0, 1.25]),
    ],
    ids=["one at once", "a burst first", "never more than a burst", "slow", "refused ones cost nothing", "no way back"],
)
def test_so_many_at_once_and_so_many_a_second(per_second, burst, asked, waits):
    rates = Rates(per_second=per_second, burst=burst)
    assert waits == [rates.take(A, now) for now in asked]


def test_each_key_has_its_own_bucket():
    rates = Rates(per_second=1, burst=1)
    assert [0, 0, 1, 1] == [rates.take(key, 0) for key in (A, B, A, B)]


def test_over_a_minute_no_more_passes_than_burst_and_rate_allow():
    rates = Rates(per_second=100, burst=400)
    passed = sum(not rates.take(A, tick / 1024) for tick in range(60 * 1024))
    assert 400 + 60 * 100 - 1 <= passed <= 400 + 60 * 100


def test_past_the_bound_who_asked_longest_ago_is_forgotten():
    rates = Rates(per_second=1, burst=1, max_keys=2)
    for key in (A, B, A, "192.0.2.3/32"):
        rates.take(key, 0)
    assert 2 == len(rates)
    assert 1 == rates.take(A, 0)
    assert 0 == rates.take(B, 0)


def test_a_million_netblocks_are_not_remembered():
    rates = Rates(per_second=1, burst=1)
    for number in range(100_000):
        rates.take(number, 0)
    assert 65_536 == len(rates)


def paced(*received, rate=8, grace=2):
    """Return when a body is late that got (time, bytes)."""
    pace = Pace(per_second=rate, grace_seconds=grace, now=0)
    for now, count in received:
        pace.took(count, now)
    return pace.late_at


@pytest.mark.parametrize(
    ("received", "late_at"),
    [
        ([], 2),
        ([(0, 0)], 2),
        ([(1, 1)], 2.125),
        ([(1, 8)], 3),
        ([(1, 1_000_000)], 3),
        ([(0.5, 1), (1, 1), (1.5, 1)], 2.375),
        ([(1, 8), (2, 8), (3, 8), (4, 8)], 6),
    ],
    ids=["nothing", "no bytes", "a byte", "a second's worth", "much at once", "drops", "just fast enough"],
)
def test_bytes_buy_time_but_never_more_than_the_grace(received, late_at):
    assert late_at == paced(*received)


def test_time_in_which_nobody_reads_does_not_count():
    pace = Pace(per_second=8, grace_seconds=2, now=0)
    pace.took(4, 1)
    pace.hold(1.5)
    pace.hold(1.75)
    pace.go_on(101.5)
    pace.go_on(102)
    assert 102.5 == pace.late_at
    pace.took(1_000, 102)
    assert 104 == pace.late_at
