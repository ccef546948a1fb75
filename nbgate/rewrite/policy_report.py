"""Map the addresses to which browsers report what a Content-Security-Policy forbade (R8).

Nothing else of a policy is looked at: what a page may do is its server's word.
"""

import re
from collections.abc import Iterable, Iterator

from nbgate.model.route import Route
from nbgate.rewrite.location import map_location

_Line = tuple[str, bytes, str]

_POLICIES = frozenset({"content-security-policy", "content-security-policy-report-only"})
_REPORT_URI = re.compile(r"(?:^|[;,])[ \t]*report-uri[ \t]([^;,]*)", re.IGNORECASE)
_ADDRESS = re.compile(r"[^ \t]+")


def map_policies(lines: Iterable[_Line], route: Route) -> Iterator[_Line]:
    """Yield the lines of a response head, with the `report-uri` of each policy as the public address.

    An address that leads nowhere clear stays: nobody goes there, and only the policy's own words are sent to it.
    """
    for name, line, value in lines:
        mapped = _REPORT_URI.sub(lambda found: _map(found, route), value) if name in _POLICIES else value
        if mapped == value:
            yield name, line, value
        else:
            yield name, line.partition(b":")[0] + b": " + mapped.encode("latin-1") + b"\r\n", mapped


def _map(found: re.Match[str], route: Route) -> str:
    addresses = _ADDRESS.sub(lambda address: map_location(address[0], route) or address[0], found[1])
    for char in ";,":  # either ends a directive, and a prefix may hold it
        addresses = addresses.replace(char, f"%{ord(char):02X}")
    return found[0][: found.start(1) - found.start()] + addresses
