"""Addresses as people type them."""

import pytest

from nbgate.config.addresses import AddressError, is_base, parse_base, parse_listen_ip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", True),
        ("/a/", True),
        ("/user/a.b%40c/", True),
        ("", False),
        ("/a", False),
        ("a/", False),
        ("//", False),
        ("/a//b/", False),
        ("/a/../b/", False),
        ("/a/./", False),
        ("/a b/", False),
        ("/a?b/", False),
        ("/a/\n", False),
    ],
)
def test_a_base_url_is_a_plain_path_between_slashes(text, expected):
    assert expected == is_base(text)


@pytest.mark.parametrize(("path", "expected"), [("", "/"), ("/", "/"), ("/x", "/x/"), ("/x/y/", "/x/y/")])
def test_the_path_of_an_address_is_a_base_url(path, expected):
    assert expected == parse_base(path)


@pytest.mark.parametrize("path", ["//x", "/a/../b", "/a;Domain=b/", "/a%2"])
def test_a_path_that_no_server_has_is_refused(path):
    with pytest.raises(AddressError, match="the base of an upstream is a plain path") as caught:
        parse_base(path)

    assert "c.ServerApp.base_url" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", "localhost"),
        ("*", "*"),
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::", "::"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_where_to_listen(text, expected):
    assert expected == parse_listen_ip(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("127.0.01", "did you mean 127.0.0.1?"),
        ("127.0.0.1.", "did you mean 127.0.0.1?"),
        ("locahost", "did you mean localhost?"),
        ("[::1]", "did you mean ::1?"),
        ("0.0.0", "did you mean 0.0.0.0?"),
        ("myhost.example", "write an IP address of this machine, localhost, or * for all"),
        ("", "write an IP address of this machine, localhost, or * for all"),
    ],
)
def test_a_mistyped_address_to_listen_on_is_refused_with_a_guess(text, hint):
    with pytest.raises(AddressError, match="is not an address") as caught:
        parse_listen_ip(text)

    assert hint == caught.value.hint
