"""The page that changes somebody's own password. What may be one, `nbgate.crypto.passwords` says."""

import asyncio
from typing import Final

from aiohttp import web
from msgspec import Struct

from nbgate.crypto.passwords import MIN_PASSWORD_BYTES, judge_new_password
from nbgate.crypto.strength import estimate_strength
from nbgate.model.session import Session
from nbgate.web.answers import see_other
from nbgate.web.asking import HOME
from nbgate.web.bodies import read_form
from nbgate.web.desk import Desk, Problem, confirm_fields
from nbgate.web.login import set_new_device

PASSWORD_PAGE: Final = "/_nbgate/account/password"  # noqa: S105 - a path
PASSWORD_FORM: Final = "password"  # noqa: S105 - a purpose
BAD_REQUEST: Final = 400
_FIELDS: Final = confirm_fields("new", "again", optional=("anyway",))


class NewPasswordProblem(Struct, frozen=True):
    """Why a new password was not taken; one that is only weak is taken from who means it."""

    text: str
    is_weak: bool = False


async def judge_chosen(name: str, password: str, again: str, *, is_meant: bool) -> NewPasswordProblem | None:
    """Say in words why `password` cannot be the new password of `name`; None means it can."""
    fault = judge_new_password(password)
    if fault is not None:
        return NewPasswordProblem(f"This password cannot be set: {fault.value}.")
    if password != again:
        return NewPasswordProblem("The two passwords differ. Type both once more.")
    strength = await asyncio.to_thread(estimate_strength, password, name)
    if strength.is_weak and not is_meant:
        return NewPasswordProblem(
            f"This password is weak: whoever steals its hash finds it in {strength.time}. Choose a longer one.",
            is_weak=True,
        )
    return None


def add_password(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    page = _PasswordPage(desk)
    app.router.add_get(PASSWORD_PAGE, desk.for_person(page.show))
    app.router.add_post(PASSWORD_PAGE, desk.for_person(page.change))


class _PasswordPage:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: web.Request, session: Session) -> web.Response:
        return await self._page(request, session)

    async def change(self, request: web.Request, session: Session) -> web.Response:
        """Set the new password and end all other sign-ins; first what can be judged without using up a code."""
        form = await read_form(request, _FIELDS)
        new = form["new"]
        fault = await judge_chosen(session.user, new, form["again"], is_meant="anyway" in form)
        if fault is not None:
            return await self._page(request, session, Problem(BAD_REQUEST, fault.text), is_weak=fault.is_weak)
        accounts = self._desk.keeper.accounts
        changed = await self._desk.change(
            request,
            session,
            PASSWORD_FORM,
            form,
            lambda: accounts.set_password(session.user, new, session.user, keep=session.id),
        )
        if isinstance(changed, Problem):
            return await self._page(request, session, changed)
        answer = see_other(f"{HOME}?done=password")
        set_new_device(self._desk, request, session, answer)
        return answer

    async def _page(
        self, request: web.Request, session: Session, problem: Problem | None = None, *, is_weak: bool = False
    ) -> web.Response:
        return self._desk.show(
            request,
            session,
            "password.html",
            problem,
            least=MIN_PASSWORD_BYTES,
            is_weak=is_weak,
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, PASSWORD_FORM),
        )
