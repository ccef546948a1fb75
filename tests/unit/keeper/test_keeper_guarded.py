"""What is said about the servers: to workers and to people."""

import pytest

from nbgate.keeper.guarded import Shown, route_name, show_passed_over, start_lines
from nbgate.model.route import Condition, Upstream


def shown(**changes):
    values = {
        "route": "main",
        "prefix": "/",
        "product": "JupyterLab",
        "address": "127.0.0.1:8888",
        "base_url": "/",
        "condition": Condition.GUARDED,
        "since_unix": 0.0,
        "hint": "",
    }
    return Shown(**(values | changes))


LAB = shown()
DOWN = shown(condition=Condition.DOWN)
LOCKED = shown(prefix="/a/", base_url="/a/", condition=Condition.TOKEN_UNKNOWN, hint="name the file")
NOT_GUARDED = (
    "not guarded: a notebook server at unix:/run/j.sock (base URL /): another server has this base URL; "
    "to guard this one, name it: --upstream unix:/run/j.sock"
)
OLDER = show_passed_over(Upstream(path="/run/j.sock"), "/", 0.0)
GUARDING = "guarding JupyterLab at 127.0.0.1:8888 (base URL /)"


@pytest.mark.parametrize(
    ("servers", "discovers", "expected"),
    [
        ((LAB,), True, [GUARDING]),
        ((LAB,), False, [GUARDING]),
        ((shown(condition=Condition.OPEN_ALLOWED),), False, [GUARDING]),
        ((), True, ["no notebook server is running; one that starts is found and guarded by itself"]),
        ((DOWN,), False, []),
        ((DOWN,), True, ["JupyterLab at 127.0.0.1:8888 (base URL /) is down"]),
        ((LAB, LOCKED), False, [GUARDING]),
        (
            (LAB, LOCKED),
            True,
            [GUARDING, "JupyterLab at 127.0.0.1:8888 (base URL /a/) is token-unknown: name the file"],
        ),
        ((LAB, OLDER), True, [GUARDING, NOT_GUARDED]),
    ],
)
def test_what_is_said_at_the_start(servers, discovers, expected):
    assert expected == start_lines(servers, discovers=discovers)


@pytest.mark.parametrize("prefix", ["/", "/a/", "/user/ada lovelace/", "/%C3%BC/"])
def test_a_route_name_can_stand_in_a_cookies_name(prefix):
    assert route_name(prefix).isalnum()
    assert route_name(prefix).islower()
