"""Signing out: a button with a form token of its own, and the call for scripts.

It ends the session that the worker found and no other; a link to it ends nothing.
"""

from typing import Final

from aiohttp import web

from nbgate.crypto.tokens import verify_form_token
from nbgate.errors import CredentialRejected
from nbgate.model.session import Session
from nbgate.web.answers import json_answer, see_other
from nbgate.web.asking import clear_session
from nbgate.web.bodies import Fields, read_form
from nbgate.web.desk import LOGIN_PAGE, Desk, Problem

LOGOUT_PAGE: Final = "/_nbgate/logout"
LOGOUT_FORM: Final = "logout"
_FIELDS: Final = Fields(frozenset({"form_token"}))
_TOO_OLD: Final = Problem(403, "This page was too old. Press the button once more.")


def add_logout(app: web.Application, desk: Desk) -> None:
    """Add the page and the call to the application of the own pages."""
    logout = _Logout(desk)
    app.router.add_get(LOGOUT_PAGE, logout.show)
    app.router.add_post(LOGOUT_PAGE, logout.log_out)
    app.router.add_post("/_nbgate/api/logout", logout.call)


class _Logout:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: web.Request) -> web.Response:
        session = self._desk.session(request)
        return see_other(LOGIN_PAGE) if session is None else self._page(request, session)

    async def log_out(self, request: web.Request) -> web.Response:
        form = await read_form(request, _FIELDS)
        session = self._desk.session(request)
        if session is not None:
            try:
                verify_form_token(self._desk.keeper.form_key, LOGOUT_FORM, session.id, form["form_token"])
            except CredentialRejected:
                return self._page(request, session, _TOO_OLD)
            await self._desk.keeper.log_out(session)
        answer = see_other(f"{LOGIN_PAGE}?signed-out")
        clear_session(request, answer)
        return answer

    async def call(self, request: web.Request) -> web.Response:
        session = self._desk.session(request)
        if session is not None:
            await self._desk.keeper.log_out(session)
        answer = json_answer({})
        clear_session(request, answer)
        return answer

    def _page(self, request: web.Request, session: Session, problem: Problem | None = None) -> web.Response:
        return self._desk.show(
            request, session, "logout.html", problem, form_token=self._desk.token(session, LOGOUT_FORM)
        )
