"""Change string values of the JSON object in a page's `jupyter-config-data`, and not one byte beside them.

It does not parse and print again: escapes, order and blanks of every server version stay as they were. It does not
know which values matter; `Edit` does.
"""

import json
import re
from collections.abc import Callable

Edit = Callable[[str, str], str]

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
_OPEN = frozenset({b"{", b"["})
_CLOSE = frozenset({b"}", b"]"})
_KEY_FOLLOWS = frozenset({b"{", b","})


def edit_config(text: bytes, edit: Edit) -> bytes:
    """Return `text` with each string value of its outermost object as `edit(key, value)` wants it.

    Args:
        text: A JSON object; what cannot be read is left as it is, the page could not read it either.
        edit: Gets key and value decoded, returns the value to write.
    """
    pieces: list[bytes] = []
    done = depth = 0
    key: str | None = None
    before = b""
    for found in _TOKEN.finditer(text):
        token = found.group()
        if token in _OPEN:
            depth += 1
        elif token in _CLOSE:
            depth -= 1
        elif token[:1] == b'"' and depth == 1:
            if before in _KEY_FOLLOWS:
                key = _decode(token)
            elif before == b":" and key is not None:
                changed = _edited(key, token, edit)
                if changed is not None:
                    pieces += (text[done : found.start()], changed)
                    done = found.end()
        before = token
    pieces.append(text[done:])
    return b"".join(pieces)


def _edited(key: str, token: bytes, edit: Edit) -> bytes | None:
    value = _decode(token)
    if value is None:
        return None
    new = edit(key, value)
    return None if new == value else _encode(new)


def _decode(token: bytes) -> str | None:
    try:
        value: str = json.loads(token.decode("utf-8", "surrogateescape"), strict=False)
    except ValueError:
        return None
    return value


def _encode(value: str) -> bytes:
    """Spell `value` so that it can end neither a string nor the script element around it."""
    text = json.dumps(value)
    for char in "<>&'":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("ascii")
