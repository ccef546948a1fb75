"""The account page: where somebody is signed in, what happened lately, and the way to change how they sign in.

Ending a sign-in asks for the password again: a stolen browser must not put its owner out. Nobody ends anybody else's.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from nbgate.keeper.account_changes import AccountError
from nbgate.keeper.notices import Notice
from nbgate.model.session import Session
from nbgate.reasons import Reason
from nbgate.web.answers import see_other
from nbgate.web.asking import HOME
from nbgate.web.bodies import read_form
from nbgate.web.desk import Desk, Problem, confirm_fields
from nbgate.web.lists import NOTICES, ROLES, SessionRow, logins_of, session_rows, tokens_of
from nbgate.web.words import Moment, count

END_FORM: Final = "end-session"
END_OTHERS_FORM: Final = "end-other-sessions"
OTHERS: Final = "others"
_FIELDS: Final = confirm_fields("end")
_GONE: Final = Problem(404, "This sign-in has ended already.")


def add_account(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    account = _Account(desk)
    app.router.add_get(HOME, desk.for_person(account.show))
    app.router.add_post(HOME, desk.for_person(account.end))


class _Account:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keeper = desk.keeper

    async def show(self, request: web.Request, session: Session) -> web.Response:
        """Show the overview, or the question whether a sign-in shall end."""
        if "end" in request.query:
            return await self._ask(request, session, request.query["end"])
        return await self._overview(request, session)

    async def end(self, request: web.Request, session: Session) -> web.Response:
        """End one sign-in, or all but the one that asks."""
        form = await read_form(request, _FIELDS)
        if form["end"] == OTHERS:
            done = await self._end_others(request, session, form)
        else:
            row = self._find(session, form["end"])
            if row is None:
                return await self._overview(request, session, _GONE)
            done = await self._end_one(request, session, form, row)
        if isinstance(done, Problem):
            return await self._ask(request, session, form["end"], done)
        return see_other(f"{HOME}?ended={done}")

    async def _end_others(self, request: web.Request, session: Session, form: Mapping[str, str]) -> int | Problem:
        return await self._desk.change(
            request,
            session,
            END_OTHERS_FORM,
            form,
            lambda: self._keeper.revoke_user(session.user, session.user, keep=session.id),
        )

    async def _end_one(
        self, request: web.Request, session: Session, form: Mapping[str, str], row: SessionRow
    ) -> int | Problem:
        async def end() -> int:
            found = tuple(each.session for each in self._keeper.sessions_of(session.user))
            wanted = tuple(each for each in found if each.label == row.id and not each.is_token)
            await self._keeper.revoke(wanted, Reason.SESSION_REVOKED, session.user)
            return len(wanted)

        return await self._desk.change(request, session, END_FORM, form, end)

    def _rows(self, session: Session) -> tuple[SessionRow, ...]:
        stored = self._keeper.sessions_of(session.user)
        return session_rows(stored, self._keeper, self._desk.moment, session.id)

    def _find(self, session: Session, label: str) -> SessionRow | None:
        return next((row for row in logins_of(self._rows(session)) if row.id == label and not row.is_here), None)

    async def _ask(
        self, request: web.Request, session: Session, wanted: str, problem: Problem | None = None
    ) -> web.Response:
        row = None if wanted == OTHERS else self._find(session, wanted)
        if row is None and wanted != OTHERS:
            return await self._overview(request, session, _GONE)
        return self._desk.show(
            request,
            session,
            "account_end.html",
            problem,
            row=row,
            others=[each for each in logins_of(self._rows(session)) if not each.is_here],
            end=wanted,
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, END_OTHERS_FORM if row is None else END_FORM),
        )

    async def _overview(self, request: web.Request, session: Session, problem: Problem | None = None) -> web.Response:
        user = await self._keeper.accounts.get(session.user)
        if user is None:  # removed this moment: the session is over too
            raise AccountError(404, "this account is gone", "")
        rows = self._rows(session)
        notices = await self._keeper.notices.of(session.user)
        return self._desk.show(
            request,
            session,
            "account.html",
            problem,
            said_role=ROLES[session.role],
            notices=[self._said(each) for each in notices],
            logins=logins_of(rows),
            tokens=len(tokens_of(rows)),
            has_password=bool(user.password_hash),
            has_totp=bool(user.totp),
            codes_left=len(user.recovery),
            must_have_totp=self._keeper.is_second_factor_required(user),
            by_link=not (await self._desk.needs(session)).password and bool(user.password_hash),
            ended=request.query.get("ended"),
            done=request.query.get("done", ""),
        )

    def _said(self, notice: Notice) -> tuple[Moment, str, str, str]:
        """Return when it was, what, from where, and how often if it was more than once: in words."""
        times = count(notice.count, "time") if notice.count > 1 else ""
        return self._desk.moment(notice.at_unix), NOTICES.get(notice.message, notice.message), notice.client, times
