"""What the command line asks of the running gateway, on a Unix socket that only its own user can reach.

Two proofs on every request: the kernel says who the other process is (SO_PEERCRED), and it has read the control key
from the data folder. Nothing here is reachable from the network. What concerns logins is in `nbgate.web.control_login`.
"""

import os
import pwd
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from nbgate.clock import Clock, SystemClock
from nbgate.crypto.tokens import verify_control_key
from nbgate.errors import ConfigError, CredentialRejected, InputRefused, StartError
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.server import error_middleware
from nbgate.keeper.users import Changed
from nbgate.link.peer import peer_uid
from nbgate.model.session import Role
from nbgate.web.answers import json_answer, json_error
from nbgate.web.bodies import MAX_BODY_BYTES, BodyError, Fields, read_json
from nbgate.web.control_login import ACTOR, add_login_routes
from nbgate.web.control_routes import add_route_calls
from nbgate.web.control_values import changed_value, user_value

SCHEME: Final = "control "
_NEW_USER: Final = Fields(frozenset({"name"}), frozenset({"password", "password_hash", "imported_hash", "role"}))
_PASSWORD: Final = Fields(frozenset({"password"}))
_ROLE: Final = Fields(frozenset({"role"}))

Status = Callable[[], Awaitable[dict[str, Any]]]
Reload = Callable[[str], Awaitable[dict[str, Any]]]


def make_control_app(
    keeper: Keeper, *, key: str, status: Status, reload: Reload, clock: Clock | None = None
) -> web.Application:
    """Return the application that the command line reaches through the control socket.

    Args:
        keeper: Whose accounts are changed.
        key: The control key of this run.
        status: Says how everything is.
        reload: Called with the actor; loads the configuration anew or raises what is wrong with it.
        clock: Where time is read; None: the system's.
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
    app.router.add_post("/users/{name}/role", control.set_role)
    app.router.add_post("/users/{name}/disable", control.disable_user)
    app.router.add_post("/users/{name}/enable", control.enable_user)
    app.router.add_delete("/users/{name}", control.remove_user)

    async def urls() -> list[str]:
        return list((await status())["listening"])

    add_login_routes(app, keeper, clock or SystemClock(), urls)
    add_route_calls(app, keeper)
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
            return json_answer(await self._reload(request[ACTOR]))
        except ConfigError as error:
            problems = [{"where": each.where, "text": each.text, "hint": each.hint} for each in error.problems]
            return json_answer({"error": error.public, "problems": problems}, 422)
        except StartError as error:  # a certificate that cannot be used, for example
            told = {"error": error.public, "hint": error.hint, "exit_code": int(error.exit_code)}
            return json_answer(told, 422)

    async def list_users(self, _request: web.Request) -> web.Response:
        return json_answer({"users": [user_value(user) for user in await self._accounts.all()]})

    async def add_user(self, request: web.Request) -> web.Response:
        body = dict(await read_json(request, _NEW_USER))
        name, role_name = body.pop("name"), body.pop("role", "")
        role = parse_role(role_name) if role_name else None
        match list(body.items()):
            case [("password", password)]:
                changed = await self._accounts.add(name, password, request[ACTOR], role=role)
            case [("password_hash", prepared)]:
                changed = await self._accounts.add_prepared(name, prepared, request[ACTOR], role=role)
            case [("imported_hash", imported)]:
                changed = await self._accounts.import_hash(name, imported, request[ACTOR], role=role)
            case _:
                raise BodyError(400, "one of password, password_hash and imported_hash")
        return _changed(changed, 201)

    async def set_password(self, request: web.Request) -> web.Response:
        body = await read_json(request, _PASSWORD)
        name = request.match_info["name"]
        return _changed(await self._accounts.set_password(name, body["password"], request[ACTOR]))

    async def set_role(self, request: web.Request) -> web.Response:
        role = parse_role((await read_json(request, _ROLE))["role"])
        return _changed(await self._accounts.set_role(request.match_info["name"], role, request[ACTOR]))

    async def disable_user(self, request: web.Request) -> web.Response:
        return _changed(await self._accounts.disable(request.match_info["name"], request[ACTOR]))

    async def enable_user(self, request: web.Request) -> web.Response:
        return _changed(await self._accounts.enable(request.match_info["name"], request[ACTOR]))

    async def remove_user(self, request: web.Request) -> web.Response:
        return _changed(await self._accounts.remove(request.match_info["name"], request[ACTOR]))


def actor_of(uid: int) -> str:
    """Return how the audit names a local operator, for example `uid:0 root`."""
    try:
        return f"uid:{uid} {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"uid:{uid}"


def parse_role(text: str) -> Role:
    """Return the role that is called `text`.

    Raises:
        InputRefused: None is.
    """
    roles = [role.value for role in Role]
    if text not in roles:
        raise InputRefused(f"{text!r} is no role", hint=f"there are {', '.join(roles)}")
    return Role(text)


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
        request[ACTOR] = actor_of(uid)
        return await handler(request)

    return middleware


def _peer_uid(request: web.Request) -> int:
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    return -1 if sock is None else peer_uid(sock)  # None: the other end has gone already


def _failure(_request: web.Request, status: int, public: str, hint: str) -> web.StreamResponse:
    return json_error(status, public, hint)


def _changed(changed: Changed, status: int = 200) -> web.Response:
    return json_answer(changed_value(changed), status)
