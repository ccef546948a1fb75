"""What the paths of notebook servers mean for the gateway: tables, and a lookup in each.

All of them take the once-decoded segments below the server's base URL (`nbgate.routing.table.rest_of`). They say what
a path is, never whether somebody may have it. An unknown path is a page without data: it is scrubbed, it needs the
session, and reading it is not guarded by Fetch-Metadata.
"""

from enum import Enum, auto

from msgspec import Struct


class Socket(Enum):
    """What is said on a websocket at a path."""

    OTHER = auto()
    CHANNEL = auto()  # to a kernel or a terminal: what the audit will have to read
    ROOM = auto()  # to those who have the same document open (jupyter-collaboration)
    EVENTS = auto()  # by the server alone, whatever anybody does

    @property
    def is_read(self) -> bool:
        """True where frames are looked into: no extensions, which could compress them."""
        return self is Socket.CHANNEL or self is Socket.ROOM


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

# Where notebook servers only show: who may read may read here. What other applications do with a GET nobody knows.
READABLE = (
    PathFact(("",), "the front page: a redirect, or marimo's"),
    PathFact(("@file",), "marimo: virtual files of a notebook"),
    PathFact(("api",), "notebooks, files, kernels"),
    PathFact(("assets",), "marimo: assets"),
    PathFact(("consoles",), "pages"),
    PathFact(("custom",), "the user's own css and js"),
    PathFact(("doc",), "pages of documents"),
    PathFact(("edit",), "pages of text files"),
    PathFact(("files",), "user content"),
    PathFact(("kernelspecs",), "files of kernels"),
    PathFact(("lab",), "pages, settings and assets"),
    PathFact(("nbclassic",), "pages"),
    PathFact(("nbconvert",), "notebooks as pages; runs nothing"),
    PathFact(("nbextensions",), "assets of classic extensions"),
    PathFact(("notebooks",), "pages of notebooks"),
    PathFact(("public",), "marimo: the user's own files"),
    PathFact(("static",), "assets"),
    PathFact(("terminals",), "pages of terminals; what is said there is on a websocket"),
    PathFact(("tree",), "pages of folders"),
    PathFact(("view",), "pages of files"),
    PathFact(("voila", "files"), "files as they are"),
    PathFact(("voila", "static"), "assets"),
)

# Reading these does something all the same.
EFFECTS = (
    PathFact(("terminals", "new"), "starts a terminal, with a GET"),
    PathFact(("voila", "render"), "runs a notebook"),
)

# What the pages of notebook servers link to, below their base URL; any other address there was written by a person.
LINKED = (
    PathFact(("",), "the front page"),
    PathFact(("api",), "JSON for programs"),
    PathFact(("consoles",), "pages"),
    PathFact(("custom",), "the user's own css and js"),
    PathFact(("doc",), "pages of documents"),
    PathFact(("edit",), "pages of text files"),
    PathFact(("files",), "what a page of a file shows"),
    PathFact(("kernelspecs",), "files of kernels"),
    PathFact(("lab",), "pages, settings and assets"),
    PathFact(("login",), "the server's own login"),
    PathFact(("logout",), "and its end"),
    PathFact(("nbclassic",), "pages"),
    PathFact(("nbextensions",), "assets of classic extensions"),
    PathFact(("notebooks",), "pages of notebooks"),
    PathFact(("static",), "assets"),
    PathFact(("terminals",), "pages of terminals"),
    PathFact(("tree",), "pages of folders"),
    PathFact(("view",), "pages of files"),
    PathFact(("voila",), "pages and assets"),
)

# Voila's pages hold the output of cells, which may link anywhere; Voila itself links here only.
LINKED_BY_VOILA = (PathFact(("voila",), "pages and assets"),)


def _by_first(facts: tuple[PathFact, ...]) -> dict[str, tuple[tuple[str, ...], ...]]:
    firsts = {fact.segments[0] for fact in facts}
    return {first: tuple(fact.segments for fact in facts if fact.segments[0] == first) for first in firsts}


_UNTOUCHED = _by_first(UNTOUCHED)
_DATA = _by_first(DATA)
_USER_CONTENT = _by_first(USER_CONTENT)
_READABLE = _by_first(READABLE)
_EFFECTS = _by_first(EFFECTS)
_LINKED = frozenset(_by_first(LINKED))
_LINKED_BY_VOILA = frozenset(_by_first(LINKED_BY_VOILA))


def is_untouched(rest: tuple[str, ...]) -> bool:
    """Say whether answers below this path are user content or assets, which no rewrite may touch."""
    return _lies_below(_UNTOUCHED, rest)


def has_data(rest: tuple[str, ...]) -> bool:
    """Say whether a safe method on this path still gives data or has an effect."""
    return _lies_below(_DATA, rest)


def is_user_content(rest: tuple[str, ...]) -> bool:
    """Say whether a document here is user content, to be shown in a sandbox."""
    return _lies_below(_USER_CONTENT, rest)


def has_effect(rest: tuple[str, ...]) -> bool:
    """Say whether a safe method on this path may start or run something: nobody knows better of an unknown one."""
    return bool(rest) and (not _lies_below(_READABLE, rest) or _lies_below(_EFFECTS, rest))


def is_kernel(rest: tuple[str, ...]) -> bool:
    """Say whether this is the state of one kernel: pages that lost its websocket ask for it."""
    return len(rest) == 3 and rest[1] == "kernels" and rest[0] == "api" and rest[2] != ""


def is_kernelspecs(rest: tuple[str, ...]) -> bool:
    """Say whether this lists kernels, or one of them, with the addresses of their files: no other JSON has any."""
    return 2 <= len(rest) <= 3 and rest[1] == "kernelspecs" and rest[0] == "api"


def is_voila(rest: tuple[str, ...]) -> bool:
    """Say whether a page here is Voila's; of the servers' front pages no other is a page, they lead on."""
    return not rest or rest[0] in {"", "voila"}


def links_of(*, voila: bool) -> frozenset[str]:
    """Return what the servers' own links lead to, by first segments: on a page of Voila's, or on any other."""
    return _LINKED_BY_VOILA if voila else _LINKED


def socket_of(rest: tuple[str, ...]) -> Socket:
    """Return what is said on a websocket here."""
    match rest:
        case ("api", "kernels", _, "channels") | ("terminals", "websocket", _):
            return Socket.CHANNEL
        case ("api", "collaboration", "room", *_):
            return Socket.ROOM
        case ("api", "events", "subscribe"):
            return Socket.EVENTS
        case _:
            return Socket.OTHER


def _lies_below(paths: dict[str, tuple[tuple[str, ...], ...]], rest: tuple[str, ...]) -> bool:
    for segments in paths.get(rest[0], ()) if rest else ():
        if rest[: len(segments)] == segments:
            return True
    return False
