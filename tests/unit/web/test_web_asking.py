import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from nbgate.web.asking import (
    OWN_LANDINGS,
    attempt_of,
    clear_session,
    client_of,
    host_of,
    is_navigation,
    landing_of,
    session_id_of,
    session_key_of,
    set_device,
    set_session,
)

ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"


def request(**headers):
    return make_mocked_request("GET", "/", headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_who_asks_stands_in_the_worker_s_headers():
    asked = request(
        Host="gw.test:8443",
        X_Nbgate_Client="192.0.2.7",
        X_Nbgate_Navigation="1",
        X_Nbgate_Session="ab" * 32,
        X_Nbgate_Session_Key="cd" * 32,
    )
    assert ("gw.test:8443", "192.0.2.7", True) == (host_of(asked), client_of(asked), is_navigation(asked))
    assert (b"\xab" * 32, b"\xcd" * 32) == (session_id_of(asked), session_key_of(asked))


@pytest.mark.parametrize("text", ["", "zz", "abc"])
def test_what_is_no_id_is_none(text):
    asked = request(X_Nbgate_Session=text, X_Nbgate_Session_Key=text)
    assert (b"", b"", False) == (session_id_of(asked), session_key_of(asked), is_navigation(asked))


def test_an_attempt_says_what_was_offered_and_from_where():
    asked = request(
        User_Agent="Mozilla", X_Nbgate_Client="192.0.2.7", X_Nbgate_Device="v1.x", X_Nbgate_Request_Id="abcdef01"
    )
    made = attempt_of(asked, username="ada", password="p", code="c")
    told = (made.username, made.password, made.code, made.client, made.request_id, made.device, made.user_agent)
    assert ("ada", "p", "c", "192.0.2.7", "abcdef01", "v1.x", "Mozilla") == told
    assert made.replaces is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["/lab/tree/a.ipynb?x=1"], "/lab/tree/a.ipynb?x=1"),
        (["/_nbgate/account"], "/_nbgate/account"),
        (["/_nbgate/account/password"], "/_nbgate/account/password"),
        (["/_nbgate/logout"], None),
        (["/_nbgate/account?end=others"], None),
        (["/_nbgate/refresh"], None),
        (["//evil.example"], None),
        (["/lab", "/lab"], None),
        ([""], None),
        ([], None),
    ],
)
def test_a_login_leads_to_notebooks_and_to_own_pages_that_only_show(values, expected):
    assert expected == landing_of(values, "/")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/ipython/lab/tree/a.ipynb?x=1", "/ipython/lab/tree/a.ipynb?x=1"),
        ("/ipython/", "/ipython/"),
        ("/ipython/_nbgate/servers", "/ipython/_nbgate/servers"),
        ("/ipython/_nbgate/logout", None),
        ("/ipython/%5fnbgate/logout", None),
        ("/_nbgate/logout", None),
        ("/_nbgate/servers", None),
        ("/%5Fnbgate/logout", None),
        ("/ipython/../_nbgate/logout", None),
        ("/lab", None),
        ("/ipython", None),
        ("//ipython/lab", None),
    ],
)
def test_below_a_base_url_a_login_leads_nowhere_else(value, expected):
    assert expected == landing_of([value], "/ipython/")


def test_no_landing_changes_anything():
    assert not any(word in path for path in OWN_LANDINGS for word in ("logout", "refresh", "link", "setup", "?"))


def test_cookies_are_named_after_the_port_and_readable_by_no_script():
    answer = web.Response()
    asked = request(Host="gw.test:8443")
    set_session(asked, answer, "secret")
    set_device(asked, answer, "v1.x")
    clear_session(asked, answer)
    assert [
        f"__Host-Http-nbgate-8443=secret; {ATTRIBUTES}",
        f"__Host-Http-nbgate_dev-8443=v1.x; {ATTRIBUTES}; Max-Age=7776000",
        f"__Host-Http-nbgate-8443=; {ATTRIBUTES}; Max-Age=0",
    ] == answer.headers.getall("Set-Cookie")
