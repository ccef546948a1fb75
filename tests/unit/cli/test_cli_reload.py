"""Having the running gateway read its configuration again."""

import pytest


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([], "nbgate: configuration 2 is in force\n"),
        (["ip", "port"], "nbgate: configuration 2 is in force\n  hint: a restart is needed for: ip, port\n"),
    ],
)
def test_reload_says_what_is_in_force(run, gateway, waiting, expected):
    gateway.answers.append((200, {"version": 2, "needs_restart": waiting, "changed": []}))

    assert (0, "", expected) == run("reload")
    assert ("POST", "/reload") == gateway.asked[0][:2]


def test_reload_says_what_changed_and_what_of_it_waits(run, gateway):
    changed = [
        {"option": "port", "old": "8443", "new": "9443"},
        {"option": "banner", "old": "true", "new": "false"},
        {"option": "login.time_cost", "old": "3", "new": "4"},
    ]
    gateway.answers.append((200, {"version": 2, "needs_restart": ["login", "port"], "changed": changed}))

    told = (
        "nbgate: configuration 2 is in force\n"
        "  port: 8443 -> 9443, after a restart\n"
        "  banner: true -> false\n"
        "  login.time_cost: 3 -> 4, after a restart\n"
        "  hint: a restart is needed for: login, port\n"
    )
    assert (0, "", told) == run("reload")


def test_a_refused_configuration_is_told_with_every_problem_and_its_hint(run, gateway):
    problems = [
        {"where": "a.toml:3", "text": "prot: unknown option", "hint": "did you mean 'port'?"},
        {"where": "", "text": "no upstream", "hint": ""},
    ]
    gateway.answers.append((422, {"error": "all of it in one line", "problems": problems}))

    told = "nbgate: a.toml:3: prot: unknown option\n  hint: did you mean 'port'?\nnbgate: no upstream\n"
    assert (78, "", told) == run("reload")
