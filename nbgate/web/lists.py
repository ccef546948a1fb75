"""Sessions and tokens as rows that a page shows. Words only: nothing here ends or checks anything."""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from nbgate.keeper.keeper import Keeper
from nbgate.keeper.links import LINK_FACTOR
from nbgate.keeper.notices import NEW_NETWORK, RECOVERY_USED, WRONG_CODE, WRONG_IN_SESSION
from nbgate.model.account import StoredSession
from nbgate.model.session import Role, Scope
from nbgate.web.words import Moment, count

Say = Callable[[float], Moment]

ROLES: Final = {
    Role.OWNER: "owner",
    Role.EDITOR: "editor",
    Role.VIEWER: "viewer (reads only)",
    Role.AUDITOR: "auditor (no notebooks)",
}
SCOPES: Final = {
    Scope.READ: "read notebooks and files",
    Scope.EXECUTE: "read, write and run",
    Scope.ROUTES_ADMIN: "change which notebook servers are reached",
    Scope.ALL: "everything you may do",
}
"""What a token may be used for."""

NOTICES: Final = {
    NEW_NETWORK: "Signed in from a network that was new",
    RECOVERY_USED: "Signed in with a recovery code, which is used up now",
    WRONG_CODE: "The password was right and the code was wrong: unless that was you, somebody knows your password",
    WRONG_IN_SESSION: "A wrong password or code was typed in a browser where you are signed in: unless that was you, "
    "somebody else uses it",
}

_FACTORS: Final = {
    "password": "password",
    "totp": "code from a phone",
    "recovery": "recovery code",
    LINK_FACTOR: "sign-in link",
}


class SessionRow(Struct, frozen=True):
    """One place where somebody is signed in, or one token.

    Attributes:
        id: What a form calls it by: the twelve digits that lists and the audit show too.
        device: The browser and system in words, or a token's name.
        proven: How the person signed in, or what a token may do.
        notebooks: Notebooks, consoles and terminals open in it, in words.
        is_here: It is the one that asks.
    """

    id: str
    user: str
    device: str
    client: str
    proven: str
    since: Moment
    seen: Moment
    until: Moment
    notebooks: str
    routes: tuple[str, ...]
    is_token: bool
    is_here: bool


def session_rows(
    stored: Iterable[StoredSession], keeper: Keeper, say: Say, here: bytes = b""
) -> tuple[SessionRow, ...]:
    """Return a row for each, in their order; `here` is the id of the session that asks."""
    return tuple(_row(each, keeper.channels(each.session.id), say, here) for each in stored)


def tokens_of(rows: Iterable[SessionRow]) -> list[SessionRow]:
    """Return the rows of tokens."""
    return [row for row in rows if row.is_token]


def logins_of(rows: Iterable[SessionRow]) -> list[SessionRow]:
    """Return the rows of logins, the one that asks first."""
    return sorted((row for row in rows if not row.is_token), key=lambda row: not row.is_here)


def _row(stored: StoredSession, channels: int, say: Say, here: bytes) -> SessionRow:
    session = stored.session
    unnamed = "A token without a name" if session.is_token else "An unknown browser"
    return SessionRow(
        id=session.label,
        user=session.user,
        device=stored.label or unnamed,
        client=stored.client or "unknown",
        proven=SCOPES[session.scope] if session.is_token else _proven(session.factors),
        since=say(session.created_unix),
        seen=say(stored.last_seen_unix),
        until=say(session.absolute_unix),
        notebooks=count(channels, "notebook or terminal", "notebooks or terminals") if channels else "nothing",
        routes=session.routes,
        is_token=session.is_token,
        is_here=session.id == here,
    )


def _proven(factors: tuple[str, ...]) -> str:
    return " and ".join(_FACTORS.get(factor, factor) for factor in factors)
