"""What people should know about their logins, over restarts, and never somebody else's."""

import asyncio

import msgspec
import pytest

from nbgate.errors import StoreError
from nbgate.keeper.notices import MAX_NETWORKS, MAX_NOTICES, MAX_PENDING, NEW_NETWORK, WRONG_CODE, Notice, Notices
from nbgate.testing.keeper_parts import PASSWORD


def notices(rig):
    return Notices(values=rig.state.values, users=rig.state.users, in_store=rig.run, audit=rig.audit, clock=rig.clock)


async def log_in_from(made, *networks, user="ada"):
    for network in networks:
        made.logged_in(user, f"{network}.0/24", f"{network}.7")
        await made.flush()


async def news(made, user="ada"):
    return [notice.client for notice in await made.of(user)]


async def test_what_is_noted_is_recorded_at_once_and_stored(rig):
    made = notices(rig)
    made.note("ada", WRONG_CODE, "192.0.2.7", "r1")
    (record,) = rig.sink.records("auth.notice")
    assert ("ada", "192.0.2.7", WRONG_CODE, "r1") == tuple(
        record[name] for name in ("user.name", "client.ip", "message", "http.request.id")
    )
    assert rig.state.values.get("notices:ada") is None
    await made.flush()
    rig.clock.advance(10.0)
    made.note("ada", "other", "192.0.2.8")
    await made.flush()
    now = rig.clock.unix()
    expected = (Notice(now, "other", "192.0.2.8"), Notice(now - 10.0, WRONG_CODE, "192.0.2.7"))
    assert expected == await made.of("ada")
    assert expected == await notices(rig).of("ada")  # after a restart


async def test_only_the_newest_are_kept(rig):
    made = notices(rig)
    for number in range(MAX_NOTICES + 5):
        made.note("ada", WRONG_CODE, str(number))
    for number in range(3):
        made.note("ada", WRONG_CODE, f"later {number}")
        await made.flush()
    assert ["later 2", "later 1", "later 0", "24", "23"] == (await news(made))[:5]
    assert MAX_NOTICES == len(await news(made))


@pytest.mark.parametrize("at_once", [True, False])
async def test_many_equal_notices_are_one_with_a_count_and_push_nothing_off(rig, at_once):
    made = notices(rig)
    made.note("ada", "other", "192.0.2.7")
    made.note("ada", WRONG_CODE, "192.0.2.8")
    for _ in range(3 * MAX_NOTICES):
        rig.clock.advance(1.0)
        made.note("ada", WRONG_CODE, "192.0.2.7")
        if not at_once:
            await made.flush()
    now = rig.clock.unix()
    expected = (
        Notice(now, WRONG_CODE, "192.0.2.7", 60),
        Notice(now - 60.0, WRONG_CODE, "192.0.2.8"),
        Notice(now - 60.0, "other", "192.0.2.7"),
    )
    assert expected == await made.of("ada")
    rig.clock.advance(1.0)
    made.note("ada", "other", "192.0.2.7")
    again = await made.of("ada")
    assert [(now + 1.0, "other", 2), (now, WRONG_CODE, 60)] == [
        (notice.at_unix, notice.message, notice.count) for notice in again[:2]
    ]
    assert again == await notices(rig).of("ada")  # after a restart
    assert 63 == len(rig.sink.records("auth.notice"))


@pytest.mark.parametrize("at_once", [True, False])
async def test_many_of_one_kind_from_many_addresses_push_no_other_kind_off(rig, at_once):
    made = notices(rig)
    await log_in_from(made, "203.0.113")
    made.logged_in("ada", "192.0.2.0/24", "192.0.2.7")
    for number in range(3 * MAX_NOTICES):
        made.note("ada", WRONG_CODE, f"198.51.100.{number}")
        if not at_once:
            await made.flush()
    wrong_codes = [f"198.51.100.{number}" for number in reversed(range(3 * MAX_NOTICES))]
    assert [*wrong_codes[: MAX_NOTICES - 1], "192.0.2.7"] == await news(made)


async def test_logins_and_notices_of_a_second_keep_out_of_each_other_s_way(rig):
    made = notices(rig)
    made.logged_in("ada", "192.0.2.0/24", "192.0.2.7")
    made.note("ada", NEW_NETWORK, "198.51.100.7")
    made.logged_in("ada", "198.51.100.0/24", "198.51.100.7")
    made.note("ada", NEW_NETWORK, "198.51.100.7")
    assert [(NEW_NETWORK, "198.51.100.7", 3)] == [
        (notice.message, notice.client, notice.count) for notice in await made.of("ada")
    ]


async def test_what_was_stored_before_there_were_counts_is_read(rig):
    since = rig.state.users.get("ada").created_unix
    before = (since, ((since, WRONG_CODE, "192.0.2.7"),), ("192.0.2.0/24",))
    rig.state.values.put("notices:ada", msgspec.msgpack.encode(before))
    made = notices(rig)
    assert (Notice(since, WRONG_CODE, "192.0.2.7", 1),) == await made.of("ada")
    made.note("ada", WRONG_CODE, "192.0.2.7")
    assert [2] == [notice.count for notice in await made.of("ada")]


async def test_a_login_from_another_network_is_news_and_the_very_first_is_not(rig):
    made = notices(rig)
    await log_in_from(made, "192.0.2", "192.0.2", "198.51.100", "192.0.2", "198.51.100", "203.0.113")
    made.logged_in("ada", "", "unix")
    assert ["203.0.113.7", "198.51.100.7"] == await news(made)
    assert {NEW_NETWORK} == {notice.message for notice in await made.of("ada")}
    assert 2 == len(rig.sink.records("auth.notice"))


async def test_a_network_is_known_for_the_last_twenty(rig):
    made = notices(rig)
    others = [f"10.0.{number}" for number in range(MAX_NETWORKS - 1)]
    await log_in_from(made, "192.0.2", *others, "192.0.2", "10.9.9", "192.0.2")
    assert MAX_NETWORKS == len(await news(made))
    await log_in_from(made, "10.0.0")  # the one not seen for longest has made room for 10.9.9
    assert "10.0.0.7" == (await news(made))[0]


async def test_networks_of_a_second_are_judged_in_their_order(rig):
    made = notices(rig)
    for network in ("192.0.2", "198.51.100", "192.0.2"):
        made.logged_in("ada", f"{network}.0/24", f"{network}.7")
    assert ["198.51.100.7"] == await news(made)


async def test_who_gets_the_name_of_somebody_who_is_gone_learns_nothing_of_theirs(rig):
    made = notices(rig)
    await log_in_from(made, "192.0.2", "198.51.100")
    await rig.keeper.accounts.remove("ada", "uid:0 root")
    assert () == await made.of("ada")
    made.note("ada", WRONG_CODE, "192.0.2.7")
    await made.flush()
    rig.clock.advance(1.0)
    await rig.keeper.accounts.add("ada", PASSWORD, "uid:0 root")
    assert () == await made.of("ada")
    await log_in_from(made, "203.0.113")
    assert [] == await news(made)


async def test_what_cannot_be_stored_is_tried_again(rig):
    made = notices(rig)
    put, rig.state.values.put = rig.state.values.put, broken
    made.note("ada", WRONG_CODE, "192.0.2.7")
    with pytest.raises(StoreError):
        await made.flush()
    made.note("ada", "other", "192.0.2.8")
    with pytest.raises(StoreError):
        await made.flush()
    made.note("ada", WRONG_CODE, "192.0.2.7")
    rig.state.values.put = put
    assert ["192.0.2.7", "192.0.2.8"] == await news(made)
    assert [2, 1] == [notice.count for notice in await made.of("ada")]
    assert 3 == len(rig.sink.records("auth.notice"))


async def test_what_comes_while_it_could_not_be_stored_waits_with_it(rig):
    made = notices(rig)

    async def slow(_call, *_args):
        await asyncio.sleep(0)
        raise StoreError("the state cannot be used")

    made._in_store, real = slow, made._in_store
    made.note("ada", WRONG_CODE, "one")
    under_way = asyncio.ensure_future(made.flush())
    await asyncio.sleep(0)
    made.note("ada", WRONG_CODE, "two")
    made.note("ada", WRONG_CODE, "one")
    with pytest.raises(StoreError):
        await under_way
    made._in_store = real
    assert [("one", 2), ("two", 1)] == [(notice.client, notice.count) for notice in await made.of("ada")]


async def test_what_another_version_wrote_is_forgotten(rig):
    rig.state.values.put("notices:ada", b"of another version")
    made = notices(rig)
    assert () == await made.of("ada")
    made.note("ada", WRONG_CODE, "192.0.2.7")
    await made.flush()
    assert ["192.0.2.7"] == await news(made)


def broken(*_):
    raise StoreError("the state cannot be used")


async def test_what_comes_while_it_is_stored_is_stored_next(rig):
    made = notices(rig)

    async def slow(call, *args):
        await asyncio.sleep(0)
        return call(*args)

    made._in_store = slow
    made.note("ada", WRONG_CODE, "one")
    under_way = asyncio.ensure_future(made.flush())
    await asyncio.sleep(0)
    made.note("ada", WRONG_CODE, "two")
    await under_way
    assert ["ada"] == list(made._pending)
    assert ["two", "one"] == await news(made)
    assert {} == made._pending


async def test_the_waiting_ones_are_bounded(rig):
    made = notices(rig)
    for number in range(MAX_PENDING + 10):
        made.note(f"user{number}", WRONG_CODE, "192.0.2.7")
    made.note("user1", WRONG_CODE, "192.0.2.8")
    assert MAX_PENDING == len(made._pending)
    assert 2 == len(made._pending["user1"])
