"""The shapes are told as a table in test_web_pages; here is what a handler gets."""

import asyncio

import pytest
from aiohttp import web

from nbgate.keeper.server import error_middleware
from nbgate.web.answers import json_answer, json_error
from nbgate.web.bodies import MAX_BODY_BYTES, BodyError, Fields, read_form, read_json, read_object

FIELDS = Fields(frozenset({"a"}), frozenset({"b"}))


@pytest.fixture
async def client(client_of, tmp_path):
    async def form(request):
        return json_answer(dict(await read_form(request, FIELDS)))

    async def json(request):
        return json_answer(dict(await read_json(request, FIELDS)))

    async def values(request):
        return json_answer(dict(await read_object(request)))

    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[error_middleware(lambda request, status, public, hint: json_error(status, public, hint))],
    )
    app.router.add_post("/form", form)
    app.router.add_post("/json", json)
    app.router.add_post("/object", values)
    async with client_of(app, tmp_path / "s") as client:
        yield client


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a=1", {"a": "1"}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=+x%2B%20+", {"a": " x+  "}),
        ("a=%C3%A9", {"a": "é"}),
        ("a=e%CC%81", {"a": "e\u0301"}),
        ("a=", {"a": ""}),
        ("a=x%00y", {"a": "x\0y"}),
    ],
)
async def test_a_field_of_a_form_arrives_exactly_as_it_was_typed(client, body, expected):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    async with client.post("/form", data=body, headers=headers) as answer:
        assert (200, expected) == (answer.status, await answer.json())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"a":"1"}', {"a": "1"}),
        ('{"b":"", "a":" \\u00e9 "}', {"a": " é ", "b": ""}),
        ('{"a":"\U0001f600"}', {"a": "\U0001f600"}),
    ],
)
async def test_a_field_of_a_call_arrives_exactly_as_it_was_sent(client, body, expected):
    headers = {"Content-Type": "application/json", "Content-Encoding": "identity"}
    async with client.post("/json", data=body.encode(), headers=headers) as answer:
        assert (200, expected) == (answer.status, await answer.json())


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
async def test_the_longest_body(client, size, status):
    body = b'{"a":"' + b"x" * (size - 8) + b'"}'
    async with client.post("/json", data=body, headers={"Content-Type": "application/json"}) as answer:
        assert status == answer.status


async def test_a_compressed_body_is_not_unpacked(client):
    headers = {"Content-Type": "application/json"}
    async with client.post("/json", data=b"x" * 100, headers=headers, compress="gzip") as answer:
        assert 415 == answer.status


async def test_a_body_that_breaks_off_is_no_fault_of_ours(client, tmp_path, capsys):
    _, writer = await asyncio.open_unix_connection(tmp_path / "s")
    writer.write(b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()
    async with client.post("/json", data=b"{}", headers={"Content-Type": "application/json"}) as answer:
        assert 400 == answer.status  # by now the other one has been answered
    printed = capsys.readouterr()
    assert "request failed" not in printed.out + printed.err


def test_a_refusal_has_its_own_status():
    assert 418 == BodyError(418, "teapot").status


@pytest.mark.parametrize("value", [{}, {"a": "é"}, {"a": ["1", "2"], "b": True, "c": None, "d": 1.5, "e": []}])
async def test_an_object_arrives_as_it_was_sent(client, value):
    async with client.post("/object", json=value) as answer:
        assert (200, value) == (answer.status, await answer.json())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("[1]", "expected a JSON object"),
        ('{"a":1,"a":1}', "duplicate field"),
        ('{"a":{}}', "expected texts and lists of texts"),
        ('{"a":[{"b":1}]}', "expected texts and lists of texts"),
        ('{"a":[[]]}', "expected texts and lists of texts"),
        ('{"a":["\\ud800"]}', "malformed text"),
        ('{"\\ud800":1}', "malformed text"),
    ],
)
async def test_what_is_no_plain_object_is_refused(client, body, error):
    async with client.post("/object", data=body, headers={"Content-Type": "application/json"}) as answer:
        assert (400, {"error": error}) == (answer.status, await answer.json())
