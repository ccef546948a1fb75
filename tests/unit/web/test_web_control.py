import json
import os
import pwd

import pytest

from nbgate.crypto.passwords import hash_password
from nbgate.errors import ConfigError, ExitCode, Problem, StartError
from nbgate.keeper.login import LoginAttempt
from nbgate.model.session import Role
from nbgate.testing.keeper_parts import CHEAP, PASSWORD
from nbgate.web import control
from nbgate.web.control import actor_of, make_control_app

KEY = "ab" * 32
OPERATOR = {"Authorization": f"control {KEY}", "Content-Type": "application/json"}
ME = f"uid:{os.geteuid()} {pwd.getpwuid(os.geteuid()).pw_name}"


@pytest.fixture
def reloads():
    return []


@pytest.fixture
async def client(rig, tmp_path, client_of, reloads):
    async def status():
        return {"version": "0"}

    async def reload(actor):
        reloads.append(actor)
        if len(reloads) > 2:
            raise StartError("the key is too short", hint="make one", exit_code=ExitCode.CONFIGURATION)
        if len(reloads) > 1:
            raise ConfigError((Problem("nbgate.toml:3", "unknown option", "did you mean port?"),))
        return {"version": 2}

    app = make_control_app(rig.keeper, key=KEY, status=status, reload=reload)
    async with client_of(app, tmp_path / "control.sock") as client:
        yield client


async def ask(client, method, path, body=None, headers=OPERATOR):
    data = None if body is None else json.dumps(body)
    async with client.request(method, path, data=data, headers=headers) as answer:
        return answer.status, json.loads(await answer.text())


async def test_an_account_lives_and_dies_by_these_calls(client, rig):
    new = {"name": "Bob", "password": PASSWORD}
    assert (201, {"user": "bob", "message": "added", "ended_sessions": 0}) == await ask(client, "POST", "/users", new)
    calls = [
        ("POST", "/users/bob/passwd", {"password": "another horse battery"}, "password set"),
        ("POST", "/users/bob/disable", None, "disabled"),
        ("POST", "/users/bob/enable", None, "enabled"),
        ("DELETE", "/users/bob", None, "removed"),
    ]
    for method, path, body, message in calls:
        assert (200, {"user": "bob", "message": message, "ended_sessions": 0}) == await ask(client, method, path, body)
    assert {ME, "uid:0 root"} == {record["nbgate.actor"] for record in rig.sink.records("user.change")}


async def test_an_account_is_made_of_a_prepared_hash(client, rig):
    prepared = hash_password("of old", salt=b"s" * 16, parameters=CHEAP)
    new = {"name": "bob", "password_hash": f"argon2:{prepared}"}
    assert (201, {"user": "bob", "message": "added", "ended_sessions": 0}) == await ask(client, "POST", "/users", new)
    assert prepared == rig.state.users.get("bob").password_hash


async def test_a_role_is_given(client, rig):
    await rig.keeper.log_in(LoginAttempt(username="ada", password=PASSWORD, client="192.0.2.7", request_id="r"))
    status, answer = await ask(client, "POST", "/users/ada/role", {"role": "viewer"})
    assert (200, "ada", 1) == (status, answer["user"], answer["ended_sessions"])
    assert Role.VIEWER == rig.state.users.get("ada").role
    assert 400 == (await ask(client, "POST", "/users/ada/role", {"role": "root"}))[0]


@pytest.mark.parametrize(
    ("body", "role"),
    [({"role": "auditor"}, Role.AUDITOR), ({}, Role.EDITOR), ({"role": ""}, Role.EDITOR)],
)
async def test_an_account_is_made_with_a_role(client, rig, body, role):
    assert 201 == (await ask(client, "POST", "/users", {"name": "bob", "password": PASSWORD} | body))[0]
    assert role is rig.state.users.get("bob").role


async def test_a_list_names_everybody_and_no_hash(client):
    ada = {
        "name": "ada",
        "disabled": False,
        "role": "owner",
        "factors": ["password"],
        "recovery_codes": 0,
        "created": "2027-01-15T08:00:00.000000Z",
    }
    assert (200, {"users": [ada]}) == await ask(client, "GET", "/users")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/users", {"name": "ada", "password": PASSWORD}, 409, "there is a user ada already"),
        ("POST", "/users", {"name": "a b", "password": PASSWORD}, 400, "this is no user name"),
        ("POST", "/users", {"name": "bob", "password": "short"}, 400, "this password cannot be set"),
        ("POST", "/users", {"password": PASSWORD}, 400, "missing field"),
        ("POST", "/users", {"name": "bob"}, 400, "one of password, password_hash and imported_hash"),
        (
            "POST",
            "/users",
            {"name": "bob", "password": PASSWORD, "password_hash": "x"},
            400,
            "one of password, password_hash and imported_hash",
        ),
        ("POST", "/users", {"name": "bob", "password_hash": "x"}, 400, "this is no argon2id hash"),
        ("DELETE", "/users/nobody", None, 404, "there is no user nobody"),
        ("POST", "/users/ada/promote", None, 404, "not found"),
        ("PUT", "/users", {}, 405, "method not allowed"),
    ],
)
async def test_what_cannot_be_done_is_said_with_a_hint(client, method, path, body, status, error):
    found, answer = await ask(client, method, path, body)
    assert (status, error) == (found, answer["error"])


async def test_status_and_reload_are_passed_on(client, reloads):
    assert (200, {"version": "0"}) == await ask(client, "GET", "/status")
    assert (200, {"version": 2}) == await ask(client, "POST", "/reload")
    status, answer = await ask(client, "POST", "/reload")
    assert (422, "nbgate.toml:3: unknown option") == (status, answer["error"])
    assert [{"where": "nbgate.toml:3", "text": "unknown option", "hint": "did you mean port?"}] == answer["problems"]
    refused = {"error": "the key is too short", "hint": "make one", "exit_code": 78}
    assert (422, refused) == await ask(client, "POST", "/reload")
    assert [ME, ME, ME] == reloads


@pytest.mark.parametrize(
    "authorization", ["", "control", "control " + "cd" * 32, f"token {KEY}", f"CONTROL {KEY}", "control \u00e9"]
)
async def test_without_the_key_of_this_run_nothing_is_told(client, authorization):
    status, answer = await ask(client, "GET", "/users", headers={"Authorization": authorization})
    assert (401, "wrong control key") == (status, answer["error"])


async def test_another_user_is_refused_even_with_the_key(client, monkeypatch):
    monkeypatch.setattr(control, "_peer_uid", lambda request: 4321)
    status, answer = await ask(client, "GET", "/users")
    assert (403, "another user's gateway") == (status, answer["error"])


def test_a_peer_that_has_gone_is_nobody():
    class Gone:
        transport = None

    assert -1 == control._peer_uid(Gone())


@pytest.mark.parametrize(("uid", "expected"), [(0, "uid:0 root"), (3999999, "uid:3999999")])
def test_an_actor_has_a_number_and_perhaps_a_name(uid, expected):
    assert expected == actor_of(uid)
