"""What the command line is told of accounts, sessions, tokens, routes and penalties: values for JSON, no secrets.

Pure. The command line uses it too, where it looks into the store by itself.
"""

import math
from typing import Any

from nbgate.audit.events import timestamp
from nbgate.keeper.route_list import ListedRoute
from nbgate.keeper.users import Changed
from nbgate.model.account import StoredSession, User
from nbgate.model.penalty import Penalty


def user_value(user: User) -> dict[str, Any]:
    """Return what is told of an account."""
    return {
        "name": user.name,
        "disabled": user.disabled,
        "role": user.role.value,
        "factors": [*(["password"] if user.password_hash else []), *(["totp"] if user.totp else [])],
        "recovery_codes": len(user.recovery),
        "created": timestamp(user.created_unix),
    }


def changed_value(changed: Changed) -> dict[str, Any]:
    """Return what is told of a change of an account."""
    return {"user": changed.user, "message": changed.message, "ended_sessions": changed.ended_sessions}


def session_value(stored: StoredSession, channels: int) -> dict[str, Any]:
    """Return what is told of a login; `channels`: how many notebooks, consoles and terminals are open in it."""
    session = stored.session
    return {
        "id": session.label,
        "user": session.user,
        "role": session.role.value,
        "factors": list(session.factors),
        "browser": stored.label,
        "address": stored.client,
        "created": timestamp(session.created_unix),
        "last_activity": timestamp(stored.last_seen_unix),
        "ends": timestamp(session.absolute_unix),
        "channels": channels,
    }


def token_value(stored: StoredSession) -> dict[str, Any]:
    """Return what is told of a token."""
    session = stored.session
    return {
        "id": session.label,
        "user": session.user,
        "name": stored.label,
        "scope": session.scope.value,
        "routes": list(session.routes),
        "created": timestamp(session.created_unix),
        "last_activity": timestamp(stored.last_seen_unix),
        "ends": timestamp(session.absolute_unix),
    }


def route_value(route: ListedRoute) -> dict[str, Any]:
    """Return what is told of a route."""
    return {
        "at": route.at,
        "upstream": route.upstream,
        "base_url": route.base_url,
        "source": route.source.value,
        "product": route.product,
        "condition": route.condition.value,
        "since": timestamp(route.since_unix) if route.since_unix else None,
        "allow": list(route.allow),
        "hint": route.hint,
    }


def penalty_value(penalty: Penalty, now_monotonic: float) -> dict[str, Any]:
    """Return what is told of a penalty: the whole seconds that are left of it."""
    return {"netblock": penalty.netblock, "seconds": max(0, math.ceil(penalty.until_monotonic - now_monotonic))}
