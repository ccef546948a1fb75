import asyncio
import stat
import struct

import aiohttp
import pytest
import structlog
from aiohttp import http_parser, web

from nbgate.errors import StartError
from nbgate.keeper import server
from nbgate.keeper.server import error_middleware, require_c_parser, serving
from nbgate.log import configure_log


def failure(_request, status, public, hint):
    return web.Response(status=status, text=f"{public}|{hint}")


def make_app(handler):
    app = web.Application(middlewares=[error_middleware(failure)])
    app.router.add_get("/", handler)
    return app


async def get(path, target="/"):
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get(f"http://gw.test{target}") as answer,
    ):
        return answer, await answer.text()


async def answer_ok(_request):
    return web.Response(text="ok")


async def test_the_socket_is_for_this_user_alone_and_gone_afterwards(tmp_path):
    path = tmp_path / "pages.sock"
    path.write_text("left by one that was killed")
    async with serving(make_app(answer_ok), path):
        assert (0o600, True) == (stat.S_IMODE(path.stat().st_mode), path.is_socket())
        answer, text = await get(path)
        assert (200, "ok") == (answer.status, text)
        assert "Server" not in answer.headers
    assert not path.exists()


async def test_a_path_that_is_too_long_for_a_socket_says_what_to_do(tmp_path):
    with pytest.raises(StartError) as caught:
        async with serving(make_app(answer_ok), tmp_path / ("x" * 120)):
            pass
    assert "--data-dir" in caught.value.hint


async def test_a_handler_that_hangs_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "HANDLER_SECONDS", 0.01)

    async def hang(_request):
        await asyncio.Event().wait()

    path = tmp_path / "s"
    async with serving(make_app(hang), path):
        answer, text = await get(path)
    assert (500, "internal error|") == (answer.status, text)


async def test_a_request_that_is_not_http_echoes_nothing(tmp_path):
    path = tmp_path / "s"
    async with serving(make_app(answer_ok), path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\nHost: gw.test\r\nCookie: 5ecre7\x00\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"5ecre7" not in answer
    assert b"aiohttp" not in answer


def test_the_compiled_parser_is_required(monkeypatch):
    require_c_parser()
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(StartError, match="compiled parser"):
        require_c_parser()


def test_struct_ucred_is_three_numbers():
    assert 12 == struct.calcsize("=iII")


def test_where_a_connection_failed_is_said_and_not_on_what(capsys):
    configure_log("info")
    server._QuietConnection.log_exception(None, "5ecre7", exc_info=ValueError("5ecre7"))
    structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "exception=ValueError" in said
    assert "5ecre7" not in said
