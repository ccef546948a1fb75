"""The closed tables of paths that need no login, or open to a token, and the kinds of request by which one logs in.

Matched on the once-decoded segments alone: a query, a header or a user agent opens no door (T35). All that is ours lies
below the gateway's own base URL, and is compared without it. This module does not serve these paths; `Page` says who
does.
"""

from enum import Enum, auto

from msgspec import Struct

from nbgate.http.head import Fields
from nbgate.model.route import Route, RouteKind
from nbgate.model.session import Scope
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


class TokenPath(Struct, frozen=True):
    """One row: an address of ours that a token opens, by which methods (none: all), of which scopes, and why.

    Attributes:
        for_owners: Only the token of an owner does, and only one that is good for all routes.
    """

    segments: tuple[str, ...]
    methods: frozenset[str]
    scopes: frozenset[Scope]
    why: str
    for_owners: bool = False


OWN = "_nbgate"
KNOWN = ".well-known"

# Those that begin with OWN lie below the gateway's base URL, the others at the root of the host, wherever that is.
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
    OpenPath(("favicon.ico",), Below.NOTHING, Page.FAVICON, "as at the root; some servers hang up when they are asked"),
    OpenPath(("login",), Below.NOTHING, Page.MOUNT_LOGIN, "the upstream's own login is never shown"),
    OpenPath(("logout",), Below.NOTHING, Page.MOUNT_LOGOUT, "JupyterLab's menu leads here (a button only)"),
)

OWN_DOCUMENTS = frozenset({"account", "admin", "diagnose", "login", "logout", "refresh", "servers", "signed-in"})

FOR_TOKENS = (
    TokenPath(
        (OWN, "api", "routes"),
        frozenset(),
        frozenset({Scope.ALL, Scope.ROUTES_ADMIN}),
        "what such a token is made for",
        for_owners=True,
    ),
    TokenPath((OWN, "api", "session"), frozenset({"GET"}), frozenset(Scope) - {Scope.LOGIN}, "who am I"),
)

_FAVICON = ("favicon.ico",)
_OF_HOST = tuple(row for row in OPEN_PATHS if row.segments[0] != OWN)
_OWN_PATHS = tuple(row for row in OPEN_PATHS if row.segments[0] == OWN)
_FIRST = frozenset(row.segments[0] for row in _OF_HOST)
_MOUNT_LAST = frozenset(row.segments[-1] for row in MOUNT_PATHS)


class RequestKind(Enum):
    """How a client can be asked for a login."""

    NAVIGATION = auto()  # somebody looks at a page: show the login page
    API = auto()  # a program reads the answer: 401 JSON
    WEBSOCKET = auto()  # nobody reads a body: 401


def own_path(segments: tuple[str, ...], base: tuple[str, ...]) -> tuple[str, ...]:
    """Return where among our own addresses a path lies, from `OWN` on; () for a path that is none of ours.

    Args:
        segments: As in `Target.segments`.
        base: Those of the gateway's own base URL.
    """
    depth = len(base)
    return segments[depth:] if segments[depth : depth + 1] == (OWN,) and segments[:depth] == base else ()


def open_page(
    segments: tuple[str, ...], route: Route | None, own: tuple[str, ...], base: tuple[str, ...] = ()
) -> Page | None:
    """Return who answers `segments` without a login, or None for every path that needs one.

    Args:
        segments: As in `Target.segments`.
        route: What they match; a notebook's prefix has a `login` and a `logout` of its own.
        own: Where they are among our own addresses (`own_path`).
        base: Those of the gateway's own base URL; there browsers look for its icon too.
    """
    if own:
        return _find(_OWN_PATHS, own)
    if segments[0] in _FIRST and (page := _find(_OF_HOST, segments)) is not None:
        return page
    if segments[-1] not in _MOUNT_LAST:
        return None
    if segments == base + _FAVICON:
        return Page.FAVICON
    if route is None or route.kind is not RouteKind.NOTEBOOK:
        return None
    rest = segments[route.prefix.count("/") - 1 :]
    return _find(MOUNT_PATHS, rest)


def is_own_document(own: tuple[str, ...]) -> bool:
    """Say whether this address of ours (`own_path`) is a page, and not what one is made of or what programs call."""
    match own:
        case ("_nbgate", name):
            return name in OWN_DOCUMENTS
        case ("_nbgate", ("account" | "admin" | "link" | "setup"), _):
            return True
        case _:
            return False


def may_pass_penalty(own: tuple[str, ...], *, is_known_device: bool) -> bool:
    """Say whether a stranger whose netblock is refused may still have this: a way in for who belongs here.

    Args:
        own: Where it is among our own addresses (`own_path`).
        is_known_device: It came with what could be a device cookie; the keeper judges it, in a bucket of its own.
    """
    match own:
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
