"""Which session a request claims: what a cookie or a token names. Knows no table of sessions, and prints nothing of it.

A person's browser shows a cookie, a program a token of ours: in `Authorization` (`token X` or `Bearer X`), or, where a
program cannot send headers with it, as `?token=X` of a websocket handshake. Whatever else stands in `Authorization` is
for somebody else and counts nothing. Both at once is nobody's honest request.
"""

from urllib.parse import unquote_plus

from msgspec import Struct

from nbgate.crypto.api_tokens import PREFIX, parse_api_token
from nbgate.crypto.devices import is_shaped_as_device_cookie
from nbgate.crypto.tokens import parse_session_token
from nbgate.http.cookies import Lookup, device_cookie_name, find_one, parse_cookies, session_cookie_name
from nbgate.http.head import Fields
from nbgate.reasons import Reason

_SCHEMES = frozenset({"bearer", "token"})
_PARAMETER = "token"


class Claim(Struct, frozen=True, gc=False):
    """What a request shows.

    Attributes:
        key: The digest that finds its session; empty: there is none to find.
        reason: Why it has no session, where that is not the table's to say.
        is_token: It shows a token.
    """

    key: bytes = b""
    reason: Reason = Reason.LOGIN_REQUIRED
    is_token: bool = False


NOTHING = Claim()


def claim_of(fields: Fields, query: str = "") -> Claim:
    """Return what a header block claims.

    A cookie's name that comes twice is refused: a cookie set by another page of this host may not choose the session
    (T16). So are two different tokens, and a token that is none, however much it looks like one.

    Args:
        fields: The header block.
        query: Of the target, where a token may stand there; without its "?".
    """
    cookie = _find_cookie(fields)
    tokens = _tokens(fields, query)
    if tokens:
        if cookie is not Lookup.ABSENT:
            return Claim(reason=Reason.TOKEN_WITH_COOKIE, is_token=True)
        key = parse_api_token(tokens.pop()) if len(tokens) == 1 else None
        return Claim(key or b"", Reason.TOKEN_INVALID, is_token=True)
    match cookie:
        case Lookup.ABSENT:
            return NOTHING
        case Lookup.REPEATED:
            return Claim(reason=Reason.DUPLICATE_COOKIE)
        case _:
            return Claim(parse_session_token(cookie) or b"", Reason.SESSION_ENDED)


def device_cookie_of(fields: Fields) -> str:
    """Return what could be a device cookie of this request, "" without one; only the keeper can tell whether it is."""
    if fields.cookie is None:
        return ""
    found = find_one(parse_cookies(fields.cookie), device_cookie_name(fields.host))
    return found if isinstance(found, str) and is_shaped_as_device_cookie(found) else ""


def _find_cookie(fields: Fields) -> str | Lookup:
    if fields.cookie is None:
        return Lookup.ABSENT
    return find_one(parse_cookies(fields.cookie), session_cookie_name(fields.host))


def _tokens(fields: Fields, query: str) -> set[str]:
    """Return everything in the places for a token that looks like one of ours."""
    shown = []
    if fields.authorization is not None:
        scheme, _, credential = fields.authorization.partition(" ")
        if scheme.lower() in _SCHEMES:
            shown.append(credential.strip(" \t"))
    if query:
        pairs = (parameter.partition("=") for parameter in query.split("&"))
        shown += [unquote_plus(value) for name, _, value in pairs if unquote_plus(name).strip() == _PARAMETER]
    return {text for text in shown if text.startswith(PREFIX)}
