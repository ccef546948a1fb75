"""The owners' page that mounts another notebook server while the gateway runs, and mounts one no longer.

What may be mounted, the keeper says. A server's token is taken here and never shown again, not even to who typed it.
"""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from nbgate.config.routes import USER, parse_at
from nbgate.errors import InputRefused
from nbgate.keeper.places import Source
from nbgate.keeper.route_list import ListedRoute
from nbgate.keeper.route_request import parse_request
from nbgate.keeper.upstreams import GOOD
from nbgate.model.route import Condition
from nbgate.model.route_spec import RouteSpec
from nbgate.model.session import Session
from nbgate.web.answers import see_other
from nbgate.web.bodies import BodyError, read_form
from nbgate.web.desk import Desk, Problem, confirm_fields, problem_of
from nbgate.web.servers import SAID
from nbgate.web.words import Moment, sentence

ADMIN_PAGE: Final = "/_nbgate/admin"
ROUTES_PAGE: Final = "/_nbgate/admin/routes"
ADD_FORM: Final = "route-add"
REMOVE_FORM: Final = "route-remove"
MAX_SHOWN: Final = 200
SOURCES: Final = {
    Source.CONFIGURATION: "the configuration names it",
    Source.RUNTIME: "it was added while the gateway runs",
    Source.FOUND: "it was found running",
}
_TYPED: Final = ("upstream", "base_url", "allow", "allow_open")
_FIELDS: Final = confirm_fields("act", "at", optional=(*_TYPED, "token"))
_GONE: Final = Problem(404, "No server was added there, or it is removed already. This is how things are now.")


class RouteRow(Struct, frozen=True, kw_only=True):
    """One notebook server as owners see it.

    Attributes:
        at: Where it is; "" where it is nowhere.
        tone: Of `said`: good, bad or neither.
        since: None where nobody has looked.
        may_go: It was added, and can be removed.
    """

    at: str
    product: str
    upstream: str
    base_url: str
    source: str
    said: str
    tone: str
    since: Moment | None
    people: str
    hint: str
    may_go: bool


def add_admin_routes(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    page = _RoutesPage(desk)
    app.router.add_get(ROUTES_PAGE, desk.for_owner(page.show))
    app.router.add_post(ROUTES_PAGE, desk.for_owner(page.change))


def route_rows(desk: Desk) -> list[RouteRow]:
    """Return all servers as owners see them, by their place."""
    return [_row(desk, each) for each in sorted(desk.keeper.route_book.all(), key=lambda each: (not each.at, each.at))]


def _row(desk: Desk, listed: ListedRoute) -> RouteRow:
    said, tone = _state(listed)
    people = "each their own" if USER in listed.at else "everybody"
    return RouteRow(
        at=listed.at,
        product=listed.product,
        upstream=listed.upstream,
        base_url=listed.base_url,
        source=SOURCES[listed.source],
        said=said,
        tone=tone,
        since=desk.moment(listed.since_unix) if listed.since_unix else None,
        people=", ".join(listed.allow) or people,
        hint=sentence(listed.hint),
        may_go=listed.source is Source.RUNTIME,
    )


def _state(listed: ListedRoute) -> tuple[str, str]:
    """Return how a server is in words, and whether that is good or bad."""
    if USER in listed.at and not listed.hint:
        return "one for each user", ""
    if not (listed.at and listed.since_unix):
        return "not mounted", "bad"
    tone = "good" if listed.condition in GOOD else "" if listed.condition is Condition.UNKNOWN else "bad"
    return SAID[listed.condition], tone


class _RoutesPage:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keeper = desk.keeper

    async def show(self, request: web.Request, session: Session) -> web.Response:
        """Show the form, or the question whether a server shall go."""
        if "remove" in request.query:
            return await self._ask(request, session, request.query["remove"])
        return await self._page(request, session)

    async def change(self, request: web.Request, session: Session) -> web.Response:
        """Mount a server, or mount one no longer."""
        form = await read_form(request, _FIELDS)
        match form["act"]:
            case "add":
                return await self._add(request, session, form)
            case "remove":
                return await self._remove(request, session, form)
        raise BodyError(400, "unknown act")

    async def _add(self, request: web.Request, session: Session, form: Mapping[str, str]) -> web.Response:
        try:
            spec = parse_request(_asked(form), self._keeper.config)
        except InputRefused as error:
            return await self._page(request, session, problem_of(error), form)
        added = await self._desk.change(request, session, ADD_FORM, form, lambda: self._put(spec, session))
        if isinstance(added, Problem):
            return await self._page(request, session, added, form)
        return see_other(f"{ADMIN_PAGE}?done={added}")

    async def _put(self, spec: RouteSpec, session: Session) -> str:
        return "replaced" if await self._keeper.route_book.add(spec, session.user) else "added"

    async def _remove(self, request: web.Request, session: Session, form: Mapping[str, str]) -> web.Response:
        row = self._find(form["at"])
        if row is None:
            return await self._page(request, session, _GONE)
        host, prefix = parse_at(row.at)
        removed = await self._desk.change(
            request,
            session,
            REMOVE_FORM,
            form,
            lambda: self._keeper.route_book.remove(host, prefix, session.user),
        )
        if isinstance(removed, Problem):
            return await self._ask(request, session, row.at, removed)
        return see_other(f"{ADMIN_PAGE}?done=removed")

    def _find(self, at: str) -> RouteRow | None:
        return next((row for row in route_rows(self._desk) if row.at == at and row.may_go), None)

    async def _ask(
        self, request: web.Request, session: Session, at: str, problem: Problem | None = None
    ) -> web.Response:
        row = self._find(at)
        if row is None:
            return await self._page(request, session, _GONE)
        return self._desk.show(
            request,
            session,
            "route_end.html",
            problem,
            row=row,
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, REMOVE_FORM),
        )

    async def _page(
        self,
        request: web.Request,
        session: Session,
        problem: Problem | None = None,
        form: Mapping[str, str] | None = None,
    ) -> web.Response:
        typed = form or {}
        return self._desk.show(
            request,
            session,
            "route_add.html",
            problem,
            typed={name: typed.get(name, "") for name in ("at", *_TYPED)},
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, ADD_FORM),
        )


def _asked(form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form asks for as a program would send it."""
    texts = {name: form.get(name, "").strip() for name in ("at", "upstream", "base_url", "token")}
    open_too = {"allow_open": True} if "allow_open" in form else {}
    return {**texts, "allow": form.get("allow", "").replace(",", " ").split(), **open_too}
