"""How the gateway is reached: under which names, through which hops, and whether by HTTPS for good. Values only."""

from msgspec import Struct


class Exposure(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a worker is told of the network in front of it.

    Attributes:
        hosts: Public names, lower case, each with a port where the operator named one; empty: any.
        trusted_hops: Networks of proxies whose word on the client is believed, as text, for example `192.0.2.0/24`.
        proxy_protocol: Every connection begins with a PROXY header of such a hop.
        hsts: Browsers are told to use HTTPS only.
    """

    hosts: tuple[str, ...] = ()
    trusted_hops: tuple[str, ...] = ()
    proxy_protocol: bool = False
    hsts: bool = False
