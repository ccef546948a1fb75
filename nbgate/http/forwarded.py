"""Find the client behind trusted hops: X-Forwarded-For, read from the right (T27).

Each hop appends the address it saw, so only what a trusted hop wrote is worth anything, and the first address from
the right that is no trusted hop is the client. What stands left of it anybody may have written. Pure: it does not
know who is trusted by default (nobody), and reads no other forwarding header: one that hops might pass through
unread, as Forwarded is by most, would be the client's own word.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]

MAX_HOPS = 32
_WITH_PORT = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")


def parse_networks(texts: Iterable[str]) -> Networks:
    """Return the networks; an address alone is a network of one.

    Raises:
        ValueError: One is no network, or names bits below its mask.
    """
    return tuple(ip_network(text) for text in texts)


def is_trusted(address: str, trusted: Networks) -> bool:
    """Say whether an IP address lies in one of the networks."""
    if not trusted:
        return False
    ip = ip_address(address)
    return any(ip in network for network in trusted)


def client_of(peer: str, header: str | None, trusted: Networks) -> str:
    """Return the address of the client that asked by way of `peer`.

    Args:
        peer: IP address at the other end of the connection.
        header: X-Forwarded-For, all its lines joined in order.
        trusted: Networks of the hops that are believed.

    An entry that is no address ends the walk: whoever wrote it is not to be believed about what stands left of it.
    """
    client = peer
    for entry in reversed((header or "").rsplit(",", MAX_HOPS)):
        if not is_trusted(client, trusted):
            break
        address = _address(entry.strip(" \t"))
        if address is None:
            break
        client = address
    return client


def _address(entry: str) -> str | None:
    """Return the address in an entry, without the port that some hops add; None when there is none."""
    match = _WITH_PORT.fullmatch(entry)
    text = entry if match is None else match[1] or match[2]
    try:
        ip = ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:  # means something on another machine only
            return None
        ip = ip.ipv4_mapped or ip
    return str(ip)
