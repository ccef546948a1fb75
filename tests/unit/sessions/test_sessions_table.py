"""The worker's table: what is over stays over, a question is asked once, strangers cost a bounded amount.

Found by the digests of their secrets, ended by their ids: a secret that was retired finds nothing ever after.
"""

import hashlib

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
    assert (TWO,) == table.revoke((TWO.id, THREE.id), 1, 100.0)
    assert [ONE, Lookup.MISS, Lookup.MISS] == [table.lookup(s.id) for s in (ONE, TWO, THREE)]


def test_a_revocation_older_than_what_is_known_is_ignored(table):
    newer = session(generation=5)
    table.put(newer)
    assert () == table.revoke((ONE.id,), 4, 100.0)
    assert newer is table.lookup(ONE.id)
    assert (newer,) == table.revoke((ONE.id,), FINAL_GENERATION, 100.0)


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
    assert (ONE,) == table.load((TWO, THREE), 100.0)
    assert [Lookup.MISS, TWO, THREE, Lookup.ASK] == [table.lookup(session(n).id) for n in (1, 2, 3, 4)]
    assert table.put(ONE) is None


def test_a_snapshot_does_not_open_graves(table):
    table.revoke((ONE.id,), 1, 100.0)
    assert () == table.load((ONE, TWO), 101.0)
    assert [Lookup.MISS, TWO] == [table.lookup(s.id) for s in (ONE, TWO)]


@pytest.mark.parametrize(("carried", "in_force"), [(4, 5), (5, 5), (6, 6)])
def test_a_snapshot_brings_no_older_session_back(table, carried, in_force):
    table.put(session(generation=5))
    assert () == table.load((session(generation=carried),), 100.0)
    assert in_force == table.lookup(ONE.id).generation


def test_the_absolute_end_takes_sessions_out(table):
    early, late = session(1, absolute=1500.0), session(2, absolute=1500.1)
    table.put(early)
    table.put(late)
    assert () == table.expire(1499.9)
    assert (early,) == table.expire(1500.0)
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


# secrets: a session is found by the newest and by the former one while that is good


def key(number, step):
    """Return the digest of the secret that the session `number` has after `step` rotations."""
    return bytes([number]) * 32 if step == 0 else hashlib.sha256(b"%d %d" % (number, step)).digest()


def version(number, generation):
    """Return a session as a keeper makes it in its life: odd generations end the former secret, even ones rotate."""
    step = generation // 2
    return Session(
        id=bytes([number]) * 32,
        user="ada",
        created_unix=1000.0,
        absolute_unix=2000.0,
        generation=generation,
        key=key(number, step) if step else b"",
        former=key(number, step - 1) if step and generation % 2 == 0 else b"",
    )


def is_found(table, digest):
    return isinstance(table.lookup(digest), Session)


def test_a_session_is_found_by_its_newest_secret_and_by_the_former_one(table):
    first, rotated, settled = version(1, 1), version(1, 2), version(1, 3)
    table.put(first)
    assert [True, False] == [is_found(table, key(1, step)) for step in range(2)]
    table.put(rotated)
    assert [rotated, rotated] == [table.lookup(key(1, step)) for step in range(2)]
    table.put(settled)
    assert [Lookup.ASK, settled] == [table.lookup(key(1, step)) for step in range(2)]
    assert 1 == len(table)


def test_a_secret_that_was_unknown_is_found_once_it_is_pushed(table):
    table.lookup(key(1, 1))
    assert table.answer(key(1, 1), None) is None
    table.put(version(1, 2))
    assert is_found(table, key(1, 1))


@pytest.mark.parametrize("late", ["put", "answer", "load"])
def test_nothing_late_brings_a_retired_secret_back(table, late):
    table.put(version(1, 3))
    table.lookup(key(1, 0))
    match late:
        case "put":
            assert version(1, 3) == table.put(version(1, 2))
        case "answer":
            assert table.answer(key(1, 0), version(1, 2)) is None
        case _:
            table.load((version(1, 2),), 100.0)
    assert [False, True] == [is_found(table, key(1, step)) for step in range(2)]


def test_an_answer_that_is_too_old_is_no_miss(table):
    table.put(version(1, 3))
    table.lookup(key(1, 2))
    table.answer(key(1, 2), version(1, 2))
    assert Lookup.ASK is table.lookup(key(1, 2))


@pytest.mark.parametrize(
    "end",
    [
        lambda table: table.revoke((ONE.id,), FINAL_GENERATION, 100.0),
        lambda table: table.load((), 100.0),
        lambda table: table.expire(2000.0),
    ],
)
def test_a_session_that_ends_is_found_by_none_of_its_secrets(table, end):
    rotated = version(1, 2)
    table.put(rotated)
    assert (rotated,) == end(table)
    assert [False, False] == [is_found(table, each) for each in rotated.keys]


def test_the_very_session_that_was_found_is_live_until_it_changes_or_ends(table):
    first, rotated = version(1, 1), version(1, 2)
    assert not table.is_live(first)
    table.put(first)
    assert table.is_live(table.lookup(key(1, 0)))
    table.put(rotated)
    assert [False, True] == [table.is_live(each) for each in (first, rotated)]
    table.revoke((rotated.id,), FINAL_GENERATION, 100.0)
    assert not table.is_live(rotated)


numbers, generations = st.integers(1, 3), st.integers(1, 7)


class Histories(RuleBasedStateMachine):
    """Any messages in any order, old ones too.

    A session that ended by a final revocation is not found within a minute, by no secret; and as long as a session
    lives, a secret that some known generation of it had retired finds nothing.
    """

    def __init__(self):
        super().__init__()
        self.table = SessionTable(max_misses=2, max_asks=2)
        self.now = 100.0
        self.revoked = {}
        self.newest = {}  # number → the highest generation that the table was told of, for as long as it lives

    def told(self, number, generation):
        """Take note that the table was told of this; one that is over has no past."""
        before = self.newest.pop(number, 0)
        if version(number, 1).id in self.table._live:
            self.newest[number] = max(generation, before)

    @rule(number=numbers, generation=generations)
    def put(self, number, generation):
        self.table.put(version(number, generation))
        self.told(number, generation)

    @rule(number=numbers, generation=generations, step=st.integers(0, 3), known=st.booleans())
    def answer(self, number, generation, step, known):
        found = self.table.answer(key(number, step), version(number, generation) if known else None)
        self.told(number, generation if known else 0)
        assert found is None or key(number, step) in found.keys

    @rule(wanted=st.dictionaries(numbers, generations))
    def load(self, wanted):
        self.table.load([version(*each) for each in wanted.items()], self.now)
        for number in range(1, 4):
            self.told(number, wanted.get(number, 0))

    @rule(number=numbers, generation=st.one_of(generations, st.just(FINAL_GENERATION)))
    def revoke(self, number, generation):
        self.table.revoke((version(number, 1).id,), generation, self.now)
        if generation == FINAL_GENERATION:
            self.revoked[number] = self.now
        self.told(number, 0)

    @rule(seconds=st.floats(0, 90))
    def wait(self, seconds):
        self.now += seconds
        self.table.forget_tombstones(self.now)

    @rule()
    def lose_the_link(self):
        self.table.forget_asks()

    @rule(number=numbers, step=st.integers(0, 3))
    def look(self, number, step):
        self.table.lookup(key(number, step))

    @invariant()
    def what_was_revoked_stays_so(self):
        for number, at in self.revoked.items():
            if self.now < at + TOMBSTONE_SECONDS:
                assert not any(is_found(self.table, key(number, step)) for step in range(4))

    @invariant()
    def a_retired_secret_finds_nothing(self):
        for number, generation in self.newest.items():
            good = version(number, generation).keys
            found = {key(number, step) for step in range(4) if is_found(self.table, key(number, step))}
            assert found <= set(good)

    @invariant()
    def every_secret_that_finds_leads_to_a_live_session(self):
        live = self.table._live
        assert {each for session in live.values() for each in session.keys} == set(self.table._by_key)
        assert all(live[session.id] is session for session in self.table._by_key.values())

    @invariant()
    def bounds_hold(self):
        assert len(self.table._misses) <= 2
        assert len(self.table._asked) <= 2


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
