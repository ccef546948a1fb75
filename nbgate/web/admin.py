"""The page of the gateway's owners: its notebook servers, accounts, sign-ins, and networks that are refused just now.

It ends sign-ins and clears penalties, each after the owner's password; servers have a page of their own. Accounts are
made and changed on the command line: whoever takes over a browser must not make another owner.
"""

from typing import Final

from aiohttp import web
from msgspec import Struct

from nbgate.model.account import User
from nbgate.model.penalty import Penalty
from nbgate.model.session import Session
from nbgate.web.admin_routes import ADMIN_PAGE, MAX_SHOWN, route_rows
from nbgate.web.answers import see_other
from nbgate.web.bodies import Fields, read_form
from nbgate.web.desk import Desk, Problem, confirm_fields
from nbgate.web.lists import ROLES, SessionRow, session_rows
from nbgate.web.words import count, span

ACTS: Final = ("end", "end-user", "clear")
ALL: Final = "all"
_FIELDS: Final = Fields(confirm_fields().required | {"act", "which"}, confirm_fields().optional)
_GONE: Final = Problem(404, "That is over already. This is how things are now.")


class UserRow(Struct, frozen=True):
    """One account as the page shows it."""

    name: str
    role: str
    state: str
    factors: str
    sessions: int
    tokens: int


class PenaltyRow(Struct, frozen=True):
    """One network that is refused, and for how long yet."""

    netblock: str
    left: str


def add_admin(app: web.Application, desk: Desk) -> None:
    """Add the page to the application of the own pages."""
    admin = _Admin(desk)
    app.router.add_get(ADMIN_PAGE, desk.for_owner(admin.show))
    app.router.add_post(ADMIN_PAGE, desk.for_owner(admin.change))


class _Admin:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keeper = desk.keeper

    async def show(self, request: web.Request, session: Session) -> web.Response:
        """Show everything, or the question whether one thing shall happen."""
        act = next((act for act in ACTS if act in request.query), None)
        if act is None:
            return await self._overview(request, session)
        return await self._ask(request, session, act, request.query[act])

    async def change(self, request: web.Request, session: Session) -> web.Response:
        """End a sign-in or a token, end all of a user's sign-ins, or clear penalties."""
        form = await read_form(request, _FIELDS)
        act, which = form["act"], form["which"]
        if not await self._is_there(act, which):
            return await self._overview(request, session, _GONE)
        done = await self._desk.change(request, session, f"admin-{act}", form, lambda: self._do(session, act, which))
        if isinstance(done, Problem):
            return await self._ask(request, session, act, which, done)
        return see_other(f"{ADMIN_PAGE}?done={act}")

    async def _do(self, session: Session, act: str, which: str) -> None:
        match act:
            case "end":
                await self._keeper.revoke_named(which, session.user)
            case "end-user":
                await self._keeper.revoke_user(which, session.user)
            case _:
                await self._keeper.penalties.clear(None if which == ALL else which, session.user)

    async def _is_there(self, act: str, which: str) -> bool:
        match act:
            case "end":
                return any(row.id == which for row in self._rows())
            case "end-user":
                return await self._keeper.accounts.get(which) is not None
            case "clear":
                return which == ALL or any(row.netblock == which for row in self._penalties())
            case _:
                return False

    def _rows(self, session: Session | None = None) -> tuple[SessionRow, ...]:
        here = b"" if session is None else session.id
        return session_rows(self._keeper.sessions_of(None), self._keeper, self._desk.moment, here)

    def _penalties(self) -> list[PenaltyRow]:
        now = self._desk.clock.monotonic()
        return [_penalty_row(each, now) for each in self._keeper.penalties.shown()]

    async def _ask(
        self, request: web.Request, session: Session, act: str, which: str, problem: Problem | None = None
    ) -> web.Response:
        if not await self._is_there(act, which):
            return await self._overview(request, session, _GONE)
        rows = self._rows(session)
        return self._desk.show(
            request,
            session,
            "admin_confirm.html",
            problem,
            act=act,
            which=which,
            row=next((row for row in rows if row.id == which), None),
            of_user=sum(row.user == which and not row.is_token for row in rows),
            needs=await self._desk.needs(session),
            form_token=self._desk.token(session, f"admin-{act}"),
        )

    async def _overview(self, request: web.Request, session: Session, problem: Problem | None = None) -> web.Response:
        rows = self._rows(session)
        users = await self._keeper.accounts.all()
        servers = route_rows(self._desk)
        return self._desk.show(
            request,
            session,
            "admin.html",
            problem,
            servers=servers[:MAX_SHOWN],
            more=max(0, len(servers) - MAX_SHOWN),
            users=[_user_row(each, rows, must=self._keeper.is_second_factor_required(each)) for each in users],
            penalties=self._penalties(),
            rows=rows,
            done=request.query.get("done", ""),
        )


def _user_row(user: User, rows: tuple[SessionRow, ...], *, must: bool) -> UserRow:
    of_user = [row.is_token for row in rows if row.user == user.name]
    return UserRow(
        name=user.name,
        role=ROLES[user.role],
        state="shut out" if user.disabled else "may sign in",
        factors=_factors(user, must=must),
        sessions=of_user.count(False),
        tokens=of_user.count(True),
    )


def _factors(user: User, *, must: bool) -> str:
    if not user.totp:
        return "password; a code is required and not set up yet" if must else "password"
    left = count(len(user.recovery), "recovery code")
    return f"{'password and code' if user.password_hash else 'code alone'}, {left} left"


def _penalty_row(penalty: Penalty, now_monotonic: float) -> PenaltyRow:
    return PenaltyRow(penalty.netblock, span(penalty.until_monotonic - now_monotonic))
