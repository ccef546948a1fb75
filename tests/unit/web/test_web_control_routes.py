"""What the command line asks of a running gateway about routes: the same as programs, as an operator."""

import json
import os
import pwd

import pytest

from nbgate.web.control import make_control_app

KEY = "ab" * 32
OPERATOR = {"Authorization": f"control {KEY}", "Content-Type": "application/json"}
ME = f"uid:{os.geteuid()} {pwd.getpwuid(os.geteuid()).pw_name}"
LAB = {"at": "/lab1/", "upstream": "localhost:8889", "allow_open": True}


@pytest.fixture
async def ask(rig, tmp_path, client_of):
    """Return what asks as an operator, and brings status and answer."""
    app = make_control_app(rig.keeper, key=KEY, status=None, reload=None, clock=rig.clock)
    async with client_of(app, tmp_path / "control.sock") as client:

        async def asking(method, path, body=None):
            data = None if body is None else json.dumps(body)
            async with client.request(method, path, data=data, headers=OPERATOR) as answer:
                return answer.status, json.loads(await answer.text() or "null")

        yield asking


async def test_routes_are_added_changed_shown_and_removed_by_an_operator(rig, ask):
    assert [201, 200] == [(await ask("POST", "/routes", LAB))[0] for _ in range(2)]
    assert (200, ["/", "/lab1/"]) == _places(await ask("GET", "/routes"))
    assert (204, None) == await ask("DELETE", "/routes?at=%2Flab1%2F")
    assert (200, ["/"]) == _places(await ask("GET", "/routes"))
    told = [(record["message"], record["nbgate.actor"]) for record in rig.sink.records("route.change")]
    assert [("added", ME), ("changed", ME), ("removed", ME)] == told


def _places(answer):
    return answer[0], [route["at"] for route in answer[1]["routes"]]


async def test_an_operator_is_told_what_is_wrong_too(ask):
    status, value = await ask("POST", "/routes", {**LAB, "at": "/_nbgate/"})
    assert (400, "/_nbgate/ is where nbgate's own pages are") == (status, value["error"])
    assert 404 == (await ask("DELETE", "/routes?at=/lab1/"))[0]
