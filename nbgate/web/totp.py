"""The page of the code from an app on the phone: set up by a picture, confirmed by a code, taken away again.

The secret is shown while it is set up and never again. The picture is made here and travels in the page itself: nobody
else sees it. What a code is worth, the keeper says.
"""

from collections.abc import Mapping
from typing import Final

import segno
from aiohttp import web

from nbgate.keeper.factors import Enrolment
from nbgate.model.account import User
from nbgate.model.session import Session
from nbgate.web.answers import see_other
from nbgate.web.asking import HOME, host_of
from nbgate.web.bodies import BodyError, read_form, typed_code
from nbgate.web.codes import show_codes
from nbgate.web.desk import TOTP_PAGE, Desk, Problem, confirm_fields
from nbgate.web.login import set_new_device

BEGIN_FORM: Final = "totp-begin"
CONFIRM_FORM: Final = "totp-confirm"
REMOVE_FORM: Final = "totp-remove"
QUIET_MODULES: Final = 4  # the white edge that ISO 18004 asks for: the page around it may be dark
_FIELDS: Final = confirm_fields("act")
_WRONG_CODE: Final = (
    "This code is not the right one. Type the number that the app shows now. If it stays wrong, look whether the "
    "phone's clock is right."
)
_OVER: Final = Problem(410, "That took more than ten minutes, so the key is void. Begin again.")
_REQUIRED: Final = Problem(403, "This gateway asks you for a code: it cannot be switched off.")


def add_totp(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    page = _TotpPage(desk)
    app.router.add_get(TOTP_PAGE, desk.for_person(page.show))
    app.router.add_post(TOTP_PAGE, desk.for_person(page.change))


def picture_of(uri: str) -> str:
    """Return the QR code of `uri` as the address of an image that holds itself."""
    made = segno.make_qr(uri, error="m", boost_error=False)
    return made.svg_data_uri(border=QUIET_MODULES, light="#fff", scale=4, xmldecl=False, omitsize=True)


def in_groups(secret: str) -> str:
    """Return a secret as people type it: in groups of four."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


class _TotpPage:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keeper = desk.keeper

    async def show(self, request: web.Request, session: Session) -> web.Response:
        return await self._page(request, session, removing="remove" in request.query)

    async def change(self, request: web.Request, session: Session) -> web.Response:
        """Begin, confirm, or take the code away."""
        form = await read_form(request, _FIELDS)
        match form["act"]:
            case "begin":
                return await self._begin(request, session, form)
            case "confirm":
                return await self._confirm(request, session, form)
            case "remove":
                return await self._remove(request, session, form)
        raise BodyError(400, "unknown act")

    async def _begin(self, request: web.Request, session: Session, form: Mapping[str, str]) -> web.Response:
        async def begin() -> Enrolment:
            return self._keeper.factors.begin_totp(session.user, host_of(request))

        begun = await self._desk.change(request, session, BEGIN_FORM, form, begin)
        if isinstance(begun, Problem):
            return await self._page(request, session, begun)
        return self._picture(request, session, begun)

    async def _confirm(self, request: web.Request, session: Session, form: Mapping[str, str]) -> web.Response:
        """Switch the code on. Only who was shown the picture, after their password, has this form's token."""
        refused = self._desk.judge_form(session, CONFIRM_FORM, form)
        if refused is not None:  # before anything is shown: the picture holds the secret
            return await self._page(request, session, refused)
        enrolment = self._keeper.factors.pending(session.user)
        if enrolment is None:
            return await self._page(request, session, _OVER)
        factors, code = self._keeper.factors, typed_code(form)
        made = await self._desk.act(
            session,
            CONFIRM_FORM,
            form,
            lambda: factors.confirm_totp(session.user, code, session.user, keep=session.id),
            rejected=_WRONG_CODE,
        )
        if isinstance(made, Problem):
            return self._picture(request, session, enrolment, made)
        answer = show_codes(self._desk, request, session, made, is_first=True)
        set_new_device(self._desk, request, session, answer)
        return answer

    async def _remove(self, request: web.Request, session: Session, form: Mapping[str, str]) -> web.Response:
        user = await self._keeper.accounts.get(session.user)
        if user is not None and self._keeper.is_second_factor_required(user):
            return await self._page(request, session, _REQUIRED)
        removed = await self._desk.change(
            request,
            session,
            REMOVE_FORM,
            form,
            lambda: self._keeper.factors.remove_totp(session.user, session.user, keep=session.id),
        )
        if isinstance(removed, Problem):
            return await self._page(request, session, removed, removing=True)
        answer = see_other(f"{HOME}?done=totp-off")
        set_new_device(self._desk, request, session, answer)
        return answer

    def _picture(
        self, request: web.Request, session: Session, enrolment: Enrolment, problem: Problem | None = None
    ) -> web.Response:
        return self._desk.show(
            request,
            session,
            "totp_confirm.html",
            problem,
            picture=picture_of(enrolment.uri),
            uri=enrolment.uri,
            secret=in_groups(enrolment.secret),
            form_token=self._desk.token(session, CONFIRM_FORM),
        )

    async def _page(
        self, request: web.Request, session: Session, problem: Problem | None = None, *, removing: bool = False
    ) -> web.Response:
        user: User | None = await self._keeper.accounts.get(session.user)
        has_totp = user is not None and bool(user.totp)
        is_required = user is not None and self._keeper.is_second_factor_required(user)
        is_removing = removing and has_totp and not is_required
        return self._desk.show(
            request,
            session,
            "totp.html",
            problem,
            has_totp=has_totp,
            is_required=is_required,
            removing=is_removing,
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, REMOVE_FORM if is_removing else BEGIN_FORM),
        )
