import asyncio
import json
import re

import aiohttp
import pytest
from aiohttp import web

from nbgate.audit.events import ConfigLoaded
from nbgate.errors import NbgateError
from nbgate.keeper.server import error_middleware
from nbgate.web import diagnose
from nbgate.web.answers import FOLDER, Pages, json_error
from nbgate.web.assets import Assets
from nbgate.web.diagnose import MAX_MESSAGES, MAX_SEEN, PAGE, SEEN, SOCKET, add_diagnose

ATTEMPT = "0123456789abcdef"
ADA = {"X-Nbgate-Session": "aa" * 32}
BOB = {"X-Nbgate-Session": "bb" * 32}


@pytest.fixture
async def client(rig, tmp_path, client_of):
    app = web.Application(
        middlewares=[error_middleware(lambda _request, status, text, hint: json_error(status, text, hint))]
    )
    add_diagnose(app, rig.keeper, Pages(Assets(FOLDER / "static")))
    async with client_of(app, tmp_path / "pages.sock") as client:
        yield client


def socket(client, attempt=ATTEMPT, headers=ADA):
    return client.ws_connect(f"{SOCKET}?attempt={attempt}", headers=headers, max_msg_size=0)


async def seen(client, attempt=ATTEMPT, headers=ADA):
    async with client.get(f"{SEEN}?attempt={attempt}", headers=headers) as answer:
        assert (200, "no-store") == (answer.status, answer.headers["Cache-Control"])
        return json.loads(await answer.text())


async def test_the_page_names_the_host_and_runs_our_script_alone(client):
    async with client.get(PAGE, headers={**ADA, "Host": "gw.test:8443"}) as answer:
        text = await answer.text()
    assert 200 == answer.status
    assert "script-src 'self'; connect-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "wss://gw.test:8443" in text
    assert "Add <code>gw.test</code> to the addresses that need no proxy" in text
    assert 1 == text.count("<script")
    assert '<script src="/_nbgate/static/diagnose-' in text


async def test_the_page_has_words_for_every_verdict_of_its_script_and_no_others(client):
    async with client.get(PAGE, headers=ADA) as answer:
        on_page = set(re.findall(r'data-verdict="([^"]+)"', await answer.text()))
    script = (FOLDER / "static" / "diagnose.js").read_text(encoding="utf-8")
    strings = set(re.findall(r'"([a-z-]+)"', script))
    assert on_page == on_page & strings
    assert {
        "blocked",
        "busy",
        "late",
        "signed-out",
        "silent",
        "small",
        "stripped",
        "unanswered",
        "unreachable",
        "works",
    } == on_page


async def test_what_comes_goes_back_as_the_kind_it_was(client):
    async with socket(client) as opened:
        await opened.send_str("grüß dich")
        assert "grüß dich" == await opened.receive_str()
        large = bytes(range(256)) * 1024
        await opened.send_bytes(large)
        assert large == await opened.receive_bytes()


@pytest.mark.parametrize(
    ("messages", "code"),
    [((b"x",) * (MAX_MESSAGES + 1), 1008), ((b"x" * 1001,), 1009)],
    ids=["too often", "too long"],
)
async def test_who_says_too_much_is_closed(client, monkeypatch, messages, code):
    monkeypatch.setattr(diagnose, "MAX_MESSAGE_BYTES", 1000)
    async with socket(client) as opened:
        for message in messages:
            await opened.send_bytes(message)
        while (got := await opened.receive()).type is aiohttp.WSMsgType.BINARY:
            pass
    assert (aiohttp.WSMsgType.CLOSE, code) == (got.type, got.data)


async def test_who_says_nothing_is_closed(client, monkeypatch):
    monkeypatch.setattr(diagnose, "MAX_SECONDS", 0.01)
    async with socket(client) as opened:
        got = await asyncio.wait_for(opened.receive(), 5)
    assert (aiohttp.WSMsgType.CLOSE, 1008) == (got.type, got.data)


@pytest.mark.parametrize("bound", ["MAX_SOCKETS", "MAX_SOCKETS_OF_A_SESSION"])
async def test_beyond_so_many_at_once_the_next_is_told_to_come_later(client, monkeypatch, bound):
    monkeypatch.setattr(diagnose, bound, 1)
    async with socket(client) as first:
        await first.send_str("x")
        assert "x" == await first.receive_str()
        async with socket(client) as second:
            got = await second.receive()
        assert (aiohttp.WSMsgType.CLOSE, 1013) == (got.type, got.data)
    async with socket(client) as third:
        await third.send_str("y")
        assert "y" == await third.receive_str()


async def test_one_person_does_not_hold_the_echo_alone(client, monkeypatch):
    monkeypatch.setattr(diagnose, "MAX_SOCKETS_OF_A_SESSION", 1)
    async with socket(client) as hers, socket(client, headers=BOB) as his:
        for opened in (hers, his):
            await opened.send_str("x")
            assert "x" == await opened.receive_str()


async def test_it_is_known_in_which_form_a_handshake_came(client):
    assert {"handshake": "none", "websockets": True} == await seen(client)
    async with client.get(f"{SOCKET}?attempt={ATTEMPT}", headers=ADA) as answer:
        assert 400 == answer.status
        assert "without an Upgrade header" in await answer.text()
    assert {"handshake": "plain", "websockets": True} == await seen(client)
    async with socket(client):
        assert {"handshake": "upgrade", "websockets": True} == await seen(client)
    assert "none" == (await seen(client, headers=BOB))["handshake"]


async def test_what_is_remembered_is_bounded(client):
    for number in range(MAX_SEEN + 1):
        async with client.get(f"{SOCKET}?attempt={number:016x}", headers=ADA):
            pass
    assert "none" == (await seen(client, f"{0:016x}"))["handshake"]
    assert "plain" == (await seen(client, f"{1:016x}"))["handshake"]
    for odd in ("", "x" * 16, "0" * 65, "0" * 15):
        async with client.get(f"{SOCKET}?attempt={odd}", headers=ADA):
            pass
        assert "none" == (await seen(client, odd))["handshake"]
    assert "plain" == (await seen(client, f"{1:016x}"))["handshake"]


async def test_while_the_audit_cannot_be_written_nothing_on_the_way_is_to_blame(client, rig):
    rig.sink.broken = True
    event = ConfigLoaded(**rig.audit.stamp(), message="x", actor="a")
    with pytest.raises(NbgateError):
        await rig.audit.append_durable(event)
    assert {"handshake": "none", "websockets": False} == await seen(client)
