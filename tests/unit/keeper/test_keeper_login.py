import asyncio
from collections import Counter

import pytest

from nbgate.authenticators.hash_queue import HashQueue
from nbgate.config.schema import Config
from nbgate.config.schema import Login as LoginOptions
from nbgate.crypto.tokens import parse_session_token
from nbgate.errors import AuditError, CredentialRejected, LoginBusy, StoreError
from nbgate.keeper.login import LoginAttempt, recorded_name
from nbgate.testing.keeper_parts import PASSWORD, Rig


def attempt(username="ada", password=PASSWORD, client="192.0.2.7"):
    return LoginAttempt(username=username, password=password, client=client, request_id="r1234567")


async def test_a_login_is_stored_and_recorded_durably_before_it_is_told(rig):
    stored, token = await rig.keeper.login.attempt(attempt(username="ADA"))
    session = stored.session
    assert session.id == parse_session_token(token)
    assert ("ada", ("password",)) == (session.user, session.factors)
    assert rig.clock.unix() + 604800 == session.absolute_unix
    assert (stored,) == rig.state.sessions.all()
    (record,) = rig.sink.records("auth.login")
    assert ("success", "ada", session.label, "192.0.2.7", "r1234567") == (
        record.get("event.outcome", "success"),
        record["user.name"],
        record["nbgate.session.id"],
        record["client.ip"],
        record["http.request.id"],
    )
    assert len(rig.sink.lines) == rig.sink.synced_bytes
    assert token.encode() not in rig.sink.lines
    assert PASSWORD.encode() not in rig.sink.lines


async def test_two_logins_are_two_tokens(rig):
    _, one = await rig.keeper.login.attempt(attempt())
    _, two = await rig.keeper.login.attempt(attempt())
    assert one != two


@pytest.mark.parametrize(
    ("username", "password", "recorded"),
    [
        ("ada", "wrong horse battery", "ada"),
        ("nobody", PASSWORD, "nobody"),
        ("off", PASSWORD, "off"),
        ("", PASSWORD, "[0 chars]"),
        ("correct horse battery", "", "[21 chars]"),
        ("x" * 1_000_000, PASSWORD, "[1000000 chars]"),
        ("ada", "x" * 2000, "ada"),
    ],
)
async def test_every_cause_of_a_refusal_is_the_same_to_the_client_and_recorded(rig, username, password, recorded):
    await rig.keeper.accounts.add("off", PASSWORD, "a")
    await rig.keeper.accounts.disable("off", "a")
    with pytest.raises(CredentialRejected):
        await rig.keeper.login.attempt(attempt(username, password))
    (record,) = rig.sink.records("auth.login")
    assert ("failure", "login-failed", recorded) == (
        record["event.outcome"],
        record["event.reason"],
        record["user.name"],
    )
    assert () == rig.state.sessions.all()


async def test_no_password_is_looked_at_while_the_audit_fails(rig):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.login.attempt(attempt(password="wrong horse battery"))
    with pytest.raises(AuditError, match="the audit cannot be written"):
        await rig.keeper.login.attempt(attempt())
    assert () == rig.state.sessions.all()


async def test_a_login_that_cannot_be_recorded_leaves_no_session(rig):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.keeper.login.attempt(attempt())
    assert () == rig.state.sessions.all()


async def test_too_many_logins_are_busy_and_recorded_so(rig):
    first = asyncio.ensure_future(rig.keeper.login.attempt(attempt()))
    second = asyncio.ensure_future(rig.keeper.login.attempt(attempt()))
    await asyncio.sleep(0)
    with pytest.raises(LoginBusy):
        await rig.keeper.login.attempt(attempt())
    await first
    await second
    refused = [record for record in rig.sink.records("auth.login") if "event.reason" in record]
    assert ["login-busy"] == [record["event.reason"] for record in refused]


async def test_the_logins_of_one_netblock_do_not_fill_the_queue_for_the_others():
    hashes = HashQueue(at_once=1, waiting=9, wait_seconds=5.0)
    rig = Rig(hashes=hashes, config=Config(login=LoginOptions(queue=9)))
    await rig.keeper.accounts.add("ada", PASSWORD, "a")
    rig.keeper.login._parts.authenticator._hashes = hashes
    crowd = [
        asyncio.ensure_future(rig.keeper.login.attempt(attempt(password="wrong horse", client=f"2001:db8::{number}")))
        for number in range(20)
    ]
    await asyncio.sleep(0)
    await rig.keeper.login.attempt(attempt())
    causes = Counter(type(error) for error in await asyncio.gather(*crowd, return_exceptions=True))
    assert {CredentialRejected: 3, LoginBusy: 17} == causes
    await rig.keeper.login.attempt(attempt(client="2001:db8::1"))
    assert {} == rig.keeper.login._under_way
    await rig.close()


async def test_a_store_that_fails_is_recorded_and_raised(rig):
    def fail(_session):
        raise StoreError("the state cannot be used")

    rig.state.sessions.create = fail
    with pytest.raises(StoreError):
        await rig.keeper.login.attempt(attempt())
    assert "store-unavailable" == rig.sink.records("auth.login")[0]["event.reason"]


async def test_a_source_of_randomness_that_is_broken_makes_no_session():
    rig = Rig()
    await rig.keeper.accounts.add("ada", PASSWORD, "a")
    rig.keeper.login._parts = type(rig.keeper.login._parts)(
        **{name: getattr(rig.keeper.login._parts, name) for name in rig.keeper.login._parts.__struct_fields__}
        | {"random_bytes": lambda count: b""}
    )
    with pytest.raises(ValueError, match="32 random bytes"):
        await rig.keeper.login.attempt(attempt())
    await rig.close()


def test_an_attempt_does_not_show_its_password():
    assert PASSWORD not in repr(attempt())


@pytest.mark.parametrize(("name", "expected"), [("Ada", "ada"), ("a b", "[3 chars]"), ("é", "[1 chars]")])
def test_only_names_that_can_be_somebodys_are_recorded(name, expected):
    assert expected == recorded_name(name)
