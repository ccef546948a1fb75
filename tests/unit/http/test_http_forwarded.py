"""The client behind trusted hops: read from the right, and nobody is believed who is not named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.http.forwarded import MAX_HOPS, client_of, is_trusted, parse_networks

HOPS = parse_networks(("10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"))
PEER = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        # nobody is trusted who is not named
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("192.0.2.1", None, "192.0.2.1"),
        ("2001:db8::1", "203.0.113.9", "2001:db8::1"),
        # the right-most one that is no hop
        (PEER, None, PEER),
        (PEER, "", PEER),
        (PEER, "203.0.113.9", "203.0.113.9"),
        (PEER, "203.0.113.9, 10.2.3.4", "203.0.113.9"),
        (PEER, "6.6.6.6, 203.0.113.9, 10.2.3.4, 127.0.0.1", "203.0.113.9"),
        (PEER, "6.6.6.6,203.0.113.9", "203.0.113.9"),
        (PEER, "127.0.0.1, 203.0.113.9", "203.0.113.9"),
        (PEER, "10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("2001:db8:ffff::1", "2001:db8::7, 10.2.3.4", "2001:db8::7"),
        # spellings
        (PEER, "203.0.113.9:4711", "203.0.113.9"),
        (PEER, "[2001:db8::7]:4711", "2001:db8::7"),
        (PEER, "[2001:db8::7]", "2001:db8::7"),
        (PEER, "2001:DB8:0:0::7", "2001:db8::7"),
        (PEER, "::ffff:203.0.113.9", "203.0.113.9"),
        (PEER, "203.0.113.9, ::ffff:10.2.3.4", "203.0.113.9"),
        (PEER, "\t203.0.113.9 ", "203.0.113.9"),
        # what is no address ends the walk at the last good one
        (PEER, "unknown", PEER),
        (PEER, "203.0.113.9, unknown", PEER),
        (PEER, "203.0.113.9, _hidden, 10.2.3.4", "10.2.3.4"),
        (PEER, "203.0.113.9, , 10.2.3.4", "10.2.3.4"),
        (PEER, "203.0.113.9,", PEER),
        (PEER, "203.0.113.09", PEER),
        (PEER, "203.0.113.9:port", PEER),
        (PEER, "203.0.113.9:123456", PEER),
        (PEER, "[203.0.113.9", PEER),
        (PEER, "fe80::1%eth0", PEER),
        (PEER, "203.0.113.9; 1.2.3.4", PEER),
        (PEER, '"203.0.113.9"', PEER),
        (PEER, "0x7f.1", PEER),
        (PEER, "2130706433", PEER),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_hop(peer, header, client):
    assert client == client_of(peer, header, HOPS)


def test_without_trusted_hops_the_peer_is_the_client():
    assert PEER == client_of(PEER, "203.0.113.9", ())


def test_a_chain_of_hops_is_followed_so_far_and_no_further():
    chain = ", ".join(f"10.0.0.{number}" for number in range(1, MAX_HOPS + 9))
    assert f"10.0.0.{9}" == client_of(PEER, chain, HOPS)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("2001:db8:ffff:1::", True),
        ("::1", False),
    ],
)
def test_a_hop_is_trusted_by_its_network(address, expected):
    assert expected == is_trusted(address, HOPS)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "proxy.example", ""])
def test_what_is_no_network_cannot_be_trusted(text):
    with pytest.raises(ValueError, match=r"."):
        parse_networks((text,))


ADDRESSES = st.ip_addresses().map(str)


@given(st.lists(st.one_of(ADDRESSES, st.text(" abc:.[]%0123456789", max_size=12)), max_size=6), ADDRESSES)
def test_what_a_client_writes_never_chooses_the_client(written, real):
    seen = client_of(PEER, ", ".join([*written, real]), parse_networks(("10.0.0.1",)))
    honest = client_of(PEER, real, parse_networks(("10.0.0.1",)))
    assert (honest == seen) or real == PEER
