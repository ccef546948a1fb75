"""What the command line asks of the running gateway about routes, on the control socket of `nbgate.web.control`."""

from aiohttp import web

from nbgate.keeper.keeper import Keeper
from nbgate.web.control_login import ACTOR
from nbgate.web.routes_api import add_route, remove_route, show_routes


def add_route_calls(app: web.Application, keeper: Keeper) -> None:
    """Register every call of this file.

    Args:
        app: The control application, which sets `ACTOR`.
        keeper: Whose routes they are.
    """

    async def show(_request: web.Request) -> web.Response:
        return show_routes(keeper)

    async def add(request: web.Request) -> web.Response:
        return await add_route(keeper, request, lambda: request[ACTOR])

    async def remove(request: web.Request) -> web.Response:
        return await remove_route(keeper, request, request[ACTOR])

    app.router.add_get("/routes", show)
    app.router.add_post("/routes", add)
    app.router.add_delete("/routes", remove)
