"""Read a request target once: routing, rules, access and the relay all use the one value made here.

Origin form only, percent-decoded exactly once, as the notebook servers do. Anything two readers could take for two
different paths is refused (T31). This module maps nothing: prefixes are swapped in `nbgate.routing`, on the raw bytes.
"""

import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from nbgate.errors import ProtocolError
from nbgate.reasons import Reason

_ORIGIN_FORM = re.compile(
    rb"/[!\"$-~]*"
)  # visible ASCII without "#", which no client sends and no two servers agree on
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_SEPARATOR = re.compile(r"%(?:2[Ff]|5[Cc])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Actions whose last segment is itself a whole path, percent-encoded: the segments before it, and why.
_WHOLE_PATH_AFTER = (
    ("api", "collaboration", "session"),  # jupyter-collaboration: PUT api/collaboration/session/<path of the document>
)


class Target(Struct, frozen=True, gc=False):
    """A request target, and the path it names.

    Attributes:
        raw: The bytes as sent.
        raw_path: The part before "?", as sent.
        query: The part after "?", as sent; "" without one.
        path: The path, decoded once.
        segments: What stands between the slashes of `path`; a trailing slash gives a last "".
    """

    raw: bytes
    raw_path: str
    query: str
    path: str
    segments: tuple[str, ...]


def parse_target(raw: bytes) -> Target:
    """Read an origin-form target.

    Raises:
        ProtocolError: BAD_TARGET, when it is not origin-form or its path could be read in two ways.

    Source: RFC 9112 section 3.2.1, THREATS T31.
    """
    if _ORIGIN_FORM.fullmatch(raw) is None:
        raise ProtocolError(Reason.BAD_TARGET)
    raw_path, _, query = raw.decode("ascii").partition("?")
    if "//" in raw_path or "\\" in raw_path:
        raise ProtocolError(Reason.BAD_TARGET)
    path = _decode(raw_path) if "%" in raw_path else raw_path
    segments = tuple(path[1:].split("/"))
    if "/." in path and not {".", ".."}.isdisjoint(segments):
        raise ProtocolError(Reason.BAD_TARGET)
    return Target(raw, raw_path, query, path, segments)


def _decode(raw_path: str) -> str:
    """Decode `raw_path` once, or refuse it."""
    if _BAD_ESCAPE.search(raw_path) is not None:
        raise ProtocolError(Reason.BAD_TARGET)
    separator = _ENCODED_SEPARATOR.search(raw_path)
    if separator is not None and not _may_hold_a_path(raw_path, separator.start()):
        raise ProtocolError(Reason.BAD_TARGET)
    try:
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(Reason.BAD_TARGET) from error
    if _CONTROL.search(path) is not None or "\\" in path or "//" in path:
        raise ProtocolError(Reason.BAD_TARGET)
    return path


def _may_hold_a_path(raw_path: str, first_separator: int) -> bool:
    """Say whether an encoded slash at `first_separator` stands in the last segment of a listed action.

    The segments before it are compared as sent: an action spelled with escapes gets no exception. An encoded
    backslash gets none either, the decoded path is looked at again.
    """
    before, _, _ = raw_path.rpartition("/")
    return first_separator > len(before) and any(
        before.endswith("/" + "/".join(action)) for action in _WHOLE_PATH_AFTER
    )
