"""The closed table of paths that need no login, and the kinds of request by which a login is asked for.

Matched on the once-decoded segments alone: a query, a header or a user agent opens no door (T35). This module does
not serve these paths; `Page` says who does.
"""

from enum import Enum, auto

from msgspec import Struct

from nbgate.http.head import Fields
from nbgate.model.route import Route, RouteKind
from nbgate.reasons import Reason


class Page(Enum):
    """Who answers an open path."""

    KEEPER = auto()  # a page or an API call of the keeper
    HEALTH = auto()  # fixed answers of the worker
    FAVICON = auto()
    ROBOTS = auto()
    SECURITY_TXT = auto()
    CHANGE_PASSWORD = auto()
    ACME_CHALLENGE = auto()
    MOUNT_LOGIN = auto()  # a mount's own login: a redirect to ours
    MOUNT_LOGOUT = auto()  # a mount's own logout: a redirect to our button


class Below(Enum):
    """What may follow the segments of a row."""

    NOTHING = auto()
    ONE_SEGMENT = auto()
    ANYTHING = auto()


class OpenPath(Struct, frozen=True):
    """One row: the segments, what may follow them, who answers, and why no login is asked for."""

    segments: tuple[str, ...]
    below: Below
    page: Page
    why: str


OWN = "_nbgate"
KNOWN = ".well-known"

OPEN_PATHS = (
    OpenPath(
        (KNOWN, "acme-challenge"), Below.ONE_SEGMENT, Page.ACME_CHALLENGE, "certificate authorities do not log in"
    ),
    OpenPath((KNOWN, "change-password"), Below.NOTHING, Page.CHANGE_PASSWORD, "password managers ask (a redirect)"),
    OpenPath((KNOWN, "security.txt"), Below.NOTHING, Page.SECURITY_TXT, "RFC 9116: for strangers"),
    OpenPath((OWN, "api", "login"), Below.NOTHING, Page.KEEPER, "it is the login"),
    OpenPath((OWN, "health"), Below.NOTHING, Page.HEALTH, "says nothing but ok"),
    OpenPath((OWN, "link"), Below.ONE_SEGMENT, Page.KEEPER, "the link is the credential"),
    OpenPath((OWN, "login"), Below.NOTHING, Page.KEEPER, "it is the login"),
    OpenPath((OWN, "ready"), Below.NOTHING, Page.KEEPER, "says nothing but yes or no"),
    OpenPath((OWN, "setup"), Below.ONE_SEGMENT, Page.KEEPER, "the link is the credential"),
    OpenPath((OWN, "static"), Below.ANYTHING, Page.KEEPER, "what the login page is made of"),
    OpenPath(("favicon.ico",), Below.NOTHING, Page.FAVICON, "browsers ask before and outside any login"),
    OpenPath(("robots.txt",), Below.NOTHING, Page.ROBOTS, "keeps crawlers away"),
)

MOUNT_PATHS = (
    OpenPath(("login",), Below.NOTHING, Page.MOUNT_LOGIN, "the upstream's own login is never shown"),
    OpenPath(("logout",), Below.NOTHING, Page.MOUNT_LOGOUT, "JupyterLab's menu leads here (a button only)"),
)

OWN_DOCUMENTS = frozenset({"account", "admin", "diagnose", "login", "logout", "refresh", "servers", "signed-in"})
FOR_TOKENS = (OWN, "api", "session")  # all that a token opens of ours: who am I

_FIRST = frozenset(row.segments[0] for row in OPEN_PATHS)
_MOUNT_LAST = frozenset(row.segments[-1] for row in MOUNT_PATHS)


class RequestKind(Enum):
    """How a client can be asked for a login."""

    NAVIGATION = auto()  # somebody looks at a page: show the login page
    API = auto()  # a program reads the answer: 401 JSON
    WEBSOCKET = auto()  # nobody reads a body: 401


def open_page(segments: tuple[str, ...], route: Route | None) -> Page | None:
    """Return who answers `segments` without a login, or None for every path that needs one.

    Args:
        segments: As in `Target.segments`.
        route: What they match; a notebook's prefix has a `login` and a `logout` of its own.
    """
    if segments[0] in _FIRST:
        page = _find(OPEN_PATHS, segments)
        if page is not None:
            return page
    if segments[-1] not in _MOUNT_LAST or route is None or route.kind is not RouteKind.NOTEBOOK:
        return None
    rest = segments[route.prefix.count("/") - 1 :]
    return _find(MOUNT_PATHS, rest)


def is_own_document(segments: tuple[str, ...]) -> bool:
    """Say whether this is one of our own pages, and not what a page is made of or what programs call."""
    match segments:
        case ("_nbgate", name):
            return name in OWN_DOCUMENTS
        case ("_nbgate", ("account" | "admin" | "link" | "setup"), _):
            return True
        case _:
            return False


def may_pass_penalty(segments: tuple[str, ...], *, is_known_device: bool) -> bool:
    """Say whether a stranger whose netblock is refused may still have this: a way in for who belongs here.

    Args:
        segments: As in `Target.segments`.
        is_known_device: It came with what could be a device cookie; the keeper judges it, in a bucket of its own.
    """
    match segments:
        case ("_nbgate", "link", _) | ("_nbgate", "static", _):
            return True
        case ("_nbgate", "login") | ("_nbgate", "api", "login"):
            return is_known_device
        case _:
            return False


def judge_login(page: Page | None, *, has_session: bool) -> Reason | None:
    """Say why a request must be answered with the question for a login; None means it may go on."""
    return None if has_session or page is not None else Reason.LOGIN_REQUIRED


def classify(method: str, fields: Fields) -> RequestKind:
    """Say how the sender can be asked for a login.

    Sec-Fetch-Mode, where it is sent, is the browser's own word; Accept is the guess for all others, and `*/*` is a
    program.
    """
    if fields.websocket is not None:
        return RequestKind.WEBSOCKET
    if fields.fetch_mode is not None:
        return RequestKind.NAVIGATION if fields.fetch_mode == "navigate" else RequestKind.API
    reads_html = fields.accept is not None and "text/html" in fields.accept.lower()
    return RequestKind.NAVIGATION if method == "GET" and reads_html else RequestKind.API


def _find(rows: tuple[OpenPath, ...], segments: tuple[str, ...]) -> Page | None:
    for row in rows:
        depth = len(row.segments)
        if segments[:depth] == row.segments and _may_follow(row.below, segments[depth:]):
            return row.page
    return None


def _may_follow(below: Below, rest: tuple[str, ...]) -> bool:
    if below is Below.ONE_SEGMENT:
        return len(rest) == 1 and rest != ("",)
    return bool(rest) is (below is Below.ANYTHING)
