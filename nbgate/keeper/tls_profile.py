"""Read the shipped TLS profile: which versions and ciphers the listener offers.

Reads one file that is installed with the program; what is wrong with it is a fault of ours.
"""

import tomllib

from msgspec import Struct

from nbgate.resources import data_path

PROFILE = "intermediate"


class TlsProfile(Struct, frozen=True):
    """`minimum` is the lowest TLS version, `ciphers` OpenSSL's list for TLS 1.2."""

    minimum: str
    ciphers: str


def load_profile(name: str = PROFILE) -> TlsProfile:
    """Return the shipped profile `name` of `certs/profiles/`."""
    table = tomllib.loads(data_path("certs", "profiles", f"{name}.toml").read_text(encoding="utf-8"))
    return TlsProfile(table["minimum"]["value"], ":".join(row["value"] for row in table["ciphers"]))
