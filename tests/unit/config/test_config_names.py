"""Public names and networks as people type them."""

import pytest

from nbgate.config.addresses import AddressError
from nbgate.config.names import parse_hosts, parse_networks

HOST_HINT = "write what stands in the browser between https:// and the next slash"
NETWORK_HINT = "write an address or a network, for example 192.0.2.7 or 10.0.0.0/8"
MAX_NAME = "a." * 126 + "b"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("jupyter.example.org", "jupyter.example.org"),
        ("Jupyter.Example.ORG", "jupyter.example.org"),
        ("jupyter.example.org:8443", "jupyter.example.org:8443"),
        ("localhost", "localhost"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("7.example", "7.example"),
        (MAX_NAME, MAX_NAME),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:443", "192.0.2.7:443"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("[2001:db8:0:0::1]:8443", "[2001:db8::1]:8443"),
        ("2001:db8::1", "[2001:db8::1]"),
    ],
)
def test_a_name_is_written_as_a_host_header_has_it(text, host):
    assert (host,) == parse_hosts([text])


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("https://Jupyter.example.org/lab", "is not a name", "did you mean jupyter.example.org?"),
        ("https://me:pw@jupyter.example.org:8443/", "is not a name", "did you mean jupyter.example.org:8443?"),
        ("jupyter.example.org/", "is not a name", "did you mean jupyter.example.org?"),
        ("jupyter.example.org.", "is not a name", "did you mean jupyter.example.org?"),
        ("bücher.example", "is not a name", "did you mean xn--bcher-kva.example?"),
        ("*.example.org", "is not a name", "a wildcard would take names that are not yours"),
        ("my_host.example", "is not a name", "use one with a hyphen"),
        ("", "is not a name", HOST_HINT),
        ("/", "is not a name", HOST_HINT),
        (" ", "is not a name", HOST_HINT),
        ("-a.example", "is not a name", HOST_HINT),
        ("a..example", "is not a name", HOST_HINT),
        ("a b", "is not a name", HOST_HINT),
        ("gw.example\n", "is not a name", "did you mean gw.example?"),
        (MAX_NAME + "c", "is not a name", HOST_HINT),
        ("a" * 64, "is not a name", HOST_HINT),
        ("127.0.01", "is not a name", HOST_HINT),
        ("a:b:c", "is not a name", HOST_HINT),
        ("[gw.example]", "is not a name", HOST_HINT),
        ("[::1.2", "is not a name", HOST_HINT),
        ("fe80::1%eth0", "is not a name", HOST_HINT),
        ("gw.example:", "the port of 'gw.example:' is not a number from 1 to 65535", HOST_HINT),
        ("gw.example:0", "the port of 'gw.example:0' is not a number from 1 to 65535", HOST_HINT),
        ("gw.example:65536", "is not a number from 1 to 65535", HOST_HINT),
        ("gw.example:https", "is not a number from 1 to 65535", HOST_HINT),
        ("[::1]8443", "is not a name", HOST_HINT),
    ],
)
def test_what_can_be_no_host_is_refused_with_what_to_write(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_hosts([text])

    assert problem in str(caught.value)
    assert hint in caught.value.hint


def test_a_name_that_is_given_twice_counts_once():
    assert ("b.example", "a.example") == parse_hosts(["b.example", "a.example", "B.example"])


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
    ],
)
def test_a_network_is_written_with_its_length(text, network):
    assert (network,) == parse_networks([text])


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("10.0.0.1/8", "'10.0.0.1/8' is not a network", "did you mean 10.0.0.0/8?"),
        ("localhost", "'localhost' is not a network", "did you mean 127.0.0.1?"),
        ("10.0.0.0/33", "'10.0.0.0/33' is not a network", NETWORK_HINT),
        ("10.0.0", "'10.0.0' is not a network", NETWORK_HINT),
        ("proxy.example", "'proxy.example' is not a network", NETWORK_HINT),
        ("", "'' is not a network", NETWORK_HINT),
        ("0.0.0.0/0", "0.0.0.0/0 is everybody", "name the proxies' own addresses"),
        ("::/0", "::/0 is everybody", "name the proxies' own addresses"),
    ],
)
def test_what_is_no_network_is_refused_with_what_to_write(text, problem, hint):
    with pytest.raises(AddressError) as caught:
        parse_networks([text])

    assert problem in str(caught.value)
    assert hint == caught.value.hint
