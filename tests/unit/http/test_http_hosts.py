"""Which Host is one of the public names."""

import pytest

from nbgate.http.hosts import is_public, name_of


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("gw.test", "gw.test"),
        ("gw.test:8443", "gw.test"),
        ("192.0.2.7:1", "192.0.2.7"),
        ("[::1]", "[::1]"),
        ("[2001:db8::1]:8443", "[2001:db8::1]"),
    ],
)
def test_the_name_of_a_host_has_no_port(host, name):
    assert name == name_of(host)


@pytest.mark.parametrize(
    ("host", "public", "expected"),
    [
        ("gw.test", ("gw.test",), True),
        ("gw.test:443", ("gw.test",), True),
        ("gw.test:8443", ("gw.test",), True),
        ("gw.test:8443", ("gw.test:8443",), True),
        ("gw.test:443", ("gw.test:443",), True),
        ("gw.test", ("gw.test:443",), True),
        ("gw.test", ("gw.test:8443",), False),
        ("gw.test:8444", ("gw.test:8443",), False),
        ("gw.test:8443", ("gw.test:443",), False),
        ("gw.test.", ("gw.test",), False),
        ("agw.test", ("gw.test",), False),
        ("gw.test.evil.example", ("gw.test",), False),
        ("a.gw.test", ("gw.test",), False),
        ("b.test", ("a.test", "b.test"), True),
        ("[::1]:8443", ("[::1]",), True),
        ("[::1]", ("[::1]:443",), True),
        ("[::2]", ("[::1]",), False),
        ("gw.test", (), False),
    ],
)
def test_a_host_is_public_by_its_name_or_with_its_port(host, public, expected):
    assert expected == is_public(host, public)
