"""Signing in: the page with its small window, the call for scripts, and the call that says who is signed in.

Why a login failed is told to nobody: whatever was wrong, the answer is the same to the byte (T03, T05). That holds for
what this room adds too; it checks nothing itself.
"""

from typing import Final

from aiohttp import web

from nbgate.errors import CredentialRejected, LockedDown, LoginBusy, LoginThrottled, NbgateError
from nbgate.keeper.login import LoggedIn
from nbgate.model.session import Session
from nbgate.web.answers import json_answer, json_error, see_other
from nbgate.web.asking import attempt_of, landing_of, set_device, set_session
from nbgate.web.bodies import Fields, read_form, read_json, typed_code
from nbgate.web.desk import LOGIN_PAGE, RETRY_SECONDS, Desk, Problem, throttled
from nbgate.web.words import sentence

SIGNED_IN_PAGE: Final = "/_nbgate/signed-in"
API_LOGIN: Final = "/_nbgate/api/login"
API_SESSION: Final = "/_nbgate/api/session"

_WRONG: Final = "Wrong user name, password or code. If you typed a code, wait for the next one: each works once."
_BUSY: Final = "Too many people are signing in right now. Try again in a few seconds."
_UNAVAILABLE: Final = "Signing in is not possible right now. Try again in a few seconds."
_FORM_FIELDS: Final = Fields(frozenset({"username", "password"}), frozenset({"code", "next", "window"}))
_CALL_FIELDS: Final = Fields(frozenset({"username"}), frozenset({"password", "code"}))


def add_login(app: web.Application, desk: Desk) -> "Login":
    """Add the pages and calls to the application of the own pages; return what signs in."""
    login = Login(desk)
    app.router.add_get(LOGIN_PAGE, login.show)
    app.router.add_post(LOGIN_PAGE, login.log_in)
    app.router.add_get(SIGNED_IN_PAGE, login.show_signed_in)
    app.router.add_post(API_LOGIN, login.call)
    app.router.add_get(API_SESSION, login.show_session)
    return login


class Login:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._home = desk.pages.home

    async def show(self, request: web.Request) -> web.Response:
        """Show the form; who is signed in already goes on."""
        landing = landing_of(request.query.getall("next", []), self._home)
        is_window = "window" in request.query
        if self._desk.session(request) is not None:
            return see_other(self._next(landing, is_window=is_window))
        signed_out = "signed-out" in request.query
        return self._page(request, next_path=landing, is_window=is_window, signed_out=signed_out)

    async def log_in(self, request: web.Request) -> web.Response:
        """Sign somebody in who filled in the form."""
        form = await read_form(request, _FORM_FIELDS)
        landing = landing_of([form.get("next", "")], self._home)
        is_window = "window" in form
        try:
            logged_in = await self._log_in(request, form["username"], form["password"], typed_code(form))
        except NbgateError as error:
            problem = _problem_of(error)
            return self._page(request, problem, username=form["username"], next_path=landing, is_window=is_window)
        answer = see_other(self._next(landing, is_window=is_window))
        set_cookies(request, answer, logged_in)
        return answer

    async def call(self, request: web.Request) -> web.Response:
        """Sign in whoever calls; the answer is JSON."""
        body = await read_json(request, _CALL_FIELDS)
        try:
            logged_in = await self._log_in(request, body["username"], body.get("password", ""), body.get("code", ""))
        except CredentialRejected as error:
            return json_error(401, error.public)
        except LoginThrottled as error:
            answer = json_error(error.status, error.public, error.hint)
            answer.headers["Retry-After"] = str(throttled(error.retry_seconds).retry_seconds)
            return answer
        answer = json_answer({"user": logged_in.session.user})
        set_cookies(request, answer, logged_in)
        return answer

    async def first(self, request: web.Request, username: str, password: str) -> web.Response:
        """Sign in who has just made the first account."""
        logged_in = await self._log_in(request, username, password, "")
        answer = see_other(self._home)
        set_cookies(request, answer, logged_in)
        return answer

    async def show_signed_in(self, request: web.Request) -> web.Response:
        """End the small window: its script tells the page that opened it, and closes it."""
        if self._desk.session(request) is None:
            return see_other(f"{LOGIN_PAGE}?window")
        return self._desk.answer(request, "signed_in.html")

    async def show_session(self, request: web.Request) -> web.Response:
        """Say who is signed in; the workers let nobody else here."""
        session = self._desk.session(request)
        if session is None:
            return json_error(401, "login required")
        value = {"user": session.user, "role": session.role.value, "session": session.label, "signed_in": True}
        return json_answer(value)

    def _next(self, landing: str | None, *, is_window: bool) -> str:
        return SIGNED_IN_PAGE if is_window else landing or self._home

    async def _log_in(self, request: web.Request, username: str, password: str, code: str) -> LoggedIn:
        replaces = self._desk.session(request)
        attempt = attempt_of(request, username=username, password=password, code=code, replaces=replaces)
        return await self._desk.keeper.log_in(attempt)

    def _page(
        self,
        request: web.Request,
        problem: Problem | None = None,
        *,
        username: str = "",
        next_path: str | None = None,
        is_window: bool = False,
        signed_out: bool = False,
    ) -> web.Response:
        return self._desk.answer(
            request,
            "login.html",
            problem,
            username=username,
            next=next_path or "",
            is_window=is_window,
            signed_out=signed_out,
        )


def set_cookies(request: web.Request, answer: web.Response, logged_in: LoggedIn) -> None:
    """Have the browser keep what a login gave it."""
    set_session(request, answer, logged_in.token)
    set_device(request, answer, logged_in.device_cookie)


def set_new_device(desk: Desk, request: web.Request, session: Session, answer: web.Response) -> None:
    """Have the browser be known as before, after a change that made strangers of all browsers of its owner."""
    device_cookie = desk.keeper.new_device_cookie(session)
    if device_cookie is not None:
        set_device(request, answer, device_cookie)


def _problem_of(error: NbgateError) -> Problem:
    match error:
        case CredentialRejected():
            return Problem(401, _WRONG)
        case LoginThrottled(retry_seconds=seconds):
            return throttled(seconds)
        case LockedDown():
            return Problem(error.status, sentence(error.public, error.hint))
        case LoginBusy():
            return Problem(503, _BUSY, RETRY_SECONDS)
        case _:
            return Problem(503, _UNAVAILABLE, RETRY_SECONDS)
