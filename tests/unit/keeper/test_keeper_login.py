"""A login from end to end: THREATS T01 to T06 and T11 at the keeper, in the order of its checks."""

import asyncio
import threading
from collections import Counter

import pytest
from msgspec import structs
from pyotp import TOTP

from nbgate.audit.events import AuthLogin
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.config.schema import Config, Sessions
from nbgate.config.schema import Throttle as Options
from nbgate.crypto.devices import LIFETIME_SECONDS
from nbgate.crypto.tokens import parse_session_token
from nbgate.errors import (
    AuditError,
    CredentialRejected,
    LoginBusy,
    LoginThrottled,
    NbgateError,
    SecondFactorRejected,
    StoreError,
)
from nbgate.keeper.login import LoginAttempt
from nbgate.link.messages import SessionPut, SessionsRevoked
from nbgate.model.session import Role
from nbgate.reasons import Reason
from nbgate.stores.thread import StoreThread
from nbgate.testing.keeper_parts import PASSWORD, Rig

WRONG = "wrong horse battery"
ACTOR = "uid:0 root"


def attempt(username="ada", password=PASSWORD, client="192.0.2.7", **more):
    return LoginAttempt(username=username, password=password, client=client, request_id="r1234567", **more)


async def outcome(rig, **changes):
    """Return what became of an attempt: "in", or the name of the error."""
    try:
        await rig.keeper.log_in(attempt(**changes))
    except NbgateError as error:
        return type(error).__name__
    return "in"


def replace_parts(rig, **changes):
    rig.keeper.login._parts = type(rig.keeper.login._parts)(
        **{name: getattr(rig.keeper.login._parts, name) for name in rig.keeper.login._parts.__struct_fields__} | changes
    )


class Watched:
    """An authenticator that counts what reaches it."""

    def __init__(self, real):
        self.real = real
        self.firsts = []

    async def authenticate(self, offered, *, first=False):
        self.firsts.append(first)
        return await self.real.authenticate(offered, first=first)


@pytest.fixture
def watched(rig):
    found = Watched(rig.keeper.login._parts.authenticator)
    replace_parts(rig, authenticator=found)
    return found


@pytest.fixture
async def totp(rig):
    """`ada` has a second factor: gives the codes of an app by their step."""
    enrolment = rig.keeper.factors.begin_totp("ada")
    app = TOTP(enrolment.secret)
    app.recovery = await rig.keeper.factors.confirm_totp("ada", app.at(int(rig.clock.unix())), ACTOR)
    rig.clock.advance(60.0)
    return app


def code_of(rig, app, steps=0):
    return app.at(int(rig.clock.unix()) + steps * 30)


def failures(rig):
    return [record for record in rig.sink.records("auth.login") if record.get("event.outcome") == "failure"]


async def test_a_login_is_stored_and_recorded_durably_before_it_is_told(rig):
    begun = await rig.keeper.login.attempt(attempt(username="ADA", user_agent="Firefox/140.0 Linux"))
    session, token = begun.logged_in.session, begun.logged_in.token
    assert session.id == parse_session_token(token)
    assert ("ada", ("password",), Role.OWNER) == (session.user, session.factors, session.role)
    assert (rig.clock.unix() + 604800, rig.clock.unix() + 86400) == (session.absolute_unix, session.rotate_unix)
    assert (begun.stored,) == rig.state.sessions.all()
    assert ("Firefox on Linux", "192.0.2.7") == (begun.stored.label, begun.stored.client)
    (record,) = rig.sink.records("auth.login")
    assert ("success", "ada", session.label, "192.0.2.7", "r1234567", "owner") == (
        record.get("event.outcome", "success"),
        record["user.name"],
        record["nbgate.session.id"],
        record["client.ip"],
        record["http.request.id"],
        record["user.roles"],
    )
    assert len(rig.sink.lines) == rig.sink.synced_bytes
    for secret in (token, PASSWORD, begun.logged_in.device_cookie):
        assert secret.encode() not in rig.sink.lines
        assert secret not in repr(begun.logged_in)


async def test_two_logins_are_two_tokens(rig):
    one, two = [(await rig.keeper.log_in(attempt())).token for _ in range(2)]
    assert one != two


@pytest.mark.parametrize(
    ("username", "password", "recorded"),
    [
        ("ada", WRONG, "ada"),
        ("nobody", PASSWORD, "nobody"),
        ("off", PASSWORD, "off"),
        ("", PASSWORD, "[0 chars]"),
        ("correct horse battery", "", "[21 chars]"),
        ("x" * 1_000_000, PASSWORD, "[1000000 chars]"),
        ("ada", "x" * 2000, "ada"),
        ("ada", "", "ada"),
        ("\ud800", PASSWORD, "[1 chars]"),
    ],
)
async def test_every_cause_of_a_refusal_is_the_same_to_the_client_and_recorded(rig, username, password, recorded):
    """T03."""
    await rig.keeper.accounts.add("off", PASSWORD, "a")
    await rig.keeper.accounts.disable("off", "a")
    with pytest.raises(CredentialRejected) as error:
        await rig.keeper.login.attempt(attempt(username, password))
    assert ("credential rejected", "", 401) == (error.value.public, error.value.hint, error.value.status)
    (record,) = rig.sink.records("auth.login")
    assert ("failure", "login-failed", recorded) == (
        record["event.outcome"],
        record["event.reason"],
        record["user.name"],
    )
    assert () == rig.state.sessions.all()


async def test_no_password_is_looked_at_while_the_audit_fails(rig, watched):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.login.attempt(attempt(password=WRONG))
    for ask in (
        rig.keeper.login.attempt(attempt()),
        rig.keeper.login.by_link("x", attempt()),
    ):
        with pytest.raises(AuditError, match="the audit cannot be written"):
            await ask
    assert ((), 1) == (rig.state.sessions.all(), len(watched.firsts))


async def test_a_login_that_cannot_be_recorded_leaves_no_session(rig):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.login.attempt(attempt())
    assert () == rig.state.sessions.all()


async def test_a_client_that_goes_away_leaves_no_session(rig):
    async def gone(_event):
        raise asyncio.CancelledError

    rig.audit.append_durable = gone
    with pytest.raises(asyncio.CancelledError):
        await rig.keeper.login.attempt(attempt())
    assert ((), {}) == (rig.state.sessions.all(), rig.keeper.throttle._throttle._under_way)


async def test_too_many_logins_are_busy_and_recorded_so(rig):
    """T06."""
    first = asyncio.ensure_future(rig.keeper.login.attempt(attempt()))
    second = asyncio.ensure_future(rig.keeper.login.attempt(attempt()))
    await asyncio.sleep(0)
    with pytest.raises(LoginBusy):
        await rig.keeper.login.attempt(attempt())
    await first
    await second
    assert ["login-busy"] == [record["event.reason"] for record in failures(rig)]


async def test_a_crowd_leaves_the_queue_to_others_and_the_first_place_to_a_known_browser(rig):
    """T06: whoever has logged in from this browser before waits for no stranger."""
    device = (await rig.keeper.log_in(attempt())).device_cookie
    rig.hashes = HashQueue(at_once=1, waiting=4, wait_seconds=5.0)
    rig.keeper.login._parts.authenticator._hashes = rig.hashes
    crowd = [
        asyncio.ensure_future(outcome(rig, username=f"u{number}", client=f"10.0.{number}.1")) for number in range(15)
    ]
    await asyncio.sleep(0)
    assert "in" == await outcome(rig, device=device)
    assert {"CredentialRejected": 5, "LoginBusy": 10} == Counter(await asyncio.gather(*crowd))
    assert {} == rig.keeper.throttle._throttle._under_way


async def test_a_store_that_fails_is_recorded_and_raised(rig):
    def fail(*_args, **_kwargs):
        raise StoreError("the state cannot be used")

    rig.state.sessions.create = fail
    with pytest.raises(StoreError):
        await rig.keeper.login.attempt(attempt())
    assert "store-unavailable" == rig.sink.records("auth.login")[0]["event.reason"]


async def test_a_store_that_fails_before_a_turn_is_taken_fills_no_log(rig):
    """T40: nothing bounds how often strangers ask then."""

    def fail(_name):
        raise StoreError("the state cannot be used")

    rig.state.users.get = fail
    with pytest.raises(StoreError):
        await rig.keeper.login.attempt(attempt())
    assert [] == rig.sink.records("auth.login")


async def test_a_source_of_randomness_that_is_broken_makes_no_session(rig):
    replace_parts(rig, random_bytes=lambda count: b"")
    with pytest.raises(ValueError, match="32 random bytes"):
        await rig.keeper.login.attempt(attempt())


def test_an_attempt_does_not_show_its_credentials():
    shown = repr(attempt(code="999999", device="v1.x"))
    assert not any(secret in shown for secret in (PASSWORD, "999999", "v1.x"))


# turns (T01, T02)


async def test_the_eleventh_wrong_password_of_one_address_is_not_looked_at(rig, watched):
    found = [await outcome(rig, password=WRONG) for _ in range(11)]
    assert ["CredentialRejected"] * 10 + ["LoginThrottled"] == found
    assert 10 == len(watched.firsts)
    with pytest.raises(LoginThrottled) as error:
        await rig.keeper.log_in(attempt())
    assert (429, Reason.LOGIN_THROTTLED) == (error.value.status, error.value.reason)
    assert error.value.retry_seconds >= 1
    (record,) = rig.sink.records("auth.throttled")
    assert ("192.0.2.7", "ada") == (record["client.ip"], record["user.name"])


async def test_names_that_somebody_has_and_names_that_nobody_has_wait_alike(rig, watched):
    """T03."""
    waits = {}
    for name, host in (("ada", 1), ("nobody", 2), ("a b", 3)):
        rig.clock.advance(1e5)
        waits[name] = []
        for number in range(25):
            try:
                await rig.keeper.log_in(attempt(name, WRONG, client=f"10.{host}.{number}.1"))
            except CredentialRejected:
                waits[name].append(0.0)
            except LoginThrottled as error:
                waits[name].append(error.retry_seconds)
    assert waits["ada"] == waits["nobody"] == waits["a b"]
    assert 10 == waits["ada"].count(0.0)


async def test_spraying_stops_at_the_address(rig, watched):
    """T02."""
    found = [await outcome(rig, username=f"user{number}", password=WRONG) for number in range(15)]
    assert ["CredentialRejected"] * 10 + ["LoginThrottled"] * 5 == found


async def test_whoever_tries_although_they_must_wait_is_refused_before_long_but_not_in_a_known_browser(rig):
    device = (await rig.keeper.log_in(attempt())).device_cookie
    for _ in range(15):
        await outcome(rig, password=WRONG, client="198.51.100.1")
    assert ["198.51.100.1/32"] == [penalty.netblock for penalty in rig.keeper.penalties.shown()]
    for _ in range(20):
        await outcome(rig, password=WRONG, client="203.0.113.1", device=device)
    assert 1 == len(rig.keeper.penalties.shown())
    (record,) = rig.sink.records("penalty")
    assert ("login", 15_000_000_000) == (record["rule.id"], record["event.duration"])


async def test_a_success_gives_the_address_nothing_back(rig):
    for _ in range(5):
        assert ["in", "CredentialRejected"] == [await outcome(rig), await outcome(rig, password=WRONG)]
    assert "LoginThrottled" == await outcome(rig)


async def test_strangers_cannot_lock_the_owner_out(rig):
    """T01."""
    device = (await rig.keeper.log_in(attempt())).device_cookie
    for number in range(200):
        await outcome(rig, password=WRONG, client=f"10.0.{number}.1")
    assert "LoginThrottled" == await outcome(rig, client="203.0.113.1")
    assert "in" == await outcome(rig, client="203.0.113.1", device=device)
    link = await rig.keeper.links.make("ada", ACTOR)
    made = await rig.keeper.log_in_by_link(link, attempt(client="203.0.113.1"))
    assert "in" == await outcome(rig, client="203.0.113.1", device=made.device_cookie)


async def test_an_operator_unlocks_the_account(rig):
    for number in range(20):
        await outcome(rig, password=WRONG, client=f"10.0.{number}.1")
    rig.clock.advance(4.0)
    assert "LoginThrottled" == await outcome(rig)
    await rig.keeper.throttle.unlock("ada", ACTOR)
    assert "in" == await outcome(rig)


async def test_an_operator_clears_a_netblock(rig):
    for number in range(20):
        await outcome(rig, username=f"user{number}", password=WRONG)
    assert 1 == await rig.keeper.penalties.clear("192.0.2.7", ACTOR)
    rig.clock.advance(1.0)
    assert "in" == await outcome(rig)


async def test_a_restart_forgets_no_failure(rig):
    """F11."""
    for _ in range(10):
        await outcome(rig, password=WRONG)
    await rig.keeper.throttle.store()
    other = Rig(state=rig.state, clock=rig.clock)
    await other.keeper.start()
    assert "LoginThrottled" == await outcome(other)
    await other.close()


# devices


async def test_a_device_cookie_keeps_its_browser_and_is_good_for_nobody_else_and_not_for_ever(rig, watched):
    await rig.keeper.accounts.add("bob", PASSWORD, ACTOR)
    first = (await rig.keeper.log_in(attempt())).device_cookie
    again = (await rig.keeper.log_in(attempt(device=first))).device_cookie
    bobs = (await rig.keeper.log_in(attempt("bob", device=first))).device_cookie
    assert [False, True, False] == watched.firsts
    assert (first.split(".")[1] == again.split(".")[1], first.split(".")[1] == bobs.split(".")[1]) == (True, False)
    await rig.keeper.log_in(attempt(device="v1.nonsense"))
    rig.clock.advance(LIFETIME_SECONDS)
    await rig.keeper.log_in(attempt(device=again))
    await rig.keeper.accounts.set_password("ada", PASSWORD + "!", ACTOR)
    latest = (await rig.keeper.log_in(attempt(password=PASSWORD + "!"))).device_cookie
    await rig.keeper.accounts.set_password("ada", PASSWORD, ACTOR)
    await rig.keeper.log_in(attempt(device=latest))
    assert [False] * 4 == watched.firsts[3:]


async def test_a_device_cookie_that_guesses_is_void_and_a_login_makes_another_browser_of_it(rig):
    rig.keeper.apply(
        Config(throttle=Options(device_burst=1000, factor_burst=1000)),
        rig.keeper.material, rig.keeper.snapshot(0).tables, rig.keeper.snapshot(0).rules,
    )  # fmt: skip
    device = (await rig.keeper.log_in(attempt())).device_cookie
    found = Counter([await outcome(rig, password=WRONG, device=device) for _ in range(70)])
    assert {"CredentialRejected": 59, "LoginThrottled": 11} == found  # 50 of its own, and what is left to a stranger
    rig.clock.advance(3600.0)
    fresh = (await rig.keeper.log_in(attempt(device=device))).device_cookie
    assert fresh.split(".")[1] != device.split(".")[1]


# sessions


async def test_one_login_too_many_ends_the_one_idle_for_longest_and_what_hangs_on_it(rig):
    """T17."""
    config = Config(sessions=Sessions(per_user=3))
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, rig.keeper.snapshot(0).rules)
    sessions = []
    for _ in range(4):
        sessions.append((await rig.keeper.log_in(attempt())).session)
        rig.clock.advance(1.0)
    assert [False, True, True, True] == [rig.keeper.find_session(session.id) is not None for session in sessions]
    (record,) = rig.sink.records("session.end")
    assert ("session-displaced", sessions[0].label) == (record["event.reason"], record["nbgate.session.id"])
    await rig.keeper.log_in(attempt(replaces=sessions[3]))
    assert [False, True, True, False] == [rig.keeper.find_session(session.id) is not None for session in sessions]


async def test_what_was_active_until_now_is_not_idle_for_longest(rig):
    """T17: the store hears of activity now and then only."""
    config = Config(sessions=Sessions(per_user=2))
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, rig.keeper.snapshot(0).rules)
    sessions = []
    for _ in range(2):
        sessions.append((await rig.keeper.log_in(attempt())).session)
        rig.clock.advance(1.0)
    rig.keeper.live.touch((sessions[0].id,), rig.clock.unix())
    await rig.keeper.log_in(attempt())
    assert [True, False] == [rig.keeper.find_session(session.id) is not None for session in sessions]


async def test_a_login_that_cannot_be_recorded_ends_whom_it_displaced_all_the_same(rig):
    config = Config(sessions=Sessions(per_user=1))
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, rig.keeper.snapshot(0).rules)
    first = (await rig.keeper.log_in(attempt())).session
    real = rig.state.sessions.create

    def create(*args, **kwargs):
        rig.sink.broken = True
        return real(*args, **kwargs)

    rig.state.sessions.create = create
    with pytest.raises(AuditError):
        await rig.keeper.log_in(attempt())
    assert ((), None) == (rig.state.sessions.all(), rig.keeper.find_session(first.id))


class Entered:
    """A call that says when it has begun, and goes on when it is let."""

    def __init__(self, real):
        self._real = real
        self._begun, self._goes_on = threading.Event(), threading.Event()

    def __call__(self, *args, **kwargs):
        self._begun.set()
        assert self._goes_on.wait(10)
        return self._real(*args, **kwargs)

    async def begun(self):
        assert await asyncio.to_thread(self._begun.wait, 10)

    def go_on(self):
        self._goes_on.set()


@pytest.mark.parametrize("is_good", [True, False])
async def test_a_client_that_goes_away_while_the_store_writes_leaves_no_session_and_ends_whom_it_displaced(
    rig, is_good
):
    """T17: the store does not stop what it has begun."""
    config = Config(sessions=Sessions(per_user=1))
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, rig.keeper.snapshot(0).rules)
    first = (await rig.keeper.log_in(attempt())).session
    store = StoreThread()
    replace_parts(rig, in_store=store.run)
    create = rig.state.sessions.create = Entered(rig.state.sessions.create)
    under_way = asyncio.ensure_future(rig.keeper.log_in(attempt()))
    await create.begun()
    if not is_good:
        await rig.keeper.accounts.disable("ada", ACTOR)
    under_way.cancel()
    create.go_on()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    store.close()
    assert ((), None) == (rig.state.sessions.all(), rig.keeper.find_session(first.id))
    reasons = [record["event.reason"] for record in rig.sink.records("session.end")]
    assert ["session-displaced" if is_good else "user-disabled"] == reasons
    assert {} == rig.keeper.throttle._throttle._under_way


async def test_a_login_that_was_recorded_and_never_told_has_an_end_in_the_log_too(rig, monkeypatch):
    real = rig.keeper.login._parts.audit.append_durable
    recorded = asyncio.Event()

    async def append_durable(event):
        await real(event)
        if isinstance(event, AuthLogin):
            recorded.set()
            await asyncio.Event().wait()  # the disk takes its time

    monkeypatch.setattr(rig.keeper.login._parts.audit, "append_durable", append_durable)
    under_way = asyncio.ensure_future(rig.keeper.log_in(attempt()))
    await recorded.wait()
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    (login,) = rig.sink.records("auth.login")
    assert [(login["nbgate.session.id"], "session-ended")] == [
        (record["nbgate.session.id"], record["event.reason"]) for record in rig.sink.records("session.end")
    ]


async def test_a_displaced_login_whose_end_cannot_be_recorded_is_over_and_so_is_the_new_one(rig):
    config = Config(sessions=Sessions(per_user=1))
    rig.keeper.apply(config, rig.keeper.material, rig.keeper.snapshot(0).tables, rig.keeper.snapshot(0).rules)
    first = (await rig.keeper.log_in(attempt())).session
    real = rig.keeper.login._parts.end_sessions

    async def end_sessions(*args):
        rig.sink.broken = True
        await real(*args)

    replace_parts(rig, end_sessions=end_sessions)
    with pytest.raises(AuditError):
        await rig.keeper.log_in(attempt())
    assert ((), None) == (rig.state.sessions.all(), rig.keeper.find_session(first.id))


async def test_a_login_whose_id_is_taken_leaves_the_session_that_has_it_alone(rig):
    replace_parts(rig, random_bytes=bytes)
    session = (await rig.keeper.log_in(attempt())).session
    with pytest.raises(StoreError):
        await rig.keeper.log_in(attempt())
    assert (session.id,) == tuple(row.session.id for row in rig.state.sessions.all())
    assert session == rig.keeper.find_session(session.id)


async def test_a_login_that_cannot_end_the_one_it_replaces_leaves_no_session(rig):
    first = (await rig.keeper.log_in(attempt())).session
    link, real = rig.attach(), rig.keeper._ending.revoke

    async def revoke(*args):
        rig.sink.broken = True
        await real(*args)

    rig.keeper._ending.revoke = revoke
    with pytest.raises(AuditError):
        await rig.keeper.log_in(attempt(replaces=first))
    assert ((), ()) == (rig.state.sessions.all(), rig.keeper.sessions_of(None))
    assert [first.id, link.of(SessionPut)[0].session.id] == [told.ids[0] for told in link.of(SessionsRevoked)]


async def test_an_account_that_changes_during_the_login_wins(rig):
    real = rig.state.users.get
    user = real("ada")

    class Changes:
        async def authenticate(self, offered, *, first=False):
            principal = await authenticator.authenticate(offered, first=first)
            rig.state.users.replace(user, structs.replace(user, cred_epoch=user.cred_epoch + 1))
            return principal

    authenticator = rig.keeper.login._parts.authenticator
    replace_parts(rig, authenticator=Changes())
    assert "CredentialRejected" == await outcome(rig)
    assert () == rig.state.sessions.all()


# second factors (T04, T05, T11)


async def test_a_code_is_good_once(rig, totp):
    code = code_of(rig, totp)
    assert "in" == await outcome(rig, code=code)
    assert "SecondFactorRejected" == await outcome(rig, code=code, client="198.51.100.1")


async def test_two_at_once_with_one_code_are_one_login(rig, totp):
    rig.hashes = HashQueue(at_once=2, waiting=4, wait_seconds=5.0)
    rig.keeper.login._parts.authenticator._hashes = rig.hashes
    code = code_of(rig, totp)
    found = await asyncio.gather(*(outcome(rig, code=code, client=f"10.0.{number}.1") for number in range(4)))
    assert 1 == found.count("in")
    assert {"in", "CredentialRejected", "SecondFactorRejected"} >= set(found)


@pytest.mark.parametrize(("steps", "is_good"), [(-2, False), (-1, True), (0, True), (1, False)])
async def test_the_window_is_the_present_code_and_the_one_before(rig, totp, steps, is_good):
    rig.clock.advance(300.0)
    assert is_good is (await outcome(rig, code=code_of(rig, totp, steps)) == "in")


async def test_a_wrong_code_looks_like_a_wrong_password_and_alarms_the_owner(rig, totp):
    """T05."""
    rig.clock.advance(60.0)
    errors = []
    for password, code in ((PASSWORD, "000000"), (WRONG, "000000"), (WRONG, code_of(rig, totp)), (PASSWORD, "")):
        with pytest.raises(CredentialRejected) as error:
            await rig.keeper.log_in(attempt(password=password, code=code))
        errors.append((error.value.public, error.value.status, error.value.hint))
    assert 1 == len(set(errors))
    assert {"login-failed"} == {record["event.reason"] for record in failures(rig)}
    assert ["right-password-wrong-code"] * 2 == [record["message"] for record in rig.sink.records("auth.notice")]
    assert [("right-password-wrong-code", "192.0.2.7", 2)] == [
        (notice.message, notice.client, notice.count) for notice in await rig.keeper.notices.of("ada")
    ]
    assert () == rig.state.sessions.all()
    assert "in" == await outcome(rig, code=code_of(rig, totp))  # what a stranger tried has used up nothing


async def test_wrong_codes_are_few(rig, totp, watched):
    """T04, F19: and each is told within the second."""
    found = Counter([await outcome(rig, code="000000", client=f"10.0.{number}.1") for number in range(15)])
    assert {"SecondFactorRejected": 5, "LoginThrottled": 10} == found
    assert 5 == len(watched.firsts)
    assert 5 == len(rig.sink.records("auth.notice"))
    rig.clock.advance(3600.0)
    assert "LoginThrottled" == await outcome(rig, code=code_of(rig, totp), client="10.1.1.1")
    rig.clock.advance(3600.0)
    assert "in" == await outcome(rig, code=code_of(rig, totp), client="10.1.1.1")


async def test_a_known_browser_has_wrong_codes_of_its_own(rig, totp):
    device = (await rig.keeper.log_in(attempt(code=code_of(rig, totp)))).device_cookie
    for number in range(15):
        await outcome(rig, code="000000", client=f"10.0.{number}.1")
    rig.clock.advance(60.0)
    assert "LoginThrottled" == await outcome(rig, code=code_of(rig, totp), client="10.1.1.1")
    assert ["SecondFactorRejected"] * 5 == [await outcome(rig, code="000000", device=device) for _ in range(5)]
    assert "LoginThrottled" == await outcome(rig, code=code_of(rig, totp), device=device)
    rig.clock.advance(300.0)
    assert "in" == await outcome(rig, code=code_of(rig, totp), device=device)


async def test_a_recovery_code_is_good_once_and_the_owner_is_told(rig, totp):
    """T11."""
    code = totp.recovery[0]
    made = await rig.keeper.log_in(attempt(code=code.lower().replace("-", " ")))
    assert ("password", "recovery") == made.session.factors
    assert ["recovery-code-used"] == [notice.message for notice in await rig.keeper.notices.of("ada")]
    assert "SecondFactorRejected" == await outcome(rig, code=code, client="198.51.100.1")
    assert 9 == len(rig.state.users.get("ada").recovery)


async def test_a_guess_at_an_account_without_a_password_is_no_alarm(rig, totp):
    await rig.keeper.factors.set_totp_alone("ada", ACTOR)
    assert "SecondFactorRejected" == await outcome(rig, password="", code="000000")
    assert () == await rig.keeper.notices.of("ada")
    assert "in" == await outcome(rig, password="", code=code_of(rig, totp))


async def test_the_owner_hears_of_a_login_from_another_network(rig):
    for client in ("192.0.2.7", "192.0.2.99", "198.51.100.1", "198.51.100.1"):
        await rig.keeper.log_in(attempt(client=client))
    assert [("new-network", "198.51.100.1")] == [
        (notice.message, notice.client) for notice in await rig.keeper.notices.of("ada")
    ]


# proving it again


async def test_a_change_asks_for_the_password_again(rig):
    session = (await rig.keeper.log_in(attempt())).session
    await rig.keeper.confirm(session, PASSWORD, "", "192.0.2.7")
    for _ in range(9):
        with pytest.raises(CredentialRejected):
            await rig.keeper.confirm(session, WRONG, "", "192.0.2.7")
    with pytest.raises(LoginThrottled):
        await rig.keeper.confirm(session, PASSWORD, "", "192.0.2.7")
    assert () == rig.keeper.penalties.shown()
    assert "in" == await outcome(rig)  # only this session must wait
    assert {"ada"} == {record["user.name"] for record in failures(rig)}


async def test_the_owner_hears_of_wrong_proofs_in_a_session_of_theirs(rig):
    session = (await rig.keeper.log_in(attempt())).session
    for client in ("192.0.2.7", "198.51.100.1", *["192.0.2.7"] * 8):
        with pytest.raises(CredentialRejected):
            await rig.keeper.confirm(session, WRONG, "", client)
    with pytest.raises(LoginThrottled):
        await rig.keeper.confirm(session, WRONG, "", "203.0.113.1")
    assert [("wrong-proof-in-session", "192.0.2.7", 9), ("wrong-proof-in-session", "198.51.100.1", 1)] == [
        (notice.message, notice.client, notice.count) for notice in await rig.keeper.notices.of("ada")
    ]
    assert "CredentialRejected" == await outcome(rig, password=WRONG)  # at the door it is nobody's alarm
    assert 10 == len(rig.sink.records("auth.notice"))


@pytest.mark.parametrize("alone", [False, True])
async def test_a_wrong_code_in_a_session_says_that_the_password_is_known_if_there_is_one(rig, totp, alone):
    session = (await rig.keeper.log_in(attempt(code=code_of(rig, totp)))).session
    if alone:
        await rig.keeper.factors.set_totp_alone("ada", ACTOR, keep=session.id)
    with pytest.raises(SecondFactorRejected):
        await rig.keeper.confirm(session, "" if alone else PASSWORD, "000000", "192.0.2.7")
    told = [notice.message for notice in await rig.keeper.notices.of("ada")]
    assert ["wrong-proof-in-session" if alone else "right-password-wrong-code"] == told


async def test_a_change_uses_the_code_up(rig, totp):
    session = (await rig.keeper.log_in(attempt(code=code_of(rig, totp)))).session
    rig.clock.advance(30.0)
    with pytest.raises(SecondFactorRejected):
        await rig.keeper.confirm(session, PASSWORD, "", "192.0.2.7")
    code = code_of(rig, totp)
    await rig.keeper.confirm(session, PASSWORD, code, "192.0.2.7")
    with pytest.raises(CredentialRejected):
        await rig.keeper.confirm(session, PASSWORD, code, "192.0.2.7")
    assert "SecondFactorRejected" == await outcome(rig, code=code)
    await rig.keeper.confirm(session, PASSWORD, totp.recovery[3], "192.0.2.7")
    with pytest.raises(CredentialRejected):
        await rig.keeper.confirm(session, PASSWORD, totp.recovery[3], "192.0.2.7")
    assert rig.keeper.find_session(session.id)


async def test_who_came_by_a_link_has_nothing_to_prove_for_ten_minutes(rig):
    link = await rig.keeper.links.make("ada", ACTOR)
    session = (await rig.keeper.log_in_by_link(link, attempt())).session
    await rig.keeper.confirm(session, WRONG, "", "192.0.2.7")
    assert () == await rig.keeper.notices.of("ada")
    rig.clock.advance(600.0)
    with pytest.raises(CredentialRejected):
        await rig.keeper.confirm(session, "", "", "192.0.2.7")
    await rig.keeper.confirm(session, PASSWORD, "", "192.0.2.7")


@pytest.mark.parametrize("change", ["revoke", "remove"])
async def test_a_session_that_is_over_confirms_nothing(rig, change):
    session = (await rig.keeper.log_in(attempt())).session
    if change == "revoke":
        await rig.keeper.log_out(session)
    else:
        await rig.keeper.accounts.remove("ada", ACTOR)
    with pytest.raises(CredentialRejected):
        await rig.keeper.confirm(session, PASSWORD, "", "192.0.2.7")


async def test_nothing_is_confirmed_that_cannot_be_recorded(rig):
    session = (await rig.keeper.log_in(attempt())).session
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.confirm(session, WRONG, "", "192.0.2.7")
    with pytest.raises(AuditError):
        await rig.keeper.confirm(session, PASSWORD, "", "192.0.2.7")


# bounds


async def test_made_up_names_leave_tables_and_log_as_they_are(rig):
    """T40, F18."""
    await rig.keeper.log_in(attempt())
    lines = len(rig.sink.lines.splitlines())
    rig.clock.advance(1.0)

    async def rejects(_offered, *, first=False):
        raise CredentialRejected

    rig.keeper.login._parts.authenticator.authenticate = rejects
    for number in range(20_000):
        client = f"10.{number % 200}.{number // 200 % 200}.1"
        await outcome(rig, username=f"name-{number:032}", client=client)
        rig.clock.advance(0.001)
        if number % 1000 == 0:
            rig.keeper.throttle.tell()
    assert len(rig.sink.lines.splitlines()) - lines <= 20 + 20 * 5 + 8 * 34
    assert len(rig.keeper.throttle._throttle) <= 4 * (20 + 20 * 5) + 4
    assert len(rig.keeper.throttle._sums) <= 33 * 7
    assert not rig.keeper.throttle._throttle._under_way
