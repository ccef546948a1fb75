"""The login buckets over restarts, in the records, and by an operator's word."""

import asyncio
import math

import pytest

from nbgate.config.schema import Throttle as Options
from nbgate.errors import LoginThrottled, StoreError
from nbgate.guard.throttle import Attempt
from nbgate.keeper.throttle import MAX_TOLD, VALUE, KeeperThrottle, ThrottleParts, netblock_of, network_of
from nbgate.testing.keeper_parts import Rig


@pytest.fixture
async def rig():
    made = Rig()
    yield made
    await made.close()


def throttle(rig, **options):
    return KeeperThrottle(
        ThrottleParts(
            values=rig.state.values,
            in_store=rig.run,
            audit=rig.audit,
            clock=rig.clock,
            limits=lambda: Options(**options),
            salt=b"salt",
        )
    )


def attempt(client="192.0.2.7", account="ada", *, known=True, device=""):
    address = netblock_of(client)
    return Attempt(address=address, network=network_of(address), account=account, known=known, device=device)


def tries(made, count=1, client="192.0.2.7", **kinds):
    """Return how many passed, and how long the last one must wait."""
    passed, wait = 0, 0.0
    for _ in range(count):
        one = made.without_void(attempt(client, **kinds))
        try:
            made.judge(one, client, one.account)
        except LoginThrottled as error:
            wait = error.retry_seconds
        else:
            made.failed(one)
            made.done(one)
            passed, wait = passed + 1, 0.0
    return passed, wait


def told(rig):
    return [
        (
            record["nbgate.throttle.bucket"],
            record["client.ip"],
            record["user.name"],
            record.get("nbgate.audit.count", 1),
        )
        for record in rig.sink.records("auth.throttled")
    ]


async def test_the_options_in_force_decide(rig):
    options = {"account_burst": 100, "address_burst": 3, "address_seconds": 7.0}
    made = throttle(rig, **options)
    assert (3, 7.0) == tries(made, 4)
    options["address_burst"] = 5
    made._parts = ThrottleParts(
        **{name: getattr(made._parts, name) for name in made._parts.__struct_fields__}
        | {"limits": lambda: Options(**options)}
    )
    assert (2, 7.0) == tries(made, 3)


async def test_refusals_are_recorded_at_once_and_then_as_a_sum_a_minute(rig):
    made = throttle(rig, address_burst=1, address_seconds=3600.0)
    tries(made, 2)
    assert [("address", "192.0.2.7", "ada", 1)] == told(rig)
    tries(made, 500, account="bob")
    rig.clock.advance(59.0)
    made.tell()
    assert 1 == len(told(rig))
    rig.clock.advance(1.0)
    made.tell()
    tries(made, 3)
    made.tell()
    assert [("address", "192.0.2.7", "bob", 500)] == told(rig)[1:]
    for _ in range(3):
        rig.clock.advance(60.0)
        made.tell()
    assert [("address", "192.0.2.7", "ada", 3)] == told(rig)[2:]
    assert {} == made._sums
    assert {"failure"} == {record["event.outcome"] for record in rig.sink.records("auth.throttled")}


async def test_refusals_of_many_are_one_sum(rig):
    """THREATS T40: the log is as long for a million clients as for a hundred."""
    made = throttle(rig, address_burst=1, network_burst=5000, account_burst=5000, global_burst=5000)
    for number in range(1000):
        tries(made, 4, client=f"10.0.{number // 250}.{number % 250}")
    for _ in range(3):
        rig.clock.advance(60.0)
        made.tell()
    records = told(rig)
    assert 3000 == sum(count for *_, count in records)
    assert 2 * (MAX_TOLD + 1) == len(records)
    assert [("address", "", "", 1), ("address", "", "", (1000 - MAX_TOLD) * 3 - 1)] == [
        record for record in records if not record[1]
    ]


@pytest.mark.parametrize(
    ("wall", "monotonic", "given_back"),
    [
        (120.0, 120.0, 120.0),
        (0.0, 0.0, 0.0),
        (3600.0, 120.0, 120.0),  # somebody set the clock
        (-3600.0, 120.0, 0.0),
        (120.0, -500.0, 120.0),  # the machine was started anew
        (-5.0, -500.0, 0.0),
    ],
)
async def test_a_restart_gives_back_what_time_has_given_and_no_more(rig, wall, monotonic, given_back):
    made = throttle(rig)
    assert (10, 60.0) == tries(made, 11)
    await made.store()
    rig.clock._unix += wall
    rig.clock._monotonic += monotonic
    other = throttle(rig)
    await other.load()
    assert (given_back // 60, 60.0) == tries(other, 20, client="198.51.100.1")


async def test_a_first_start_and_a_value_of_another_version_begin_anew(rig):
    made = throttle(rig)
    await made.load()
    rig.state.values.put(VALUE, b"of another version")
    await made.load()
    assert (10, 60.0) == tries(made, 11)


async def test_a_device_that_failed_too_often_is_a_stranger(rig):
    made = throttle(rig, device_burst=1000, factor_burst=1000)
    assert (50, 0.0) == tries(made, 50, device="d")
    assert "" == made.without_void(attempt(device="d")).device
    assert "e" == made.without_void(attempt(device="e")).device
    made.succeeded(attempt(device="d"))
    assert "d" == made.without_void(attempt(device="d")).device


async def test_an_operator_unlocks_an_account(rig):
    made = throttle(rig, address_burst=1000, network_burst=1000)
    for _ in range(5):
        made.wrong_code(attempt())
    assert (0, 7200.0) == tries(made)
    await made.unlock("ada", "uid:0 root")
    assert (5, 0.0) == tries(made, 5)
    (record,) = rig.sink.records("throttle.clear")
    assert ("ada", "uid:0 root") == (record["user.target.name"], record["nbgate.actor"])


@pytest.mark.parametrize("netblock", [None, "192.0.2.7/32"])
async def test_an_operator_clears_a_netblock(rig, netblock):
    made = throttle(rig, account_burst=1000)
    assert 10 == tries(made, 11)[0]
    made.forget("192.0.9.7/32")
    assert 0 == tries(made)[0]
    made.forget(netblock)
    assert 10 == tries(made, 11)[0]


@pytest.mark.parametrize(
    ("client", "netblock", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("2001:db8:1:2:3::1", "2001:db8:1:2::/64", "2001:db8:1::/56"),
        ("2001:db8:1:ff::1", "2001:db8:1:ff::/64", "2001:db8:1::/56"),
        ("2001:db8:1:100::1", "2001:db8:1:100::/64", "2001:db8:1:100::/56"),
        ("", "", ""),
        ("unix", "", ""),
    ],
)
def test_whom_an_attempt_counts_for(client, netblock, network):
    assert (netblock, network) == (netblock_of(client), network_of(netblock_of(client)))


async def test_every_wait_is_a_whole_wait(rig):
    """Whoever waits as long as they were told, rounded up, is let in."""
    made = throttle(rig, address_seconds=7.3, account_burst=1000)
    tries(made, 10)
    for _ in range(100):
        _, wait = tries(made)
        rig.clock.advance(math.ceil(wait))
        assert (1, 0.0) == tries(made)
        tries(made, 5)


async def test_what_has_not_changed_is_not_written_again(rig):
    made, written = throttle(rig), []
    keep, rig.state.values.put = rig.state.values.put, lambda name, value: written.append(name) or keep(name, value)
    await made.store()
    tries(made)
    await made.store()
    await made.store()
    assert [VALUE] == written


async def test_the_first_attempt_is_stored_at_once_and_a_large_snapshot_when_it_is_time(rig):
    made = throttle(rig, global_burst=10**6)
    waiting = asyncio.ensure_future(made.store_changes())
    await asyncio.sleep(0)
    assert not waiting.done()
    tries(made)
    await asyncio.wait_for(waiting, 10)
    first = rig.state.values.get(VALUE)
    assert first
    for number in range(4000):
        tries(made, client=f"10.{number % 250}.{number // 250}.1", account=f"user{number}")
    await made.store_changes()
    large = rig.state.values.get(VALUE)
    tries(made, client="11.0.0.1")
    await made.store_changes()
    assert first != large == rig.state.values.get(VALUE)
    rig.clock.advance(30.0)
    await asyncio.wait_for(made.store_changes(), 10)  # nobody has tried since
    assert large != rig.state.values.get(VALUE)


async def test_a_large_snapshot_is_written_now_and_then_and_at_the_end(rig):
    made, written = throttle(rig, global_burst=10**6), []
    keep, rig.state.values.put = rig.state.values.put, lambda name, value: written.append(name) or keep(name, value)
    for number in range(4000):
        tries(made, client=f"10.{number % 250}.{number // 250}.1", account=f"user{number}")
    await made.store()
    for again in (1, 2, 3):
        tries(made, client=f"11.0.0.{again}")
        rig.clock.advance(14.9)
        await made.store()
    assert 2 == len(written)
    tries(made, client="11.0.0.4")
    await made.store(is_last=True)
    assert 3 == len(written)


async def test_what_could_not_be_written_is_written_later(rig):
    made = throttle(rig)
    tries(made)

    def fail(_name, _value):
        raise StoreError("the disk is full")

    keep, rig.state.values.put = rig.state.values.put, fail
    with pytest.raises(StoreError):
        await made.store()
    rig.state.values.put = keep
    await made.store()
    assert rig.state.values.get(VALUE)
