"""What the command line asks of a running gateway about logins: against a whole keeper."""

import json
import os
import pwd

import pyotp
import pytest

from nbgate.keeper.login import LoginAttempt
from nbgate.model.session import Scope
from nbgate.testing.keeper_parts import PASSWORD
from nbgate.web.control import make_control_app

KEY = "ab" * 32
OPERATOR = {"Authorization": f"control {KEY}", "Content-Type": "application/json"}
ME = f"uid:{os.geteuid()} {pwd.getpwuid(os.geteuid()).pw_name}"
NETBLOCK = "192.0.2.7/32"


@pytest.fixture
def listening():
    """Where the gateway listens."""
    return ["https://gw.example/", "https://localhost:8443/"]


@pytest.fixture
async def ask(rig, tmp_path, client_of, listening):
    """Return what asks as an operator, and brings status and answer."""

    async def status():
        return {"listening": listening}

    app = make_control_app(rig.keeper, key=KEY, status=status, reload=None, clock=rig.clock)
    async with client_of(app, tmp_path / "control.sock") as client:

        async def asking(method, path, body=None):
            data = None if body is None else json.dumps(body)
            async with client.request(method, path, data=data, headers=OPERATOR) as answer:
                return answer.status, json.loads(await answer.text())

        yield asking


async def log_in(rig, **changes):
    values = {"username": "ada", "password": PASSWORD, "client": "192.0.2.7", "request_id": "r", "user_agent": "x"}
    return await rig.keeper.log_in(LoginAttempt(**(values | changes)))


def code(rig, secret) -> str:
    return pyotp.TOTP(secret).at(int(rig.clock.unix()))


async def enroll(rig, ask, alone="no"):
    _, begun = await ask("POST", "/users/ada/totp")
    rig.clock.advance(30.0)
    status, done = await ask("POST", "/users/ada/totp/confirm", {"code": code(rig, begun["secret"]), "alone": alone})
    return begun["secret"], status, done


async def test_an_account_is_made_of_what_a_notebook_server_had(rig, ask):
    imported = {"name": "bob", "imported_hash": "sha1:0123456789ab:" + "c" * 40}
    assert 201 == (await ask("POST", "/users", imported))[0]
    assert rig.state.users.get("bob").password_hash.startswith("sha1:")


async def test_a_second_factor_is_set_up_by_a_code_of_it(rig, ask):
    secret, status, done = await enroll(rig, ask)

    assert (200, True, "ada", 10) == (status, done["accepted"], done["user"], len(done["codes"]))
    rig.clock.advance(30.0)
    session = (await log_in(rig, code=code(rig, secret))).session
    assert ("password", "totp") == session.factors
    assert {ME} == {record["nbgate.actor"] for record in rig.sink.records("factor.change")}
    assert secret.encode() not in rig.sink.lines


async def test_the_app_shows_the_name_of_the_gateway(ask, listening):
    assert "ada%40gw.example" in (await ask("POST", "/users/ada/totp"))[1]["uri"]
    listening.clear()
    assert "gw.example" not in (await ask("POST", "/users/ada/totp"))[1]["uri"]


async def test_a_wrong_code_is_no_failure_of_the_call(rig, ask):
    await ask("POST", "/users/ada/totp")
    wrong = {"code": "12345", "alone": "no"}

    assert (200, {"accepted": False}) == await ask("POST", "/users/ada/totp/confirm", wrong)
    assert "" == rig.state.users.get("ada").totp


async def test_a_code_alone_opens_the_account_where_the_operator_says_so(rig, ask):
    _, status, _ = await enroll(rig, ask, alone="yes")

    user = rig.state.users.get("ada")
    assert (200, "", True) == (status, user.password_hash, bool(user.totp))


async def test_a_second_factor_is_taken_away(rig, ask):
    await enroll(rig, ask)

    assert (200, {"user": "ada"}) == await ask("DELETE", "/users/ada/totp")
    assert "" == rig.state.users.get("ada").totp


async def test_recovery_codes_are_made_anew(rig, ask):
    _, _, done = await enroll(rig, ask)
    status, answer = await ask("POST", "/users/ada/codes")

    assert (200, 10, set()) == (status, len(answer["codes"]), set(answer["codes"]) & set(done["codes"]))


async def test_a_token_is_made_listed_and_revoked(rig, ask):
    asked = {"name": "laptop", "scope": "read", "routes": "/ada/ bob.example.org/", "days": "30"}
    status, made = await ask("POST", "/users/ada/tokens", asked)

    assert (201, "nbgp_", ["/ada/", "bob.example.org/"]) == (status, made["token"][:5], made["routes"])
    _, listed = await ask("GET", "/tokens")
    assert ["/ada/", "bob.example.org/"] == made["unmounted"]
    assert [{key: value for key, value in made.items() if key not in {"token", "unmounted"}}] == listed["tokens"]
    assert {"tokens": listed["tokens"]} == (await ask("GET", "/tokens?user=Ada"))[1]
    (stored,) = rig.keeper.sessions_of("ada")
    assert (Scope.READ, 30 * 86400.0) == (stored.session.scope, stored.session.absolute_unix - rig.clock.unix())
    assert (200, {"id": made["id"], "user": "ada", "name": "laptop"}) == await ask("DELETE", f"/tokens/{made['id']}")
    assert () == rig.keeper.sessions_of("ada")


@pytest.mark.parametrize(
    "changes",
    [{"scope": "login"}, {"scope": "write"}, {"days": "0"}, {"days": "91"}, {"days": "-1"}, {"days": "\u0661"}],
)
async def test_what_no_token_can_be_is_refused_with_a_hint(ask, changes):
    asked = {"name": "laptop", "scope": "read", "routes": "", "days": "90"} | changes
    status, answer = await ask("POST", "/users/ada/tokens", asked)

    assert (400, True) == (status, bool(answer["hint"]))


async def test_sessions_are_listed_and_ended_one_by_one(rig, ask):
    session = (await log_in(rig)).session
    await rig.keeper.tokens.add("ada", "t", Scope.READ, (), rig.clock.unix() + 60, "uid:0")
    _, answer = await ask("GET", "/sessions")

    (listed,) = answer["sessions"]
    assert (session.label, "ada", "192.0.2.7", 0) == tuple(listed[key] for key in ("id", "user", "address", "channels"))
    assert (200, {"id": session.label, "user": "ada"}) == await ask("DELETE", f"/sessions/{session.label}")
    assert None is rig.keeper.find_session(session.id)
    assert 404 == (await ask("DELETE", f"/sessions/{session.label}"))[0]


async def test_all_sessions_of_a_person_are_ended(rig, ask):
    await log_in(rig)
    await log_in(rig)

    assert (200, {"user": "ada", "ended_sessions": 2}) == await ask("DELETE", "/users/Ada/sessions")


async def test_a_link_signs_somebody_in(rig, ask):
    status, made = await ask("POST", "/users/ada/link")
    (first, second) = made["links"]
    token = first.removeprefix("https://gw.example/_nbgate/link/")

    assert (201, "ada", 10) == (status, made["user"], made["minutes"])
    assert f"https://localhost:8443/_nbgate/link/{token}" == second
    assert "ada" == rig.keeper.links.require(token)


async def test_before_it_listens_there_is_no_link(ask, listening):
    listening.clear()
    assert (503, "the gateway does not listen yet") == (
        (answer := await ask("POST", "/users/ada/link"))[0],
        answer[1]["error"],
    )


async def test_failed_logins_are_forgotten(rig, ask):
    assert (200, {"user": "ada"}) == await ask("POST", "/users/Ada/unlock")
    assert ["ada"] == [record["user.target.name"] for record in rig.sink.records("throttle.clear")]


async def test_penalties_are_listed_and_lifted(rig, ask):
    for _ in range(4):
        rig.keeper.penalties.add_login(NETBLOCK)
    rig.clock.advance(0.5)

    assert (200, {"penalties": [{"netblock": NETBLOCK, "seconds": 20}]}) == await ask("GET", "/penalties")
    assert (200, {"cleared": 1}) == await ask("DELETE", "/penalties?netblock=192.0.2.7")
    assert (200, {"cleared": 0}) == await ask("DELETE", "/penalties")
    assert 400 == (await ask("DELETE", "/penalties?netblock=x"))[0]


async def test_everybody_is_sent_away_and_let_in_again(rig, ask):
    await log_in(rig)

    assert (200, {"ended_sessions": 1}) == await ask("POST", "/lockdown")
    assert rig.keeper.is_locked_down
    assert (200, {}) == await ask("DELETE", "/lockdown")
    assert not rig.keeper.is_locked_down


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/bob/role", {"role": "viewer"}),
        ("POST", "/users/bob/totp", None),
        ("POST", "/users/bob/totp/confirm", {"code": "123456", "alone": "no"}),
        ("DELETE", "/users/bob/totp", None),
        ("POST", "/users/bob/codes", None),
        ("POST", "/users/bob/tokens", {"name": "x", "scope": "read", "routes": "", "days": "1"}),
        ("POST", "/users/bob/link", None),
        ("POST", "/users/bob/unlock", None),
        ("DELETE", "/users/bob/sessions", None),
        ("GET", "/sessions?user=bob", None),
        ("GET", "/tokens?user=bob", None),
    ],
)
async def test_what_is_asked_about_nobody_is_told_so(ask, method, path, body):
    status, answer = await ask(method, path, body)
    assert (404, "there is no user bob", True) == (status, answer["error"], bool(answer["hint"]))
