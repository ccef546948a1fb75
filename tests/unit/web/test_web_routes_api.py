"""The routes API: for tokens of owners, whatever the worker let pass."""

import json

import pytest

from nbgate.model.session import Role, Scope
from nbgate.testing.keeper_parts import PASSWORD
from nbgate.web.routes_api import API_ROUTES

LAB = {"at": "/lab1/", "upstream": "localhost:8889"}


@pytest.fixture
def make(rig):
    """Return what makes a token and returns the header by which a worker names its session."""

    async def make(user="ada", scope=Scope.ROUTES_ADMIN, routes=()):
        until = rig.clock.unix() + 1000.0
        stored, _ = await rig.keeper.tokens.add(user, "robot", scope, routes, until, "uid:0 root")
        return {"X-Nbgate-Session": stored.session.id.hex()}, stored.session

    return make


@pytest.fixture
def call(client, make):
    """Return what calls the API with a token of the owner's, and brings status and answer."""

    async def call(method, query="", body=None, headers=None):
        headers = (await make())[0] if headers is None else headers
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        sent = headers | ({} if data is None else {"Content-Type": "application/json"})
        async with client.request(method, API_ROUTES + query, data=data, headers=sent) as answer:
            text = await answer.text()
            assert "no-store" == answer.headers["Cache-Control"]
            return answer.status, json.loads(text) if text else None

    return call


async def test_a_route_is_added_changed_shown_and_removed(rig, call, make):
    headers, session = await make()
    answers = [
        await call("POST", body={**LAB, "token": "5ecre7", **more}, headers=headers)
        for more in ({}, {"base_url": "/x/"})
    ]
    expected = {
        "at": "/lab1/",
        "upstream": "127.0.0.1:8889",
        "base_url": "",
        "source": "runtime",
        "product": "",
        "condition": "unknown",
        "since": None,
        "allow": [],
        "hint": "",
    }
    assert [(201, expected), (200, expected | {"base_url": "/x/"})] == answers
    await rig.keeper.mounts.look_once()
    status, value = await call("GET")
    assert (200, ["/", "/lab1/"]) == (status, [route["at"] for route in value["routes"]])
    (route,) = [route for route in value["routes"] if route["at"] == "/lab1/"]
    assert ("JupyterLab", "runtime") == (route["product"], route["source"])
    assert "5ecre7" not in json.dumps(value)
    assert (204, None) == await call("DELETE", "?at=/lab1/")
    assert ["/"] == [route["at"] for route in (await call("GET"))[1]["routes"]]
    actors = [record["nbgate.actor"] for record in rig.sink.records("route.change")]
    assert [f"ada token:{session.label}"] * 2 == actors[:2]


async def test_a_refusal_says_what_is_wrong_and_what_to_do(call):
    assert (
        409,
        {"error": "the configuration mounts 127.0.0.1:8888 at /x/", "hint": "change it there, or choose another place"},
    ) == (await _refused_place(call))
    assert (404, "there is no route at /lab1/") == _short(await call("DELETE", "?at=/lab1/"))
    assert (400, "which route is meant") == _short(await call("DELETE"))
    assert (400, "which route is meant") == _short(await call("DELETE", "?at=/a/&at=/b/"))
    assert (400, "'x' does not say where") == _short(await call("DELETE", "?at=x"))


async def _refused_place(call):
    return await call("POST", body={**LAB, "at": "/x/"})


@pytest.fixture
async def rig(rig):
    config = type(rig.keeper.config)(upstream=("http://localhost:8888/x/",))
    rig.keeper.apply(config, rig.keeper.material, rig.values["tables"], rig.values["rules"])
    return rig


def _short(answer):
    return answer[0], answer[1]["error"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "malformed JSON"),
        ("[]", "expected a JSON object"),
        ('{"at":"/x/","at":"/y/"}', "duplicate field"),
        ('{"at":"/lab1/","upstream":"\\ud800"}', "malformed text"),
        ('{"at":"/lab1/","upstream":{"a":1}}', "expected texts and lists of texts"),
        ('{"at":"/lab1/","upstream":"localhost:1","allow":[["ada"]]}', "expected texts and lists of texts"),
        ('{"at":"/lab1/"}', "the route lacks 'upstream'"),
        ('{"at":"/lab1/","upstream":"localhost:1","token_file":"/etc/x"}', "a route has nothing called 'token_file'"),
        (
            '{"at":"/lab1/","upstream":7}',
            "a value of the route is of another type: Expected `str`, got `int` - at `$.upstream`",
        ),
        ("[" * 4000, "malformed JSON"),
    ],
)
async def test_what_is_no_route_is_refused_in_a_line(call, rig, body, error):
    assert (400, error) == _short(await call("POST", body=body))
    assert [] == rig.sink.records("route.change")


async def test_a_body_has_a_bound(call):
    status, _ = await call("POST", body={**LAB, "token": "x" * 9000})
    assert 413 == status


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_nobody_else_changes_or_sees_routes_whatever_the_worker_says(call, make, rig, ada, method):
    async def refused(headers):
        body = LAB if method == "POST" else None
        return _short(await call(method, "?at=/lab1/", body, headers))

    await rig.keeper.accounts.add("bob", PASSWORD, "uid:0 root")
    (login,) = [row.session for row in rig.keeper.sessions_of("ada") if not row.session.is_token]
    assert (401, "login required") == await refused({})
    assert (401, "login required") == await refused({"X-Nbgate-Session": "00" * 32})
    assert (403, "a sign-in opens the pages, not this") == await refused({"X-Nbgate-Session": login.id.hex()})
    for scope in (Scope.READ, Scope.EXECUTE):
        assert (403, f"the scope of this token is {scope}") == await refused((await make(scope=scope))[0])
    for user in ("bob",):
        assert (403, "routes are changed by owners of the gateway") == await refused((await make(user))[0])
    assert (403, "this token is good for some routes only") == await refused((await make(routes=("/lab1/",)))[0])
    assert [] == rig.sink.records("route.change")


async def test_a_token_of_all_scopes_does_too(call, make):
    assert 201 == (await call("POST", body=LAB, headers=(await make(scope=Scope.ALL))[0]))[0]


async def test_a_token_that_ends_while_its_body_is_on_the_way_changes_nothing(call, make, rig, monkeypatch):
    headers, session = await make()

    async def read(request):
        await rig.keeper.tokens.revoke(session.label, "uid:0 root")
        return LAB

    monkeypatch.setattr("nbgate.web.routes_api.read_object", read)
    assert (401, "login required") == _short(await call("POST", body=LAB, headers=headers))
    assert [] == rig.sink.records("route.change")


async def test_who_is_an_owner_no_more_has_no_token_any_more(call, make, rig):
    headers, _ = await make()
    await rig.keeper.accounts.set_role("ada", Role.EDITOR, "uid:0 root")
    assert (401, "login required") == _short(await call("GET", headers=headers))


async def test_other_methods_are_not_known(call):
    assert 405 == (await call("PUT", body=LAB))[0]
