"""Tokens through the running gateway."""

import json

import pytest

TOKEN = {
    "id": "0123456789ab",
    "user": "ada",
    "name": "laptop",
    "scope": "read",
    "routes": ["/ada/", "/bob/"],
    "created": "then",
    "last_activity": "now",
    "ends": "later",
}


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        ((), {"name": "laptop", "scope": "execute", "routes": "", "days": "90"}),
        (
            ("--scope", "read", "--route", "/ada/", "--route", "/bob/", "--days", "7"),
            {"name": "laptop", "scope": "read", "routes": "/ada/ /bob/", "days": "7"},
        ),
        (("--scope=routes-admin",), {"name": "laptop", "scope": "routes-admin", "routes": "", "days": "90"}),
    ],
)
def test_a_token_is_the_only_word_on_standard_output(run, gateway, flags, body):
    gateway.answers.append((201, TOKEN | {"token": "nbgp_abc", "unmounted": []}))
    code, out, err = run("token", "add", "ada", "--name", "laptop", *flags)

    assert (0, "nbgp_abc\n") == (code, out)
    assert err.startswith("nbgate: token laptop of ada, read, until later: not shown again\n  hint: ")
    assert "nbgp_" not in err
    assert [("POST", "/users/ada/tokens", body)] == [(method, path, sent) for method, path, _, sent in gateway.asked]


def test_a_place_where_nothing_is_mounted_is_told(run, gateway):
    gateway.answers.append((201, TOKEN | {"token": "nbgp_abc", "unmounted": ["/bob/"]}))
    code, _, err = run("token", "add", "ada", "--name", "laptop", "--route", "/ada/", "--route", "/bob/")

    assert 0 == code
    assert "nbgate: there is no notebook server at /bob/ now; the token opens one that is mounted there later\n" in err


def test_tokens_are_listed_for_people_and_for_programs(run, gateway):
    gateway.answers += [(200, {"tokens": [TOKEN, TOKEN | {"routes": []}]}), (200, {"tokens": [TOKEN]})]
    _, out, _ = run("token", "list")

    assert ["0123456789ab", "ada", "laptop", "read", "/ada/", "/bob/", "then", "now", "later"] == (
        out.splitlines()[1].split()
    )
    assert "all" == out.splitlines()[2].split()[4]
    assert [TOKEN] == json.loads(run("token", "list", "a b", "--format", "json")[1])
    assert ["/tokens", "/tokens?user=a%20b"] == [path for _, path, _, _ in gateway.asked]


def test_a_token_is_ended_by_its_id(run, gateway):
    gateway.answers.append((200, TOKEN))

    assert (0, "", "nbgate: token laptop of ada: ended\n") == run("token", "revoke", "01/23")
    assert [("DELETE", "/tokens/01%2F23")] == [(method, path) for method, path, _, _ in gateway.asked]


def test_a_token_that_is_typed_in_place_of_its_id_is_not_repeated(run, gateway):
    code, out, err = run("token", "revoke", "nbgp_secret")

    assert (2, "", []) == (code, out, gateway.asked)
    assert err.startswith("nbgate: this is a token, not its ID\n  hint: ")
    assert "secret" not in err
