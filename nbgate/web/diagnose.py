"""The page that says what blocks websockets, and the echo with which it and the banner try one.

The echo repeats what the browser of somebody logged in sends, within the bounds below. It remembers in which form the
last handshakes came: that tells a proxy that drops `Upgrade` from a wall behind which nothing arrives at all. It knows
no notebook server and keeps nothing that was said.
"""

import asyncio
import re
from collections import Counter
from typing import Final

from aiohttp import WSMsgType, web

from nbgate.keeper.keeper import Keeper
from nbgate.web.answers import Pages, json_answer, json_error

PAGE: Final = "/_nbgate/diagnose"
SOCKET: Final = "/_nbgate/diagnose/socket"
SEEN: Final = "/_nbgate/diagnose/seen"

MAX_SOCKETS: Final = 32  # beyond it a handshake is closed with "try again later"
MAX_SOCKETS_OF_A_SESSION: Final = 8  # tabs that open at once; nobody holds the echo alone
MAX_MESSAGES: Final = 8
MAX_MESSAGE_BYTES: Final = 512 << 10
MAX_SECONDS: Final = 20.0
CLOSE_SECONDS: Final = 2.0
MAX_SEEN: Final = 256  # the oldest is forgotten

_SESSION: Final = "X-Nbgate-Session"
_ATTEMPT: Final = re.compile(r"[0-9a-f]{16,64}")
_TRY_AGAIN_LATER: Final = 1013
_POLICY_VIOLATION: Final = 1008


def add_diagnose(app: web.Application, keeper: Keeper, pages: Pages) -> None:
    """Add the page and what it asks to the application of the own pages."""
    diagnose = _Diagnose(keeper, pages)
    app.router.add_get(PAGE, diagnose.show)
    app.router.add_get(SEEN, diagnose.show_seen)
    app.router.add_get(SOCKET, diagnose.echo)


class _Diagnose:
    def __init__(self, keeper: Keeper, pages: Pages) -> None:
        self._keeper = keeper
        self._pages = pages
        self._seen: dict[tuple[str, str], str] = {}
        self._open: Counter[str] = Counter()

    async def show(self, request: web.Request) -> web.Response:
        host = request.headers.get("Host", "")
        return self._pages.answer("diagnose.html", host=host, name=request.url.host or host)

    async def show_seen(self, request: web.Request) -> web.Response:
        """Say in which form the handshake of an attempt came, and whether nbgate takes new websockets at all."""
        handshake = self._seen.get(_key(request), "none")
        return json_answer({"handshake": handshake, "websockets": self._keeper.can_record})

    async def echo(self, request: web.Request) -> web.StreamResponse:
        """Send back what comes."""
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, max_msg_size=MAX_MESSAGE_BYTES, compress=False)
        is_handshake = bool(socket.can_prepare(request))
        self._remember(request, "upgrade" if is_handshake else "plain")
        if not is_handshake:
            return json_error(400, "this address speaks websocket only", "its handshake came without an Upgrade header")
        await socket.prepare(request)
        session, _ = _key(request)
        if self._open.total() >= MAX_SOCKETS or self._open[session] >= MAX_SOCKETS_OF_A_SESSION:
            await socket.close(code=_TRY_AGAIN_LATER)
            return socket
        self._open[session] += 1
        try:
            async with asyncio.timeout(MAX_SECONDS):
                await _repeat(socket)
        except TimeoutError:
            await socket.close(code=_POLICY_VIOLATION)
        finally:
            self._open -= Counter({session: 1})  # which forgets who has none left
        return socket

    def _remember(self, request: web.Request, handshake: str) -> None:
        key = _key(request)
        if _ATTEMPT.fullmatch(key[1]):
            self._seen[key] = handshake
            if len(self._seen) > MAX_SEEN:
                del self._seen[next(iter(self._seen))]


async def _repeat(socket: web.WebSocketResponse) -> None:
    """Send back at most `MAX_MESSAGES` messages, each as the kind that came."""
    for _ in range(MAX_MESSAGES):
        message = await socket.receive()
        match message.type:
            case WSMsgType.TEXT:
                await socket.send_str(message.data)
            case WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            case _:
                return
    await socket.close(code=_POLICY_VIOLATION)


def _key(request: web.Request) -> tuple[str, str]:
    """Return whose attempt it is: the session the worker found, and the number the page drew."""
    return request.headers.get(_SESSION, ""), request.query.get("attempt", "")
