"""Map the addresses in a page whose server was told another base URL than the public prefix (R9, R10).

It knows the places where notebook servers write addresses of their own, and maps those alone: what a person wrote into
a page stays as it is, as it would with a server that was told the prefix.
"""

import html
import re

from msgspec.structs import replace

from nbgate.model.route import Route
from nbgate.rewrite.location import map_path

_ADDRESSES = frozenset({b"action", b"formaction", b"href", b"poster", b"src"})
_BASE_URL = b"data-base-url"
_SOCKET_ATTRIBUTE, _SOCKET_KEY = b"data-ws-url", "wsUrl"
_CONFIG_KEY = re.compile(r"baseUrl|frontendUrl|notFoundUrl|full[A-Z]\w*Url")
_FIRST = re.compile(r"[^/?#]+|(?=[?#]|\Z)")


class PrefixEdit:
    """The edit of one page.

    Args of the constructor:
        route: By which the page is reached.
        links: What the server's own links there lead to, by the first segment below its base URL.
    """

    def __init__(self, route: Route, links: frozenset[str]) -> None:
        self._route = route
        self._escaped = replace(route, prefix=html.escape(route.prefix), base_url=html.escape(route.base_url))
        self._links = links

    def attribute(self, tag: bytes, name: bytes, value: bytes) -> bytes:  # noqa: ARG002 - the seam's signature
        """Return what to write as the value of attribute `name`."""
        if name in _ADDRESSES:
            text = value.decode("latin-1")
            return self._public(text) if self._is_linked(text) else value
        if name == _BASE_URL:
            return self._public(value.decode("latin-1"))
        return b"" if name == _SOCKET_ATTRIBUTE else value

    def config_value(self, key: str, value: str) -> str:
        """Return what to write as the value of `key` in the page's configuration."""
        if key == _SOCKET_KEY:
            return ""  # the page makes it from where it was loaded
        if _CONFIG_KEY.fullmatch(key) is None:
            return value
        mapped = map_path(value, self._route)
        return value if mapped is None else mapped

    def _is_linked(self, value: str) -> bool:
        base = self._escaped.base_url
        first = _FIRST.match(value, len(base))
        return first is not None and first[0] in self._links and value.startswith(base)

    def _public(self, value: str) -> bytes:
        mapped = map_path(value, self._escaped)
        return (value if mapped is None else mapped).encode("latin-1")
