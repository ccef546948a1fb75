import msgspec
import pytest

from nbgate.guard.origin import is_own_origin, judge_document, judge_origin
from nbgate.http.head import Fields
from nbgate.reasons import Reason

HOST = "gw.test:8443"
OWN = ("https://gw.test:8443",)
EVIL = ("https://evil.example",)
OWN_PAGE = "https://gw.test:8443/_nbgate/login?next=/"

BARE = Fields(
    host=HOST,
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
WRITES = ["POST", "PUT", "PATCH", "DELETE"]
READS = ["GET", "HEAD", "OPTIONS"]


def judge(
    method: str = "POST",
    *,
    websocket: bool = False,
    session: bool = True,
    own_page: bool = False,
    data: bool = False,
    token: bool = False,
    **fields: object,
) -> Reason | None:
    return judge_origin(
        method=method,
        websocket=websocket,
        fields=msgspec.structs.replace(BARE, **fields),
        has_session=session,
        own_page=own_page,
        has_data=data,
        has_token=token,
    )


# not for own pages, no session


@pytest.mark.parametrize("method", WRITES + READS)
@pytest.mark.parametrize("origins", [(), OWN, EVIL, ("null",), OWN + OWN])
def test_a_stranger_is_not_judged_here_but_asked_for_a_login(method: str, origins: tuple[str, ...]) -> None:
    assert judge(method, session=False, origins=origins, fetch_site="cross-site", data=True) is None
    assert judge("GET", websocket=True, session=False, origins=origins) is None


# preflight


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize("own_page", [True, False])
@pytest.mark.parametrize("origins", [(), EVIL, ("null",), OWN + OWN, OWN + EVIL])
def test_no_other_site_s_preflight_is_answered(session: bool, own_page: bool, origins: tuple[str, ...]) -> None:
    assert Reason.PREFLIGHT is judge("OPTIONS", session=session, own_page=own_page, origins=origins, preflight=True)


def test_our_own_preflight_is_an_options_like_any_other() -> None:
    assert judge("OPTIONS", origins=OWN, preflight=True, data=True) is None
    assert judge("GET", origins=(), preflight=True) is None


# Origin, wherever it counts

FOREIGN = [
    "https://evil.example",
    "https://evil.example:8443",
    "https://gw.test",
    "https://gw.test:443",
    "https://gw.test:84430",
    "https://gw.test:844",
    "https://gw.test:8443.evil.example",
    "https://gw.test:8443@evil.example",
    "https://gw.test:8443:8443",
    "https://gw.test:8443/",
    "https://gw.test:8443/x",
    "https://gw.test:8443?x",
    "https://gw.test:8443#x",
    "https://gw.test:8443\\",
    "https://gw.test:8443 ",
    "https://gw.test:08443",
    "https://gw.test.:8443",
    "https://xgw.test:8443",
    "https://x.gw.test:8443",
    "https://evil.example#gw.test:8443",
    "https://evil.example/gw.test:8443",
    "https://evil@gw.test:8443",
    "https://user:pass@gw.test:8443",
    "http://gw.test:8443",
    "wss://gw.test:8443",
    "HTTPS://gw.test:8443",
    "https:gw.test:8443",
    "https:/gw.test:8443",
    "https:///gw.test:8443",
    "//gw.test:8443",
    "gw.test:8443",
    "https://",
    "https://:8443",
    "",
    "*",
    "file://",
    "chrome-extension://gw.test:8443",
    "https://gw.test:8443, https://gw.test:8443",
    "https://gw.test:8443 https://evil.example",
    "https://\u212agw.test:8443",
    "https://gw\uff0etest:8443",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", [*WRITES, "OPTIONS"])
def test_an_origin_that_is_not_equal_is_foreign_and_beginning_or_end_prove_nothing(method: str, origin: str) -> None:
    """CVE-2026-40110."""
    assert Reason.CROSS_ORIGIN == judge(method, origins=(origin,), fetch_site="same-origin", referer=OWN_PAGE)


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_gets_no_websocket_no_data_and_no_login(origin: str) -> None:
    """CVE-2023-26114."""
    assert Reason.CROSS_ORIGIN == judge("GET", websocket=True, origins=(origin,), fetch_site="same-origin")
    assert Reason.CROSS_ORIGIN == judge("GET", data=True, origins=(origin,), fetch_site="same-origin")
    assert Reason.CROSS_ORIGIN == judge(
        session=False, own_page=True, origins=(origin,), content_type="application/json"
    )


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("gw.test", "https://gw.test"),
        ("gw.test", "https://GW.TEST"),
        ("gw.test", "https://gw.test:443"),
        ("gw.test:443", "https://gw.test"),
        ("gw.test:8443", "https://gw.test:8443"),
        ("gw.test:8443", "https://Gw.Test:8443"),
        ("gw.test.", "https://gw.test."),
        ("127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("[::1]:8443", "https://[::1]:8443"),
        ("[::1]", "https://[::1]:443"),
        ("[2001:db8::443]", "https://[2001:DB8::443]"),
    ],
)
def test_own_origin_is_the_host_in_any_case_with_443_said_or_not(host: str, origin: str) -> None:
    assert is_own_origin(origin, host)
    assert judge(host=host, origins=(origin,)) is None
    assert judge("GET", websocket=True, host=host, origins=(origin,)) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [("gw.test", "https://gw.test:8443"), ("gw.test:8443", "https://gw.test"), ("gw.test:4430", "https://gw.test:443")],
)
def test_another_port_is_another_origin(host: str, origin: str) -> None:
    assert not is_own_origin(origin, host)


@pytest.mark.parametrize("null", ["null", "NULL"])
@pytest.mark.parametrize("method", [*WRITES, "OPTIONS"])
def test_a_null_origin_is_refused_whatever_else_is_said(method: str, null: str) -> None:
    assert Reason.ORIGIN_NULL == judge(method, origins=(null,), fetch_site="same-origin", referer=OWN_PAGE)
    assert Reason.ORIGIN_NULL == judge("GET", websocket=True, origins=(null,))
    assert Reason.ORIGIN_NULL == judge("GET", data=True, origins=(null,))
    assert Reason.ORIGIN_NULL == judge(session=False, own_page=True, origins=(null,))


@pytest.mark.parametrize("origins", [OWN + OWN, OWN + EVIL, EVIL + OWN, ("null", *OWN)])
def test_two_origins_are_none(origins: tuple[str, ...]) -> None:
    assert Reason.CROSS_ORIGIN == judge(origins=origins)
    assert Reason.CROSS_ORIGIN == judge("GET", websocket=True, origins=origins)


# websockets


@pytest.mark.parametrize("site", [None, "none", "same-origin", "same-site", "cross-site"])
def test_a_websocket_needs_its_own_origin_and_nothing_else(site: str | None) -> None:
    assert judge("GET", websocket=True, origins=OWN, fetch_site=site) is None
    assert Reason.ORIGIN_MISSING == judge("GET", websocket=True, fetch_site=site, referer=OWN_PAGE)


# safe methods


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize(
    ("site", "mode", "dest", "expected"),
    [
        ("same-origin", "cors", "empty", None),
        ("same-origin", "no-cors", "image", None),
        ("none", "navigate", "document", None),
        ("cross-site", "navigate", "document", None),
        ("same-site", "navigate", "document", None),
        ("cross-site", "navigate", "iframe", Reason.CROSS_SITE),
        ("cross-site", "navigate", "object", Reason.CROSS_SITE),
        ("cross-site", "no-cors", "script", Reason.CROSS_SITE),
        ("cross-site", "no-cors", "document", Reason.CROSS_SITE),
        ("cross-site", None, None, Reason.CROSS_SITE),
        ("same-site", "no-cors", "script", Reason.CROSS_SITE),
        ("same-site", "cors", "empty", Reason.CROSS_SITE),
    ],
)
def test_data_is_not_read_through_a_side_door(
    method: str, site: str, mode: str | None, dest: str | None, expected: Reason | None
) -> None:
    """CVE-2019-9644, CVE-2023-40170."""
    for origins in ((), OWN):
        assert expected == judge(method, data=True, origins=origins, fetch_site=site, fetch_mode=mode, fetch_dest=dest)
    assert judge(method, data=False, fetch_site=site, fetch_mode=mode, fetch_dest=dest) is None


@pytest.mark.parametrize(
    ("referer", "expected"),
    [
        (None, None),
        ("https://gw.test:8443/lab", None),
        ("https://gw.test:8443", None),
        ("https://GW.test:8443/?x#y", None),
        ("https://evil.example/", Reason.CROSS_SITE),
        ("https://gw.test:8443.evil.example/", Reason.CROSS_SITE),
        ("https://gw.test:8443@evil.example/", Reason.CROSS_SITE),
        ("https://gw.test:8443\\@evil.example/", Reason.CROSS_SITE),
        ("https://evil.example/https://gw.test:8443/", Reason.CROSS_SITE),
        ("http://gw.test:8443/", Reason.CROSS_SITE),
        ("about:blank", Reason.CROSS_SITE),
        ("", Reason.CROSS_SITE),
    ],
)
def test_browsers_without_fetch_metadata_are_judged_by_their_referer(
    referer: str | None, expected: Reason | None
) -> None:
    assert expected == judge("GET", data=True, referer=referer)


def test_a_page_without_data_may_be_read_from_anywhere_by_get() -> None:
    assert judge("GET", origins=EVIL, fetch_site="cross-site", referer="https://evil.example/") is None
    assert judge("HEAD", origins=("null",)) is None


# every other method


@pytest.mark.parametrize("method", [*WRITES, "PURGE"])
@pytest.mark.parametrize("site", [None, "none", "same-origin", "same-site", "cross-site"])
@pytest.mark.parametrize("mode", [None, "cors", "no-cors", "navigate"])
def test_a_write_with_our_own_origin_passes(method: str, site: str | None, mode: str | None) -> None:
    assert judge(method, origins=OWN, fetch_site=site, fetch_mode=mode) is None


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("mode", [None, "cors", "no-cors", "navigate", "same-origin"])
@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("same-origin", None),
        ("same-site", Reason.CROSS_SITE),
        ("cross-site", Reason.CROSS_SITE),
        ("none", Reason.CROSS_SITE),
        ("", Reason.CROSS_SITE),
        ("same-origin, cross-site", Reason.CROSS_SITE),
    ],
)
def test_a_write_without_origin_is_judged_by_site_and_never_by_mode(
    method: str, mode: str | None, site: str, expected: Reason | None
) -> None:
    """CVE-2026-40864: no-cors is not same-origin."""
    for own_page in (False, True):
        assert expected == judge(
            method,
            own_page=own_page,
            fetch_site=site,
            fetch_mode=mode,
            referer=OWN_PAGE,
            content_type="application/json",
        )


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize(
    ("referer", "content_type", "own", "upstream"),
    [
        (OWN_PAGE, "application/x-www-form-urlencoded", None, Reason.ORIGIN_MISSING),
        (OWN_PAGE, None, None, Reason.ORIGIN_MISSING),
        (OWN_PAGE, "application/json", None, Reason.ORIGIN_MISSING),
        ("https://evil.example/", "application/json", Reason.CROSS_SITE, Reason.CROSS_SITE),
        ("https://gw.test:8443.evil.example/", None, Reason.CROSS_SITE, Reason.CROSS_SITE),
        (None, "application/json", None, Reason.ORIGIN_MISSING),
        (None, "Application/JSON ; charset=utf-8", None, Reason.ORIGIN_MISSING),
        (None, "application/jsonx", Reason.ORIGIN_MISSING, Reason.ORIGIN_MISSING),
        (None, "text/plain; application/json", Reason.ORIGIN_MISSING, Reason.ORIGIN_MISSING),
        (None, "application/x-www-form-urlencoded", Reason.ORIGIN_MISSING, Reason.ORIGIN_MISSING),
        (None, None, Reason.ORIGIN_MISSING, Reason.ORIGIN_MISSING),
    ],
)
def test_a_client_that_says_nothing_of_its_origin_may_send_json_to_our_own_api(
    session: bool, referer: str | None, content_type: str | None, own: Reason | None, upstream: Reason | None
) -> None:
    assert own == judge(session=session, own_page=True, referer=referer, content_type=content_type)
    if session:
        assert upstream == judge(referer=referer, content_type=content_type)


@pytest.mark.parametrize(
    ("dest", "expected"),
    [
        (None, None),
        ("document", None),
        ("iframe", Reason.NOT_A_DOCUMENT),
        ("empty", Reason.NOT_A_DOCUMENT),
        ("script", Reason.NOT_A_DOCUMENT),
        ("", Reason.NOT_A_DOCUMENT),
    ],
)
def test_own_html_pages_are_for_documents_only(dest: str | None, expected: Reason | None) -> None:
    assert expected == judge_document(msgspec.structs.replace(BARE, fetch_dest=dest))


# with a token


@pytest.mark.parametrize("method", [*WRITES, "socket"])
@pytest.mark.parametrize(
    ("fields", "with_token"),
    [
        ({}, None),
        ({"referer": OWN_PAGE}, None),
        ({"origins": OWN}, None),
        ({"fetch_mode": "cors"}, None),  # Node sends that alone
        ({"origins": EVIL}, Reason.CROSS_ORIGIN),
        ({"origins": OWN + OWN}, Reason.CROSS_ORIGIN),
        ({"origins": ("null",)}, Reason.ORIGIN_NULL),
        ({"fetch_site": "cross-site"}, Reason.CROSS_SITE),
        ({"fetch_site": "same-site"}, Reason.CROSS_SITE),
        ({"referer": "https://evil.example/"}, Reason.CROSS_SITE),
    ],
)
def test_a_token_needs_no_origin_but_one_that_is_there_is_ours(
    method: str, fields: dict[str, object], with_token: Reason | None
) -> None:
    if method == "socket":
        expected = Reason.ORIGIN_MISSING if with_token is Reason.CROSS_SITE else with_token
        assert expected is judge("GET", websocket=True, token=True, **fields)
    else:
        assert with_token is judge(method, token=True, **fields)


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("data", [True, False])
def test_reading_with_a_token_is_reading(method: str, data: bool) -> None:
    assert judge(method, token=True, data=data) is None
    assert (Reason.CROSS_ORIGIN if data or method == "OPTIONS" else None) is judge(
        method, token=True, data=data, origins=EVIL
    )
    assert (Reason.CROSS_SITE if data else None) is judge(method, token=True, data=data, fetch_site="cross-site")
