"""Where a worker sends a page whose session is due for another secret: it is handed out here, and the page goes on.

When it is due, and which secret that replaces, the keeper decides.
"""

from typing import Final

from aiohttp import web

from nbgate.model.session import Session
from nbgate.web.answers import see_other
from nbgate.web.asking import landing_of, session_key_of, set_session
from nbgate.web.desk import Desk

REFRESH_PAGE: Final = "/_nbgate/refresh"


def add_refresh(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""

    async def refresh(request: web.Request, session: Session) -> web.Response:
        home = desk.pages.home
        answer = see_other(landing_of(request.query.getall("next", []), home) or home)
        token = await desk.keeper.rotate(session.id, session_key_of(request))
        if token is not None:
            set_session(request, answer, token)
        return answer

    app.router.add_get(REFRESH_PAGE, desk.for_person(refresh))
