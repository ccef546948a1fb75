"""When a child is started again."""

import pytest

from nbgate.supervisor.backoff import Backoff


def delays(ends: list[tuple[float, bool]]) -> list[float]:
    backoff, found = Backoff(), []
    for alive, was_ready in ends:
        backoff, delay = backoff.after_end(alive, was_ready=was_ready)
        found.append(delay)
    return found


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param([(0.0, False)] * 9, [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5], id="never ready: up to 5 s"),
        pytest.param([(1.0, True)] * 7, [0, 0.1, 0.2, 0.25, 0.25, 0.25, 0.25], id="ready before: up to a quarter"),
        pytest.param([(9.9, False), (9.9, False), (10.0, False), (0.0, False)], [0, 0.1, 0, 0.1], id="steady: afresh"),
        pytest.param([(0.0, False)] * 100, [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + [5] * 93, id="for ever"),
    ],
)
def test_the_first_time_at_once_then_later_and_later(ends, expected):
    assert expected == pytest.approx(delays(ends))
