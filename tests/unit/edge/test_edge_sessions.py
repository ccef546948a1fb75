"""Sessions of one worker: asked for once, ended everywhere, acknowledged when it is true."""

import asyncio

import pytest

from nbgate.edge import sessions as module
from nbgate.edge.sessions import Sessions
from nbgate.errors import LinkError
from nbgate.link.messages import SessionAsk, SessionKeyUsed, SessionsRevoked
from nbgate.model.session import Session
from nbgate.reasons import Reason
from nbgate.sessions.table import SessionTable

ID, OTHER = bytes(32), bytes(range(32))
KEY = b"k" * 32
NOW = 1000.0


def session(session_id=ID, *, generation=1, until=1e12, **secrets):
    return Session(id=session_id, user="ada", created_unix=0, absolute_unix=until, generation=generation, **secrets)


ROTATED = session(generation=2, key=KEY, former=ID)


def revoked(*ids, generation=9, reason="logged-out"):
    return SessionsRevoked(ack=1, ids=ids, generation=generation, reason=reason)


class Leg:
    """A client connection: `done` says what `end_session` answers, one for each call."""

    def __init__(self, *done):
        self.done = list(done) or [True]
        self.ended = []
        self.cuts = []

    def end_session(self, session_id, reason):
        self.ended.append((session_id, reason))
        return self.done.pop(0) if len(self.done) > 1 else self.done[0]

    def cut(self, reason):
        self.cuts.append(reason)


@pytest.fixture
def asked():
    return []


@pytest.fixture
async def sessions(asked, monkeypatch):
    monkeypatch.setattr(module, "ASK_SECONDS", 0.01)
    monkeypatch.setattr(module, "ACK_SECONDS", 0.01)
    return Sessions(loop=asyncio.get_running_loop(), table=SessionTable(), ask=asked.append)


@pytest.fixture
def found():
    """Collect what those who asked were told."""
    return []


@pytest.fixture
def tell(found):
    return lambda session, reason: found.append((session, reason))


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_known_session_is_found_and_counted(sessions, asked):
    sessions.put(session())
    assert session() == sessions.find(ID)
    assert 1 == sessions.count
    assert [] == asked


async def test_an_unknown_session_is_asked_for_once_and_all_who_wait_are_told(sessions, asked, found, tell):
    for _ in range(3):
        assert None is sessions.find(ID)
        sessions.ask(ID, tell)
    assert [SessionAsk(id=ID)] == asked
    sessions.answered(ID, session())
    assert [session()] * 3 == [told for told, _ in found]
    assert session() == sessions.find(ID)


async def test_no_such_session(sessions, found, tell):
    assert None is sessions.find(ID)
    sessions.ask(ID, tell)
    sessions.answered(ID, None)
    assert [(None, Reason.SESSION_ENDED)] == found
    assert Reason.SESSION_ENDED is sessions.find(ID)


async def test_without_an_answer_whoever_waits_is_told_in_time(sessions, found, tell):
    sessions.find(ID)
    sessions.ask(ID, tell)
    await until(lambda: found)
    assert [(None, Reason.KEEPER_UNAVAILABLE)] == found
    sessions.answered(ID, session())
    assert 1 == len(found)


async def test_a_full_link_is_an_answer_that_does_not_come(found, tell, monkeypatch):
    def full(_message):
        raise LinkError("the other end of the link does not read")

    monkeypatch.setattr(module, "ASK_SECONDS", 0.01)
    sessions = Sessions(loop=asyncio.get_running_loop(), table=SessionTable(), ask=full)
    assert None is sessions.find(ID)
    sessions.ask(ID, tell)
    await until(lambda: found)
    assert [(None, Reason.KEEPER_UNAVAILABLE)] == found


async def test_when_the_link_is_lost_nobody_waits_for_its_answers(sessions, asked, found, tell):
    sessions.find(ID)
    sessions.ask(ID, tell)
    sessions.link_lost()
    assert [(None, Reason.KEEPER_UNAVAILABLE)] == found
    assert None is sessions.find(ID)
    assert 2 == len(asked)


async def test_a_push_answers_a_question_under_way(sessions, found, tell):
    sessions.find(ID)
    sessions.ask(ID, tell)
    sessions.put(session())
    assert session() == found[0][0]


async def test_the_full_list_answers_a_question_whose_answer_was_lost(sessions, found, tell):
    sessions.find(ID)
    sessions.ask(ID, tell)
    sessions.load((session(), session(OTHER)), NOW)
    assert [session()] == [told for told, _ in found]


async def test_who_waits_for_a_session_that_is_revoked_meanwhile_is_refused(sessions, found, tell):
    sessions.find(ID)
    sessions.ask(ID, tell)
    sessions.revoke(revoked(ID), NOW, lambda _closed: None)
    sessions.put(session())
    assert [(None, Reason.SESSION_ENDED)] == found


async def test_what_is_not_in_the_full_list_has_ended(sessions):
    leg = Leg()
    sessions.put(session())
    sessions.attach(ID, leg)
    sessions.load((session(OTHER),), NOW)
    assert [(ID, Reason.SESSION_ENDED)] == leg.ended


async def test_what_hangs_on_a_session_past_its_end_is_ended(sessions):
    leg, other = Leg(), Leg()
    sessions.put(session(until=50.0))
    sessions.put(session(OTHER))
    sessions.attach(ID, leg)
    sessions.attach(OTHER, other)
    sessions.expire(49.0)
    assert [] == leg.ended
    sessions.expire(50.0)
    assert ([(ID, Reason.SESSION_EXPIRED)], []) == (leg.ended, other.ended)


async def test_a_revocation_is_acknowledged_at_once_when_all_is_closed(sessions):
    legs, acknowledged = [Leg(), Leg()], []
    sessions.put(session())
    for leg in legs:
        sessions.attach(ID, leg)
    sessions.revoke(revoked(ID, reason="password-changed"), NOW, acknowledged.append)
    assert [2] == acknowledged
    assert [[(ID, Reason.PASSWORD_CHANGED)]] * 2 == [leg.ended for leg in legs]
    assert Reason.SESSION_ENDED is sessions.find(ID)


async def test_a_revocation_of_what_nobody_uses_is_acknowledged_at_once(sessions):
    acknowledged = []
    sessions.revoke(revoked(ID, OTHER), NOW, acknowledged.append)
    assert [0] == acknowledged


async def test_a_revocation_older_than_the_session_ends_nothing(sessions):
    leg, acknowledged = Leg(), []
    sessions.put(session(generation=5))
    sessions.attach(ID, leg)
    sessions.revoke(revoked(ID, generation=4), NOW, acknowledged.append)
    assert ([], [0]) == (leg.ended, acknowledged)


@pytest.mark.parametrize(("done", "cuts"), [((False, True), []), ((False, False), [Reason.LOGGED_OUT])])
def test_what_is_not_closed_by_the_time_of_the_acknowledgement_is_cut_before_it(done, cuts):
    class Loop:
        def call_later(self, seconds, step):
            self.due = seconds, step

    loop, leg, acknowledged = Loop(), Leg(*done), []
    sessions = Sessions(loop=loop, table=SessionTable(), ask=lambda _message: None)
    sessions.put(session())
    sessions.attach(ID, leg)
    sessions.revoke(revoked(ID), NOW, lambda closed: acknowledged.append((closed, list(leg.cuts))))
    assert [] == acknowledged
    seconds, step = loop.due
    assert 0 < seconds < 0.7
    step()
    assert [(1, cuts)] == acknowledged


async def test_a_connection_that_is_gone_is_told_nothing_and_leaves_nothing(sessions):
    leg, stays = Leg(), Leg()
    sessions.put(session())
    sessions.attach(ID, leg)
    sessions.attach(ID, stays)
    sessions.detach(ID, leg)
    sessions.detach(OTHER, leg)
    sessions.revoke(revoked(ID), NOW, lambda _closed: None)
    assert ([], 1) == (leg.ended, len(stays.ended))
    sessions.detach(ID, stays)
    assert {} == sessions._legs


async def test_activity_is_told_once(sessions):
    sessions.was_active(ID)
    sessions.was_active(ID)
    assert (ID,) == sessions.take_active()
    assert () == sessions.take_active()


# rotated secrets


async def test_what_hangs_on_a_session_stays_when_its_secret_is_replaced(sessions):
    leg = Leg()
    sessions.put(session())
    sessions.attach(ID, leg)
    sessions.put(ROTATED)
    sessions.put(session(generation=3, key=KEY))
    assert [] == leg.ended
    sessions.revoke(revoked(ID, generation=9), NOW, lambda _closed: None)
    assert [(ID, Reason.LOGGED_OUT)] == leg.ended


async def test_the_keeper_is_told_once_that_a_new_secret_is_used(sessions, asked):
    sessions.put(ROTATED)
    assert ROTATED is sessions.find(ID)
    assert [] == asked
    for _ in range(2):
        assert ROTATED is sessions.find(KEY)
    assert [SessionKeyUsed(id=ID, key=KEY)] == asked


async def test_it_is_told_of_each_new_secret(sessions, asked):
    sessions.put(ROTATED)
    sessions.find(KEY)
    newer = session(generation=4, key=OTHER, former=KEY)
    sessions.put(newer)
    sessions.find(KEY)
    sessions.find(OTHER)
    assert [SessionKeyUsed(id=ID, key=KEY), SessionKeyUsed(id=ID, key=OTHER)] == asked


async def test_it_is_told_nothing_where_there_is_no_former_secret(sessions, asked):
    sessions.put(session(generation=3, key=KEY))
    sessions.find(KEY)
    assert [] == asked


async def test_another_keeper_is_told_again(sessions, asked):
    sessions.put(ROTATED)
    sessions.find(KEY)
    sessions.load((ROTATED,), NOW)
    sessions.find(KEY)
    assert [SessionKeyUsed(id=ID, key=KEY)] * 2 == asked


async def test_a_secret_that_was_asked_for_is_told_of_when_it_is_answered(sessions, asked, found, tell):
    assert None is sessions.find(KEY)
    sessions.ask(KEY, tell)
    sessions.answered(KEY, ROTATED)
    assert [ROTATED] == [told for told, _ in found]
    assert [SessionAsk(id=KEY), SessionKeyUsed(id=ID, key=KEY)] == asked


async def test_a_push_that_nobody_waits_for_tells_of_no_use(sessions, asked):
    sessions.put(ROTATED)
    sessions.answered(KEY, ROTATED)
    assert [] == asked


async def test_where_the_keeper_cannot_be_told_it_is_told_the_next_time():
    told, link_is_full = [], True

    def tell(message):
        if link_is_full:
            raise LinkError("the other end of the link does not read")
        told.append(message)

    sessions = Sessions(loop=asyncio.get_running_loop(), table=SessionTable(), ask=tell)
    sessions.put(ROTATED)
    sessions.find(KEY)
    link_is_full = False
    sessions.find(KEY)
    assert [SessionKeyUsed(id=ID, key=KEY)] == told


async def test_who_waits_with_a_secret_that_is_retired_meanwhile_is_refused(sessions, found, tell):
    sessions.put(session(generation=3, key=KEY))
    assert None is sessions.find(ID)
    sessions.ask(ID, tell)
    sessions.put(ROTATED)  # late: it still had the former secret
    assert [(None, Reason.SESSION_ENDED)] == found


async def test_a_session_is_live_as_long_as_it_is_this_very_one(sessions):
    first = session()
    sessions.put(first)
    assert sessions.is_live(first)
    sessions.put(ROTATED)
    assert [False, True] == [sessions.is_live(each) for each in (first, ROTATED)]
