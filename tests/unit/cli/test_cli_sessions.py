"""Sessions through the running gateway."""

import json
import re

import pytest

SESSION = {
    "id": "0123456789ab",
    "user": "ada",
    "role": "owner",
    "factors": ["password", "totp"],
    "browser": "Firefox on Linux",
    "address": "192.0.2.7",
    "created": "then",
    "last_activity": "now",
    "ends": "later",
    "channels": 3,
}


def test_sessions_are_listed_for_people_and_for_programs(run, gateway):
    gateway.answers += [(200, {"sessions": [SESSION]})] * 2
    _, out, _ = run("sessions", "list")

    heads = ["id", "user", "role", "browser", "address", "signed in", "last activity", "by", "open"]
    assert heads == re.split("  +", out.splitlines()[0])
    assert "password + totp" in out.splitlines()[1]
    assert [SESSION] == json.loads(run("sessions", "list", "ada", "--format", "json")[1])
    assert ["/sessions", "/sessions?user=ada"] == [path for _, path, _, _ in gateway.asked]


@pytest.mark.parametrize(
    ("words", "asked", "said"),
    [
        (("0123456789ab",), "/sessions/0123456789ab", "nbgate: session 0123456789ab of ada: ended\n"),
        (("--user", "Ada"), "/users/Ada/sessions", "nbgate: user ada: sessions ended: 2\n"),
    ],
)
def test_sessions_are_ended_one_by_one_or_all_of_a_person(run, gateway, words, asked, said):
    gateway.answers.append((200, SESSION | {"ended_sessions": 2}))

    assert (0, "", said) == run("sessions", "revoke", *words)
    assert [("DELETE", asked)] == [(method, path) for method, path, _, _ in gateway.asked]


@pytest.mark.parametrize(
    ("words", "text"), [((), "which session is meant"), (("ab", "--user", "ada"), "a session and a person are named")]
)
def test_it_must_be_said_which(run, gateway, words, text):
    code, out, err = run("sessions", "revoke", *words)

    assert (2, "", []) == (code, out, gateway.asked)
    assert f"nbgate: {text}\n  hint: nbgate sessions revoke ID, or --user NAME for all of a person's\n" == err
