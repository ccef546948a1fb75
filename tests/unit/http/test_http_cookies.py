"""Cookies: split without repairing, one value or none (THREATS T16), our names by public port."""

import pytest

from nbgate.http.cookies import (
    Lookup,
    cookie_suffix,
    find_one,
    parse_cookies,
    session_cookie_name,
)


@pytest.mark.parametrize(
    ("header", "pairs"),
    [
        ("", ()),
        ("a=1", (("a", "1"),)),
        ("a=1; b=2", (("a", "1"), ("b", "2"))),
        ("a=1;b=2;", (("a", "1"), ("b", "2"))),
        (" a = 1 ;\tb\t=2", (("a", "1"), ("b", "2"))),
        ("a=1; a=2", (("a", "1"), ("a", "2"))),
        ("a=b=c", (("a", "b=c"),)),
        ('a="x;y"', (("a", '"x'), ("", 'y"'))),
        ("nameless", (("", "nameless"),)),
        ("=nameless", (("", "nameless"),)),
        ("a=; ;", (("a", ""),)),
        ("_xsrf=2|abc|def|1700", (("_xsrf", "2|abc|def|1700"),)),
    ],
)
def test_a_header_is_split_into_its_pairs(header, pairs):
    assert pairs == parse_cookies(header)


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", "1"), ("b", Lookup.REPEATED), ("c", Lookup.ABSENT), ("A", Lookup.ABSENT), ("empty", "")],
)
def test_a_cookie_has_one_value_or_none(name, value):
    assert value == find_one(parse_cookies("a=1; b=2; b=2; empty="), name)


@pytest.mark.parametrize(
    ("host", "suffix"),
    [
        ("gw.test", ""),
        ("gw.test:443", ""),
        ("gw.test:0443", ""),
        ("gw.test:8443", "-8443"),
        ("gw.test:08443", "-8443"),
        ("127.0.0.1:8443", "-8443"),
        ("[::1]", ""),
        ("[2001:db8::8443]", ""),
        ("[::1]:8443", "-8443"),
    ],
)
def test_our_cookies_carry_the_public_port(host, suffix):
    assert suffix == cookie_suffix(host)
    assert "__Host-Http-nbgate" + suffix == session_cookie_name(host)
