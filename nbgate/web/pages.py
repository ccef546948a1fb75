"""The application of the own pages, mounted at `/_nbgate/`: which groups there are, static files, and every failure.

What arrives here was judged by a worker's pipeline: Origin, Fetch-Metadata, size, shape. The worker says in headers
that no client can send who is asking. This room checks passwords only by asking the keeper, and tells nobody why one
failed.
"""

from typing import Final

from aiohttp import web

from nbgate.clock import Clock, SystemClock
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.running import Read, WhatRuns, read_bounded
from nbgate.keeper.server import error_middleware, request_id
from nbgate.keeper.setup import Setup
from nbgate.web.account import add_account
from nbgate.web.admin import add_admin
from nbgate.web.admin_routes import add_admin_routes
from nbgate.web.answers import ASSET_HEADERS, FOLDER, Pages, json_answer, json_error
from nbgate.web.api_tokens import add_tokens
from nbgate.web.asking import is_navigation
from nbgate.web.assets import PREFIX, Assets
from nbgate.web.bodies import MAX_BODY_BYTES
from nbgate.web.codes import add_codes
from nbgate.web.desk import RETRY_SECONDS, Desk
from nbgate.web.diagnose import add_diagnose
from nbgate.web.link import add_link
from nbgate.web.login import add_login
from nbgate.web.logout import add_logout
from nbgate.web.password import add_password
from nbgate.web.refresh import add_refresh
from nbgate.web.routes_api import add_routes_api
from nbgate.web.servers import add_servers
from nbgate.web.setup import add_setup
from nbgate.web.totp import add_totp
from nbgate.web.words import sentence

_HEADINGS: Final = {
    400: "That did not work",
    403: "Not allowed",
    404: "Not found",
    405: "Not allowed",
    410: "This link is over",
    429: "Too many attempts",
}


def make_pages_app(
    keeper: Keeper, setup: Setup, clock: Clock | None = None, read: Read = read_bounded
) -> web.Application:
    """Return the application that the workers reach through the keeper's private socket.

    Args:
        keeper: Does what the pages ask for.
        setup: The link for the first account.
        clock: Says how long ago things were; the machine's own unless a test moves another.
        read: How servers are asked what runs in them.
    """
    assets = Assets(FOLDER / "static")
    pages = Pages(assets, keeper.config.base_url)
    own = _OwnPages(keeper, assets, pages)
    desk = Desk(keeper, pages, clock or SystemClock())
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[error_middleware(own.failure)])
    app.router.add_get("/_nbgate/ready", own.show_ready)
    app.router.add_get(PREFIX + "{name}", own.show_asset)
    login = add_login(app, desk)
    for add in (
        add_logout,
        add_account,
        add_password,
        add_totp,
        add_codes,
        add_tokens,
        add_admin,
        add_admin_routes,
        add_routes_api,
        add_link,
        add_refresh,
    ):
        add(app, desk)
    add_diagnose(app, keeper, pages)
    add_setup(app, setup, pages, login.first)
    add_servers(app, desk, WhatRuns(desk.clock, read))
    return app


class _OwnPages:
    """What belongs to no group."""

    def __init__(self, keeper: Keeper, assets: Assets, pages: Pages) -> None:
        self._keeper = keeper
        self._assets = assets
        self._pages = pages

    async def show_ready(self, _request: web.Request) -> web.Response:
        ready = self._keeper.is_ready()
        return json_answer({"ready": ready}, 200 if ready else 503)

    async def show_asset(self, request: web.Request) -> web.Response:
        asset = self._assets.find(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        headers = {**ASSET_HEADERS, "Cache-Control": asset.cache_control}
        return web.Response(body=asset.body, content_type=asset.content_type, headers=headers)

    def failure(self, request: web.Request, status: int, public: str, hint: str) -> web.StreamResponse:
        """Return the answer for what could not be served: a page for somebody who was going to one, JSON else."""
        if is_navigation(request):
            heading = _HEADINGS.get(status, "Something went wrong" if status >= 500 else "That did not work")
            answer = self._pages.answer(
                "error.html", status, heading=heading, text=sentence(public, hint), request_id=request_id(request)
            )
        else:
            answer = json_error(status, public, hint)
        if status == 503:
            answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer
