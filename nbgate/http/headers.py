"""What the shape check and the rewrite know about header names and methods: tables, and the grammar of a name.

Values only. The rows come from `rules/*.toml` by way of `nbgate.rules.tables`; this module reads no file.
"""

import re
from enum import Enum
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

NAME_BYTES = r"!#$%&'*+\-.^`|~0-9A-Za-z"  # no "_": servers read X_Forwarded_For as X-Forwarded-For (CVE-2025-64484)
TOKEN = re.compile(rf"[{NAME_BYTES}_]+")  # RFC 9110 section 5.6.2

# RFC 9110 section 7.6.1: meant for the next hop only.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


# Preconditions are forwarded apart from the rest: a rewritten page must be asked for without them.
CONDITIONAL = frozenset({"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"})

# Request headers that the gateway reads and makes anew, or leaves out, whatever the tables say.
_CONSUMED = (
    HOP_BY_HOP
    | {"accept-encoding", "authorization", "content-length", "cookie", "expect", "host", "origin", "referer"}
    | {"sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key"}
    | {"sec-websocket-protocol", "sec-websocket-version"}
)

# What browsers send, looked up as spelled; every other name takes the longer way to the same answer.
_FREQUENT = (
    CONDITIONAL
    | _CONSUMED
    | {"accept", "accept-language", "cache-control", "content-type", "dnt", "pragma", "priority", "user-agent"}
    | {"sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-gpc", "upgrade-insecure-requests", "x-xsrftoken"}
    | {"sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "x-requested-with"}
)


class Handling(Enum):
    """What becomes of a request header on its way upstream."""

    FORWARDED = 0
    CONDITIONAL = 1
    DROPPED = 2


class HeaderTables(Struct, frozen=True, kw_only=True):
    """The security tables of the shape check and of both rewrites, lower-case names; made by `make_tables`.

    Attributes:
        methods: Methods that are served; every other one gets 405.
        refused: Request headers whose presence makes the request bad (400).
        stripped_names: Request headers that never go upstream.
        stripped_prefixes: The same by the beginning of the name.
        upstream_stripped_names: Response headers of an upstream that never reach a client.
        upstream_stripped_prefixes: The same by the beginning of the name.
        frequent: Frequent request headers as spelled, with the answer of `handle`.
    """

    methods: frozenset[str]
    refused: frozenset[str]
    stripped_names: frozenset[str]
    stripped_prefixes: tuple[str, ...]
    upstream_stripped_names: frozenset[str]
    upstream_stripped_prefixes: tuple[str, ...]
    frequent: dict[bytes, tuple[str, Handling]]

    def handle(self, spelled: bytes) -> tuple[str, Handling]:
        """Return the lower-case name of a request header and what becomes of it."""
        name = spelled.decode("ascii").lower()
        if name in _CONSUMED or self.strips_request(name):
            return name, Handling.DROPPED
        return name, Handling.CONDITIONAL if name in CONDITIONAL else Handling.FORWARDED

    def strips_request(self, name: str) -> bool:
        """Say whether the request header `name` (lower case) must not go upstream."""
        return name in self.stripped_names or name.startswith(self.stripped_prefixes)

    def strips_response(self, name: str) -> bool:
        """Say whether the response header `name` (lower case) must not reach a client."""
        return name in self.upstream_stripped_names or name.startswith(self.upstream_stripped_prefixes)


def make_tables(
    *,
    methods: frozenset[str],
    refused: frozenset[str] = frozenset(),
    stripped: tuple[frozenset[str], tuple[str, ...]] = (frozenset(), ()),
    upstream_stripped: tuple[frozenset[str], tuple[str, ...]] = (frozenset(), ()),
) -> HeaderTables:
    """Build the tables; `stripped` and `upstream_stripped` are exact names and prefixes."""
    bare = HeaderTables(
        methods=methods,
        refused=refused,
        stripped_names=stripped[0],
        stripped_prefixes=stripped[1],
        upstream_stripped_names=upstream_stripped[0],
        upstream_stripped_prefixes=upstream_stripped[1],
        frequent={},
    )
    spellings = chain.from_iterable((name.encode(), name.title().encode()) for name in _FREQUENT)
    return replace(bare, frequent={spelled: bare.handle(spelled) for spelled in spellings})


def split_list(value: str) -> list[str]:
    """Return the elements of a comma-separated header value, without blanks around them and without empty ones."""
    return [element for part in value.split(",") if (element := part.strip(" \t"))]
