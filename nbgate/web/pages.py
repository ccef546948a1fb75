"""The pages and calls a browser uses to log in and out, mounted at `/_nbgate/`.

What arrives here was judged by a worker's pipeline: Origin, Fetch-Metadata, size, shape. The worker says in headers
that no client can send who is asking. This room checks passwords only by asking the keeper, and tells nobody why one
failed.
"""

from typing import Final

from aiohttp import web

from nbgate.crypto.tokens import new_form_token, verify_form_token
from nbgate.errors import CredentialRejected, LoginBusy, NbgateError
from nbgate.guard.next_url import safe_next
from nbgate.http.cookies import session_cookie_name
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.server import error_middleware, request_id
from nbgate.keeper.setup import Setup
from nbgate.model.session import Session
from nbgate.web.answers import ASSET_HEADERS, FOLDER, Pages, json_answer, json_error, see_other
from nbgate.web.assets import PREFIX, Assets
from nbgate.web.bodies import MAX_BODY_BYTES, Fields, read_form, read_json
from nbgate.web.diagnose import add_diagnose
from nbgate.web.servers import add_servers
from nbgate.web.setup import add_setup

CLIENT: Final = "X-Nbgate-Client"
SESSION: Final = "X-Nbgate-Session"
NAVIGATION: Final = "X-Nbgate-Navigation"
LOGIN_PAGE: Final = "/_nbgate/login"
LOGOUT_PAGE: Final = "/_nbgate/logout"
LOGOUT_FORM: Final = "logout"
RETRY_SECONDS: Final = "3"

_WRONG: Final = "Wrong user name or password."
_BUSY: Final = "Too many people are signing in right now. Try again in a few seconds."
_UNAVAILABLE: Final = "Signing in is not possible right now. Try again in a few seconds."
_HEADINGS: Final = {
    400: "That did not work",
    403: "Not allowed",
    404: "Not found",
    405: "Not allowed",
    410: "This link is over",
}
_LOGIN_FIELDS: Final = Fields(frozenset({"username", "password"}), frozenset({"next"}))
_API_LOGIN_FIELDS: Final = Fields(frozenset({"username", "password"}))
_LOGOUT_FIELDS: Final = Fields(frozenset({"form_token"}))


def make_pages_app(keeper: Keeper, setup: Setup) -> web.Application:
    """Return the application that the workers reach through the keeper's private socket."""
    pages = _OwnPages(keeper)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[error_middleware(pages.failure)])
    app.router.add_get(LOGIN_PAGE, pages.show_login)
    app.router.add_post(LOGIN_PAGE, pages.log_in)
    app.router.add_get(LOGOUT_PAGE, pages.show_logout)
    app.router.add_post(LOGOUT_PAGE, pages.log_out)
    app.router.add_post("/_nbgate/api/login", pages.api_log_in)
    app.router.add_post("/_nbgate/api/logout", pages.api_log_out)
    app.router.add_get("/_nbgate/ready", pages.show_ready)
    app.router.add_get(PREFIX + "{name}", pages.show_asset)
    add_diagnose(app, keeper, pages.templates)
    add_setup(app, setup, pages.templates, pages.first_log_in)
    add_servers(app, keeper, pages.templates)
    return app


class _OwnPages:
    """The handlers; each reads its request, asks the keeper, and picks an answer."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._assets = Assets(FOLDER / "static")
        self.templates = Pages(self._assets)

    async def show_login(self, request: web.Request) -> web.Response:
        next_path = _one_next(request.query.getall("next", []))
        if self._session(request) is not None:
            return see_other(next_path or "/")
        return self._login_page(request, next_path=next_path, signed_out="signed-out" in request.query)

    async def log_in(self, request: web.Request) -> web.Response:
        form = await read_form(request, _LOGIN_FIELDS)
        next_path = safe_next(form.get("next", ""))
        try:
            _, token = await self._log_in(request, form["username"], form["password"])
        except CredentialRejected:
            answer = self._login_page(request, 401, problem=_WRONG, username=form["username"], next_path=next_path)
        except NbgateError as error:
            problem = _BUSY if isinstance(error, LoginBusy) else _UNAVAILABLE
            answer = self._login_page(request, 503, problem=problem, username=form["username"], next_path=next_path)
            answer.headers["Retry-After"] = RETRY_SECONDS
        else:
            answer = see_other(next_path or "/")
            _set_cookie(request, answer, token)
        return answer

    async def first_log_in(self, request: web.Request, username: str, password: str) -> web.Response:
        _, token = await self._log_in(request, username, password)
        answer = see_other("/")
        _set_cookie(request, answer, token)
        return answer

    async def api_log_in(self, request: web.Request) -> web.Response:
        body = await read_json(request, _API_LOGIN_FIELDS)
        try:
            session, token = await self._log_in(request, body["username"], body["password"])
        except CredentialRejected as error:
            return json_error(401, error.public)
        answer = json_answer({"user": session.user})
        _set_cookie(request, answer, token)
        return answer

    async def show_logout(self, request: web.Request) -> web.Response:
        session = self._session(request)
        if session is None:
            return see_other(LOGIN_PAGE)
        return self._logout_page(request, session)

    async def log_out(self, request: web.Request) -> web.Response:
        form = await read_form(request, _LOGOUT_FIELDS)
        session = self._session(request)
        if session is not None:
            try:
                verify_form_token(self._keeper.form_key, LOGOUT_FORM, session.id, form["form_token"])
            except CredentialRejected:
                return self._logout_page(request, session, 403, "This page was too old. Press the button once more.")
            await self._keeper.log_out(session)
        answer = see_other(f"{LOGIN_PAGE}?signed-out")
        _clear_cookie(request, answer)
        return answer

    async def api_log_out(self, request: web.Request) -> web.Response:
        session = self._session(request)
        if session is not None:
            await self._keeper.log_out(session)
        answer = json_answer({})
        _clear_cookie(request, answer)
        return answer

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
        if request.headers.get(NAVIGATION) != "1":
            answer: web.Response = json_error(status, public, hint)
        else:
            heading = _HEADINGS.get(status, "Something went wrong" if status >= 500 else "That did not work")
            answer = self.templates.answer(
                "error.html", status, heading=heading, text=_sentence(public, hint), request_id=request_id(request)
            )
        if status == 503:
            answer.headers["Retry-After"] = RETRY_SECONDS
        return answer

    async def _log_in(self, request: web.Request, username: str, password: str) -> tuple[Session, str]:
        attempt = LoginAttempt(
            username=username,
            password=password,
            client=request.headers.get(CLIENT, ""),
            request_id=request_id(request),
            replaces=self._session(request),
        )
        return await self._keeper.log_in(attempt)

    def _session(self, request: web.Request) -> Session | None:
        """Return the live session the worker found; it may have ended since."""
        try:
            session_id = bytes.fromhex(request.headers.get(SESSION, ""))
        except ValueError:
            return None
        return self._keeper.find_session(session_id)

    def _login_page(
        self,
        request: web.Request,
        status: int = 200,
        *,
        problem: str = "",
        username: str = "",
        next_path: str | None = None,
        signed_out: bool = False,
    ) -> web.Response:
        return self.templates.answer(
            "login.html",
            status,
            host=request.headers.get("Host", ""),
            problem=problem,
            username=username,
            next=next_path or "",
            signed_out=signed_out,
        )

    def _logout_page(
        self, request: web.Request, session: Session, status: int = 200, problem: str = ""
    ) -> web.Response:
        token = new_form_token(self._keeper.form_key, LOGOUT_FORM, session.id)
        host = request.headers.get("Host", "")
        return self.templates.answer(
            "logout.html", status, user=session.user, host=host, problem=problem, form_token=token
        )


def _one_next(values: list[str]) -> str | None:
    """Two `next` are nobody's honest link: neither is followed."""
    return safe_next(values[0]) if len(values) == 1 else None


def _set_cookie(request: web.Request, answer: web.Response, token: str) -> None:
    answer.headers["Set-Cookie"] = f"{_cookie_name(request)}={token}; Path=/; Secure; HttpOnly; SameSite=Lax"


def _clear_cookie(request: web.Request, answer: web.Response) -> None:
    answer.headers["Set-Cookie"] = f"{_cookie_name(request)}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def _cookie_name(request: web.Request) -> str:
    return session_cookie_name(request.headers.get("Host", ""))


def _sentence(public: str, hint: str) -> str:
    return ". ".join(part[:1].upper() + part[1:] for part in (public, hint) if part) + "."
