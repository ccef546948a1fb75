"""What the command line asks of the running gateway, on a Unix socket that only its own user can reach.

Two proofs on every request: the kernel says who the other process is (SO_PEERCRED), and it has read the control key
from the data folder. Nothing here is reachable from the network, and no answer holds a secret.
"""

import os
import pwd
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from nbgate.audit.events import timestamp
from nbgate.crypto.tokens import verify_control_key
from nbgate.errors import ConfigError, CredentialRejected, StartError
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.server import error_middleware
from nbgate.keeper.users import Changed
from nbgate.link.peer import peer_uid
from nbgate.web.answers import json_answer, json_error
from nbgate.web.bodies import MAX_BODY_BYTES, BodyError, Fields, read_json

SCHEME: Final = "control "
_NEW_USER: Final = Fields(frozenset({"name"}), frozenset({"password", "password_hash"}))
_PASSWORD: Final = Fields(frozenset({"password"}))
_ACTOR: Final = web.RequestKey("actor", str)

Status = Callable[[], Awaitable[dict[str, Any]]]
Reload = Callable[[str], Awaitable[dict[str, Any]]]


def make_control_app(keeper: Keeper, *, key: str, status: Status, reload: Reload) -> web.Application:
    """Return the application that the command line reaches through the control socket.

    Args:
        keeper: Whose accounts are changed.
        key: The control key of this run.
        status: Says how everything is.
        reload: Called with the actor; loads the configuration anew or raises what is wrong with it.
    """
    control = _Control(keeper, status, reload)
    app = web.Application(
        client_max_size=MAX_BODY_BYTES, middlewares=[error_middleware(_failure), _require_operator(key)]
    )
    app.router.add_get("/status", control.show_status)
    app.router.add_post("/reload", control.reload)
    app.router.add_get("/users", control.list_users)
    app.router.add_post("/users", control.add_user)
    app.router.add_post("/users/{name}/passwd", control.set_password)
    app.router.add_post("/users/{name}/disable", control.disable_user)
    app.router.add_post("/users/{name}/enable", control.enable_user)
    app.router.add_delete("/users/{name}", control.remove_user)
    return app


class _Control:
    def __init__(self, keeper: Keeper, status: Status, reload: Reload) -> None:
        self._accounts = keeper.accounts
        self._status = status
        self._reload = reload

    async def show_status(self, _request: web.Request) -> web.Response:
        return json_answer(await self._status())

    async def reload(self, request: web.Request) -> web.Response:
        try:
            return json_answer(await self._reload(request[_ACTOR]))
        except ConfigError as error:
            problems = [{"where": each.where, "text": each.text, "hint": each.hint} for each in error.problems]
            return json_answer({"error": error.public, "problems": problems}, 422)
        except StartError as error:  # a certificate that cannot be used, for example
            told = {"error": error.public, "hint": error.hint, "exit_code": int(error.exit_code)}
            return json_answer(told, 422)

    async def list_users(self, _request: web.Request) -> web.Response:
        return json_answer(
            {
                "users": [
                    {"name": user.name, "disabled": user.disabled, "created": timestamp(user.created_unix)}
                    for user in await self._accounts.all()
                ]
            }
        )

    async def add_user(self, request: web.Request) -> web.Response:
        match await read_json(request, _NEW_USER):
            case {"name": name, "password": password, **rest} if not rest:
                return _changed(await self._accounts.add(name, password, request[_ACTOR]), 201)
            case {"name": name, "password_hash": prepared, **rest} if not rest:
                return _changed(await self._accounts.add_prepared(name, prepared, request[_ACTOR]), 201)
        raise BodyError(400, "either a password or a password_hash")

    async def set_password(self, request: web.Request) -> web.Response:
        body = await read_json(request, _PASSWORD)
        name = request.match_info["name"]
        return _changed(await self._accounts.set_password(name, body["password"], request[_ACTOR]))

    async def disable_user(self, request: web.Request) -> web.Response:
        return _changed(await self._accounts.disable(request.match_info["name"], request[_ACTOR]))

    async def enable_user(self, request: web.Request) -> web.Response:
        return _changed(await self._accounts.enable(request.match_info["name"], request[_ACTOR]))

    async def remove_user(self, request: web.Request) -> web.Response:
        return _changed(await self._accounts.remove(request.match_info["name"], request[_ACTOR]))


def actor_of(uid: int) -> str:
    """Return how the audit names a local operator, for example `uid:0 root`."""
    try:
        return f"uid:{uid} {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"uid:{uid}"


def _require_operator(key: str) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        uid = _peer_uid(request)
        if uid not in {os.geteuid(), 0}:
            return json_error(403, "another user's gateway", "run the command as the user that runs nbgate, or as root")
        try:
            verify_control_key(SCHEME + key, request.headers.get("Authorization", ""))
        except CredentialRejected:
            return json_error(401, "wrong control key", "the gateway was restarted while the command ran: try again")
        request[_ACTOR] = actor_of(uid)
        return await handler(request)

    return middleware


def _peer_uid(request: web.Request) -> int:
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    return -1 if sock is None else peer_uid(sock)  # None: the other end has gone already


def _failure(_request: web.Request, status: int, public: str, hint: str) -> web.StreamResponse:
    return json_error(status, public, hint)


def _changed(changed: Changed, status: int = 200) -> web.Response:
    return json_answer(
        {"user": changed.user, "message": changed.message, "ended_sessions": changed.ended_sessions}, status
    )
