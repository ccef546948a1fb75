"""Which answers with user content get a sandbox."""

import pytest

from nbgate.http.response import parse_response_head
from nbgate.rewrite.sandbox import SANDBOX_LINE, sandbox_line


def line(*headers, status="200 OK"):
    text = "\r\n".join((f"HTTP/1.1 {status}", *headers, "", ""))
    return sandbox_line(parse_response_head(text.encode(), method="GET"))


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        " text/html ;x",
        "image/svg+xml",
        "application/xhtml+xml",
        "application/xml",
        "text/xml; charset=utf-8",
        "text/xsl",
        "application/mathml+xml",
        "multipart/x-mixed-replace; boundary=x",
        # what a browser could read in another way than we do
        "text/plain, text/html",
        "text/plain; charset=utf-8, text/html",  # a list: Firefox takes the last one (Fetch, extract a MIME type)
        "text",
        "text/",
        "*/*",
        '"text/plain"',
        "text /plain",
    ],
)
def test_what_may_run_scripts_is_shown_in_a_sandbox(content_type):
    assert SANDBOX_LINE == line(f"Content-Type: {content_type}")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/json",
        "image/png",
        "application/pdf",
        "text/css",
        "application/x-ipynb+json",
        "video/mp4",
    ],
)
def test_what_runs_nothing_stays_as_it_is(content_type):
    assert b"" == line(f"Content-Type: {content_type}")


def test_without_a_type_a_browser_could_guess_one():
    assert SANDBOX_LINE == line() == line("Content-Type:")


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (["sandbox allow-scripts"], b""),
        (["frame-ancestors 'self'; report-uri /x; sandbox allow-scripts"], b""),
        (["Sandbox"], b""),
        (["default-src 'none'", "sandbox allow-popups"], b""),
        (["default-src 'none', sandbox"], b""),
        (["sandbox allow-scripts allow-same-origin"], SANDBOX_LINE),
        (["sandbox ALLOW-SAME-ORIGIN"], SANDBOX_LINE),
        (["frame-ancestors 'self'"], SANDBOX_LINE),
        (["frame-ancestors 'self' sandbox"], SANDBOX_LINE),
        (["sandboxed"], SANDBOX_LINE),
        ([""], SANDBOX_LINE),
    ],
)
def test_a_sandbox_of_the_server_s_own_stays(policies, expected):
    headers = [f"Content-Security-Policy: {policy}" for policy in policies]
    assert expected == line("Content-Type: text/html", *headers)


def test_a_sandbox_that_is_only_reported_is_none():
    assert SANDBOX_LINE == line("Content-Type: text/html", "Content-Security-Policy-Report-Only: sandbox")


def test_an_error_page_may_repeat_what_somebody_wrote():
    assert SANDBOX_LINE == line("Content-Type: text/html", status="500 Internal Server Error")


def test_a_304_keeps_the_sandbox_the_browser_has_and_does_not_take_it_away():
    assert b"" == line(status="304 Not Modified")
    assert b"" == line("Content-Security-Policy: sandbox", status="304 Not Modified")
    assert SANDBOX_LINE == line("Content-Security-Policy: frame-ancestors 'self'", status="304 Not Modified")
