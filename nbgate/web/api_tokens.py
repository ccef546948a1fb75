"""The page of somebody's tokens, with which programs work in their name: make one, see it once, end one.

What a token opens is judged elsewhere; this room shows its text a single time and keeps it nowhere.
"""

import re
from typing import Final

from aiohttp import web

from nbgate.errors import InputRefused
from nbgate.http.hosts import name_of
from nbgate.keeper.api_tokens import DAY_SECONDS, MAX_DAYS, MAX_NAME_CHARS
from nbgate.model.account import StoredSession
from nbgate.model.session import Scope, Session
from nbgate.web.answers import see_other
from nbgate.web.asking import host_of
from nbgate.web.bodies import Fields, read_form
from nbgate.web.desk import Desk, Problem, confirm_fields
from nbgate.web.lists import SCOPES, SessionRow, session_rows, tokens_of
from nbgate.web.servers import OPENS, address_of, may_use, routes_of, unmounted_of

TOKENS_PAGE: Final = "/_nbgate/account/tokens"
ADD_FORM: Final = "token-add"
END_FORM: Final = "token-end"
BAD_REQUEST: Final = 400
OFFERED: Final = (Scope.READ, Scope.EXECUTE)  # the others are for whoever runs the gateway: nbgate token add
_ADD: Final = frozenset({"name", "scope", "days"})
_FIELDS: Final = Fields(confirm_fields().required, confirm_fields().optional | _ADD | {"routes", "end"})
_DAYS: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
_NO_CODE: Final = Problem(403, "This gateway asks you for a code from your phone. Set it up first, then make tokens.")
_GONE: Final = Problem(404, "This token has ended already.")


def add_tokens(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    page = _TokensPage(desk)
    app.router.add_get(TOKENS_PAGE, desk.for_person(page.show))
    app.router.add_post(TOKENS_PAGE, desk.for_person(page.change))


class _TokensPage:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keeper = desk.keeper

    async def show(self, request: web.Request, session: Session) -> web.Response:
        """Show the list and the form, or the question whether a token shall end."""
        if "end" in request.query:
            return await self._ask(request, session, request.query["end"])
        return await self._page(request, session)

    async def change(self, request: web.Request, session: Session) -> web.Response:
        """Make a token, or end one."""
        form = await read_form(request, _FIELDS)
        if "end" in form:
            return await self._end(request, session, dict(form))
        return await self._add(request, session, dict(form))

    async def _add(self, request: web.Request, session: Session, form: dict[str, str]) -> web.Response:
        try:
            name, scope, seconds = _parse(form)
        except InputRefused as error:
            return await self._page(request, session, Problem(BAD_REQUEST, error.public), form)
        if await self._desk.lacks_code(session):  # a token must not open what this sign-in does not
            return await self._page(request, session, _NO_CODE, form)
        routes = tuple(form.get("routes", "").split())
        until = self._desk.clock.unix() + seconds
        made = await self._desk.change(
            request,
            session,
            ADD_FORM,
            form,
            lambda: self._keeper.tokens.add(session.user, name, scope, routes, until, session.user),
        )
        if isinstance(made, Problem):
            return await self._page(request, session, made, form)
        stored, text = made
        return self._desk.show(
            request,
            session,
            "token_made.html",
            row=self._rows((stored,))[0],
            token=text,
            example=self._example(request, stored.session),
            unmounted=unmounted_of(stored.session, self._keeper.mounts.routes()),
        )

    def _example(self, request: web.Request, token: Session) -> str:
        """Return an address without its scheme that `token` opens: the first server it is good for; "" for none."""
        host, mounts = host_of(request), self._keeper.mounts
        here, elsewhere = routes_of(mounts.routes(), name_of(host).lower())
        route = next((route for route in (*here, *elsewhere) if may_use(token, route)), None)
        if route is None:
            return ""
        is_jupyter = any(shown.route == route.name and shown.product in OPENS for shown in mounts.shown())
        return address_of(route, host) + ("api/status" if is_jupyter else "")

    async def _end(self, request: web.Request, session: Session, form: dict[str, str]) -> web.Response:
        row = self._find(session, form["end"])
        if row is None:
            return await self._page(request, session, _GONE)
        ended = await self._desk.change(
            request, session, END_FORM, form, lambda: self._keeper.tokens.revoke(row.id, session.user)
        )
        if isinstance(ended, Problem):
            return await self._ask(request, session, row.id, ended)
        return see_other(f"{TOKENS_PAGE}?done=ended")

    def _rows(self, stored: tuple[StoredSession, ...]) -> list[SessionRow]:
        return tokens_of(session_rows(stored, self._keeper, self._desk.moment))

    def _find(self, session: Session, label: str) -> SessionRow | None:
        return next((row for row in self._rows(self._keeper.sessions_of(session.user)) if row.id == label), None)

    async def _ask(
        self, request: web.Request, session: Session, label: str, problem: Problem | None = None
    ) -> web.Response:
        row = self._find(session, label)
        if row is None:
            return await self._page(request, session, _GONE)
        return self._desk.show(
            request,
            session,
            "token_end.html",
            problem,
            row=row,
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, END_FORM),
        )

    async def _page(
        self,
        request: web.Request,
        session: Session,
        problem: Problem | None = None,
        form: dict[str, str] | None = None,
    ) -> web.Response:
        typed = form or {}
        return self._desk.show(
            request,
            session,
            "tokens.html",
            problem,
            tokens=self._rows(self._keeper.sessions_of(session.user)),
            scopes=[(scope.value, SCOPES[scope]) for scope in OFFERED],
            name=typed.get("name", ""),
            scope=typed.get("scope", Scope.READ.value),
            days=typed.get("days", str(MAX_DAYS)),
            routes=typed.get("routes", ""),
            max_days=MAX_DAYS,
            max_name=MAX_NAME_CHARS,
            done=request.query.get("done", ""),
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, ADD_FORM),
        )


def _parse(form: dict[str, str]) -> tuple[str, Scope, float]:
    """Return name, scope and life of the token that a form asks for.

    Raises:
        InputRefused: It is none that can be made; its text says what to do, as a sentence.
    """
    name, days = form.get("name", "").strip(), form.get("days", "").strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise InputRefused(f"Give the token a name of 1 to {MAX_NAME_CHARS} characters, so that you know it again.")
    if form.get("scope") not in {scope.value for scope in OFFERED}:
        raise InputRefused("Choose what the token may do.")
    if not _DAYS.fullmatch(days) or not 1 <= int(days) <= MAX_DAYS:
        raise InputRefused(f"A token lives for 1 to {MAX_DAYS} days. Type a number in that range.")
    return name, Scope(form["scope"]), int(days) * DAY_SECONDS
