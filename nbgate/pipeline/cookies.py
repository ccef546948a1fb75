"""Which session a request claims: read once per distinct Cookie header. Knows no table of sessions."""

from nbgate.crypto.tokens import parse_session_token
from nbgate.http.cookies import find_cookies, parse_cookies, session_cookie_name
from nbgate.http.head import Fields
from nbgate.reasons import Reason


def session_id_of(fields: Fields) -> bytes | Reason | None:
    """Return the session id in the request's cookie, None without such a cookie, or why it cannot be used.

    A name that comes twice is refused: a cookie set by another page of this host may not choose the session (T16).
    """
    if fields.cookie is None:
        return None
    found = find_cookies(parse_cookies(fields.cookie), session_cookie_name(fields.host))
    if not found:
        return None
    if len(found) > 1:
        return Reason.DUPLICATE_COOKIE
    return parse_session_token(found[0]) or Reason.SESSION_ENDED
