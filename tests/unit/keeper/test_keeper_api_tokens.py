"""Tokens of programs: made once, shown once, bound in time and number, ended like sessions."""

import pytest

from nbgate.access.judge import judge_access
from nbgate.audit.events import AuditContinue
from nbgate.crypto.api_tokens import parse_api_token
from nbgate.errors import AuditError, InputRefused, LockedDown
from nbgate.keeper import api_tokens as module
from nbgate.keeper.account_changes import AccountError
from nbgate.keeper.api_tokens import LONGEST_SECONDS
from nbgate.keeper.ending import SessionNotFoundError
from nbgate.keeper.login import LoginAttempt
from nbgate.link.messages import SessionPut, SessionsRevoked
from nbgate.model.route import Route, Upstream
from nbgate.model.session import Role, Scope
from nbgate.reasons import Reason
from nbgate.testing.keeper_parts import PASSWORD

ROOT = "uid:0 root"
DAY = 86400.0


async def make(rig, user="ada", name="laptop", scope=Scope.EXECUTE, routes=(), seconds=DAY):
    return await rig.keeper.tokens.add(user, name, scope, routes, rig.clock.unix() + seconds, ROOT)


async def test_a_token_is_a_session_of_its_owner_that_every_worker_knows(rig):
    link = rig.attach()
    stored, text = await make(rig, "Ada", routes=("/", "/user/ada/"))
    token = stored.session
    assert (parse_api_token(text), "laptop", "") == (token.id, stored.label, stored.client)
    assert ("ada", Role.OWNER, Scope.EXECUTE, True) == (token.user, token.role, token.scope, token.is_token)
    assert (("/", "/user/ada/"), (), rig.clock.unix() + DAY) == (token.routes, token.factors, token.absolute_unix)
    assert [SessionPut(session=token)] == link.of(SessionPut)
    assert (stored, (stored,)) == (rig.state.sessions.get(token.id), rig.keeper.sessions_of("ada"))
    assert text.encode() not in rig.sink.lines


async def test_a_token_for_a_server_at_a_host_of_its_own_opens_that_one(rig):
    stored, _ = await make(rig, routes=("Lab1.Example.org/x/", "/x/", "lab1.example.org/x/"))
    assert ("lab1.example.org/x/", "/x/") == stored.session.routes
    upstream = Upstream(host="127.0.0.1", port=8888)
    hosts = {"": None, "lab1.example.org": None, "lab2.example.org": Reason.TOKEN_SCOPE}
    judged = {
        host: judge_access(
            stored.session,
            Route(name="x", host=host, prefix="/x/", upstream=upstream),
            method="GET",
            websocket=False,
            has_effect=False,
            second_factor_roles=frozenset(),
        )
        for host in hosts
    }
    assert hosts == judged


async def test_who_made_which_token_is_recorded(rig):
    stored, _ = await make(rig)
    await rig.keeper.tokens.revoke(stored.session.label, "ada")
    told = [
        (each["message"], each["nbgate.token.name"], each["nbgate.token.scope"], each["nbgate.actor"])
        for each in rig.sink.records("token.change")
    ]
    assert [("added", "laptop", "execute", ROOT), ("revoked", "laptop", "execute", "ada")] == told


async def test_a_revoked_token_is_over_everywhere(rig):
    link = rig.attach()
    stored, _ = await make(rig)
    assert stored == await rig.keeper.tokens.revoke(stored.session.label[:6], ROOT)
    (revoked,) = link.of(SessionsRevoked)
    assert ((stored.session.id,), "session-revoked") == (revoked.ids, revoked.reason)
    assert ((), ()) == (rig.keeper.sessions_of(None), rig.state.sessions.all())
    with pytest.raises(SessionNotFoundError, match="there is no such token"):
        await rig.keeper.tokens.revoke(stored.session.label, ROOT)


async def test_a_login_is_not_revoked_as_a_token(rig):
    attempt = LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r1")
    session = (await rig.keeper.log_in(attempt)).session
    with pytest.raises(SessionNotFoundError):
        await rig.keeper.tokens.revoke(session.label, ROOT)
    assert session == rig.keeper.find_session(session.id)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": " laptop"}, "needs a name"),
        ({"name": "lap\ntop"}, "needs a name"),
        ({"name": "x" * 65}, "needs a name"),
        ({"scope": Scope.LOGIN}, "cannot be a login"),
        ({"routes": ("/", "/user/ada")}, "'/user/ada' is no place of a notebook server"),
        ({"routes": ("/a/../b/",)}, "no place"),
        ({"routes": ("a.example.org:8443/",)}, "has a port"),
        ({"routes": tuple(f"/{number}/" for number in range(33))}, "32 notebook servers at most"),
        ({"seconds": 0.0}, "90 days at most"),
        ({"seconds": LONGEST_SECONDS + 1}, "90 days at most"),
        ({"user": "not a name"}, "no user name"),
    ],
)
async def test_what_no_token_can_be_is_refused(rig, changes, why):
    with pytest.raises(InputRefused, match=why):
        await make(rig, **changes)
    assert () == rig.state.sessions.all()


@pytest.mark.parametrize("seconds", [1.0, LONGEST_SECONDS])
async def test_a_token_lasts_as_long_as_it_says(rig, seconds):
    await make(rig, seconds=seconds)
    rig.clock.advance(seconds - 0.5)
    await rig.keeper.sweep()
    assert 1 == len(rig.keeper.sessions_of("ada"))
    rig.clock.advance(0.5)
    await rig.keeper.sweep()
    assert () == rig.keeper.sessions_of("ada")


async def test_a_person_has_so_many_tokens_at_most(rig, monkeypatch):
    monkeypatch.setattr(module, "MAX_OF_USER", 2)
    await rig.keeper.accounts.add("bob", PASSWORD, ROOT)
    for user in ("ada", "ada", "bob"):
        await make(rig, user)
    with pytest.raises(InputRefused, match="ada has 2 tokens"):
        await make(rig)


async def test_who_is_not_there_or_may_not_log_in_gets_none(rig):
    await rig.keeper.accounts.disable("ada", ROOT)
    for user, status in (("ada", 409), ("bob", 404)):
        with pytest.raises(AccountError) as caught:
            await make(rig, user)
        assert status == caught.value.status
    assert () == rig.state.sessions.all()


async def test_a_new_password_leaves_tokens_alone_and_another_role_does_not(rig):
    stored, _ = await make(rig)
    await rig.keeper.accounts.set_password("ada", "another horse battery", ROOT)
    assert (stored,) == rig.keeper.sessions_of("ada")
    await rig.keeper.accounts.set_role("ada", Role.VIEWER, ROOT)
    assert () == rig.keeper.sessions_of("ada")


async def test_in_a_lockdown_no_token_is_made(rig):
    await rig.keeper.lock_down(ROOT)
    with pytest.raises(LockedDown):
        await make(rig)


@pytest.mark.parametrize(("what", "error"), [("lock_down", LockedDown), ("disable", AccountError)])
async def test_a_token_that_is_overtaken_while_it_is_recorded_never_is(rig, what, error):
    link, append = rig.attach(), rig.audit.append_durable

    async def overtaken(event):
        rig.audit.append_durable = append
        await append(event)
        await (rig.keeper.lock_down(ROOT) if what == "lock_down" else rig.keeper.accounts.disable("ada", ROOT))

    rig.audit.append_durable = overtaken
    with pytest.raises(error):
        await make(rig)
    assert ((), (), []) == (rig.state.sessions.all(), rig.keeper.sessions_of(None), link.of(SessionPut))


async def test_a_token_that_cannot_be_recorded_does_not_exist(rig):
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await make(rig)
    assert ((), ()) == (rig.state.sessions.all(), rig.keeper.sessions_of(None))
    with pytest.raises(AuditError, match="cannot be written"):  # known by now: not even tried
        await make(rig)
    with pytest.raises(AuditError):
        await rig.audit.append_durable(AuditContinue(**rig.audit.stamp(), segment="s"))
