"""Who is logged out, changed, disabled or removed is out within a second, open websockets included."""

import asyncio
import time

import pytest
from steady_clients import open_websocket
from websockets.exceptions import ConnectionClosed

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.stub_upstream import StubUpstream

OUT_SECONDS = 1.0
SESSION_ENDED = 4401
PASSWORD = "a long password of bob"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def gateway(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    with StubUpstream().in_thread() as stub:
        flags, upstream = ("--allow-open-upstream",), f"127.0.0.1:{stub.port}"
        with running_gateway(folder, upstream, flags=flags, workers=request.param, config=CHEAP_LOGIN) as running:
            yield running


@pytest.fixture
def bobs(gateway):
    """Give bob's cookie; bob is there only during the test."""
    gateway.add_user("bob", PASSWORD)
    yield gateway.login("bob", PASSWORD)
    gateway.command("user", "remove", "bob")


def log_out(gateway, cookie):
    headers = {"Cookie": cookie, "Origin": gateway.base_url, "Content-Type": "application/json"}
    assert gateway.request("POST", "/_nbgate/api/logout", headers=headers)[0] in {200, 204}


def change_password(gateway, _cookie):
    done = gateway.command("user", "passwd", "bob", "--password-stdin", input_text=f"{PASSWORD}, new\n")
    assert (0, "") == (done.returncode, done.stderr if done.returncode else "")


def disable(gateway, _cookie):
    assert 0 == gateway.command("user", "disable", "bob").returncode


def remove(gateway, _cookie):
    assert 0 == gateway.command("user", "remove", "bob").returncode


@pytest.mark.parametrize("end", [log_out, change_password, disable, remove])
async def test_an_ended_session_closes_its_websockets_and_opens_nothing(gateway, bobs, end):
    adas = gateway.login()
    async with (
        open_websocket(gateway, adas) as hers,
        open_websocket(gateway, bobs) as first,
        open_websocket(gateway, bobs) as two,
    ):
        for socket in (hers, first, two):
            await socket.send("hello")
            assert "hello" == await asyncio.wait_for(socket.recv(), 5)
        await asyncio.to_thread(end, gateway, bobs)
        done = time.monotonic()
        for socket in (first, two):
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), OUT_SECONDS)
            assert SESSION_ENDED == closed.value.rcvd.code
        assert time.monotonic() - done < OUT_SECONDS
        assert 401 == gateway.request("GET", "/api/contents", headers={"Cookie": bobs})[0]
        await hers.send("still here")
        assert "still here" == await asyncio.wait_for(hers.recv(), 5)
        assert 200 == gateway.request("GET", "/api/contents", headers={"Cookie": adas})[0]
