import pytest

from nbgate.web.words import Moment, count, moment, sentence, span

NOW = 1_800_000_000.0  # 15 January 2027, 08:00:00 UTC


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "just now"),
        (-10.0, "just now"),
        (10.0, "just now"),
        (-11.0, "11 seconds ago"),
        (-59.9, "59 seconds ago"),
        (-60.0, "1 minute ago"),
        (-300.0, "5 minutes ago"),
        (-3599.0, "59 minutes ago"),
        (-3600.0, "1 hour ago"),
        (-86399.0, "23 hours ago"),
        (-86400.0, "1 day ago"),
        (-90 * 86400.0, "90 days ago"),
        (11.0, "in 11 seconds"),
        (86400.0, "in 1 day"),
        (90 * 86400.0, "in 90 days"),
    ],
)
def test_a_time_is_said_by_how_far_away_it_is(seconds, said):
    assert said == moment(NOW + seconds, NOW).away


def test_a_time_is_said_in_utc_with_its_date():
    assert Moment("2027-01-15T08:00Z", "15 Jan 2027, 08:00 UTC", "just now") == moment(NOW, NOW)
    assert "3 Feb 2027, 00:00 UTC" == moment(NOW + 18 * 86400 + 16 * 3600, NOW).clock


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "1 second"),
        (0.2, "1 second"),
        (1.0, "1 second"),
        (1.1, "2 seconds"),
        (60.0, "1 minute"),
        (61.0, "61 seconds"),
        (121.0, "3 minutes"),
        (3600.0, "1 hour"),
        (3601.0, "61 minutes"),
        (7200.0, "2 hours"),
        (100_000.0, "28 hours"),
        (604_800.0, "7 days"),
    ],
)
def test_a_wait_is_rounded_up(seconds, said):
    assert said == span(seconds)


def test_things_are_counted():
    assert ["0 rooms", "1 room", "2 rooms"] == [count(number, "room") for number in range(3)]
    assert "2 boxes" == count(2, "box", "boxes")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("not found", ""), "Not found."),
        (("no such user", "look in the list"), "No such user. Look in the list."),
        (("",), ""),
    ],
)
def test_public_texts_become_sentences(parts, said):
    assert said == sentence(*parts)
