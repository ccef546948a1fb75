"""Which refusals are told one by one, and which are summed up."""

from nbgate.guard.tally import Tally


def test_the_first_of_a_minute_are_told_and_the_others_counted_by_kind():
    tally = Tally(told=2)
    assert [True, True, False, False, False] == [tally.tells("a", kind, 0.0) for kind in "xyxxy"]
    assert [] == list(tally.due(59.9))
    assert [("a", "x", 2), ("a", "y", 1)] == list(tally.due(60.0))
    assert [] == list(tally.due(1000.0))


def test_a_new_minute_tells_again():
    tally = Tally(told=1)
    assert [True, False] == [tally.tells("a", "x", 0.0) for _ in range(2)]
    assert [("a", "x", 1)] == list(tally.due(60.0))
    assert [True, False] == [tally.tells("a", "x", 61.0) for _ in range(2)]


def test_netblocks_have_minutes_of_their_own():
    tally = Tally(told=1)
    for netblock, now in (("a", 0.0), ("b", 30.0), ("a", 40.0), ("b", 50.0)):
        tally.tells(netblock, "x", now)
    assert [("a", "x", 1)] == list(tally.due(60.0))
    assert [("b", "x", 1)] == list(tally.due(90.0))


def test_who_did_not_exceed_it_leaves_nothing():
    tally = Tally(told=5)
    tally.tells("a", "x", 0.0)
    assert [] == list(tally.due(60.0))
    assert {} == tally._minutes


def test_past_the_bound_the_oldest_minute_is_over_early_and_nothing_is_lost():
    tally = Tally(told=1, max_netblocks=2)
    for netblock in "aabbcc":
        tally.tells(netblock, "x", 0.0)
    assert [("a", "x", 1)] == list(tally.due(0.0))
    assert [("b", "x", 1), ("c", "x", 1)] == list(tally.due(0.0, everything=True))
