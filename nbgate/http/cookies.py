"""Read the Cookie header, and name our own cookies.

This module neither seals nor judges a value, and never repairs a header: what it cannot split stays whole.
"""

from enum import Enum

_HTTPS_PORT = 443
_DEVICE = "__Host-Http-nbgate_dev"
_SESSION = "__Host-Http-nbgate"  # Chromium lets no script set a __Host-Http- cookie (THREATS fact 12)


class Lookup(Enum):
    """Why there is no one value of a cookie."""

    ABSENT = "absent"
    REPEATED = "repeated"


def parse_cookies(header: str) -> tuple[tuple[str, str], ...]:
    """Split a Cookie header into (name, value) pairs, in order, repeated names too.

    A part without "=" is a nameless cookie with a value, as browsers see it (RFC 6265bis section 5.8.3). Quotes are
    part of the value.
    """
    pairs = []
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            pairs.append((name.strip(" \t"), value.strip(" \t")))
        elif name := name.strip(" \t"):
            pairs.append(("", name))
    return tuple(pairs)


def find_one(pairs: tuple[tuple[str, str], ...], name: str) -> str | Lookup:
    """Return the value of the cookie `name`, or why there is no one value.

    A repeated name is no value at all: a sibling host may have tossed the second one (T16).
    """
    values = [value for given, value in pairs if given == name]
    if len(values) == 1:
        return values[0]
    return Lookup.REPEATED if values else Lookup.ABSENT


def cookie_suffix(host: str) -> str:
    """Return "-PORT" for the public port in a checked Host, "" for 443: cookies ignore ports, gateways must not."""
    _, colon, port = host.rpartition(":")
    if not colon or port.endswith("]") or int(port) == _HTTPS_PORT:
        return ""
    return f"-{int(port)}"


def session_cookie_name(host: str) -> str:
    """Return the name of the session cookie under this Host."""
    return _SESSION + cookie_suffix(host)


def device_cookie_name(host: str) -> str:
    """Return the name of the cookie by which a browser is known to have logged in before, under this Host."""
    return _DEVICE + cookie_suffix(host)
