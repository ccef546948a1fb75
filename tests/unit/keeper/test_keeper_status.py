import json

from nbgate.keeper.children import Children
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.status import StatusBoard
from nbgate.link.messages import ChildEvent, Offences, WorkerHello, WorkerStatus
from nbgate.model.penalty import Offence
from nbgate.model.route_spec import RouteSpec
from nbgate.testing.keeper_parts import PASSWORD, TOKEN, UPSTREAM


async def test_status_shows_what_an_operator_asks_and_no_secret(rig):
    children = Children(rig.audit)
    board = StatusBoard(rig.keeper, children, rig.audit, rig.clock)
    board.urls = ("https://localhost:8443/",)
    assert ("", "unknown") == (
        (await board.show())["upstreams"][0]["hint"],
        (await board.show())["upstreams"][0]["condition"],
    )
    await rig.keeper.mounts.look_once()
    await rig.keeper.log_in(LoginAttempt(username="ada", password=PASSWORD, client="", request_id="r"))
    for role, worker, pid in (("keeper", 0, 9), ("worker", 1, 10), ("worker", 2, 11)):
        children.take(
            ChildEvent(role=role, worker=worker, pid=pid, what="started", restarts=3, at_unix=1_800_000_000.0)
        )
    link = rig.attach(1, pid=10)
    link.answer(WorkerHello(pid=10, boot="b", confinement=("no_new_privs", "landlock")))
    link.answer(
        WorkerStatus(
            connections=1, websockets=2, requests=3, accepting=True,
            strangers=4, places=5, refused=6, lag_seconds=0.25,
        )
    )  # fmt: skip
    link.answer(Offences(offences=(Offence("192.0.2.7/32", "scanner-secrets", 2),)))
    shown = await board.show()
    assert TOKEN not in json.dumps(shown)
    assert (1, 1, True) == (shown["users"], shown["sessions"], shown["ready"])
    assert (1, 0, False) == (shown["penalties"], shown["tokens"], shown["locked_down"])
    expected = {
        "name": "main",
        "product": "JupyterLab",
        "address": "127.0.0.1:8888",
        "base_url": "/",
        "mounted_at": "/",
        "at": "/",
        "host": "",
        "source": "configuration",
        "allowed": [],
        "condition": "guarded",
        "since": "2027-01-15T08:00:00.000000Z",
        "last_seen": "2027-01-15T08:00:00.000000Z",
        "hint": "",
    }
    assert ([expected], False) == (shown["upstreams"], shown["discovers"])
    keeper, one, two = shown["processes"]
    assert {"role": "keeper", "pid": 9, "started": "2027-01-15T08:00:00.000000Z", "restarts": 3} == keeper
    assert (True, True, 1, 2, 3, ["no_new_privs", "landlock"]) == tuple(
        one[name] for name in ("linked", "accepting", "connections", "websockets", "requests", "confinement")
    )
    assert (4, 5, 6, 0.25) == tuple(one[name] for name in ("strangers", "places", "refused", "lag_seconds"))
    assert (False, False, 0, []) == tuple(two[name] for name in ("linked", "accepting", "connections", "confinement"))


async def test_status_says_since_when_the_audit_fails(rig):
    board = StatusBoard(rig.keeper, Children(rig.audit), rig.audit, rig.clock)
    assert (await board.show())["audit"]["failing_since"] is None
    rig.sink.broken = True
    await rig.keeper.mounts.look_once()
    assert "2027-01-15T08:00:00.000000Z" == (await board.show())["audit"]["failing_since"]


async def test_status_shows_where_a_server_is_and_who_wanted_it_there(rig):
    board = StatusBoard(rig.keeper, Children(rig.audit), rig.audit, rig.clock)
    spec = RouteSpec(upstream=UPSTREAM, host="lab1.example.org", prefix="/x/", allowed=("ada",), token="of lab1")
    rig.keeper.mounts.put(spec)
    _, added = (await board.show())["upstreams"]
    expected = {"mounted_at": "lab1.example.org/x/", "at": "lab1.example.org/x/", "host": "lab1.example.org"}
    expected |= {"source": "runtime", "allowed": ["ada"], "condition": "unknown", "last_seen": None}
    assert expected == {name: added[name] for name in expected}
    assert "of lab1" not in json.dumps(added)
