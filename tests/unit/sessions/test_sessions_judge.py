"""Two ends of a session, as tables."""

import msgspec
import pytest

from nbgate.model.session import Scope, Session
from nbgate.reasons import Reason
from nbgate.sessions.judge import judge_session, judge_stored

SESSION = Session(id=bytes(32), user="ada", created_unix=1000.0, absolute_unix=2000.0)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (0.0, None),
        (1000.0, None),
        (1999.999, None),
        (2000.0, Reason.SESSION_EXPIRED),
        (1e12, Reason.SESSION_EXPIRED),
    ],
)
def test_a_worker_knows_the_absolute_end(now, reason):
    assert reason is judge_session(SESSION, now)


@pytest.mark.parametrize(
    ("last_seen", "now", "reason"),
    [
        (1000.0, 1099.9, None),
        (1000.0, 1100.0, Reason.SESSION_IDLE),
        (1999.0, 1999.5, None),
        (1999.0, 2000.0, Reason.SESSION_EXPIRED),
        (1000.0, 2000.0, Reason.SESSION_EXPIRED),
        (1500.0, 900.0, None),
    ],
)
def test_the_keeper_knows_both_ends_and_names_the_final_one_first(last_seen, now, reason):
    assert reason is judge_stored(SESSION, last_seen, now, 100.0)


@pytest.mark.parametrize(("now", "reason"), [(1999.9, None), (2000.0, Reason.SESSION_EXPIRED)])
def test_a_token_that_nobody_uses_is_good_until_its_end(now, reason):
    token = msgspec.structs.replace(SESSION, scope=Scope.READ)
    assert reason is judge_stored(token, 1000.0, now, 100.0)
