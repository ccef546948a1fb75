"""Change string values in JSON text, and not one byte beside them.

It does not parse and print again: escapes, order and blanks of every server version stay as they were. It does not
know which values matter; `Edit` does.
"""

import json
import re
from collections.abc import Callable

Path = tuple[str | None, ...]
Edit = Callable[[Path, str], str]

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
_OPEN = frozenset({b"{", b"["})
_CLOSE = frozenset({b"}", b"]"})
_KEY_FOLLOWS = frozenset({b"{", b","})


def edit_strings(text: bytes, edit: Edit, *, max_depth: int) -> bytes:
    """Return `text` with the string values of its objects as `edit(path, value)` wants them.

    Args:
        text: JSON; what cannot be read is left as it is, whoever wants it could not read it either.
        edit: Gets the keys that lead to the value, with None for each array on the way, and the value, decoded;
            returns the value to write.
        max_depth: How long a path may be; what lies deeper is not looked at.
    """
    pieces: list[bytes] = []
    done = 0
    path: list[str | None] = []
    before = b""
    for found in _TOKEN.finditer(text):
        token = found.group()
        if token[:1] == b'"':
            if 0 < len(path) <= max_depth and path[-1] is not None:
                if before == b":":
                    changed = _edited(tuple(path), token, edit)
                    if changed is not None:
                        pieces += (text[done : found.start()], changed)
                        done = found.end()
                elif before in _KEY_FOLLOWS:
                    path[-1] = _decode(token) or ""
        elif token in _OPEN:
            path.append("" if token == b"{" else None)
        elif token in _CLOSE:
            del path[-1:]
        before = token
    pieces.append(text[done:])
    return b"".join(pieces)


def _edited(path: Path, token: bytes, edit: Edit) -> bytes | None:
    value = _decode(token)
    if value is None:
        return None
    new = edit(path, value)
    return None if new == value else _encode(new)


def _decode(token: bytes) -> str | None:
    try:
        value: str = json.loads(token.decode("utf-8", "surrogateescape"), strict=False)
    except ValueError:
        return None
    return value


def _encode(value: str) -> bytes:
    """Spell `value` so that it can end neither a string nor a script element around it."""
    text = json.dumps(value)
    for char in "<>&'":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("ascii")
