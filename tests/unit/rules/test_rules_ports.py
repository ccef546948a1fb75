"""The ports that stay closed."""

from nbgate.rules.ports import CLOSED_PORTS


def test_rows_are_sorted_and_each_has_a_reason():
    assert sorted({row.port for row in CLOSED_PORTS}) == [row.port for row in CLOSED_PORTS]
    assert all(row.name and row.why for row in CLOSED_PORTS)


def test_what_can_be_ordered_about_by_http_is_among_them():
    """THREATS T34."""
    assert {22, 25, 2375, 6379, 10250, 11211} <= {row.port for row in CLOSED_PORTS}
