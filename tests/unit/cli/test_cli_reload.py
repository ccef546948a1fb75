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
    gateway.answers.append((200, {"version": 2, "needs_restart": waiting}))

    assert (0, "", expected) == run("reload")
    assert ("POST", "/reload") == gateway.asked[0][:2]
