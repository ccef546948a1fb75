"""Secrets of sessions are replaced, and whoever comes with an old one is found out; restarts change nothing of that."""

import itertools
import os

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbgate.config.schema import Config, Sessions
from nbgate.crypto.tokens import parse_session_token
from nbgate.errors import StoreError
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.rotation import MAX_RETIRED, VALUE
from nbgate.link.messages import SessionAnswer, SessionAsk, SessionKeyUsed, SessionPut, SessionsRevoked
from nbgate.model.session import Scope
from nbgate.testing.keeper_parts import PASSWORD, Rig

ROOT = "uid:0 root"
DAY, GRACE = 86400.0, 60.0
PATIENT = Config(sessions=Sessions(idle_seconds=30 * DAY, absolute_seconds=30 * DAY))


@pytest.fixture
async def rig():
    """A keeper whose sessions are rotated each day."""
    rig = Rig(config=PATIENT)
    await rig.keeper.accounts.add("ada", PASSWORD, ROOT)
    yield rig
    await rig.close()


async def log_in(rig):
    attempt = LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r1")
    return (await rig.keeper.log_in(attempt)).session


async def rotated(rig, session, after=DAY):
    """Let a day pass and rotate; return the digest of the new secret."""
    rig.clock.advance(after)
    text = await rig.keeper.rotate(session.id, rig.keeper.find_session(session.id).keys[0])
    assert text is not None
    return parse_session_token(text)


async def asked(rig, link, key):
    link.answer(SessionAsk(id=key))
    await rig.keeper.errands.done()
    return link.of(SessionAnswer)[-1].session


async def restarted(rig):
    """Return a keeper that was started anew on what the one of `rig` has stored."""
    again = Rig(config=PATIENT, state=rig.state, clock=rig.clock, random_bytes=os.urandom)
    await again.keeper.start()
    return again


async def test_a_new_secret_stands_for_the_session_and_the_former_one_still_does(rig):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    changed = rig.keeper.find_session(session.id)
    assert (session.id, key, session.id, 2) == (changed.id, changed.key, changed.former, changed.generation)
    assert rig.clock.unix() + DAY == changed.rotate_unix
    assert SessionPut(session=changed) == link.of(SessionPut)[-1]
    assert [changed, changed] == [await asked(rig, link, each) for each in (key, session.id)]
    assert changed == rig.state.sessions.get(session.id).session


async def test_before_its_time_no_secret_is_replaced(rig):
    session = await log_in(rig)
    rig.clock.advance(DAY - 1)
    assert await rig.keeper.rotate(session.id, session.id) is None
    assert session == rig.keeper.find_session(session.id)


async def test_two_tabs_rotate_once(rig):
    session = await log_in(rig)
    key = await rotated(rig, session)
    assert await rig.keeper.rotate(session.id, session.id) is None
    assert key == rig.keeper.find_session(session.id).key


async def test_a_secret_whose_answer_was_lost_is_replaced_at_the_next_time(rig):
    session = await log_in(rig)
    lost = await rotated(rig, session)
    rig.clock.advance(DAY)
    key = parse_session_token(await rig.keeper.rotate(session.id, session.id))
    row = rig.keeper.stored(session.id)
    assert ((key, session.id), (lost,)) == (row.session.keys, row.retired)


async def test_the_former_secret_is_replaced_by_nothing_once_the_new_one_is_used(rig):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    rig.keeper.apply(
        Config(sessions=Sessions(rotate_grace_seconds=10 * DAY, idle_seconds=30 * DAY)),
        rig.keeper.material,
        rig.values["tables"],
        rig.values["rules"],
    )
    link.answer(SessionKeyUsed(id=session.id, key=key))
    await rig.keeper.errands.done()
    rig.clock.advance(DAY)
    assert await rig.keeper.rotate(session.id, session.id) is None
    newer = await rotated(rig, session, after=0)
    row = rig.keeper.stored(session.id)
    assert ((newer, key), (session.id,)) == (row.session.keys, row.retired)
    await rig.keeper.sweep()
    assert (newer, key) == rig.keeper.find_session(session.id).keys  # the grace was of another secret


@pytest.mark.parametrize("presented", [b"?" * 32, b""])
async def test_an_unknown_secret_rotates_nothing(rig, presented):
    session = await log_in(rig)
    rig.clock.advance(DAY)
    assert await rig.keeper.rotate(session.id, presented) is None
    assert await rig.keeper.rotate(b"?" * 32, presented) is None


async def test_a_token_is_not_rotated(rig):
    stored, _ = await rig.keeper.tokens.add("ada", "laptop", Scope.ALL, (), rig.clock.unix() + 80 * DAY, ROOT)
    rig.clock.advance(2 * DAY)
    assert await rig.keeper.rotate(stored.session.id, stored.session.id) is None


async def test_the_former_secret_ends_a_minute_after_the_first_use_of_the_new_one(rig):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    rig.clock.advance(3600)
    await rig.keeper.sweep()
    assert session.id == rig.keeper.find_session(session.id).former  # nobody has used the new one
    for _ in range(2):  # each worker tells of it
        link.answer(SessionKeyUsed(id=session.id, key=key))
        await rig.keeper.errands.done()
        rig.clock.advance(GRACE / 2)
    await rig.keeper.sweep()
    row = rig.keeper.stored(session.id)
    assert ((key,), (session.id,), 3) == (row.session.keys, row.retired, row.session.generation)
    assert SessionPut(session=row.session) == link.of(SessionPut)[-1]


async def test_whoever_comes_with_a_retired_secret_ends_the_session(rig):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    link.answer(SessionKeyUsed(id=session.id, key=key))
    await rig.keeper.errands.done()
    rig.clock.advance(GRACE)
    await rig.keeper.sweep()
    link.answer(SessionAsk(id=session.id))
    link.answer(SessionAsk(id=session.id))  # another request of the thief's, before the first had its effect
    await rig.keeper.errands.done()
    assert [None, None] == [answer.session for answer in link.of(SessionAnswer)]
    (revoked,) = link.of(SessionsRevoked)
    assert ((session.id,), "session-reused") == (revoked.ids, revoked.reason)
    assert ["session-reused"] == [record["event.reason"] for record in rig.sink.records("session.end")]
    assert await asked(rig, link, key) is None


async def test_a_theft_that_could_not_be_answered_is_answered_by_the_sweep(rig, monkeypatch):
    link, session = rig.attach(), await log_in(rig)
    lost = await rotated(rig, session)
    rig.clock.advance(DAY)
    await rig.keeper.rotate(session.id, session.id)

    def broken(_ids):
        raise StoreError("the store cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr(rig.state.sessions, "end", broken)
        assert await asked(rig, link, lost) is None
    assert rig.keeper.find_session(session.id) is not None
    await rig.keeper.sweep()
    assert rig.keeper.find_session(session.id) is None


async def test_a_theft_of_what_has_ended_meanwhile_is_no_end_of_it(rig):
    link, session = rig.attach(), await log_in(rig)
    lost = await rotated(rig, session)
    rig.clock.advance(DAY)
    await rig.keeper.rotate(session.id, session.id)
    link.answer(SessionAsk(id=lost))
    rig.keeper.live.end((session.id,), rig.clock.monotonic())
    await rig.keeper.errands.done()
    assert [] == rig.sink.records("session.end")


@pytest.mark.parametrize("about", ["nobody", "no rotation", "an older secret"])
async def test_a_use_that_says_nothing_new_changes_nothing(rig, about):
    link, session = rig.attach(), await log_in(rig)
    if about == "an older secret":
        await rotated(rig, session)
    link.answer(SessionKeyUsed(id=b"?" * 32 if about == "nobody" else session.id, key=session.id))
    await rig.keeper.errands.done()
    before = rig.keeper.stored(session.id)
    rig.clock.advance(GRACE)
    await rig.keeper.sweep()
    assert before == rig.keeper.stored(session.id)


async def test_a_session_that_ended_meanwhile_is_not_rotated_back(rig, monkeypatch):
    session = await log_in(rig)
    rig.clock.advance(DAY)
    replace = rig.state.sessions.replace

    def overtaken(old, new):
        replaced = replace(old, new)
        rig.keeper.live.end((session.id,), rig.clock.monotonic())
        return replaced

    monkeypatch.setattr(rig.state.sessions, "replace", overtaken)
    assert await rig.keeper.rotate(session.id, session.id) is None
    assert rig.keeper.find_session(session.id) is None


async def test_a_change_of_the_account_comes_first(rig, monkeypatch):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    link.answer(SessionKeyUsed(id=session.id, key=key))
    await rig.keeper.errands.done()
    rig.clock.advance(DAY)
    with monkeypatch.context() as patch:
        patch.setattr(rig.state.sessions, "replace", lambda _old, _new: False)
        assert await rig.keeper.rotate(session.id, key) is None
        await rig.keeper.sweep()
    assert session.id == rig.keeper.find_session(session.id).former
    await rig.keeper.sweep()
    assert b"" == rig.keeper.find_session(session.id).former


async def test_retired_secrets_are_bounded(rig):
    session = await log_in(rig)
    last = b""
    for _ in range(MAX_RETIRED + 3):
        rig.clock.advance(DAY / 8)
        rig.keeper.live.touch((session.id,), rig.clock.unix())
        row = rig.keeper.stored(session.id)
        due = msgspec.structs.replace(row.session, rotate_unix=0.0, generation=row.session.generation + 1)
        changed = msgspec.structs.replace(row, session=due)
        assert rig.state.sessions.replace(row, changed)
        assert rig.keeper.live.put(changed)
        last = await rotated(rig, session, after=0)
    row = rig.keeper.stored(session.id)
    assert (MAX_RETIRED, last) == (len(row.retired), row.session.key)


# a keeper that is started anew


async def test_a_former_secret_keeps_what_is_left_of_its_grace(rig):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    link.answer(SessionKeyUsed(id=session.id, key=key))
    await rig.keeper.errands.done()
    rig.clock.advance(40)
    again = await restarted(rig)
    rig.clock.advance(19)
    await again.keeper.sweep()
    assert (key, session.id) == again.keeper.find_session(session.id).keys
    rig.clock.advance(1)
    await again.keeper.sweep()
    assert (key,) == again.keeper.find_session(session.id).keys
    assert await asked(again, again.attach(), session.id) is None
    assert again.keeper.find_session(session.id) is None
    await again.close()


async def test_a_clock_that_was_set_back_meanwhile_gives_no_more_than_a_whole_grace(rig):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    link.answer(SessionKeyUsed(id=session.id, key=key))
    await rig.keeper.errands.done()
    rig.clock.set_unix(rig.clock.unix() - 3600)
    again = await restarted(rig)
    rig.clock.advance(GRACE)
    await again.keeper.sweep()
    assert (key,) == again.keeper.find_session(session.id).keys
    await again.close()


async def test_a_secret_that_nobody_has_used_yet_does_not_end_the_former_one(rig):
    session = await log_in(rig)
    key = await rotated(rig, session)
    again = await restarted(rig)
    rig.clock.advance(3600)
    await again.keeper.sweep()
    assert (key, session.id) == again.keeper.find_session(session.id).keys
    await again.close()


async def test_what_is_stored_of_a_session_that_is_over_is_forgotten(rig):
    link, session = rig.attach(), await log_in(rig)
    key = await rotated(rig, session)
    link.answer(SessionKeyUsed(id=session.id, key=key))
    await rig.keeper.errands.done()
    await rig.keeper.log_out(rig.keeper.find_session(session.id))
    again = await restarted(rig)
    rig.clock.advance(GRACE)
    await again.keeper.sweep()
    await rig.keeper.sweep()
    assert {} == msgspec.msgpack.decode(rig.state.values.get(VALUE))
    await again.close()


async def test_damaged_rotations_are_not_taken_for_none(rig):
    rig.state.values.put(VALUE, b"?")
    again = Rig(state=rig.state, clock=rig.clock)
    with pytest.raises(StoreError, match="damaged"):
        await again.keeper.start()
    await again.close()


STEPS = st.lists(
    st.sampled_from(["rotate", "rotate former", "use", "use former", "grace", "day", "restart", "thief"]), max_size=14
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
async def test_in_no_history_does_a_retired_secret_open_anything(steps):
    """A model: which secrets are good, and which were; the browser comes with the newest one or with the former one."""
    rig = Rig(config=PATIENT)
    await rig.keeper.accounts.add("ada", PASSWORD, ROOT)
    session, link = await log_in(rig), rig.attach()
    ever, again = {session.id}, [rig]
    for step, count in zip(steps, itertools.count()):
        live = rig.keeper.find_session(session.id)
        if live is None:
            break
        match step:
            case "rotate" | "rotate former":
                text = await rig.keeper.rotate(session.id, live.keys[-1 if step.endswith("former") else 0])
                ever |= {parse_session_token(text)} if text else set()
            case "use" | "use former":
                key = live.keys[-1 if step.endswith("former") else 0]
                assert live == await asked(rig, link, key)
                link.answer(SessionKeyUsed(id=session.id, key=key))
                await rig.keeper.errands.done()
            case "grace" | "day":
                rig.clock.advance(GRACE if step == "grace" else DAY)
                await rig.keeper.sweep()
            case "restart":
                again.append(await restarted(rig))
                rig, link = again[-1], again[-1].attach(count)
            case _:
                old = sorted(ever - set(live.keys))
                assert [None] * len(old) == [await asked(rig, link, key) for key in old]
                assert (rig.keeper.find_session(session.id) is None) == bool(old)
        live = rig.keeper.find_session(session.id)
        good = set() if live is None else set(live.keys)
        assert good == {key for key in ever if rig.keeper.live.find_by_key(key)}
        assert live is None or ever - good == set(rig.keeper.stored(session.id).retired)
    for each in again:
        await each.close()
