"""Read a shipped TLS profile: which versions, ciphers and groups the listener offers.

Reads one file that is installed with the program; what is wrong with it is a fault of ours.
"""

import tomllib
from typing import Any

from msgspec import Struct

from nbgate.resources import data_path

PROFILE = "intermediate"


class TlsProfile(Struct, frozen=True):
    """`minimum` is the lowest TLS version; `ciphers` for TLS 1.2 and `groups` are OpenSSL's lists, "" for its own."""

    minimum: str
    ciphers: str
    groups: str


def load_profile(name: str = PROFILE) -> TlsProfile:
    """Return the shipped profile `name` of `certs/profiles/`."""
    table = tomllib.loads(data_path("certs", "profiles", f"{name}.toml").read_text(encoding="utf-8"))
    return TlsProfile(table["minimum"]["value"], _listed(table, "ciphers"), _listed(table, "groups"))


def _listed(table: dict[str, Any], name: str) -> str:
    return ":".join(row["value"] for row in table.get(name, ()))
