"""A client by its address, and the netblock it is counted in."""

import pytest

from nbgate.model.client import make_client


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", ("192.0.2.7", "192.0.2.7/32")),
        ("::ffff:192.0.2.7", ("192.0.2.7", "192.0.2.7/32")),
        ("2001:db8:1:2:3::4", ("2001:db8:1:2:3::4", "2001:db8:1:2::/64")),
        ("fe80::1%eth0", ("fe80::1", "fe80::/64")),
    ],
)
def test_a_client_is_counted_in_the_netblock_of_its_address(address, expected):
    client = make_client(address, 5)
    assert (expected[0], 5, expected[1]) == (client.address, client.port, client.netblock)


@pytest.mark.parametrize("text", ["", "localhost", "192.0.2", "192.0.2.07"])
def test_what_is_no_address_is_no_client(text):
    with pytest.raises(ValueError, match="address"):
        make_client(text, 5)


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.127", False)],
)
def test_a_client_on_this_machine_is_told_apart(address, local):
    assert local is make_client(address, 5).is_local
