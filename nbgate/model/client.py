"""Who is asking, after trusted hops are believed."""

from msgspec import Struct


class Client(Struct, frozen=True, gc=False):
    """The client of one connection; `address` is an IP address in text, `netblock` its /32 or /64."""

    address: str
    port: int
    netblock: str
