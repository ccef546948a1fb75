"""Accounts, with and without a running gateway."""

import fcntl
import json
import os

import pytest

from nbgate import passwd
from nbgate.cli import gateway as gateway_module
from nbgate.keeper.users import Accounts

PASSWORD = b"a parrot on the third shelf\n"


def test_accounts_without_a_gateway_are_changed_in_the_store(run, folder, typed):
    typed(PASSWORD)
    assert (0, "", "nbgate: user ada: added\n") == run(
        "user", "add", "Ada", "--password-stdin", "--config", "cheap.toml"
    )
    assert (0, "", "nbgate: user ada: disabled\n") == run("user", "disable", "ada")
    _, out, _ = run("user", "list", "--format", "json")
    (ada,) = json.loads(out)
    assert ("ada", True) == (ada["name"], ada["disabled"])
    assert (0, "", "nbgate: user ada: enabled\n") == run("user", "enable", "ada")
    typed(PASSWORD)
    passwd = ("user", "passwd", "ada", "--password-stdin", "--config", "cheap.toml")
    assert (0, "", "nbgate: user ada: password set\n") == run(*passwd)
    _, out, _ = run("user", "list")
    heads = ["name", "role", "state", "factors", "created"]
    assert [*heads, "ada", "owner", "active", "password"] == out.split()[:9]
    code, out, err = run("user", "role", "ada", "viewer")
    assert (0, "", True) == (code, out, err.startswith("nbgate: user ada: "))
    assert "viewer" in run("user", "list")[1]
    assert (0, "", "nbgate: user ada: removed\n") == run("user", "remove", "ada")
    audit = b"".join(path.read_bytes() for path in (folder / "audit").glob("*.jsonl"))
    assert f"uid:{os.geteuid()}".encode() in audit
    assert PASSWORD.strip() not in audit


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (
            ("add", "ada", "--password-stdin"),
            ("POST", "/users", {"name": "ada", "password": PASSWORD.decode().strip()}),
        ),
        (
            ("add", "ada", "--hash-stdin"),
            ("POST", "/users", {"name": "ada", "password_hash": PASSWORD.decode().strip()}),
        ),
        (("passwd", "ada", "--password-stdin"), ("POST", "/users/ada/passwd", {"password": PASSWORD.decode().strip()})),
        (
            ("add", "ada", "--role", "viewer", "--password-stdin"),
            ("POST", "/users", {"name": "ada", "password": PASSWORD.decode().strip(), "role": "viewer"}),
        ),
        (
            ("add", "ada", "--role", "owner", "--hash-stdin"),
            ("POST", "/users", {"name": "ada", "password_hash": PASSWORD.decode().strip(), "role": "owner"}),
        ),
        (("role", "ada", "auditor"), ("POST", "/users/ada/role", {"role": "auditor"})),
        (("disable", "a/b"), ("POST", "/users/a%2Fb/disable", None)),
        (("enable", "ada"), ("POST", "/users/ada/enable", None)),
        (("remove", "ada"), ("DELETE", "/users/ada", None)),
    ],
)
def test_a_running_gateway_is_asked(run, gateway, typed, words, asked):
    typed(PASSWORD)
    gateway.answers.append((200, {"user": "ada", "message": "changed", "ended_sessions": 2}))

    assert (0, "", "nbgate: user ada: changed; sessions ended: 2\n") == run("user", *words)
    ((method, path, _, body),) = gateway.asked
    assert asked == (method, path, body)


def test_accounts_of_a_running_gateway_are_listed(run, gateway):
    ada = {"name": "ada", "disabled": True, "role": "viewer", "factors": ["password", "totp"], "created": "now"}
    gateway.answers.append((200, {"users": [ada]}))

    table = "name  role    state     factors          created\nada   viewer  disabled  password + totp  now\n"
    assert (0, table, "") == run("user", "list")


def test_a_gateway_that_has_just_started_is_asked_after_all(run, gateway, folder, monkeypatch):
    connect = gateway_module.maybe_connect
    found = iter((False, True))
    monkeypatch.setattr(gateway_module, "maybe_connect", lambda folder: connect(folder) if next(found) else None)
    gateway.answers.append((200, {"users": []}))
    with (folder / "lock").open("w") as lock:
        (folder / "lock").chmod(0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert (0, "name  role  state  factors  created\n", "") == run("user", "list")


def test_a_folder_that_is_held_by_one_who_does_not_answer_is_try_again(run, folder):
    folder.mkdir(mode=0o700)
    with (folder / "lock").open("w") as lock:
        (folder / "lock").chmod(0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = run("user", "list")

    assert 75 == code
    assert "uses" in err


def test_the_offline_accounts_are_the_keepers_own():
    assert "nbgate.keeper.users" == Accounts.__module__


def test_an_account_is_made_of_a_hash_that_a_notebook_server_had(run, folder, typed):
    typed(b"argon2:" + passwd("a parrot on the third shelf").encode() + b"\n")
    assert (0, "", "nbgate: user ada: added\n") == run("user", "add", "ada", "--hash-stdin")
    assert "ada" in run("user", "list")[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--hash-stdin",), 2, "this is no argon2id hash"),
        (("--hash-stdin", "--password-stdin"), 2, "standard input is either a password or its hash"),
    ],
)
def test_what_is_no_hash_is_refused_with_a_hint(run, folder, typed, words, code, said):
    typed(PASSWORD)
    found, out, err = run("user", "add", "ada", *words)

    assert (code, "") == (found, out)
    assert err.startswith(f"nbgate: {said}\n  hint: ")
    assert PASSWORD.decode().strip() not in err
