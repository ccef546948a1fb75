"""Who is asking, after trusted hops are believed."""

from ipaddress import IPv6Address, ip_address, ip_network

from msgspec import Struct


class Client(Struct, frozen=True, gc=False):
    """One client; `address` is an IP address in text, `netblock` its /32 or /64, `port` 0 where nobody told it."""

    address: str
    port: int
    netblock: str

    @property
    def is_local(self) -> bool:
        """True where it is on this machine."""
        return self.address == "::1" or self.address.startswith("127.")


def make_client(address: str, port: int) -> Client:
    """Return the client at an IP address; an IPv4 address written as an IPv6 one is an IPv4 address.

    Raises:
        ValueError: It is no IP address.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return Client(str(ip), port, str(ip_network((ip, 32 if ip.version == 4 else 64), strict=False)))
