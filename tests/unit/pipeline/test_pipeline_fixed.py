"""Fixed answers to anybody."""

import pytest

from nbgate.access.paths import Page
from nbgate.pipeline.fixed import fixed_answer
from nbgate.reasons import Reason

FIXED = {
    Page.ACME_CHALLENGE: (404, Reason.NOT_FOUND),
    Page.CHANGE_PASSWORD: (303, Reason.REDIRECT),
    Page.FAVICON: (200, Reason.FIXED),
    Page.HEALTH: (200, Reason.FIXED),
    Page.ROBOTS: (200, Reason.FIXED),
    Page.SECURITY_TXT: (404, Reason.NOT_FOUND),
}


@pytest.mark.parametrize("page", [*Page, None])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_these_pages_are_fixed_and_only_for_reading(page, method):
    answer = fixed_answer(page, method, "/_nbgate")
    if page not in FIXED:
        assert None is answer
    elif method in {"GET", "HEAD"}:
        assert FIXED[page] == (answer.status, answer.reason)
    else:
        assert (405, (("Allow", "GET, HEAD"),)) == (answer.status, answer.headers)


@pytest.mark.parametrize(
    ("page", "content_type", "begins"),
    [
        (Page.FAVICON, "image/svg+xml", b"<svg xmlns="),
        (Page.HEALTH, "text/plain; charset=utf-8", b"ok\n"),
        (Page.ROBOTS, "text/plain; charset=utf-8", b"User-agent: *\nDisallow: /\n"),
    ],
)
def test_what_they_say(page, content_type, begins):
    answer = fixed_answer(page, "GET", "/_nbgate")
    assert content_type == answer.content_type
    assert answer.body.startswith(begins)


@pytest.mark.parametrize("own", ["/_nbgate", "/a/b/_nbgate"])
def test_a_password_is_changed_where_our_pages_are(own):
    answer = fixed_answer(Page.CHANGE_PASSWORD, "GET", own)
    assert (("Location", f"{own}/account/password"),) == answer.headers
