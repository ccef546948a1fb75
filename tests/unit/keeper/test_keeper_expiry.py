"""The moments at which an operator is told that the certificate ends (F09)."""

from datetime import UTC, datetime, timedelta

import pytest

from nbgate.keeper.expiry import ExpiryWarnings

ENDS = datetime(2026, 12, 31, 12, 0, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


def said(*lefts, ends=ENDS):
    """Return what is said at each of the moments that lie so long before the end."""
    warnings = ExpiryWarnings()
    return [warnings.due(ends, ends - left) for left in lefts]


@pytest.mark.parametrize(
    ("lefts", "which"),
    [
        ((400 * DAY, 31 * DAY, 30 * DAY + SECOND), ()),
        ((30 * DAY, 29 * DAY, 15 * DAY), (0,)),
        ((31 * DAY, 30 * DAY, 14 * DAY, 7 * DAY, DAY), (1, 2, 3, 4)),
        ((14 * DAY + SECOND, 14 * DAY, 14 * DAY - SECOND), (0, 1)),
        ((2 * DAY, DAY, HOUR, SECOND), (0, 1)),
        ((HOUR, SECOND), (0,)),
        ((timedelta(), -SECOND, -HOUR + SECOND, -HOUR, -2 * HOUR), (0, 3, 4)),
        ((DAY, timedelta(), -30 * DAY), (0, 1, 2)),
    ],
)
def test_each_warning_is_given_once_and_hourly_after_the_end(lefts, which):
    assert list(which) == [number for number, text in enumerate(said(*lefts)) if text]


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (30 * DAY, "ends on 2026-12-31 at 12:00 UTC, in 30 days"),
        (2 * DAY, "ends on 2026-12-31 at 12:00 UTC, in 2 days"),
        (DAY, "ends on 2026-12-31 at 12:00 UTC, in 24 hours"),
        (HOUR, "ends on 2026-12-31 at 12:00 UTC, in less than 2 hours"),
        (timedelta(), "ended on 2026-12-31 at 12:00 UTC: browsers refuse it"),
    ],
)
def test_it_is_said_when_and_how_soon(left, text):
    assert [text] == said(left)


def test_another_certificate_has_warnings_of_its_own():
    warnings = ExpiryWarnings()
    now = ENDS - 5 * DAY
    assert warnings.due(ENDS, now)
    assert not warnings.due(ENDS + 90 * DAY, now)
    assert warnings.due(ENDS + 2 * DAY, now)
    assert warnings.due(ENDS, now)


def test_a_clock_that_goes_back_repeats_nothing():
    assert [True, False, False] == [bool(text) for text in said(7 * DAY, 30 * DAY, 7 * DAY)]
