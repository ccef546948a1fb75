"""The page behind a sign-in link, which an operator makes for somebody who cannot sign in any other way.

Looking at it changes nothing: programs that preview links open them too. Its button signs in, once. The link's token
stands in the path alone, and no request that starts here names it as its referrer.
"""

from typing import Final

from aiohttp import web

from nbgate.errors import NbgateError
from nbgate.web.answers import see_other
from nbgate.web.asking import HOME, attempt_of
from nbgate.web.bodies import Fields, read_form
from nbgate.web.desk import Desk, Problem, problem_of
from nbgate.web.login import set_cookies

LINK_PATH: Final = "/_nbgate/link/"
LINK_ROUTE: Final = LINK_PATH + "{token}"
_USELESS: Final = "This link cannot sign you in. Ask whoever made it."
_FIELDS: Final = Fields(frozenset())


def add_link(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    page = _LinkPage(desk)
    app.router.add_get(LINK_ROUTE, page.show)
    app.router.add_post(LINK_ROUTE, page.log_in)
    app.on_response_prepare.append(_hide_referrer)


class _LinkPage:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: web.Request) -> web.Response:
        """Show the button, or raise the 410 of a link that is over."""
        return self._page(request, self._desk.keeper.links.require(request.match_info["token"]))

    async def log_in(self, request: web.Request) -> web.Response:
        await read_form(request, _FIELDS)
        token = request.match_info["token"]
        user = self._desk.keeper.links.require(token)
        attempt = attempt_of(request, replaces=self._desk.session(request))
        try:
            logged_in = await self._desk.keeper.log_in_by_link(token, attempt)
        except NbgateError as error:
            return self._page(request, user, problem_of(error, _USELESS))
        answer = see_other(HOME)
        set_cookies(request, answer, logged_in)
        return answer

    def _page(self, request: web.Request, user: str, problem: Problem | None = None) -> web.Response:
        return self._desk.answer(request, "link.html", problem, user=user, token=request.match_info["token"])


async def _hide_referrer(request: web.Request, answer: web.StreamResponse) -> None:
    """See `nbgate.web.setup`: `no-referrer` would make the form's Origin null."""
    if request.path.startswith(LINK_PATH):
        answer.headers["Referrer-Policy"] = "origin"
