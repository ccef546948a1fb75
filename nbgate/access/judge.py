"""What a live session may do at a notebook server: role, token, allow list, second factor. Pure.

It serves nothing; the keeper's own pages judge people for themselves, and here is only said what a token may have of
them (`judge_token`). Checked from the top:

| session              | request                              | answer                  |
| -------------------- | ------------------------------------ | ----------------------- |
| token: routes-admin  | any                                  | TOKEN_SCOPE             |
| token: read          | all but GET, HEAD without an effect  | TOKEN_SCOPE             |
| token for routes     | to another route                     | TOKEN_SCOPE             |
| any                  | to a route whose allow list has not  | NOT_ALLOWED (1)         |
|                      | its user                             |                         |
| of an auditor        | any                                  | ROLE                    |
| of a viewer          | all but GET, HEAD without an effect  | ROLE                    |
| a login of a role    | any                                  | SECOND_FACTOR_REQUIRED  |
| that needs a second  |                                      | (2)                     |
| factor, without one  |                                      |                         |
| any                  | any                                  | None                    |

(1) Owners too: an allow list says whose notebooks these are, not who runs the gateway.
(2) A token was made by somebody who had to prove it.

A websocket is no reading, whatever its method: what is said on it executes.
"""

from nbgate.access.paths import FOR_TOKENS
from nbgate.model.route import Route
from nbgate.model.session import Role, Scope, Session
from nbgate.reasons import Reason

_READS = frozenset({"GET", "HEAD"})
# Looking a member up costs more than comparing with it, and this runs for every request.
_AUDITOR, _VIEWER = Role.AUDITOR, Role.VIEWER
_LOGIN, _READ, _ROUTES_ADMIN = Scope.LOGIN, Scope.READ, Scope.ROUTES_ADMIN


def judge_access(
    session: Session,
    route: Route,
    *,
    method: str,
    websocket: bool,
    has_effect: bool,
    second_factor_roles: frozenset[str],
) -> Reason | None:
    """Say why `session` may not send this request to the notebook server of `route`; None means it may.

    Args:
        session: A live one.
        route: Where the request leads.
        method: Of the request.
        websocket: Whether it is a websocket handshake.
        has_effect: Whether reading there starts or runs something.
        second_factor_roles: Roles whose logins must have proven a second factor.
    """
    is_token = session.scope is not _LOGIN
    reads = method in _READS and not websocket and not has_effect
    if is_token and not _is_in_scope(session, route, reads=reads):
        return Reason.TOKEN_SCOPE
    if route.allowed and session.user not in route.allowed:
        return Reason.NOT_ALLOWED
    role = session.role
    if role is _AUDITOR or (role is _VIEWER and not reads):
        return Reason.ROLE
    if second_factor_roles and role in second_factor_roles and not (is_token or session.has_second_factor):
        return Reason.SECOND_FACTOR_REQUIRED
    return None


def judge_token(session: Session, own: tuple[str, ...], method: str) -> Reason | None:
    """Say why the token of `session` may not have one of our own addresses; None means it may (`FOR_TOKENS`).

    Args:
        session: A live one.
        own: Where it is among our own addresses (`nbgate.access.paths.own_path`).
        method: Of the request.
    """
    row = next((row for row in FOR_TOKENS if row.segments == own), None)
    if row is None or session.scope not in row.scopes or (row.methods and method not in row.methods):
        return Reason.TOKEN_SCOPE
    if row.for_owners and session.routes:  # whoever may reach one server could mount it where it reaches others
        return Reason.TOKEN_SCOPE
    return Reason.ROLE if row.for_owners and session.role is not Role.OWNER else None


def _is_in_scope(session: Session, route: Route, *, reads: bool) -> bool:
    if session.scope is _ROUTES_ADMIN or (session.scope is _READ and not reads):
        return False
    return not session.routes or f"{route.host}{route.prefix}" in session.routes
