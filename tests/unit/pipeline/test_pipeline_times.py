"""Times in words."""

import pytest

from nbgate.pipeline.times import timestamp, when

NOON = 1_700_049_600.0  # 15 November 2023, 12:00 UTC


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "at 12:00 UTC, just now"),
        (0.9, "at 11:59 UTC, just now"),
        (1, "at 11:59 UTC, 1 second ago"),
        (59.9, "at 11:59 UTC, 59 seconds ago"),
        (60, "at 11:59 UTC, 1 minute ago"),
        (179, "at 11:57 UTC, 2 minutes ago"),
        (3600, "at 11:00 UTC, 1 hour ago"),
        (12 * 3600, "at 00:00 UTC, 12 hours ago"),
        (12 * 3600 + 1, "on 14 Nov 2023 at 23:59 UTC, 12 hours ago"),
        (86400, "on 14 Nov 2023 at 12:00 UTC, 1 day ago"),
        (400 * 86400, "on 11 Oct 2022 at 12:00 UTC, 400 days ago"),
        (-30, "at 12:00 UTC, just now"),  # a clock was set back
    ],
)
def test_when_something_was(seconds, words):
    assert words == when(NOON - seconds, NOON)


def test_a_time_for_programs():
    assert "2023-11-15T12:00:00Z" == timestamp(NOON + 0.999)
