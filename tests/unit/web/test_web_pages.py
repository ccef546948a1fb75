"""What holds for every own page and call: what bodies are read, what headers go out, and how failures are answered."""

import json
import re

import aiohttp
import pytest

from nbgate.web import bodies

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
NAVIGATION = {"X-Nbgate-Navigation": "1"}
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


async def ask(client, method, path, body=None, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, path, data=body, headers=sent, allow_redirects=False) as answer:
        return answer, await answer.text()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"password":"p"}', JSON, 400),
        (b'{"username":"ada","password":"p","x":"y"}', JSON, 400),
        (b'{"username":"ada","username":"ada","password":"p"}', JSON, 400),
        (b'{"username":"ada","password":1}', JSON, 400),
        (b'{"username":"ada","password":{"a":"b"}}', JSON, 400),
        (b'{"username":"ada","password":"\\ud800"}', JSON, 400),
        (b'{"username":"ada","password":"\xff"}', JSON, 400),
        (b"[]", JSON, 400),
        (b"[" * 8000, JSON, 400),
        (b'"text"', JSON, 400),
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b'{"username":"ada","password":"p"}', FORM, 415),
        (b'{"username":"ada","password":"p"}', {"Content-Type": "text/plain"}, 415),
        (b'{"username":"ada","password":"p"}', {}, 415),
        (b"{}", JSON | {"Content-Type": "application/json; charset=utf-16"}, 415),
        (b"{}", JSON | {"Content-Encoding": "gzip"}, 415),
        (b" " * 8193, JSON, 413),
    ],
)
async def test_bodies_of_another_shape_are_refused_before_any_password(client, rig, body, headers, status):
    answer, text = await ask(client, "POST", "/_nbgate/api/login", body, **headers)
    assert status == answer.status
    assert set(json.loads(text)) == {"error"}
    assert [] == rig.sink.records("auth.login")


async def test_a_body_that_does_not_arrive_is_given_up(client, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    stop = aiohttp.streams.asyncio.Event()

    async def slow():
        yield b"{"
        await stop.wait()

    async with client.post("/_nbgate/api/login", data=slow(), headers=JSON) as answer:
        assert 408 == answer.status
    stop.set()


async def test_the_login_page_can_run_nothing_and_be_framed_by_nobody(client):
    answer, text = await ask(client, "GET", "/_nbgate/login", **NAVIGATION)
    assert (200, "text/html; charset=utf-8") == (answer.status, answer.headers["Content-Type"])
    expected = {
        "Content-Security-Policy": CSP,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
    assert expected == {name: answer.headers[name] for name in expected}
    assert not re.search(r"<script|<style|style=|\son\w+=|javascript:|https?://", text)
    assert "gw.test:8443" in text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("username=ada", 400),
        ("username=ada&password=p&x=y", 400),
        ("username=ada&password=p&password=q", 400),
        ("username=ada&password=%ff", 400),
        ("username=ada&password", 400),
        ("&".join(f"a{n}=b" for n in range(20)), 400),
        ("", 400),
    ],
)
async def test_forms_of_another_shape_are_refused_with_a_page(client, body, status):
    answer, text = await ask(client, "POST", "/_nbgate/login", body, **FORM, **NAVIGATION)
    assert status == answer.status
    assert "That did not work" in text
    assert answer.headers["X-Request-ID"] in text


async def test_static_files_are_named_after_their_content_and_there_are_no_others(client):
    _, text = await ask(client, "GET", "/_nbgate/login")
    found = set(re.findall(r'"(/_nbgate/static/[^"]+)"', text))
    assert 2 == len(found)
    for path in found:
        answer, _ = await ask(client, "GET", path)
        assert (200, "public, max-age=31536000, immutable") == (answer.status, answer.headers["Cache-Control"])
    for path in ("style.css", "..%2ftemplates%2flogin.html", "%2e%2e", "x-0.css"):
        answer, _ = await ask(client, "GET", f"/_nbgate/static/{path}")
        assert 404 == answer.status


async def test_ready_says_yes_or_no_and_nothing_else(client, rig):
    answer, text = await ask(client, "GET", "/_nbgate/ready")
    assert (503, {"ready": False}) == (answer.status, json.loads(text))
    await rig.keeper.mounts.look_once()
    answer, text = await ask(client, "GET", "/_nbgate/ready")
    assert (200, {"ready": True}) == (answer.status, json.loads(text))


async def test_what_is_not_there_is_404_and_another_method_405(client):
    answer, text = await ask(client, "GET", "/_nbgate/nothing", **NAVIGATION)
    assert (404, True) == (answer.status, "Not found" in text)
    answer, text = await ask(client, "GET", "/_nbgate/nothing")
    assert (404, {"error": "not found"}) == (answer.status, json.loads(text))
    answer, _ = await ask(client, "DELETE", "/_nbgate/login")
    assert (405, "GET,HEAD,POST") == (answer.status, answer.headers["Allow"])


async def test_what_nobody_expected_is_one_fixed_answer(client, rig, monkeypatch, capsys):
    def fail():
        raise RuntimeError("secret detail")

    monkeypatch.setattr(rig.keeper, "is_ready", fail)
    answer, text = await ask(client, "GET", "/_nbgate/ready", **NAVIGATION)
    assert (500, True) == (answer.status, "Something went wrong" in text)
    assert "secret detail" not in text
    again, _ = await ask(client, "GET", "/_nbgate/login")
    assert 200 == again.status


async def test_an_id_that_no_worker_made_is_replaced(client):
    for sent in ("", "short", "x" * 65, "a b c d e f g h"):
        answer, _ = await ask(client, "GET", "/_nbgate/login", X_Nbgate_Request_Id=sent)
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])
