"""What the page groups share: who is signed in, form tokens, the question for the password again, failures in words.

It decides nothing about credentials: the keeper does, and whatever it raises becomes a `Problem` that a page shows.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from nbgate.clock import Clock
from nbgate.crypto.tokens import new_form_token, verify_form_token
from nbgate.errors import CredentialRejected, LockedDown, LoginBusy, LoginThrottled, NbgateError
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.links import is_fresh_from_link
from nbgate.keeper.server import request_id
from nbgate.keeper.snapshots import owners_of
from nbgate.model.session import Role, Session
from nbgate.web.answers import Pages, json_error, see_other
from nbgate.web.asking import client_of, host_of, is_navigation, session_id_of
from nbgate.web.bodies import BodyError, Fields, typed_code
from nbgate.web.words import Moment, moment, sentence, span

T = TypeVar("T")
PersonHandler = Callable[[web.Request, Session], Awaitable[web.StreamResponse]]

LOGIN_PAGE: Final = "/_nbgate/login"
TOTP_PAGE: Final = "/_nbgate/account/totp"
_DESTINATION: Final = "Sec-Fetch-Dest"  # what a browser asks for; it lets no script say this
_DOCUMENT: Final = "document"
CONFIRM: Final = frozenset({"form_token"}), frozenset({"password", "code"})
"""The fields of a form that asks for the password again: those it must have, and those it may."""

_TOO_OLD: Final = "This page was too old. Look whether all is as you want it, and press the button once more."
REJECTED: Final = "The password or the code is wrong. Nothing was changed. If you typed a code, wait for the next one."
_ENDED: Final = "You were signed out in the meantime. Nothing was changed."
_BUSY: Final = "Too many passwords are being checked right now. Nothing was changed. Try again in a few seconds."
_BROKEN: Final = "That did not work just now. Look whether anything has changed, and try again in a few seconds."
RETRY_SECONDS: Final = 3


class Problem(Struct, frozen=True):
    """Why a form did not do what it says, in words; `retry_seconds`: when it might, 0 where waiting does not help."""

    status: int
    text: str
    retry_seconds: int = 0


class Needs(Struct, frozen=True):
    """What a change asks for again: a person proves what they have, and nothing for a moment after a sign-in link."""

    password: bool
    code: bool


class Desk:
    """One for all pages."""

    def __init__(self, keeper: Keeper, pages: Pages, clock: Clock) -> None:
        self.keeper = keeper
        self.pages = pages
        self.clock = clock

    # who

    def session(self, request: web.Request) -> Session | None:
        """Return the live session that the worker found; it may have ended since."""
        return self.keeper.find_session(session_id_of(request))

    def for_person(self, handler: PersonHandler) -> Handler:
        """Return `handler` for somebody signed in; a token is a program's, and anybody else goes to sign in."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if request.headers.get(_DESTINATION, _DOCUMENT) != _DOCUMENT:  # its answer would show it a form token (T22)
                return json_error(403, "this page is for people")
            session = self.session(request)
            if session is not None and not session.is_token:
                return await handler(request, session)
            if not is_navigation(request):
                return json_error(401, "login required")
            return see_other(LOGIN_PAGE)

        return guarded

    def for_owner(self, handler: PersonHandler) -> Handler:
        """Return `handler` for owners; everybody else is told that the page is not theirs."""

        async def guarded(request: web.Request, session: Session) -> web.StreamResponse:
            if session.role is not Role.OWNER:
                return await self._refuse_stranger(request)
            if await self.lacks_code(session):
                return see_other(TOTP_PAGE)
            return await handler(request, session)

        return self.for_person(guarded)

    async def _refuse_stranger(self, request: web.Request) -> web.Response:
        if not is_navigation(request):
            return json_error(403, "this page is for owners")
        owners = ", ".join(owners_of(await self.keeper.accounts.all()))
        whom = self.keeper.config.contact or f"an owner: {owners}"
        text = f"This page is for the owners of the gateway. Ask {whom}."
        heading = "Not allowed"
        return self.pages.answer("error.html", 403, heading=heading, text=text, request_id=request_id(request))

    # pages

    def moment(self, unix: float) -> Moment:
        """Return a time in words."""
        return moment(unix, self.clock.unix())

    def show(
        self, request: web.Request, session: Session, template: str, problem: Problem | None = None, **values: Any
    ) -> web.Response:
        """Return a page for somebody signed in, with what went wrong, if anything did."""
        return self.answer(request, template, problem, user=session.user, role=session.role.value, **values)

    def answer(
        self, request: web.Request, template: str, problem: Problem | None = None, **values: Any
    ) -> web.Response:
        """Return a page with what went wrong, if anything did, and when to try again."""
        answer = self.pages.answer(
            template,
            200 if problem is None else problem.status,
            host=host_of(request),
            problem="" if problem is None else problem.text,
            **values,
        )
        if problem is not None and problem.retry_seconds:
            answer.headers["Retry-After"] = str(problem.retry_seconds)
        return answer

    async def needs(self, session: Session) -> Needs:
        """Return what a change by this person asks for."""
        if is_fresh_from_link(session, self.clock.unix()):
            return Needs(password=False, code=False)
        user = await self.keeper.accounts.get(session.user)
        return Needs(password=user is None or bool(user.password_hash), code=user is not None and bool(user.totp))

    async def lacks_code(self, session: Session) -> bool:
        """Say whether this gateway asks the person for a second factor, which this sign-in has not proven."""
        if session.has_second_factor:
            return False
        user = await self.keeper.accounts.get(session.user)
        return user is None or self.keeper.is_second_factor_required(user)

    # changes

    def judge_form(self, session: Session, purpose: str, form: Mapping[str, str]) -> Problem | None:
        """Say why a form may do nothing: it is not one that was shown to this session, or that is over by now."""
        try:
            verify_form_token(self.keeper.form_key, purpose, session.id, form["form_token"])
        except CredentialRejected:
            return Problem(403, _TOO_OLD)
        if self.keeper.find_session(session.id) is None:  # it ended while the body was on its way
            return Problem(401, _ENDED)
        return None

    def token(self, session: Session, purpose: str) -> str:
        """Return the token of a form that does `purpose` for this session."""
        return new_form_token(self.keeper.form_key, purpose, session.id)

    async def change(
        self,
        request: web.Request,
        session: Session,
        purpose: str,
        form: Mapping[str, str],
        doing: Callable[[], Awaitable[T]],
    ) -> T | Problem:
        """Do what a form says, after its token and the person's password were judged; or say why it was not done."""

        async def confirmed() -> T:
            await self.keeper.confirm(session, form.get("password", ""), typed_code(form), client_of(request))
            return await doing()

        return await self.act(session, purpose, form, confirmed)

    async def act(
        self,
        session: Session,
        purpose: str,
        form: Mapping[str, str],
        doing: Callable[[], Awaitable[T]],
        rejected: str = REJECTED,
    ) -> T | Problem:
        """Do what a form says, after its token was judged; or say why it was not done."""
        refused = self.judge_form(session, purpose, form)
        if refused is not None:
            return refused
        try:
            return await doing()
        except NbgateError as error:
            return problem_of(error, rejected)


def confirm_fields(*required: str, optional: tuple[str, ...] = ()) -> Fields:
    """Return the fields of a form that asks for the password again, and for these."""
    return Fields(CONFIRM[0] | frozenset(required), CONFIRM[1] | frozenset(optional))


def problem_of(error: NbgateError, rejected: str = REJECTED) -> Problem:
    """Return what a person is told; `rejected` where a credential was wrong."""
    match error:
        case BodyError():
            raise error
        case CredentialRejected():
            return Problem(403, rejected)
        case LoginThrottled(retry_seconds=seconds):
            return throttled(seconds)
        case LoginBusy():
            return Problem(503, _BUSY, RETRY_SECONDS)
        case _ if error.status < 500 or isinstance(error, LockedDown):
            return Problem(error.status, sentence(error.public, error.hint))
        case _:
            return Problem(503, _BROKEN, RETRY_SECONDS)


def throttled(seconds: float) -> Problem:
    """Return when to try again."""
    wait = max(1, math.ceil(seconds))
    return Problem(429, f"Too many attempts. Wait {span(wait)}, then try again; trying earlier does not help.", wait)
