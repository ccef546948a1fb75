"""Judge where a login may send somebody afterwards: a path of this gateway, or nowhere (T09).

It repairs nothing: what could be read as another host by any browser, or as another path by any server, is not used.
"""

import re
from urllib.parse import unquote_to_bytes

MAX_NEXT_BYTES = 4096

_VISIBLE = re.compile(r'/[!"$-\[\]-~]*')  # visible ASCII without "#" and without "\", which browsers read as "/"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


def safe_next(text: str, *, own_prefix: str = "/_nbgate/") -> str | None:
    """Return `text` when a redirect to it stays on this host and leads to a page of an upstream; else None.

    Args:
        text: A path with or without a query, as the client gave it.
        own_prefix: Where the gateway's own pages are; a login must not end on its own logout button.

    The path is judged as sent and decoded once. The query is only held to visible ASCII: no browser looks for a host
    there, and links with `?file=http://...` are everyday.
    """
    if len(text) > MAX_NEXT_BYTES or _VISIBLE.fullmatch(text) is None:
        return None
    raw_path, _, _ = text.partition("?")
    if _BAD_ESCAPE.search(raw_path) is not None:
        return None
    try:
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "//" in path or _CONTROL_OR_BACKSLASH.search(path) is not None:
        return None
    if not {".", ".."}.isdisjoint(path.split("/")) or f"{path}/".startswith(own_prefix):
        return None
    return text
