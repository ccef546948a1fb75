"""The routes as programs see and change them: `/_nbgate/api/routes`, for tokens alone.

A browser's cookie opens nothing here: a page of a notebook server could send it along, and owners have a page that asks
them for their password. The worker has judged the token; who it is, and what it may, is judged here once more.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from nbgate.errors import InputRefused
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.places import Source
from nbgate.keeper.route_list import of_spec
from nbgate.keeper.route_request import parse_place, parse_request
from nbgate.keeper.route_rules import RouteError
from nbgate.model.session import Role, Scope, Session
from nbgate.web.answers import JSON_HEADERS, json_answer
from nbgate.web.bodies import read_object
from nbgate.web.control_values import route_value
from nbgate.web.desk import Desk

API_ROUTES: Final = "/_nbgate/api/routes"
SCOPES: Final = frozenset({Scope.ROUTES_ADMIN, Scope.ALL})
_HINT: Final = "nbgate token add NAME --scope routes-admin makes one"


def add_routes_api(app: web.Application, desk: Desk) -> None:
    """Add the calls to the application of the own pages."""
    keeper = desk.keeper

    async def show(request: web.Request) -> web.Response:
        _require_token(desk.session(request))
        return show_routes(keeper)

    async def add(request: web.Request) -> web.Response:
        _require_token(desk.session(request))
        return await add_route(keeper, request, lambda: _actor(_require_token(desk.session(request))))

    async def remove(request: web.Request) -> web.Response:
        return await remove_route(keeper, request, _actor(_require_token(desk.session(request))))

    app.router.add_get(API_ROUTES, show, allow_head=False)
    app.router.add_post(API_ROUTES, add)
    app.router.add_delete(API_ROUTES, remove)


def show_routes(keeper: Keeper) -> web.Response:
    """Return all routes."""
    return json_answer({"routes": [route_value(route) for route in keeper.route_book.all()]})


async def add_route(keeper: Keeper, request: web.Request, actor: Callable[[], str]) -> web.Response:
    """Add the route that the body of a request asks for; the answer is that route.

    Args:
        keeper: Whose routes they are.
        request: It.
        actor: Returns who asks, once the body is there: they may have been locked out meanwhile.

    Raises:
        InputRefused: It is none.
        RouteError: It cannot be.
    """
    value = await read_object(request)
    who = actor()
    spec = parse_request(value, keeper.config)
    is_other = await keeper.route_book.add(spec, who)
    return json_answer(route_value(of_spec(spec, Source.RUNTIME)), 200 if is_other else 201)


async def remove_route(keeper: Keeper, request: web.Request, actor: str) -> web.Response:
    """Remove the route that the query of a request names.

    Raises:
        InputRefused: It names no place.
        RouteError: No route was added there.
    """
    places = request.query.getall("at", [])
    if len(places) != 1:
        raise InputRefused("which route is meant", hint="name its place in the query: ?at=/lab1/")
    await keeper.route_book.remove(*parse_place(places[0]), actor)
    return web.Response(status=204, headers=JSON_HEADERS)


def _require_token(session: Session | None) -> Session:
    """Return the token that asks.

    Raises:
        RouteError: It is none (401), or may not change routes (403).
    """
    if session is None:
        raise RouteError(401, "login required", f"send a token: {_HINT}")
    if not session.is_token:
        raise RouteError(403, "a sign-in opens the pages, not this", f"send a token: {_HINT}")
    if session.scope not in SCOPES:
        raise RouteError(403, f"the scope of this token is {session.scope}", f"another one may: {_HINT}")
    if session.role is not Role.OWNER:  # a token does no more than its person may
        raise RouteError(403, "routes are changed by owners of the gateway", "send a token of an owner")
    if session.routes:
        raise RouteError(403, "this token is good for some routes only", f"one for all of them may: {_HINT}")
    return session


def _actor(session: Session) -> str:
    """Return how the audit names who asked: the person, and which of their tokens."""
    return f"{session.user} token:{session.label}"
