"""Take the upstream's token out of pages, and notice where that did not succeed (R13 of the prefix rules, T26).

`TokenScrub` knows the places where notebook servers print their token; `TokenGuard` looks at every byte that leaves.
Neither knows HTML or HTTP.
"""

import html
import json
import re
from urllib.parse import quote, unquote, unquote_to_bytes

MIN_GUARDED_CHARS = 8
MIN_GUARDED_LETTERS = 20

_TOKEN_ATTRIBUTE = b"data-jupyter-api-token"
_SOCKET_ATTRIBUTE = b"data-ws-url"
_ADDRESSES = frozenset({b"action", b"formaction", b"href", b"src"})
_QUERY_TOKEN = re.compile(rb"((?:\?|&|&amp;)token=)([^&#]+)")


class TokenScrub:
    """Blanks the token where servers print it: page configuration, `data-` attributes, queries of links.

    Websocket addresses of the server's own are blanked too: the page then makes them from where it was loaded.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def attribute(self, tag: bytes, name: bytes, value: bytes) -> bytes:  # noqa: ARG002 - the seam's signature: prefix rules need the tag
        """Return what to write as the value of attribute `name`."""
        if name in {_TOKEN_ATTRIBUTE, _SOCKET_ATTRIBUTE}:
            return b""
        if name in _ADDRESSES and b"token=" in value:
            return _QUERY_TOKEN.sub(self._without, value)
        return value

    def config_value(self, key: str, value: str) -> str:
        """Return what to write as the value of `key` in the page's configuration."""
        return "" if key in {"token", "wsUrl"} else value

    def _without(self, found: re.Match[bytes]) -> bytes:
        """Blank a link's token if it is the one we know; a user's own link with some other token is none of ours."""
        value = unquote(html.unescape(found[2].decode("utf-8", "replace")))
        return found[1] if value == self._token else found[0]


class TokenGuard:
    """Lets bytes pass as long as the token is not among them, in any spelling a page could use.

    Holds back what could be the token's beginning at the end of a piece, and no more. Short tokens and plain words
    ("jupyter") stand in every page by chance: for these there is only the scrub, and `watches` is False.
    """

    def __init__(self, token: str) -> None:
        self.leaked = False
        self.watches = is_guarded(token)
        self._spellings = _spellings(token) if self.watches else ()
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what may leave now; nothing any more once the token was seen."""
        if not self._spellings:
            return b"" if self.leaked else data
        if self.leaked or not data:
            return b""
        data = self._held + data
        if any(spelling in data for spelling in self._spellings):
            self.leaked = True
            self._held = b""
            return b""
        keep = max(_overlap(data, spelling) for spelling in self._spellings)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def finish(self) -> bytes:
        """Return what was held back; it was only a beginning."""
        held, self._held = self._held, b""
        return held


def is_guarded(token: str) -> bool:
    """Say whether `token` is long enough to be looked for: one that is found by chance would cut good answers."""
    return len(token) >= (MIN_GUARDED_LETTERS if token.isalpha() else MIN_GUARDED_CHARS)


def names_token(head: bytes, token: str) -> bool:
    """Say whether the head of an answer holds `token`, as it is or in any way in which an address may spell it."""
    if not token or not is_guarded(token):
        return False
    secret = token.encode()
    return secret in head or (b"%" in head and secret in unquote_to_bytes(head))


def _spellings(token: str) -> tuple[bytes, ...]:
    escaped = json.dumps(token)[1:-1]
    texts = {token, html.escape(token), html.escape(token, quote=False), quote(token, safe=""), quote(token), escaped}
    return tuple(sorted(text.encode() for text in texts))


def _overlap(data: bytes, spelling: bytes) -> int:
    """Return how many bytes at the end of `data` could be the beginning of `spelling`."""
    for size in range(min(len(spelling) - 1, len(data)), 0, -1):
        if data.endswith(spelling[:size]):
            return size
    return 0
