"""The start page of somebody signed in: the notebook servers they may use, how each is, and what runs there.

It shows nobody a server that they may not use; addresses, folders and what only the operator can change stay in `nbgate
status`. What runs is what the servers say, and is shown as such: text, and links below the server's own prefix.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from aiohttp import web
from msgspec import Struct

from nbgate.access.judge import judge_access
from nbgate.http.hosts import name_of
from nbgate.keeper.guarded import Shown
from nbgate.keeper.running import Activity, Asked, Running, WhatRuns, Work
from nbgate.keeper.upstreams import GOOD
from nbgate.model.route import Condition, Route
from nbgate.model.session import Role, Session
from nbgate.web.answers import see_other
from nbgate.web.asking import host_of
from nbgate.web.desk import TOTP_PAGE, Desk
from nbgate.web.words import Moment, count

SERVERS_PAGE: Final = "/_nbgate/servers"
MAX_NAME_CHARS: Final = 80
MAX_SHOWN: Final = 200

SAID: Final = {
    Condition.UNKNOWN: "being looked at",
    Condition.GUARDED: "ready",
    Condition.OPEN_ALLOWED: "ready",
    Condition.OPEN: "not passed on: it asks for no credential of its own",
    Condition.TOKEN_UNKNOWN: "not passed on: its token or password is not known",
    Condition.FOREIGN: "not passed on: somebody else answers in its place",
    Condition.DOWN: "not answering",
}
_ACTIVITIES: Final = {
    Activity.BUSY: "at work",
    Activity.IDLE: "idle",
    Activity.STARTING: "starting",
    Activity.DEAD: "its kernel died",
    Activity.UNKNOWN: "open",
}
OPENS: Final = {"JupyterLab": "lab/tree/", "Jupyter Notebook": "notebooks/"}
"""What is asked what runs in it, and where each opens a notebook."""


class WorkRow(Struct, frozen=True):
    """One notebook or console as the page shows it; `href` is "" where nothing opens it."""

    name: str
    href: str
    activity: str
    said: str
    seen: Moment | None


class ServerRow(Struct, frozen=True, kw_only=True):
    """One server as the page shows it.

    Attributes:
        href: Where it is.
        where: The same for people: with its name, where it has one.
        is_good: Somebody can work with it.
        was: What happened at `moment`; None where that is not known.
        is_silent: It should have said what runs there, and did not.
        is_empty: It said that nothing does.
        besides: What else runs there, in words.
    """

    href: str
    where: str
    product: str
    said: str
    is_good: bool
    was: str
    moment: Moment | None
    is_silent: bool
    is_empty: bool
    works: tuple[WorkRow, ...]
    besides: str


def add_servers(app: web.Application, desk: Desk, what_runs: WhatRuns) -> None:
    """Add the page to the application of the own pages."""
    app.router.add_get(SERVERS_PAGE, desk.for_person(_ServersPage(desk, what_runs).show))


class _ServersPage:
    def __init__(self, desk: Desk, what_runs: WhatRuns) -> None:
        self._desk = desk
        self._what_runs = what_runs

    async def show(self, request: web.Request, session: Session) -> web.Response:
        if await self._desk.lacks_code(session):
            return see_other(TOTP_PAGE)
        host = host_of(request)
        routes = self._desk.keeper.mounts.routes()
        here, elsewhere = routes_of(routes, name_of(host).lower())
        mine = [route for route in here if may_use(session, route)]
        return self._desk.show(
            request,
            session,
            "servers.html",
            servers=await self._rows(mine[:MAX_SHOWN]),
            total=len(mine),
            elsewhere=[address_of(route, host) for route in elsewhere if may_use(session, route)][:MAX_SHOWN],
            others=len(here) - len(mine),
            may_none=session.role is Role.AUDITOR,
        )

    async def _rows(self, routes: list[Route]) -> list[ServerRow]:
        mounts = self._desk.keeper.mounts
        states = {state.route: state for state in mounts.states()}
        known = {shown.route: shown for shown in mounts.shown()}
        servers = [(route, states[route.name], known[route.name]) for route in routes]
        asked = {
            route.name: Asked(route.upstream, route.base_url, state)
            for route, state, shown in servers
            if state.condition in GOOD and shown.product in OPENS
        }
        said = dict(zip(asked, await self._what_runs.of(tuple(asked.values())), strict=True))
        return [self._row(route, shown, said.get(route.name), asked=route.name in asked) for route, _, shown in servers]

    def _row(self, route: Route, shown: Shown, running: Running | None, *, asked: bool) -> ServerRow:
        runs = running or Running()
        was, unix = _happened(shown, runs)
        return ServerRow(
            href=route.prefix,
            where=route.host + route.prefix,
            product=shown.product[:1].upper() + shown.product[1:],
            said=SAID[shown.condition],
            is_good=shown.condition in GOOD,
            was=was,
            moment=self._past(unix),
            is_silent=asked and running is None,
            is_empty=running is not None and not (runs.works or runs.terminals),
            works=tuple(self._work(route, shown.product, work) for work in runs.works),
            besides=_besides(runs),
        )

    def _work(self, route: Route, product: str, work: Work) -> WorkRow:
        name = work.path or "(without a name)"
        return WorkRow(
            name=name if len(name) <= MAX_NAME_CHARS else f"…{name[1 - MAX_NAME_CHARS :]}",  # the end tells them apart
            href=_href(route.prefix + OPENS[product], work),
            activity=work.activity.value,
            said=_ACTIVITIES[work.activity],
            seen=self._past(work.seen_unix),
        )

    def _past(self, unix: float) -> Moment | None:
        """Return a time in words; a server's clock may be ahead of ours, and no activity lies in the future."""
        return self._desk.moment(min(unix, self._desk.clock.unix())) if unix else None


def routes_of(routes: tuple[Route, ...], name: str) -> tuple[list[Route], list[Route]]:
    """Return the routes of a host in their order, as the workers choose them, and those of other hosts."""
    own = [route for route in routes if route.host == name]
    chosen = own or [route for route in routes if not route.host]
    elsewhere = [route for route in routes if route.host and route.host != name]
    return sorted(chosen, key=lambda route: route.prefix), sorted(
        elsewhere, key=lambda route: (route.host, route.prefix)
    )


def may_use(session: Session, route: Route) -> bool:
    """Say whether a login or a token opens a notebook server at all; a second factor is asked for elsewhere."""
    return (
        judge_access(session, route, method="GET", websocket=False, has_effect=False, second_factor_roles=frozenset())
        is None
    )


def unmounted_of(token: Session, routes: Iterable[Route]) -> list[str]:
    """Return the places a token names at which there is no notebook server, as where one is mistyped."""
    mounted = {f"{route.host}{route.prefix}" for route in routes}
    return [place for place in token.routes if place not in mounted]


def address_of(route: Route, host: str) -> str:
    """Return the address of a server as seen from `host`, whose port all hosts have."""
    return f"{route.host or name_of(host)}{host.removeprefix(name_of(host))}{route.prefix}"


def _happened(shown: Shown, running: Running) -> tuple[str, float]:
    """Return what is worth knowing of a server's past, and when that was; 0 where nobody knows."""
    if running.started_unix:
        return "running since", running.started_unix
    if shown.condition is Condition.DOWN:
        return "last answered", shown.last_seen
    return "since", shown.since_unix


def _href(folder: str, work: Work) -> str:
    """Return where a notebook opens; "" where its path is none, or would lead out of the folder."""
    is_path = {"", ".", ".."}.isdisjoint(work.path.split("/")) and "\ufffd" not in work.path
    return folder + quote(work.path, safe="/") if work.is_notebook and is_path else ""


def _besides(running: Running) -> str:
    parts = [
        count(running.more, "more notebook or console", "more notebooks and consoles") if running.more else "",
        count(running.terminals, "terminal") if running.terminals else "",
    ]
    return " and ".join(part for part in parts if part)
