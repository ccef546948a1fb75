from nbgate.keeper.sessions import Due, LiveSessions
from nbgate.model.account import StoredSession
from nbgate.model.session import Session
from nbgate.reasons import Reason


def stored(number=1, *, user="ada", created=1000.0, absolute=5000.0, seen=1000.0):
    session = Session(id=bytes([number]) * 32, user=user, created_unix=created, absolute_unix=absolute)
    return StoredSession(session=session, last_seen_unix=seen, cred_epoch=1)


def test_a_session_lives_until_it_is_ended():
    live = LiveSessions(100.0)
    row = stored()
    assert live.put(row)
    assert (row.session, (row.session,), 1) == (live.find(row.session.id), live.all(), len(live))
    assert (row.session,) == live.end((row.session.id, b"?" * 32), 0.0)
    assert (None, (), 0) == (live.find(row.session.id), live.all(), len(live))


def test_a_login_that_was_overtaken_by_a_revocation_is_not_taken():
    live = LiveSessions(100.0)
    row = stored()
    live.end((row.session.id,), 10.0)
    assert not live.put(row)
    live.end((), 70.0)  # a minute later the grave is empty
    assert live.put(row)


def test_idleness_and_age_end_a_session():
    live = LiveSessions(100.0)
    old, idle, good = stored(1, absolute=1050.0), stored(2), stored(3, seen=1049.0)
    for row in (old, idle, good):
        live.put(row)
    assert () == live.due(1049.9)
    assert (Due(old.session, Reason.SESSION_EXPIRED),) == live.due(1050.0)
    expected = (Due(old.session, Reason.SESSION_EXPIRED), Due(idle.session, Reason.SESSION_IDLE))
    assert expected == live.due(1100.0)


def test_activity_keeps_a_session_and_is_handed_out_once():
    live = LiveSessions(100.0)
    row = stored()
    live.put(row)
    live.touch((row.session.id, b"?" * 32), 1099.0)
    live.touch((row.session.id,), 1098.0)  # time does not go back
    assert () == live.due(1150.0)
    assert {row.session.id: 1099.0} == live.take_touched()
    assert {} == live.take_touched()


def test_activity_of_an_ended_session_is_not_written_down():
    live = LiveSessions(100.0)
    row = stored()
    live.put(row)
    live.touch((row.session.id,), 1099.0)
    live.end((row.session.id,), 0.0)
    assert {} == live.take_touched()
