"""Worker and keeper as one gateway under a clock that the test moves."""

import json
import struct

import pytest

from nbgate.model.session import Role
from nbgate.testing.keeper_parts import PASSWORD
from nbgate.testing.one_loop import HOST, OneLoop
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

HOUR = 3600.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
def gateway(tmp_path):
    with StubUpstream().in_thread() as stub, OneLoop(tmp_path, stub.port) as running:
        running.add_user()
        yield running


def status(gateway, cookie, path="/api/status"):
    return gateway.request("GET", path, cookie=cookie)[0]


def open_socket(client, cookie):
    client.send(
        f"GET /api/kernels/0/channels HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nOrigin: https://{HOST}\r\nCookie: {cookie}\r\n\r\n".encode()
    )
    client.read_until(b"\r\n\r\n")
    assert bytes(client.received).startswith(b"HTTP/1.1 101 ")
    client.received.clear()


def close_code(client):
    client.read_until(b"\x88")
    return struct.unpack(">H", client.received[2:4])[0]


def test_a_login_opens_the_door_and_a_logout_closes_it(gateway):
    assert 401 == status(gateway, "")
    cookie = gateway.login()
    assert 200 == status(gateway, cookie)
    assert 200 == gateway.request("POST", "/_nbgate/api/logout", cookie=cookie, body={})[0]
    assert 401 == status(gateway, cookie)


def test_a_session_ends_after_twelve_idle_hours_and_closes_its_websocket(gateway):
    cookie = gateway.login()
    with gateway.client() as client:
        open_socket(client, cookie)
        gateway.advance(11.9 * HOUR)
        assert 200 == status(gateway, cookie)  # a poll is no activity
        gateway.advance(0.2 * HOUR)
        assert 4401 == close_code(client)
    assert 401 == status(gateway, cookie)
    assert "session-idle" == gateway.rig.sink.records("session.end")[0]["event.reason"]


def test_typing_keeps_a_session_until_its_seven_days_are_over(gateway):
    cookie = gateway.login()
    with gateway.client() as client:
        open_socket(client, cookie)
        for _ in range(2):
            client.send(b"\x81\x81\x00\x00\x00\x00x")
            client.read_until(b"\x81\x01x")
            client.received.clear()
            active = gateway.rig.clock.unix()
            wait_until(lambda at=active: last_seen(gateway) >= at, what="the keeper knows of the typing")
            gateway.advance(10 * HOUR)
        for _ in range(14):
            gateway.call(lambda: live(gateway).touch(list(live(gateway)._rows), gateway.rig.clock.unix()))
            gateway.advance(10 * HOUR)
        assert 200 == status(gateway, cookie)
        gateway.advance(8.1 * HOUR)
        assert 4401 == close_code(client)
    assert 401 == status(gateway, cookie)


def live(gateway):
    return gateway.rig.keeper.live


def last_seen(gateway):
    """Return when the only session was last active, as the keeper knows."""
    return gateway.call(lambda: next(iter(live(gateway)._rows.values())).last_seen_unix)


def test_a_new_password_ends_what_hangs_on_the_old_one(gateway):
    cookie = gateway.login()
    with gateway.client() as client:
        open_socket(client, cookie)
        gateway.run(gateway.rig.keeper.accounts.set_password("ada", "another password 1", actor="test"))
        assert 4401 == close_code(client)
    assert 401 == status(gateway, cookie)
    assert 200 == status(gateway, gateway.login(password="another password 1"))


def test_everything_is_in_one_chain(gateway):
    cookie = gateway.login()
    status(gateway, cookie)
    wait_until(lambda: gateway.rig.sink.records("http.request")[-1:], what="the worker's records")
    records = gateway.rig.sink.records()
    assert list(range(len(records))) == [record["seq"] for record in records]
    assert "auth.login" in {record["event.action"] for record in records}


def test_an_answer_shows_all_its_cookies_and_where_a_request_comes_from_can_be_said(gateway):
    answer = gateway.fetch(
        "POST",
        "/_nbgate/api/login",
        body=json.dumps({"username": "ada", "password": PASSWORD}),
        headers={"Content-Type": "application/json"},
        source="127.0.0.9",
    )
    assert (200, {"__Host-Http-nbgate", "__Host-Http-nbgate_dev"}) == (answer.status, set(answer.cookies))
    assert (len(answer.cookies), b"{") == (len(answer.values("set-cookie")), answer.body[:1])
    assert "127.0.0.9" == gateway.rig.sink.records("auth.login")[-1]["client.ip"]
    with gateway.client("127.0.0.8") as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n\r\n")
        client.read_until(b"\r\n\r\n")
    wait_until(
        lambda: "127.0.0.8" in [each.get("client.ip") for each in gateway.rig.sink.records()],
        what="the request's record",
    )


def test_a_login_that_fails_says_so(gateway):
    with pytest.raises(RuntimeError, match="answered with 401"):
        gateway.login(password="another password")


def test_options_change_while_it_runs(gateway):
    gateway.add_user("bob", role=Role.VIEWER)
    gateway.configure(contact="the IT desk")
    assert "the IT desk" == gateway.rig.keeper.snapshot(0).contact
    assert [Role.OWNER, Role.VIEWER] == [user.role for user in gateway.rig.state.users.all()]
