import msgspec
import pytest

from nbgate.access.paths import (
    FOR_TOKENS,
    MOUNT_PATHS,
    OPEN_PATHS,
    Page,
    RequestKind,
    classify,
    is_own_document,
    judge_login,
    may_pass_penalty,
    open_page,
    own_path,
)
from nbgate.http.head import Fields, WebsocketOffer
from nbgate.http.target import parse_target
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.reasons import Reason

UPSTREAM = Upstream(host="127.0.0.1", port=8888)
ROOT = Route(name="lab", prefix="/", upstream=UPSTREAM)
ADA = Route(name="ada", prefix="/user/ada/", upstream=UPSTREAM)
OWN = Route(name="own", prefix="/_nbgate/", base_url="/_nbgate/", upstream=UPSTREAM, kind=RouteKind.OWN)

BARE = Fields(
    host="gw.test",
    forward=b"",
    conditional=b"",
    accept_encoding=None,
    content_length=None,
    chunked=False,
    expect_continue=False,
    keep_alive_token=False,
    close_token=False,
    cookie=None,
    origins=(),
    referer=None,
    fetch_site=None,
    fetch_mode=None,
    fetch_dest=None,
    accept=None,
    user_agent=None,
    content_type=None,
    websocket=None,
)
OFFER = WebsocketOffer(key="", protocols=(), extensions=None, version="13")


def page_of(path: bytes) -> Page | None:
    segments = parse_target(path).segments
    route = OWN if segments[0] == "_nbgate" else ADA if segments[:2] == ("user", "ada") else ROOT
    return open_page(segments, route, own_path(segments, ()))


@pytest.mark.parametrize(
    ("path", "page"),
    [
        (b"/.well-known/acme-challenge/abc", Page.ACME_CHALLENGE),
        (b"/.well-known/change-password", Page.CHANGE_PASSWORD),
        (b"/.well-known/security.txt", Page.SECURITY_TXT),
        (b"/_nbgate/api/login", Page.KEEPER),
        (b"/_nbgate/health", Page.HEALTH),
        (b"/_nbgate/link/abc", Page.KEEPER),
        (b"/_nbgate/login", Page.KEEPER),
        (b"/_nbgate/login?next=/lab", Page.KEEPER),
        (b"/_nbgate/%6cogin", Page.KEEPER),
        (b"/_nbgate/ready", Page.KEEPER),
        (b"/_nbgate/setup/abc", Page.KEEPER),
        (b"/_nbgate/static/login.css", Page.KEEPER),
        (b"/_nbgate/static/a/b.svg", Page.KEEPER),
        (b"/favicon.ico", Page.FAVICON),
        (b"/robots.txt", Page.ROBOTS),
        (b"/login", Page.MOUNT_LOGIN),
        (b"/login?next=%2Flab", Page.MOUNT_LOGIN),
        (b"/logout", Page.MOUNT_LOGOUT),
        (b"/user/ada/favicon.ico", Page.FAVICON),
        (b"/user/ada/login", Page.MOUNT_LOGIN),
        (b"/user/ada/logout", Page.MOUNT_LOGOUT),
    ],
)
def test_the_open_paths_are_these(path: bytes, page: Page) -> None:
    assert page is page_of(path)
    assert judge_login(page_of(path), has_session=False) is None


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/lab",
        b"/lab?x=/_nbgate/health",
        b"/static/lab/main.js",
        b"/api",
        b"/api/status",
        b"/api/login",
        b"/metrics",
        b"/debug/pprof",
        b"/login/",
        b"/login/x",
        b"/LOGIN",
        b"/lab/login",
        b"/logout/x",
        b"/user/ada",
        b"/user/ada/",
        b"/user/ada/favicon.ico/x",
        b"/user/favicon.ico",
        b"/user/ada/_nbgate/health",
        b"/_nbgate",
        b"/_nbgate/",
        b"/_nbgate/account",
        b"/_nbgate/account/totp",
        b"/_nbgate/admin",
        b"/_nbgate/api/session",
        b"/_nbgate/refresh",
        b"/_nbgate/signed-in",
        b"/_nbgate/logout",
        b"/_nbgate/api/logout",
        b"/_nbgate/api",
        b"/_nbgate/api/login/x",
        b"/_nbgate/login/",
        b"/_nbgate/loginx",
        b"/_nbgate/health/",
        b"/_nbgate/health/x",
        b"/_nbgate/link",
        b"/_nbgate/link/",
        b"/_nbgate/link/a/b",
        b"/_nbgate/setup",
        b"/_nbgate/static",
        b"/_nbgate/staticx/y",
        b"/_NBGATE/health",
        b"/favicon.ico/x",
        b"/robots.txt/",
        b"/.well-known",
        b"/.well-known/",
        b"/.well-known/x",
        b"/.well-known/acme-challenge",
        b"/.well-known/acme-challenge/",
        b"/.well-known/acme-challenge/a/b",
        b"/.well-known/security.txt/x",
    ],
)
def test_every_other_path_needs_a_session(path: bytes) -> None:
    """CVE-2025-54576, CVE-2026-40575, CVE-2026-41059: neither query nor spelling opens a door."""
    page = page_of(path)
    assert page is None
    assert Reason.LOGIN_REQUIRED is judge_login(page, has_session=False)
    assert judge_login(page, has_session=True) is None


BASE = ("a", "b")


@pytest.mark.parametrize(
    ("path", "page"),
    [
        (b"/.well-known/change-password", Page.CHANGE_PASSWORD),
        (b"/favicon.ico", Page.FAVICON),
        (b"/robots.txt", Page.ROBOTS),
        (b"/a/b/favicon.ico", Page.FAVICON),
        (b"/a/b/_nbgate/login", Page.KEEPER),
        (b"/a/%62/%5fnbgate/health", Page.HEALTH),
        (b"/a/b/_nbgate/static/a/b.svg", Page.KEEPER),
        # the gateway's own lies below its base URL and nowhere else
        (b"/_nbgate/login", None),
        (b"/_nbgate/health", None),
        (b"/a/_nbgate/login", None),
        (b"/b/_nbgate/login", None),
        (b"/a/b/x/_nbgate/login", None),
        (b"/x/a/b/_nbgate/login", None),
        (b"/a/b", None),
        (b"/a/b/", None),
        (b"/a/b/_nbgate", None),
        (b"/a/b/robots.txt", None),
        (b"/a/favicon.ico", None),
        (b"/a/b/.well-known/change-password", None),
    ],
)
def test_below_a_base_url_the_open_paths_are_these(path: bytes, page: Page | None) -> None:
    segments = parse_target(path).segments
    assert page is open_page(segments, None, own_path(segments, BASE), BASE)


@pytest.mark.parametrize(
    ("path", "base", "own"),
    [
        (b"/_nbgate/login", (), ("_nbgate", "login")),
        (b"/%5fnbgate/login", (), ("_nbgate", "login")),
        (b"/_nbgate", (), ("_nbgate",)),
        (b"/_nbgatex", (), ()),
        (b"/lab", (), ()),
        (b"/", (), ()),
        (b"/a/b/_nbgate/x", BASE, ("_nbgate", "x")),
        (b"/_nbgate/a/b", BASE, ()),
        (b"/a/x/_nbgate/b", BASE, ()),
        (b"/a/b", BASE, ()),
        (b"/a", BASE, ()),
    ],
)
def test_our_own_addresses_lie_below_the_base_url(path: bytes, base: tuple[str, ...], own: tuple[str, ...]) -> None:
    assert own == own_path(parse_target(path).segments, base)


def test_what_no_route_matches_is_open_only_by_the_gateways_own_table() -> None:
    assert Page.FAVICON is open_page(("favicon.ico",), None, ())
    assert open_page(("login",), None, ()) is None


def test_the_tables_are_sorted_and_every_row_has_its_reason() -> None:
    for table in (OPEN_PATHS, MOUNT_PATHS, FOR_TOKENS):
        assert sorted(row.segments for row in table) == [row.segments for row in table]
        assert all(row.why for row in table)


@pytest.mark.parametrize(
    ("method", "fields", "kind"),
    [
        (
            "GET",
            {"fetch_mode": "navigate", "fetch_dest": "document", "accept": "text/html,*/*"},
            RequestKind.NAVIGATION,
        ),
        ("GET", {"fetch_mode": "navigate", "fetch_dest": "iframe"}, RequestKind.NAVIGATION),
        ("POST", {"fetch_mode": "navigate"}, RequestKind.NAVIGATION),
        ("GET", {"fetch_mode": "cors", "accept": "text/html"}, RequestKind.API),
        ("GET", {"fetch_mode": "no-cors", "accept": "text/html"}, RequestKind.API),
        ("GET", {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, RequestKind.NAVIGATION),
        ("GET", {"accept": "Text/HTML"}, RequestKind.NAVIGATION),
        ("HEAD", {"accept": "text/html"}, RequestKind.API),
        ("POST", {"accept": "text/html"}, RequestKind.API),
        ("GET", {"accept": "*/*"}, RequestKind.API),
        ("GET", {"accept": "application/json"}, RequestKind.API),
        ("GET", {}, RequestKind.API),
        ("GET", {"websocket": OFFER, "accept": "text/html"}, RequestKind.WEBSOCKET),
        ("GET", {"websocket": OFFER, "fetch_mode": "navigate"}, RequestKind.WEBSOCKET),
    ],
)
def test_a_login_is_asked_for_in_the_way_the_sender_understands(
    method: str, fields: dict[str, object], kind: RequestKind
) -> None:
    assert kind is classify(method, msgspec.structs.replace(BARE, **fields))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("_nbgate/login", True),
        ("_nbgate/logout", True),
        ("_nbgate/servers", True),
        ("_nbgate/diagnose", True),
        ("_nbgate/account", True),
        ("_nbgate/account/totp", True),
        ("_nbgate/admin", True),
        ("_nbgate/admin/x", True),
        ("_nbgate/refresh", True),
        ("_nbgate/signed-in", True),
        ("_nbgate/setup/token", True),
        ("_nbgate/link/token", True),
        ("_nbgate/setup", False),
        ("_nbgate/diagnose/seen", False),
        ("_nbgate/diagnose/socket", False),
        ("_nbgate/api/login", False),
        ("_nbgate/api/session", False),
        ("_nbgate/account/totp/x", False),
        ("_nbgate/static/style.css", False),
        ("_nbgate/ready", False),
        ("_nbgate/", False),
        ("login", False),
        ("x/login", False),
    ],
)
def test_our_own_documents_are_what_a_person_opens(path: str, expected: bool) -> None:
    assert expected == is_own_document(tuple(path.split("/")))


@pytest.mark.parametrize(
    ("path", "by_anybody", "by_a_known_device"),
    [
        ("_nbgate/link/token", True, True),
        ("_nbgate/login", False, True),
        ("_nbgate/api/login", False, True),
        ("_nbgate/static/style.css", True, True),
        ("_nbgate/setup/token", False, False),
        ("_nbgate/link", False, False),
        ("_nbgate/link/a/b", False, False),
        ("_nbgate/login/x", False, False),
        ("_nbgate/ready", False, False),
        ("_nbgate/account", False, False),
        ("lab", False, False),
        ("login", False, False),
        ("", False, False),
    ],
)
def test_a_penalty_leaves_a_way_in_for_who_belongs_here(path: str, by_anybody: bool, by_a_known_device: bool) -> None:
    segments = tuple(path.split("/"))
    assert by_anybody == may_pass_penalty(segments, is_known_device=False)
    assert by_a_known_device == may_pass_penalty(segments, is_known_device=True)
