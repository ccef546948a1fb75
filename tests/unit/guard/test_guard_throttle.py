"""Buckets of logins (THREATS 5.2); the test is the clock."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.guard.throttle import (
    IN_FLIGHT_SECONDS,
    SLOTS,
    VOID_FAILURES,
    Attempt,
    Bucket,
    Rate,
    Refusal,
    Throttle,
)

LIMITS = {
    Bucket.ADDRESS: Rate(10, 30.0),
    Bucket.NETWORK: Rate(30, 10.0),
    Bucket.ACCOUNT: Rate(10, 60.0),
    Bucket.DEVICE: Rate(10, 60.0),
    Bucket.FACTOR: Rate(5, 7200.0),
    Bucket.FACTOR_DEVICE: Rate(5, 300.0),
    Bucket.EVERYBODY: Rate(20, 0.2),
}
PLENTY = Rate(1000, 0.001)


def throttle(**limits):
    named = {Bucket[name.upper()]: rate for name, rate in limits.items()}
    return Throttle(dict.fromkeys(Bucket, PLENTY) | named if limits else LIMITS, salt=b"")


def attempt(account="ada", *, host=1, net=1, known=True, device=""):
    return Attempt(
        address=f"192.0.{net}.{host}/32", network=f"192.0.{net}.0/24", account=account, known=known, device=device
    )


def tries(made, count, now=0.0, **kinds):
    """Return what became of so many attempts, one after the other; each one that passes fails."""
    refusals = []
    for _ in range(count):
        one = attempt(**kinds)
        refusals.append(made.judge(one, now))
        if refusals[-1] is None:
            made.failed(one, now)
            made.done(one)
    return [refusal and (refusal.bucket, refusal.seconds) for refusal in refusals]


def passed(made, count, now=0.0, **kinds):
    return tries(made, count, now, **kinds).count(None)


def test_eleven_wrong_passwords_of_one_address_are_ten_answers_and_a_wait():
    """T01."""
    assert [None] * 10 + [("account", 60.0)] == tries(throttle(), 11)
    assert [None] * 10 + [("address", 30.0)] == tries(throttle(address=Rate(10, 30.0)), 11)


@pytest.mark.parametrize(
    ("bucket", "one", "another"),
    [
        ("address", {"host": 1}, {"host": 2}),
        ("network", {"net": 1}, {"net": 2}),
        ("account", {"account": "ada"}, {"account": "bob"}),
        ("device", {"device": "d"}, {"device": "e"}),
        ("device", {"account": "ada", "device": "d"}, {"account": "bob", "device": "d"}),
    ],
)
def test_each_key_has_a_bucket_of_its_own(bucket, one, another):
    made = throttle(**{bucket: Rate(2, 8.0)})
    assert [None, None, (bucket, 8.0)] == tries(made, 3, **one)
    assert [None, None, (bucket, 8.0)] == tries(made, 3, **another)
    assert [(bucket, 2.0)] == tries(made, 1, 6.0, **one)
    assert [None, (bucket, 8.0)] == tries(made, 2, 8.0, **one)
    assert [None, None, (bucket, 8.0)] == tries(made, 3, 1e6, **one)


def test_spraying_one_password_over_many_names_stops_at_the_address():
    """T02."""
    made = throttle()
    found = [tries(made, 1, account=f"user{number}", known=number % 2 == 0)[0] for number in range(15)]
    assert [None] * 10 + [("address", 30.0)] * 5 == found


def test_all_strangers_together_are_twenty_and_five_a_second():
    made = throttle()
    names = [{"account": f"u{number}", "host": number % 250, "net": number // 25} for number in range(1000)]
    assert 20 == sum(passed(made, 1, **name) for name in names[:500])
    assert 20 + 5 * 10 == 20 + sum(passed(made, 1, second / 5, **names[500 + second]) for second in range(1, 51))


def test_strangers_cannot_lock_the_owner_out():
    """T01: whoever has logged in from this browser before has a bucket of their own, before all others."""
    made = throttle()
    for host in range(200):
        tries(made, 20, host=host, net=host % 5)
    assert 0 == passed(made, 1, host=201, net=99)
    assert 10 == passed(made, 11, device="d", host=7)
    assert [("device", 60.0)] == tries(made, 1, device="d")


def test_a_refused_attempt_is_charged_nothing():
    made = throttle(address=Rate(1, 10.0), account=Rate(3, 1000.0))
    assert 1 == passed(made, 500)
    assert [None, None, ("account", 1000.0)] == [tries(made, 1, host=host)[0] for host in (2, 3, 4)]
    assert 1 == passed(made, 500, 10.0, account="bob")


def test_whoever_is_told_to_wait_waits_for_the_longest():
    made = throttle(address=Rate(1, 10.0), network=Rate(1, 30.0), account=Rate(1, 20.0), everybody=Rate(1, 0.2))
    assert [None, ("network", 30.0)] == tries(made, 2)


@pytest.mark.parametrize("known", [True, False])
def test_an_account_under_attack_gives_less_and_less(known):
    made = throttle(account=Rate(10, 60.0))
    assert 10 == passed(made, 11, known=known)
    now, waits = 0.0, Counter()
    for _ in range(600):
        ((bucket, seconds),) = tries(made, 1, now, known=known)
        assert "account" == bucket
        waits[round(seconds)] += 1
        now += seconds
        assert 1 == passed(made, 1, now, known=known)
    assert {60: 40, 300: 450, 900: 110} == waits


def test_less_and_less_is_never_more_at_once():
    """A slower bucket is no larger one."""
    made = throttle(account=Rate(10, 60.0))
    one = attempt()
    assert 10 == passed(made, 10)
    for _ in range(1000):
        made.failed(one, 0.0)
    assert [("account", 900.0)] == tries(made, 1)


def test_a_login_forgets_the_failures_and_not_what_the_attempts_cost():
    made = throttle(account=Rate(10, 60.0), address=Rate(10, 30.0))
    for _ in range(60):
        made.failed(attempt(), 0.0)
    assert 10 == passed(made, 11)
    made.succeeded(attempt(host=9, device="d"), 0.0)
    assert [("account", 60.0)] == tries(made, 1)
    assert [None, ("address", 30.0)] == [tries(made, 1, host=host, account="bob")[0] for host in (2, 1)]


def test_a_browser_that_fails_too_often_is_a_stranger_until_it_logs_in():
    made = throttle()
    for _ in range(VOID_FAILURES):
        assert not made.is_void("ada", "d")
        made.failed(attempt(device="d"), 0.0)
    assert (True, False, False) == (made.is_void("ada", "d"), made.is_void("ada", "e"), made.is_void("bob", "d"))
    made.unlock("ada")
    assert made.is_void("ada", "d")
    made.succeeded(attempt(device="d"), 0.0)
    assert not made.is_void("ada", "d")


# the second factor


@pytest.mark.parametrize(
    ("device", "bucket", "seconds"), [("", "second-factor", 7200.0), ("d", "second-factor-device", 300.0)]
)
def test_wrong_codes_behind_a_right_password_are_few(device, bucket, seconds):
    """T04, F19: 1000 tries with the right password."""
    made = Throttle(
        dict.fromkeys(Bucket, PLENTY) | {b: LIMITS[b] for b in (Bucket.FACTOR, Bucket.FACTOR_DEVICE)}, salt=b""
    )
    evaluated = 0
    for number in range(1000):
        one = attempt(device=device, host=number % 200)
        refusal = made.judge(one, 0.0)
        if refusal is None:
            evaluated += 1
            made.wrong_code(one, 0.0)
            made.done(one)
        else:
            assert (bucket, seconds) == (refusal.bucket, refusal.seconds)
    assert 5 == evaluated
    assert made.judge(attempt(device="" if device else "d"), 0.0) is None  # the other kind has a bucket of its own
    assert made.judge(attempt(account="bob", device=device), 0.0) is None
    assert made.judge(attempt(device=device), seconds) is None


@pytest.mark.parametrize("kinds", [{}, {"known": False}, {"device": "d"}], ids=["account", "nobody", "device"])
def test_a_crowd_at_one_account_is_no_larger_than_its_codes(kinds):
    """All judged before the first of them is counted."""
    made = throttle(factor=Rate(5, 7200.0), factor_device=Rate(5, 300.0))
    crowd = [attempt(host=host, **kinds) for host in range(20)]
    refusals = [made.judge(one, 0.0) for one in crowd]
    assert [None] * 5 == refusals[:5]
    assert {IN_FLIGHT_SECONDS} == {refusal.seconds for refusal in refusals[5:]}
    for one in crowd[:5]:
        made.done(one)
    assert made.judge(crowd[0], 0.0) is None


def test_a_crowd_is_smaller_where_codes_were_wrong_before():
    made = throttle(factor=Rate(5, 7200.0))
    for _ in range(3):
        made.wrong_code(attempt(), 0.0)
    assert [None, None] == [made.judge(attempt(), 0.0) for _ in range(2)]
    assert Refusal(IN_FLIGHT_SECONDS, Bucket.FACTOR, "ada") == made.judge(attempt(), 0.0)


# unlocking


def test_an_operator_unlocks_an_account_and_no_other():
    made = throttle()
    for account in ("ada", "bob", "ad"):
        for device in ("", "d"):
            for _ in range(5):
                made.wrong_code(attempt(account, device=device), 0.0)
        tries(made, 10, account=account)
    made.unlock("ada")
    assert [None, False, False] == [
        refusal and refusal.bucket not in {Bucket.FACTOR, Bucket.FACTOR_DEVICE}
        for refusal in (made.judge(attempt(account, net=9, device="d"), 0.0) for account in ("ada", "bob", "ad"))
    ]
    assert made.judge(attempt(net=8), 0.0) is None


def test_an_operator_forgets_what_a_netblock_did():
    made = throttle(address=Rate(1, 30.0), network=Rate(1, 10.0))
    assert 1 == passed(made, 2)
    made.forget("192.0.1.9/32", "192.0.9.0/24")
    assert 0 == passed(made, 1)
    made.forget("192.0.1.1/32", "192.0.1.0/24")
    assert 1 == passed(made, 2)
    made.forget_all()
    assert 1 == passed(made, 2)


# bounds


def test_names_that_nobody_has_share_slots_that_a_stranger_cannot_choose():
    names = [f"user{number}" for number in range(200)]

    def slots(salt):
        made = Throttle(LIMITS, salt=salt)
        return [made._account_key(attempt(name, known=False)) for name in names]

    assert len(set(slots(b"a"))) > 100
    assert slots(b"a") != slots(b"b")
    assert all(slot.startswith("#") for slot in slots(b"a"))


def test_failures_of_one_name_that_nobody_has_do_not_slow_another_in_its_slot():
    made = throttle(account=Rate(10, 60.0))
    made._digest = lambda name: {"a": b"\0", "b": b"\0\0"}[name]
    assert 10 == passed(made, 10, account="a", known=False)
    for _ in range(60):
        made.failed(attempt("a", known=False), 0.0)
    assert [("account", 300.0)] == tries(made, 1, account="a", known=False)
    made.failed(attempt("b", known=False), 0.0)
    assert [("account", 60.0)] == tries(made, 1, account="b", known=False)


def test_a_flood_of_made_up_names_from_as_many_addresses_is_held_in_bounds():
    """THREATS T40, F18: whatever comes, five a second pass; the shares of a quarter of an hour are held, and no more."""
    made = Throttle(LIMITS, salt=b"")
    gone = 0
    for number in range(200_000):
        now, block = number * 0.0045, f"2001:db8:{number:x}"
        one = Attempt(address=block, network=block, account=str(number), known=False)
        if made.judge(one, now) is None:
            gone += 1
            made.failed(one, now)
            made.done(one)
    assert gone <= 20 + 900 * 5
    assert not made._under_way
    made.snapshot(now)
    assert len(made) <= (30 + 10) * 5 + 2 * 20 + SLOTS + 1


def test_past_the_bound_the_one_asked_for_longest_ago_is_forgotten():
    made = Throttle(dict.fromkeys(Bucket, PLENTY) | {Bucket.ADDRESS: Rate(1, 100.0)}, salt=b"", most=3)
    assert [1, 1, 1] == [passed(made, 1, host=host) for host in (1, 2, 3)]
    assert 0 == passed(made, 1, host=1)  # a refusal is no visit: it keeps nothing
    assert 1 == passed(made, 1, host=4)
    assert [0, 0, 1] == [passed(made, 1, host=host) for host in (2, 3, 1)]
    assert all(len(table.rows) <= 3 for table in made._tables.values())


# restarts


def test_a_restart_gives_nothing_back():
    made = throttle()
    tries(made, 10)
    for _ in range(60):
        made.failed(attempt("bob"), 0.0)
    for _ in range(5):
        made.wrong_code(attempt("eve", device="d"), 0.0)
    other = Throttle(LIMITS, salt=b"")
    other.load(made.snapshot(0.0), 5000.0)
    for seconds in (0.0, 30.0, 600.0):
        for one in (attempt(), attempt("bob"), attempt("eve", device="d")):
            before = made.judge(one, seconds)
            assert before == other.judge(one, 5000.0 + seconds)
            if before is None:
                made.done(one)
                other.done(one)


def test_a_snapshot_holds_only_what_time_has_not_made_good():
    made = throttle()
    tries(made, 3)
    made.succeeded(attempt(), 0.0)
    assert len(made) > 0
    made.snapshot(1e6)
    assert 0 == len(made)


@pytest.mark.parametrize("value", [b"", b"x", msgspec.msgpack.encode([2, {}]), msgspec.msgpack.encode([1, {"no": {}}])])
def test_what_is_no_snapshot_is_refused(value):
    with pytest.raises(ValueError, match=r"version|data|UTF-8|Expected|Invalid|truncated"):
        throttle().load(value, 0.0)


def test_time_that_goes_back_gives_nothing():
    made = throttle(address=Rate(1, 10.0))
    assert 1 == passed(made, 1, 100.0)
    assert [("address", 10.0)] == tries(made, 1, 50.0)
    assert [("address", 5.0)] == tries(made, 1, 105.0)


# whatever comes

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "code", "success"]),
        st.floats(0.0, 200.0),
        st.sampled_from([{}, {"host": 2}, {"account": "bob"}, {"account": "x", "known": False}, {"device": "d"}]),
    ),
    max_size=120,
)


def run(made, steps, *, start=0.0):
    """Play it; return per bucket and key when attempts passed."""
    now, gone = start, {}
    for what, pause, kinds in steps:
        now += pause
        one = attempt(**kinds)
        if made.judge(one, now) is not None:
            continue
        {"fail": made.failed, "code": made.wrong_code, "success": made.succeeded}[what](one, now)
        made.done(one)
        codes, *charged = made._keys(one)
        for key in [*charged, *([codes] if what == "code" else [])]:
            gone.setdefault(key, []).append(now)
    return gone


def never_too_much(gone):
    """In no stretch of time more than a burst and what refilled in it."""
    for (bucket, _), times in gone.items():
        rate = LIMITS[bucket]
        for first in range(len(times)):
            for last in range(first, len(times)):
                given_back = (times[last] - times[first]) / rate.seconds
                if last - first + 1 > rate.burst + given_back + 1e-6:
                    return False
    return True


@given(STEPS)
def test_no_bucket_ever_gives_more_than_its_burst_and_what_refilled(steps):
    assert never_too_much(run(Throttle(LIMITS, salt=b""), steps))


@given(STEPS, STEPS, st.floats(0.0, 5000.0))
def test_a_restart_never_gives_more_than_going_on_would(before, after, later):
    """Whatever was done before, and however long it was away: the same passes then, or less."""
    made, other = Throttle(LIMITS, salt=b""), Throttle(LIMITS, salt=b"")
    run(made, before)
    now = sum(pause for _, pause, _ in before)
    other.load(made.snapshot(now), 0.0)
    gone, again = run(made, after, start=now + later), run(other, after, start=later)
    assert {key: len(times) for key, times in gone.items()} == {key: len(times) for key, times in again.items()}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("ends", ["failed", "wrong_code"])
def test_a_code_without_a_password_costs_a_code_whoever_it_is_for(known, ends):
    """Else it would tell for which accounts a code is enough; and who has a password does not wait for it."""
    made = throttle(factor=Rate(1, 7200.0))
    alone = msgspec.structs.replace(attempt(known=known), code_alone=True)
    assert made.judge(alone, 0.0) is None
    getattr(made, ends)(alone, 0.0)
    made.done(alone)
    assert (Bucket.FACTOR, 7200.0) == (made.judge(alone, 0.0).bucket, made.judge(alone, 0.0).seconds)
    assert made.judge(attempt(known=known), 0.0) is None
    made.unlock("ada")
    assert known is (made.judge(alone, 0.0) is None)


@pytest.mark.parametrize(("before", "is_own"), [(0, False), (4, False), (5, True)])
def test_who_waits_for_what_others_did_is_told_apart(before, is_own):
    made = throttle(address=Rate(10, 30.0), account=Rate(10, 60.0))
    tries(made, before)
    tries(made, 10, host=2)
    assert is_own is made.judge(attempt(), 0.0).is_own
