"""What the paths of notebook servers mean for the gateway: tables, and a lookup in each.

All of them take the once-decoded segments below the server's base URL (`nbgate.routing.table.rest_of`). They say what
a path is, never whether somebody may have it. An unknown path is a page without data: it is scrubbed, it needs the
session, and reading it is not guarded by Fetch-Metadata.
"""

from msgspec import Struct


class PathFact(Struct, frozen=True):
    """One row: everything at and below `segments` is so, and why."""

    segments: tuple[str, ...]
    why: str


# A page here is somebody's file or a fixed asset: not one byte of it may be changed (PREFIX, safe streaming).
UNTOUCHED = (
    PathFact(("@file",), "marimo: virtual files of a notebook"),
    PathFact(("api",), "JSON for programs"),
    PathFact(("assets",), "marimo: assets"),
    PathFact(("custom",), "the user's own css and js"),
    PathFact(("files",), "user content"),
    PathFact(("kernelspecs",), "files of kernels"),
    PathFact(("lab", "extensions"), "assets of extensions"),
    PathFact(("nbconvert",), "user content"),
    PathFact(("nbextensions",), "assets of classic extensions"),
    PathFact(("proxy",), "jupyter-server-proxy: another application"),
    PathFact(("public",), "marimo: the user's own files"),
    PathFact(("static",), "assets"),
    PathFact(("voila", "files"), "user content"),
    PathFact(("voila", "static"), "assets"),
)

# A document here was written by somebody else than the server: its script may not act as the person who opens it (T22).
USER_CONTENT = (
    PathFact(("files",), "files as they are"),
    PathFact(("nbconvert",), "notebooks as pages, with the output of their cells"),
    PathFact(("public",), "marimo: files beside the notebook"),
    PathFact(("voila", "files"), "files as they are"),
)

# Reading these gives data or has an effect: another site must not make a browser do it (T18).
DATA = (
    PathFact(("api",), "notebooks, files, kernels"),
    PathFact(("files",), "user content"),
    PathFact(("lab", "api"), "settings and workspaces"),
    PathFact(("nbconvert",), "user content; costs a conversion"),
    PathFact(("terminals", "new"), "starts a terminal, with a GET"),
    PathFact(("terminals", "websocket"), "a terminal"),
    PathFact(("voila", "render"), "runs a notebook"),
)


def _by_first(facts: tuple[PathFact, ...]) -> dict[str, tuple[tuple[str, ...], ...]]:
    firsts = {fact.segments[0] for fact in facts}
    return {first: tuple(fact.segments for fact in facts if fact.segments[0] == first) for first in firsts}


_UNTOUCHED = _by_first(UNTOUCHED)
_DATA = _by_first(DATA)
_USER_CONTENT = _by_first(USER_CONTENT)


def is_untouched(rest: tuple[str, ...]) -> bool:
    """Say whether answers below this path are user content or assets, which no rewrite may touch."""
    return _lies_below(_UNTOUCHED, rest)


def has_data(rest: tuple[str, ...]) -> bool:
    """Say whether a safe method on this path still gives data or has an effect."""
    return _lies_below(_DATA, rest)


def is_user_content(rest: tuple[str, ...]) -> bool:
    """Say whether a document here is user content, to be shown in a sandbox."""
    return _lies_below(_USER_CONTENT, rest)


def is_message_channel(rest: tuple[str, ...]) -> bool:
    """Say whether a websocket here speaks to a kernel or a terminal: what the audit will have to read."""
    match rest:
        case ("api", "kernels", _, "channels") | ("terminals", "websocket", _):
            return True
        case _:
            return False


def _lies_below(paths: dict[str, tuple[tuple[str, ...], ...]], rest: tuple[str, ...]) -> bool:
    for segments in paths.get(rest[0], ()) if rest else ():
        if rest[: len(segments)] == segments:
            return True
    return False
