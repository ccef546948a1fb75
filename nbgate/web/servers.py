"""The page that lists the notebook servers behind this gateway, for somebody logged in; `/` leads here among several.

It shows where each is mounted and whether it answers; addresses, folders and what only the operator can change stay in
`nbgate status`. The workers let nobody here without a session.
"""

from typing import Final

from aiohttp import web

from nbgate.keeper.keeper import Keeper
from nbgate.model.route import Condition
from nbgate.policy import SERVERS_PAGE
from nbgate.web.answers import Pages
from nbgate.web.asking import session_id_of

_SAID: Final = {
    Condition.UNKNOWN: "being looked at",
    Condition.GUARDED: "ready",
    Condition.OPEN_ALLOWED: "ready",
    Condition.OPEN: "not passed on: it asks for no credential of its own",
    Condition.TOKEN_UNKNOWN: "not passed on: its token or password is not known",
    Condition.FOREIGN: "not passed on: somebody else answers in its place",
    Condition.DOWN: "not answering",
}


def add_servers(app: web.Application, keeper: Keeper, pages: Pages) -> None:
    """Add the page to the application of the own pages."""

    async def show_servers(request: web.Request) -> web.Response:
        session = keeper.find_session(session_id_of(request))
        user = "" if session is None else session.user

        def may_use(prefix: str) -> bool:
            allowed = keeper.mounts.allow.get(prefix)
            return allowed is None or user in allowed

        servers = [
            {"prefix": shown.prefix, "product": shown.product, "said": _SAID[shown.condition]}
            for shown in keeper.mounts.shown()
            if shown.prefix and may_use(shown.prefix)
        ]
        return pages.answer("servers.html", host=request.headers.get("Host", ""), servers=servers)

    app.router.add_get(SERVERS_PAGE, show_servers)
