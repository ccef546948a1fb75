"""The addresses that are answered with fixed bytes, to anybody: browsers and scanners ask for them unasked.

Nothing here depends on who asks, or on any state but that this process runs; and of the configuration on the base URL
alone.
"""

from nbgate.access.paths import Page
from nbgate.pipeline.verdict import Respond
from nbgate.reasons import Reason

_LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f4e79"/>'
    b'<path d="M8 25V13a8 8 0 0 1 16 0v12" fill="none" stroke="#fff" stroke-width="3"/>'
    b'<path d="M13 25v-9m6 9v-9" stroke="#f5a623" stroke-width="3"/></svg>'
)
_TABLE = {
    Page.ACME_CHALLENGE: Respond(404, Reason.NOT_FOUND),
    Page.FAVICON: Respond(200, Reason.FIXED, body=_LOGO, content_type="image/svg+xml"),
    Page.HEALTH: Respond(200, Reason.FIXED, body=b"ok\n"),
    Page.ROBOTS: Respond(200, Reason.FIXED, body=b"User-agent: *\nDisallow: /\n"),
    Page.SECURITY_TXT: Respond(404, Reason.NOT_FOUND),
}
_NOT_ALLOWED = Respond(405, Reason.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),))


def fixed_answer(page: Page | None, method: str, own: str) -> Respond | None:
    """Return the fixed answer for an open `page`, or None when somebody else answers it.

    Args:
        page: Who answers.
        method: Of the request.
        own: The path of our own pages, as in `Policy`.
    """
    answer = None if page is None else _TABLE.get(page)
    if page is Page.CHANGE_PASSWORD:
        answer = Respond(303, Reason.REDIRECT, headers=(("Location", f"{own}/account/password"),))
    return answer if answer is None or method in {"GET", "HEAD"} else _NOT_ALLOWED
