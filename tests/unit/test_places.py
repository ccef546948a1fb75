"""What a path means under one routing table."""

import pytest

from nbgate.access.paths import Page
from nbgate.http.target import parse_target
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.model.rule import Rules
from nbgate.places import MAX_PATH_CHARS, MAX_PLACES, Places
from nbgate.routing.table import RouteTable
from nbgate.rules.match import RuleTable

OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/x"), kind=RouteKind.OWN)
LAB = Route(name="main", prefix="/lab1/", upstream=Upstream(host="127.0.0.1", port=1))


@pytest.fixture
def places():
    return Places(RouteTable((OWN, LAB)), RuleTable(Rules()))


def find(places, path):
    return places.find(parse_target(path.encode()))


@pytest.mark.parametrize(
    ("path", "route", "page", "facts"),
    [
        ("/lab1/api/kernels", LAB, None, {"has_data", "untouched"}),
        ("/lab1/lab/tree/x.ipynb", LAB, None, set()),
        ("/lab1/files/a.html", LAB, None, {"has_data", "untouched"}),
        ("/lab1/terminals/websocket/1", LAB, None, {"has_data"}),
        ("/lab1/terminals/new", LAB, None, {"has_data", "has_effect"}),
        ("/lab1", LAB, None, {"lacks_slash"}),
        ("/lab1/login", LAB, Page.MOUNT_LOGIN, set()),
        ("/lab1/logout", LAB, Page.MOUNT_LOGOUT, {"is_own"}),
        ("/_nbgate/login", OWN, Page.KEEPER, {"is_own"}),
        ("/_nbgate/logout", OWN, None, {"is_own"}),
        ("/favicon.ico", None, Page.FAVICON, set()),
        ("/elsewhere", None, None, set()),
    ],
)
def test_a_place_is_what_its_path_says(places, path, route, page, facts):
    place = find(places, path)
    all_facts = ("is_own", "has_data", "untouched", "has_effect", "lacks_slash")
    assert (route, page, facts) == (place.route, place.page, {name for name in all_facts if getattr(place, name)})


def test_a_path_that_comes_again_is_not_looked_up_again(places):
    assert find(places, "/lab1/api/me?1") is find(places, "/lab1/api/me?2")


def test_the_memory_is_bounded(places):
    first = find(places, "/lab1/a")
    for number in range(MAX_PLACES):
        find(places, f"/lab1/{number}")
    assert first is not find(places, "/lab1/a")
    long = "/lab1/" + "a" * MAX_PATH_CHARS
    assert find(places, long) is not find(places, long)


ROOT = Route(name="root", prefix="/", upstream=Upstream(host="127.0.0.1", port=2))


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        ("/lab/tree", {"may_be_worker"}),
        ("/lab/sw.js", {"may_be_worker"}),
        ("/sw.js", set()),  # its folder holds everything
        ("/", set()),
        ("/lab1", set()),
        ("/lab1/sw.js", {"may_be_worker"}),
        ("/lab1/files/sw.js", {"user_content"}),
        ("/files/a/b.html", {"user_content"}),
        ("/nbconvert/html/a.ipynb", {"user_content"}),
        ("/_nbgate/login", {"is_document"}),
        ("/_nbgate/setup/token", {"is_document"}),
        ("/_nbgate/static/a.js", set()),
        ("/lab1/logout", {"is_document"}),
        ("/login", set()),
        ("/favicon.ico", set()),
    ],
)
def test_a_place_says_what_pages_and_workers_may_do_there(path, facts):
    place = find(Places(RouteTable((OWN, LAB, ROOT)), RuleTable(Rules())), path)
    assert facts == {name for name in ("user_content", "is_document", "may_be_worker") if getattr(place, name)}


def test_where_nothing_is_mounted_no_worker_may_lie(places):
    assert not find(places, "/elsewhere/sw.js").may_be_worker
