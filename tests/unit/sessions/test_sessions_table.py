"""The worker's table: what is over stays over, a question is asked once, strangers cost a bounded amount."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nbgate.model.session import Session
from nbgate.sessions.table import FINAL_GENERATION, TOMBSTONE_SECONDS, Lookup, SessionTable


def session(number: int = 1, generation: int = 1, absolute: float = 2000.0) -> Session:
    return Session(
        id=bytes([number]) * 32, user="ada", created_unix=1000.0, absolute_unix=absolute, generation=generation
    )


ONE, TWO, THREE = session(1), session(2), session(3)


@pytest.fixture
def table():
    return SessionTable()


def test_what_was_pushed_is_found(table):
    assert ONE == table.put(ONE)
    assert ONE is table.lookup(ONE.id)
    assert 1 == len(table)


def test_an_unknown_id_is_asked_for_once(table):
    assert [Lookup.ASK, Lookup.WAIT, Lookup.WAIT] == [table.lookup(ONE.id) for _ in range(3)]


def test_a_good_answer_is_found(table):
    table.lookup(ONE.id)
    assert ONE == table.answer(ONE.id, ONE)
    assert ONE is table.lookup(ONE.id)


def test_a_miss_is_remembered_until_a_push_clears_it(table):
    table.lookup(ONE.id)
    assert table.answer(ONE.id, None) is None
    assert [Lookup.MISS, Lookup.MISS] == [table.lookup(ONE.id) for _ in range(2)]
    table.put(ONE)
    assert ONE is table.lookup(ONE.id)


def test_a_push_during_a_question_beats_the_answer_that_knew_nothing_of_it(table):
    table.lookup(ONE.id)
    table.put(ONE)
    assert ONE == table.answer(ONE.id, None)
    assert ONE is table.lookup(ONE.id)


@pytest.mark.parametrize(("known", "pushed", "in_force"), [(3, 2, 3), (3, 3, 3), (3, 4, 4)])
def test_a_lower_generation_is_ignored(table, known, pushed, in_force):
    table.put(session(generation=known))
    assert in_force == table.put(session(generation=pushed)).generation
    assert in_force == table.lookup(ONE.id).generation


def test_a_revocation_names_what_was_live(table):
    table.put(ONE)
    table.put(TWO)
    assert (TWO.id,) == table.revoke((TWO.id, THREE.id), 1, 100.0)
    assert [ONE, Lookup.MISS, Lookup.MISS] == [table.lookup(s.id) for s in (ONE, TWO, THREE)]


def test_a_revocation_older_than_what_is_known_is_ignored(table):
    newer = session(generation=5)
    table.put(newer)
    assert () == table.revoke((ONE.id,), 4, 100.0)
    assert newer is table.lookup(ONE.id)
    assert (ONE.id,) == table.revoke((ONE.id,), FINAL_GENERATION, 100.0)


@pytest.mark.parametrize("late", ["put", "answer"])
def test_nothing_late_brings_a_revoked_session_back(table, late):
    table.lookup(ONE.id)
    table.revoke((ONE.id,), FINAL_GENERATION, 100.0)
    newer = session(generation=FINAL_GENERATION)
    assert (table.put(newer) if late == "put" else table.answer(ONE.id, newer)) is None
    table.answer(ONE.id, None)
    assert Lookup.MISS is table.lookup(ONE.id)


def test_a_tombstone_stands_for_a_minute(table):
    table.revoke((ONE.id,), 1, 100.0)
    table.revoke((TWO.id,), 1, 130.0)
    table.forget_tombstones(100.0 + TOMBSTONE_SECONDS - 0.001)
    assert table.put(ONE) is None
    table.forget_tombstones(100.0 + TOMBSTONE_SECONDS)
    assert [ONE, None] == [table.put(ONE), table.put(TWO)]


def test_a_second_revocation_renews_the_tombstone(table):
    table.revoke((ONE.id, TWO.id), 1, 100.0)
    table.revoke((ONE.id,), 1, 150.0)
    table.forget_tombstones(160.0)
    assert [None, TWO] == [table.put(ONE), table.put(TWO)]


def test_a_snapshot_replaces_everything_and_names_what_ended(table):
    for known in (ONE, TWO):
        table.put(known)
    table.answer(THREE.id, None)
    table.lookup(session(4).id)
    assert (ONE.id,) == table.load((TWO, THREE), 100.0)
    assert [Lookup.MISS, TWO, THREE, Lookup.ASK] == [table.lookup(session(n).id) for n in (1, 2, 3, 4)]
    assert table.put(ONE) is None


def test_a_snapshot_does_not_open_graves(table):
    table.revoke((ONE.id,), 1, 100.0)
    assert () == table.load((ONE, TWO), 101.0)
    assert [Lookup.MISS, TWO] == [table.lookup(s.id) for s in (ONE, TWO)]


def test_a_snapshot_may_carry_a_newer_session_or_an_older_one(table):
    table.put(session(generation=5))
    table.load((session(generation=2),), 100.0)
    assert 2 == table.lookup(ONE.id).generation


def test_the_absolute_end_takes_sessions_out(table):
    early, late = session(1, absolute=1500.0), session(2, absolute=1500.1)
    table.put(early)
    table.put(late)
    assert () == table.expire(1499.9)
    assert (early.id,) == table.expire(1500.0)
    assert [Lookup.ASK, late] == [table.lookup(early.id), table.lookup(late.id)]


def test_questions_are_given_up_with_the_link_and_asked_again(table):
    table.lookup(ONE.id)
    table.put(TWO)
    assert (ONE.id,) == table.forget_asks()
    assert () == table.forget_asks()
    assert [Lookup.ASK, TWO] == [table.lookup(ONE.id), table.lookup(TWO.id)]


def test_past_the_bound_the_oldest_miss_is_asked_for_again():
    table = SessionTable(max_misses=2)
    for known in (ONE, TWO, THREE):
        table.answer(known.id, None)
    assert [Lookup.ASK, Lookup.MISS, Lookup.MISS] == [table.lookup(s.id) for s in (ONE, TWO, THREE)]


def test_past_the_bound_of_questions_an_unknown_id_is_refused_and_not_remembered():
    table = SessionTable(max_asks=1)
    assert [Lookup.ASK, Lookup.MISS] == [table.lookup(ONE.id), table.lookup(TWO.id)]
    table.answer(ONE.id, None)
    assert Lookup.ASK is table.lookup(TWO.id)


numbers = st.integers(1, 4)


class Histories(RuleBasedStateMachine):
    """Any history of messages: a session that ended by a final revocation is never found again within a minute."""

    def __init__(self):
        super().__init__()
        self.table = SessionTable(max_misses=2, max_asks=2)
        self.now = 100.0
        self.revoked = {}

    @rule(number=numbers, generation=st.integers(1, 3))
    def put(self, number, generation):
        self.table.put(session(number, generation))

    @rule(number=numbers, known=st.booleans())
    def answer(self, number, known):
        self.table.answer(session(number).id, session(number) if known else None)

    @rule(wanted=st.sets(numbers))
    def load(self, wanted):
        self.table.load([session(n) for n in wanted], self.now)

    @rule(number=numbers)
    def revoke(self, number):
        self.table.revoke((session(number).id,), FINAL_GENERATION, self.now)
        self.revoked[number] = self.now

    @rule(seconds=st.floats(0, 90))
    def wait(self, seconds):
        self.now += seconds
        self.table.forget_tombstones(self.now)

    @rule(number=numbers)
    def look(self, number):
        self.table.lookup(session(number).id)

    @invariant()
    def what_was_revoked_stays_so(self):
        for number, at in self.revoked.items():
            if self.now < at + TOMBSTONE_SECONDS:
                assert not isinstance(self.table.lookup(session(number).id), Session)

    @invariant()
    def bounds_hold(self):
        assert len(self.table._misses) <= 2
        assert len(self.table._asked) <= 2


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
