"""Penalties add up, take force, and end with time."""

import pytest

from nbgate.guard.penalties import PenaltyLimits, PenaltyTable


def table(**changes):
    limits = {"threshold_seconds": 15.0, "longest_seconds": 60.0, "netblocks": 3} | changes
    return PenaltyTable(PenaltyLimits(**limits))


@pytest.mark.parametrize(
    ("penalties", "at", "until"),
    [
        ([], 0.0, None),
        ([(0.0, 10.0)], 0.0, None),
        ([(0.0, 10.0), (0.0, 4.9)], 0.0, None),
        ([(0.0, 10.0), (0.0, 5.0)], 0.0, 15.0),
        ([(0.0, 15.0)], 14.9, 15.0),
        ([(0.0, 15.0)], 15.0, None),
        ([(0.0, 10.0), (6.0, 10.0)], 6.0, None),  # 4 of the first are left: 14 in all
        ([(0.0, 10.0), (5.0, 10.0)], 5.0, 20.0),
        ([(0.0, 10.0), (5.0, 10.0)], 19.9, 20.0),  # once it has begun it lasts to the end, below the threshold too
        ([(0.0, 10.0), (10.0, 10.0)], 10.0, None),  # the first is forgotten
        ([(0.0, 100.0)], 0.0, 60.0),
        ([(0.0, 50.0), (10.0, 50.0)], 10.0, 70.0),
        ([(0.0, 20.0), (25.0, 10.0)], 25.0, None),  # over is over
    ],
)
def test_penalties_add_up_and_end(penalties, at, until):
    made = table()
    for now, seconds in penalties:
        made.add("a", seconds, now)
    assert until == made.refused_until("a", at)


def test_that_it_takes_force_is_told_once():
    made = table()
    assert [False, True, False, True] == [made.add("a", 10.0, now) for now in (0.0, 1.0, 2.0)] + [
        made.add("a", 15.0, 100.0)
    ]


def test_a_threshold_beyond_the_longest_time_is_reached_with_it():
    made = table(threshold_seconds=100.0)
    assert [False, True] == [made.add("a", 30.0, 0.0), made.add("a", 40.0, 0.0)]
    assert 60.0 == made.refused_until("a", 0.0)


@pytest.mark.parametrize("now", [0.1, 12.3, 1023.9, 65_535.99, 1e6 / 3, 2**20 - 0.05])
@pytest.mark.parametrize("limits", [{"threshold_seconds": 0.3}, {"longest_seconds": 0.3}])
def test_what_costs_as_much_as_the_threshold_reaches_it_at_any_time(now, limits):
    """The end minus the time is not always what was added to it."""
    assert table(**limits).add("a", 0.3, now)


def test_netblocks_do_not_share_a_penalty():
    made = table()
    made.add("a", 20.0, 0.0)
    assert (20.0, None) == (made.refused_until("a", 0.0), made.refused_until("b", 0.0))


def test_past_the_bound_the_one_nearest_its_end_is_forgotten():
    made = table()
    for netblock, seconds in (("a", 30.0), ("b", 20.0), ("c", 40.0), ("d", 15.0)):
        made.add(netblock, seconds, 0.0)
    assert {"a": 30.0, "c": 40.0, "d": 15.0} == made.refused(0.0)


def test_one_whose_end_moved_is_not_the_nearest_any_more():
    made = table()
    for netblock, seconds in (("a", 15.0), ("b", 20.0), ("c", 25.0), ("a", 20.0), ("d", 15.0)):
        made.add(netblock, seconds, 0.0)
    assert {"a": 35.0, "c": 25.0, "d": 15.0} == made.refused(0.0)


def test_what_ended_is_not_held():
    made = table()
    made.add("a", 10.0, 0.0)
    made.add("b", 20.0, 0.0)
    assert ({"b": 20.0}, 1) == (made.refused(10.0), len(made))
    assert ({}, 0) == (made.refused(20.0), len(made))


def test_what_is_cleared_is_forgotten_whatever_comes_after():
    made = table()
    for netblock, seconds in (("a", 20.0), ("b", 20.0), ("c", 5.0)):
        made.add(netblock, seconds, 0.0)
    assert ("a",) == made.clear("a")
    assert () == made.clear("a")
    assert {"b": 20.0} == made.refused(0.0)
    assert [True, False] == [made.add(netblock, 20.0, 0.0) for netblock in "ab"]
    assert {"a", "b", "c"} == set(made.clear())
    assert ({}, 0) == (made.refused(0.0), len(made))
    made.add("c", 14.0, 0.0)
    assert ({}, 1) == (made.refused(5.0), len(made))  # its old end is void
    assert {} == made.refused(20.0)


def test_memory_stays_bounded_under_a_million_netblocks_and_a_million_penalties():
    """THREATS T40."""
    made = table(netblocks=100)
    for number in range(100_000):
        made.add(str(number), 10.0 + number % 7, number / 1000)
    for number in range(100_000):
        made.add(str(number % 50), 0.001, 101.0)
    assert len(made) <= 100
    assert len(made._ends) <= 2 * 100 + 65


def test_memory_stays_bounded_under_many_penalties_of_a_few():
    made = table()
    for number in range(1000):
        made.add(str(number % 3), 1.0 / 1024, 0.0)
        assert len(made._ends) <= 2 * 3 + 65
    made.add("0", 30.0, 0.0)
    assert {"0"} == set(made.refused(20.0))


def test_new_limits_hold_from_now_on():
    made = table()
    for netblock in "abc":
        made.add(netblock, 20.0, 0.0)
    made.limits = PenaltyLimits(threshold_seconds=5.0, longest_seconds=10.0, netblocks=1)
    assert made.add("d", 7.0, 1.0)
    assert {"d": 8.0} == made.refused(1.0)
