"""The page of recovery codes: ten that open an account once each when the phone is away, shown a single time.

Only their digests are kept, by the keeper.
"""

from typing import Final

from aiohttp import web

from nbgate.model.session import Session
from nbgate.web.answers import see_other
from nbgate.web.bodies import read_form
from nbgate.web.desk import TOTP_PAGE, Desk, Problem, confirm_fields

CODES_PAGE: Final = "/_nbgate/account/codes"
CODES_FORM: Final = "recovery-codes"
_FIELDS: Final = confirm_fields()


def add_codes(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    page = _CodesPage(desk)
    app.router.add_get(CODES_PAGE, desk.for_person(page.show))
    app.router.add_post(CODES_PAGE, desk.for_person(page.make))


def show_codes(
    desk: Desk, request: web.Request, session: Session, codes: tuple[str, ...], *, is_first: bool
) -> web.Response:
    """Show new codes, once; `is_first`: they came with the code from the phone."""
    return desk.show(request, session, "codes_made.html", codes=codes, is_first=is_first)


class _CodesPage:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: web.Request, session: Session) -> web.Response:
        return await self._page(request, session)

    async def make(self, request: web.Request, session: Session) -> web.Response:
        """Make ten new codes, which makes the old ones void."""
        form = await read_form(request, _FIELDS)
        factors = self._desk.keeper.factors
        made = await self._desk.change(
            request, session, CODES_FORM, form, lambda: factors.new_recovery_codes(session.user, session.user)
        )
        if isinstance(made, Problem):
            return await self._page(request, session, made)
        return show_codes(self._desk, request, session, made, is_first=False)

    async def _page(self, request: web.Request, session: Session, problem: Problem | None = None) -> web.Response:
        user = await self._desk.keeper.accounts.get(session.user)
        if user is None or not user.totp:
            return see_other(TOTP_PAGE)
        return self._desk.show(
            request,
            session,
            "codes.html",
            problem,
            left=len(user.recovery),
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, CODES_FORM),
        )
