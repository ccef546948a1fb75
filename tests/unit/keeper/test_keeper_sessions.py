from nbgate.keeper.sessions import Due, LiveSessions
from nbgate.model.account import StoredSession
from nbgate.model.session import Session
from nbgate.reasons import Reason


def stored(number=1, *, user="ada", created=1000.0, absolute=5000.0, seen=1000.0, retired=(), **secrets):
    session = Session(id=bytes([number]) * 32, user=user, created_unix=created, absolute_unix=absolute, **secrets)
    return StoredSession(session=session, last_seen_unix=seen, cred_epoch=1, retired=retired)


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


KEYS = [bytes([number]) * 32 for number in range(100, 104)]


def test_a_session_is_found_by_its_secrets_and_known_by_those_it_had():
    live = LiveSessions(100.0)
    row = stored(key=KEYS[1], former=KEYS[0], retired=(bytes([1]) * 32,))
    live.put(row)
    assert [row.session, row.session, None] == [live.find_by_key(key) for key in KEYS[:3]]
    assert (None, row.session) == (live.find_by_key(row.session.id), live.find_by_retired(row.session.id))
    changed = stored(key=KEYS[2], former=KEYS[1], retired=(bytes([1]) * 32, KEYS[0]))
    live.put(changed)
    assert [None, changed.session, changed.session] == [live.find_by_key(key) for key in KEYS[:3]]
    assert [changed.session, None] == [live.find_by_retired(key) for key in KEYS[:2]]
    live.end((row.session.id,), 0.0)
    assert [None] * 8 == [find(key) for key in KEYS for find in (live.find_by_key, live.find_by_retired)]


def test_a_change_takes_no_activity_back():
    live = LiveSessions(100.0)
    live.put(stored())
    live.touch((stored().session.id,), 1099.0)
    live.put(stored(key=KEYS[0]))
    assert 1099.0 == live.row(stored().session.id).last_seen_unix
    live.put(stored(seen=1100.0))
    assert 1100.0 == live.row(stored().session.id).last_seen_unix


def test_the_sessions_of_a_person_are_listed_newest_first():
    live = LiveSessions(100.0)
    rows = [stored(1, created=1.0), stored(2, created=3.0), stored(3, created=2.0), stored(4, created=4.0, user="bob")]
    for row in rows:
        live.put(row)
    assert (rows[1], rows[2], rows[0]) == live.rows("ada")
    assert (rows[3], rows[1], rows[2], rows[0]) == live.rows()
    assert ((), None) == (live.rows("eve"), live.row(b"?" * 32))
