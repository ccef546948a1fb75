"""Which session a request claims: read once per distinct header block. Knows no table of sessions."""

from nbgate.crypto.tokens import parse_session_token
from nbgate.http.cookies import Lookup, find_one, parse_cookies, session_cookie_name
from nbgate.http.head import Fields
from nbgate.reasons import Reason


def session_id_of(fields: Fields) -> bytes | Reason | None:
    """Return the session id in the request's cookie, None without such a cookie, or why it cannot be used.

    A name that comes twice is refused: a cookie set by another page of this host may not choose the session (T16).
    """
    if fields.cookie is None:
        return None
    found = find_one(parse_cookies(fields.cookie), session_cookie_name(fields.host))
    match found:
        case Lookup.ABSENT:
            return None
        case Lookup.REPEATED:
            return Reason.DUPLICATE_COOKIE
        case _:
            return parse_session_token(found) or Reason.SESSION_ENDED
