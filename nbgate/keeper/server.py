"""Serve an aiohttp application on a private Unix socket, and turn what it did not expect into one fixed answer.

Never TCP: strangers reach these pages through a worker only, the command line through its own socket. No page, log line
or header names a version, a path of this machine or bytes of the request.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from aiohttp import http_parser, web
from aiohttp.typedefs import Handler, Middleware

from nbgate.errors import NbgateError, StartError
from nbgate.files import MAX_SOCKET_PATH_BYTES

Failure = Callable[[web.Request, int, str, str], web.StreamResponse]
"""Builds the answer for a failed request from its status, its public text and its hint."""

REQUEST_ID = "X-Nbgate-Request-Id"
KEEPALIVE_SECONDS = 75.0
HANDLER_SECONDS = 30.0
SHUTDOWN_SECONDS = 2.0
BACKLOG = 512
SOCKET_MODE = 0o600
_NEW_ID = web.RequestKey("new_id", str)
_ID_CHARS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")

_log = structlog.get_logger("nbgate.keeper")


def require_c_parser() -> None:
    """Refuse aiohttp's pure-Python parser, so that one parser's behaviour is all there is (CVE-2026-111750).

    Raises:
        StartError: aiohttp came without its compiled parser.
    """
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise StartError(
            "aiohttp runs without its compiled parser",
            hint="unset AIOHTTP_NO_EXTENSIONS, or install aiohttp from a wheel: pip install --force-reinstall aiohttp",
        )


def request_id(request: web.Request) -> str:
    """Return the id the worker gave this request; a new one when there is none that we would have made."""
    offered = request.headers.get(REQUEST_ID, "")
    if 8 <= len(offered) <= 64 and set(offered) <= _ID_CHARS:
        return offered
    if _NEW_ID not in request:
        request[_NEW_ID] = secrets.token_hex(8)
    return request[_NEW_ID]


def error_middleware(failure: Failure) -> Middleware:
    """Return the outermost middleware: every answer gets its id, every failure one fixed answer.

    Args:
        failure: Builds the answer in the manner of this application: a page, or JSON.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                answer = await handler(request)
        except web.HTTPException as raised:
            answer = failure(request, raised.status, (raised.reason or "").lower(), "")
            if "Allow" in raised.headers:
                answer.headers["Allow"] = raised.headers["Allow"]
        except NbgateError as error:
            answer = failure(request, error.status, error.public, error.hint)
        except Exception:  # noqa: BLE001 - the last resort of the keeper: whatever it is, it is ours, and the next request is served
            _log.exception("request failed", id=request_id(request), method=request.method, path=_path_of(request))
            answer = failure(request, 500, "internal error", "")
        answer.headers["X-Request-ID"] = request_id(request)
        return answer

    return middleware


def _path_of(request: web.Request) -> str:
    """Return the path as the application knows it: what stands for a part of it may be a secret (a setup link)."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


async def _drop_server_name(_request: web.Request, answer: web.StreamResponse) -> None:
    answer.headers.popall("Server", None)


class _QuietConnection(web.RequestHandler):
    """aiohttp's connection without its habit of showing the peer's bytes, in the answer and in the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - the same
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - holds what was refused
    ) -> web.StreamResponse:
        """Return the answer to what is no request, or to what the application could not answer."""
        _log.warning("request refused", status=status, exception=type(exc).__name__)
        answer = web.Response(status=status, headers={"Server": ""})
        answer.force_close()
        return answer

    def log_exception(self, *_args: Any, **details: Any) -> None:
        """Say where a connection failed, and not on what."""
        _log.error("connection failed", exc_info=details.get("exc_info", True))


@asynccontextmanager
async def serving(app: web.Application, path: Path) -> AsyncIterator[None]:
    """Serve `app` on the Unix socket `path`, which only this user may connect to, until the block ends.

    Raises:
        StartError: The socket cannot be made.
    """
    app.on_response_prepare.append(_drop_server_name)
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        server = await _listen(runner, _private_socket(path))
        try:
            yield
        finally:
            server.close()
    finally:
        await runner.cleanup()
        _remove(path)


async def _listen(runner: web.AppRunner, sock: socket.socket) -> asyncio.Server:
    make = runner.server
    assert make is not None  # noqa: S101 - made by setup()

    def connection() -> web.RequestHandler:
        made = make()
        made.__class__ = _QuietConnection  # without slots of its own: the only public way to the handler's type
        return made

    return await asyncio.get_running_loop().create_unix_server(connection, sock=sock, backlog=BACKLOG)


def _private_socket(path: Path) -> socket.socket:
    """Return a bound socket that nobody else could connect to at any moment, whatever the umask was."""
    _remove(path)  # of a keeper that was killed; the lock on the data folder says that none lives
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise StartError(
            f"cannot make the socket {path}: {(error.strerror or str(error)).lower()}",
            hint=f"choose a shorter --data-dir, on a local disk: at most {MAX_SOCKET_PATH_BYTES} bytes with the socket",
        ) from error
    finally:
        os.umask(mask)
    path.chmod(SOCKET_MODE)
    return sock


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
