"""The shipped tables, and what a table must look like to be loaded."""

import msgspec
import pytest

from nbgate.errors import ConfigError
from nbgate.http.headers import HeaderTables
from nbgate.resources import data_path
from nbgate.rules.tables import FILES, load_tables, shipped_tables

METHODS = '[[method]]\nname = "GET"\nreason = "pages"\n'
REQUEST = """
[[refused]]
name = "x-bad"
reason = "bad"

[[stripped]]
name = "via"
reason = "r"

[[stripped]]
prefix = "x-forwarded"
reason = "r"
"""
RESPONSE = '[[stripped]]\nname = "server"\nreason = "r"\n'
SHIPPED = shipped_tables()


def test_rows_become_names_and_prefixes():
    tables = load_tables(METHODS, REQUEST, RESPONSE)
    assert (
        frozenset({"GET"}),
        frozenset({"x-bad"}),
        frozenset({"via"}),
        ("x-forwarded",),
        frozenset({"server"}),
        (),
    ) == (
        tables.methods,
        tables.refused,
        tables.stripped_names,
        tables.stripped_prefixes,
        tables.upstream_stripped_names,
        tables.upstream_stripped_prefixes,
    )


def test_the_shipped_methods_are_the_seven():
    assert {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"} == SHIPPED.methods


@pytest.mark.parametrize(
    "name",
    [
        "cf-connecting-ip",
        "forwarded",
        "http2-settings",
        "keep-alive",
        "proxy",
        "proxy-authorization",
        "remote-user",
        "te",
        "trailer",
        "true-client-ip",
        "upgrade",
        "x-auth-request-user",
        "x-client-ip",
        "x-forwarded-for",
        "x-forwarded-uri",
        "x-http-method-override",
        "x-nbgate-session",
        "x-original-url",
        "x-proxycontextpath",
        "x-real-ip",
        "x-remote-user",
        "x-rewrite-url",
        "x-scheme",
        "x-user",
    ],
)
def test_headers_that_claim_an_identity_or_an_address_never_go_upstream(name):
    """THREATS T27; CVE-2026-40575 among others."""
    assert SHIPPED.strips_request(name)


@pytest.mark.parametrize(
    "name",
    [
        "accept",
        "content-type",
        "marimo-server-token",
        "sec-fetch-site",
        "user-agent",
        "x-requested-with",
        "x-xsrftoken",
    ],
)
def test_headers_that_notebooks_need_go_upstream(name):
    assert not SHIPPED.strips_request(name)


@pytest.mark.parametrize(
    "name",
    [
        "access-control-allow-origin",
        "alt-svc",
        "clear-site-data",
        "nel",
        "public-key-pins-report-only",
        "refresh",
        "report-to",
        "server",
        "service-worker-allowed",
        "strict-transport-security",
        "via",
        "x-powered-by",
    ],
)
def test_headers_that_would_rule_the_browser_never_reach_it(name):
    """THREATS T21, T23, T30 and rule R14."""
    assert SHIPPED.strips_response(name)


@pytest.mark.parametrize(
    "name", ["cache-control", "content-security-policy", "content-type", "etag", "set-cookie", "x-content-type-options"]
)
def test_headers_that_pages_need_reach_the_browser(name):
    assert not SHIPPED.strips_response(name)


def test_the_tables_survive_the_link_to_a_worker():
    assert SHIPPED == msgspec.msgpack.decode(msgspec.msgpack.encode(SHIPPED), type=HeaderTables)


@pytest.mark.parametrize("file", FILES)
def test_every_shipped_file_is_ascii_with_a_comment_on_top(file):
    text = data_path("rules", file).read_bytes().decode("ascii")
    assert text.startswith("# ")


ROW = '[[method]]\nname = "{}"\nreason = "{}"\n'


@pytest.mark.parametrize(
    ("methods", "request_headers", "response", "told"),
    [
        ("[[method", REQUEST, RESPONSE, "rules/methods.toml"),
        ('[[methods]]\nname = "GET"\n', REQUEST, RESPONSE, "rules/methods.toml"),
        ('[[method]]\nname = "GET"\n', REQUEST, RESPONSE, "missing required field `reason`"),
        ('[[method]]\nname = "GET"\nreason = "r"\nextra = 1\n', REQUEST, RESPONSE, "unknown field `extra`"),
        (ROW.format("GET", ""), REQUEST, RESPONSE, "method GET: the row has no reason"),
        (ROW.format("get", "r"), REQUEST, RESPONSE, "not spelled as this table spells names"),
        (ROW.format("PUT", "r") + ROW.format("GET", "r"), REQUEST, RESPONSE, "method GET: stands after PUT"),
        (ROW.format("GET", "r") * 2, REQUEST, RESPONSE, "method GET: stands after GET"),
        ('[[method]]\nprefix = "GET"\nreason = "r"\n', REQUEST, RESPONSE, "the row needs exactly one name"),
        ('[[method]]\nreason = "r"\n', REQUEST, RESPONSE, "(nameless): the row needs exactly one name"),
        (METHODS, REQUEST.replace("via", "Via"), RESPONSE, "request-headers.toml: stripped Via: not spelled"),
        (METHODS, REQUEST.replace("via", "v_a"), RESPONSE, "request-headers.toml: stripped v_a: not spelled"),
        (METHODS, REQUEST.replace('name = "x-bad"', 'prefix = "x-bad"'), RESPONSE, "refused x-bad: the row needs"),
        (METHODS, REQUEST, RESPONSE + RESPONSE, "response-headers.toml: stripped server: stands after server"),
        (METHODS, REQUEST, '[[stripped]]\nname = "a"\nprefix = "a"\nreason = "r"\n', "stripped a: the row needs"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(methods, request_headers, response, told):
    with pytest.raises(ConfigError) as caught:
        load_tables(methods, request_headers, response)
    assert told in str(caught.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        load_tables(ROW.format("get", ""), REQUEST, RESPONSE + RESPONSE)
    assert 3 == len(caught.value.problems)
