"""The page behind the setup link: whoever has the link names the first account and its password, and is signed in.

What decides is `nbgate.keeper.setup`. The link's token stands in the path alone: no page repeats it but as its own
form's target, and no request that starts here names it as its referrer.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from nbgate.crypto.passwords import MIN_PASSWORD_BYTES
from nbgate.errors import InputRefused, NbgateError
from nbgate.keeper.setup import SETUP_PATH, Setup
from nbgate.model.account import parse_user_name
from nbgate.web.answers import Pages, see_other
from nbgate.web.bodies import Fields, read_form
from nbgate.web.password import NewPasswordProblem, judge_chosen

SETUP_ROUTE: Final = SETUP_PATH + "{token}"
BAD_REQUEST: Final = 400
_FIELDS: Final = Fields(frozenset({"username", "password", "again"}), frozenset({"anyway"}))

SignIn = Callable[[web.Request, str, str], Awaitable[web.Response]]
"""Called as `(request, name, password)`; returns what brings the person, signed in, to the notebooks."""


def add_setup(app: web.Application, setup: Setup, pages: Pages, sign_in: SignIn) -> None:
    """Serve the page in `app`."""
    page = _SetupPage(setup, pages, sign_in)
    app.router.add_get(SETUP_ROUTE, page.show)
    app.router.add_post(SETUP_ROUTE, page.make)
    app.on_response_prepare.append(_hide_referrer)


class _SetupPage:
    """Shows the form, and makes the account of a form that holds together."""

    def __init__(self, setup: Setup, pages: Pages, sign_in: SignIn) -> None:
        self._setup = setup
        self._pages = pages
        self._sign_in = sign_in

    async def show(self, request: web.Request) -> web.Response:
        """Return the form, or raise the 410 of a link that is over."""
        self._setup.require(request.match_info["token"])
        return self._page(request)

    async def make(self, request: web.Request) -> web.Response:
        """Make the account and sign the person in; or return the form again with what is wrong."""
        token = request.match_info["token"]
        self._setup.require(token)
        form = await read_form(request, _FIELDS)
        name, password = form["username"].strip(), form["password"]
        try:
            name = parse_user_name(name)
            problem = await judge_chosen(name, password, form["again"], is_meant="anyway" in form)
            if problem is not None:
                return self._page(request, problem, name)
            await self._setup.make_account(token, name, password)
        except InputRefused as error:
            return self._page(request, NewPasswordProblem(f"{error.public.capitalize()}: {error.hint}."), name)
        try:
            return await self._sign_in(request, name, password)
        except NbgateError:  # the account is there: the person can sign in by hand
            return see_other(self._pages.home)

    def _page(
        self, request: web.Request, problem: NewPasswordProblem | None = None, username: str = ""
    ) -> web.Response:
        return self._pages.answer(
            "setup.html",
            200 if problem is None else BAD_REQUEST,
            token=request.match_info["token"],
            host=request.headers.get("Host", ""),
            least=MIN_PASSWORD_BYTES,
            problem="" if problem is None else problem.text,
            is_weak=problem is not None and problem.is_weak,
            username=username,
        )


async def _hide_referrer(request: web.Request, answer: web.StreamResponse) -> None:
    """A redirect's policy holds for where it leads. `origin`: `no-referrer` would make the form's Origin null."""
    if request.path.startswith(SETUP_PATH):
        answer.headers["Referrer-Policy"] = "origin"
