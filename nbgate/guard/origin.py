"""Judge whether a request comes from our own pages: the only defence against forged requests (T08, T18, T19).

The injected token switches the upstream's own checks off, so nothing behind this one catches what it lets through.
It reads no body, so it cannot judge a form token; it looks up no session.

The public origin is `https://` + Host (port 443 written or not is the same). Checked from the top, first match wins.
"own" = equal to the public origin, "foreign" = not equal, also when it is sent twice; "-" = not sent; SFS =
Sec-Fetch-Site; "side door" = SFS cross-site or same-site, and not (Sec-Fetch-Mode: navigate and Sec-Fetch-Dest:
document).

| request                        | Origin  | SFS         | Referer | else           | answer         |
| ------------------------------ | ------- | ----------- | ------- | -------------- | -------------- |
| preflight                      | not own | any         | any     |                | PREFLIGHT (0)  |
| not for own pages, no session  | any     | any         | any     |                | None (1)       |
| any; GET, HEAD: with data      | null    | any         | any     |                | ORIGIN_NULL    |
| any; GET, HEAD: with data      | foreign | any         | any     |                | CROSS_ORIGIN   |
| websocket                      | own     | any         | any     |                | None (2)       |
| websocket                      | -       | -           | own, -  | token          | None (5)       |
| websocket                      | -       | any         | any     |                | ORIGIN_MISSING |
| GET, HEAD, OPTIONS             | own, -  | side door   | any     | with data      | CROSS_SITE     |
| GET, HEAD, OPTIONS             | own, -  | -           | foreign | with data      | CROSS_SITE (3) |
| GET, HEAD, OPTIONS             | else    | else        | any     |                | None           |
| every other method             | own     | any         | any     |                | None (2)       |
| every other method             | -       | same-origin | any     |                | None           |
| every other method             | -       | any other   | any     |                | CROSS_SITE     |
| every other method             | -       | -           | own     | own page       | None           |
| every other method             | -       | -           | foreign |                | CROSS_SITE     |
| every other method             | -       | -           | -       | own page, JSON | None (4)       |
| every other method             | -       | -           | own, -  | token          | None (5)       |
| every other method             | -       | -           | own, -  | else           | ORIGIN_MISSING |

(0) OPTIONS with Access-Control-Request-Method: a browser asks for another site's script. No answer ever grants it.
(1) It gets no further than the question for a login, and 401 says more than 403.
(2) A browser cannot be made to lie in Origin; what it says in Sec-Fetch-Site on a handshake differs by browser.
(3) Old browsers, which would read another site's `<script src>` from us (CVE-2019-9644, CVE-2023-40170).
(4) Scripts. A foreign page cannot send JSON without a preflight, and none is ever granted.
(5) With a good token of ours, for a notebook server or the routes API. No browser sends one unasked, so nobody can be
    made to forge.

Sec-Fetch-Mode: no-cors proves nothing and is never read as same-origin (CVE-2026-40864).
"""

from nbgate.http.head import Fields
from nbgate.reasons import Reason

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_SITES = frozenset({"cross-site", "same-site"})
_SCHEME = "https://"


def judge_origin(
    *,
    method: str,
    websocket: bool,
    fields: Fields,
    has_session: bool,
    own_page: bool,
    has_data: bool,
    has_token: bool = False,
) -> Reason | None:
    """Say why the request must not be served to where it seems to come from; None means it may.

    Args:
        method: Of the request.
        websocket: Whether it is a websocket handshake.
        fields: Its header block, checked.
        has_session: Whether it came with a live session.
        own_page: Whether it is for nbgate's own pages.
        has_data: Whether its answer is data, or has an effect, though the method is safe.
        has_token: Whether its session is that of a token.

    Source: THREATS T08, T18, T19, T21 and "Decided since"; the table above.
    """
    if fields.preflight and method == "OPTIONS" and _judge_header(fields.origins, fields.host) is not None:
        return Reason.PREFLIGHT
    if not (has_session or own_page):
        return None
    safe = method in _SAFE and not websocket
    if fields.origins and (has_data or not safe or method == "OPTIONS"):
        reason = _judge_header(fields.origins, fields.host)
        if reason is not None or not safe:
            return reason
    if safe:
        return _judge_read(fields) if has_data else None
    if has_token and _is_of_no_other_page(fields):
        return None
    return Reason.ORIGIN_MISSING if websocket else _judge_write(fields, own_page=own_page)


def is_of_another_site(fields: Fields) -> bool:
    """Say whether a browser tells that another site's page made it ask: in Sec-Fetch-Site, or in Origin.

    A handshake of a websocket always has an Origin, and in some browsers nothing else.
    """
    return fields.fetch_site in _OTHER_SITES or any(not is_own_origin(origin, fields.host) for origin in fields.origins)


def judge_document(fields: Fields) -> Reason | None:
    """Say why an own HTML page must not be shown: script of an upstream's page must not fetch a form token (T22).

    A client that sends no Sec-Fetch-Dest is no browser of today, or an old one: it is let through.
    """
    return None if fields.fetch_dest in {None, "document"} else Reason.NOT_A_DOCUMENT


def is_own_origin(origin: str, host: str) -> bool:
    """Say whether `origin` is the public origin of `host`: same scheme, same name in any case, same port.

    Compared as a whole and never by beginning or end (CVE-2026-40110).
    """
    if not origin.startswith(_SCHEME) or not origin.isascii():
        return False
    return _without_default_port(origin[len(_SCHEME) :].lower()) == _without_default_port(host.lower())


def _without_default_port(authority: str) -> str:
    return authority.removesuffix(":443")


def _judge_header(origins: tuple[str, ...], host: str) -> Reason | None:
    if len(origins) != 1:
        return Reason.CROSS_ORIGIN
    if origins[0].lower() == "null":
        return Reason.ORIGIN_NULL
    return None if is_own_origin(origins[0], host) else Reason.CROSS_ORIGIN


def _judge_read(fields: Fields) -> Reason | None:
    if fields.fetch_site is None:
        foreign = fields.referer is not None and not _is_own_referer(fields.referer, fields.host)
        return Reason.CROSS_SITE if foreign else None
    a_link = fields.fetch_mode == "navigate" and fields.fetch_dest == "document"
    return Reason.CROSS_SITE if fields.fetch_site in _OTHER_SITES and not a_link else None


def _is_of_no_other_page(fields: Fields) -> bool:
    """Say whether nothing names a page that sent this, or only ours does; Origin was looked at before."""
    return fields.fetch_site is None and (fields.referer is None or _is_own_referer(fields.referer, fields.host))


def _judge_write(fields: Fields, *, own_page: bool) -> Reason | None:
    """Judge an unsafe method that came without Origin."""
    if fields.fetch_site is not None:
        return None if fields.fetch_site == "same-origin" else Reason.CROSS_SITE
    if fields.referer is not None:
        if not _is_own_referer(fields.referer, fields.host):
            return Reason.CROSS_SITE
        return None if own_page else Reason.ORIGIN_MISSING
    return None if own_page and _is_json(fields.content_type) else Reason.ORIGIN_MISSING


def _is_own_referer(referer: str, host: str) -> bool:
    """Say whether `referer` is an address below our own origin.

    Everything up to the first "/", "?" or "#" after the scheme is the authority (RFC 3986 section 3.2); a backslash,
    which browsers read as "/", stays in it and makes it unequal.
    """
    authority = referer[len(_SCHEME) :]
    for end in "/?#":
        authority = authority.partition(end)[0]
    return is_own_origin(referer[: len(_SCHEME)] + authority, host)


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"
