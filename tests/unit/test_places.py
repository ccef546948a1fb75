"""What a path means under one routing table."""

import pytest

from nbgate.access.paths import Page
from nbgate.http.target import parse_target
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.model.rule import Action, At, Pattern, Rule, Rules
from nbgate.places import MAX_PATH_CHARS, MAX_PLACES, Places
from nbgate.routing.table import RouteTable
from nbgate.rules.match import RuleTable

OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/x"), kind=RouteKind.OWN)
LAB = Route(name="main", prefix="/lab1/", upstream=Upstream(host="127.0.0.1", port=1))


@pytest.fixture
def places():
    return Places(RouteTable((OWN, LAB)), RuleTable(Rules()))


def find(places, path, host="gw.test"):
    return places.find(parse_target(path.encode()), host)


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
        ("/lab1/favicon.ico", LAB, Page.FAVICON, set()),
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


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("api/kernelspecs", True),
        ("api/kernelspecs/python3", True),
        ("api/kernelspecs/", True),
        ("api/kernelspecs/python3/logo.svg", False),
        ("kernelspecs/python3/logo-64x64.png", False),
        ("api/kernels", False),
        ("files/api/kernelspecs", False),
    ],
)
def test_lists_of_kernels_name_other_addresses_where_a_server_was_moved_and_nowhere_else(path, expected):
    at_home = Route(name="home", prefix="/lab2/", base_url="/lab2/", upstream=LAB.upstream)
    places = Places(RouteTable((OWN, LAB, at_home)), RuleTable(Rules()))
    assert expected is find(places, f"/lab1/{path}").kernelspecs
    for prefix in ("/lab2/", "/_nbgate/", "/elsewhere/"):
        assert not find(places, prefix + path).kernelspecs


# hosts, base URLs, changes

HOME = Route(name="home", prefix="/", host="lab.test", upstream=Upstream(host="127.0.0.1", port=3))


def test_the_same_path_is_another_place_on_another_host():
    places = Places(RouteTable((OWN, LAB, HOME)), RuleTable(Rules()))
    assert LAB is find(places, "/lab1/x").route
    assert HOME is find(places, "/lab1/x", "lab.test:8443").route
    assert find(places, "/lab1/x", "lab.test") is find(places, "/lab1/x", "lab.test:8443")
    assert find(places, "/lab1/x", "a.test") is find(places, "/lab1/x", "b.test")


def test_names_that_no_route_has_fill_no_memory():
    places = Places(RouteTable((OWN, LAB, HOME)), RuleTable(Rules()))
    first = find(places, "/lab1/x", "a.test")
    for number in range(MAX_PLACES + 1):
        find(places, "/lab1/x", f"{number}.test")
    assert first is find(places, "/lab1/x", "a.test")


def test_no_path_is_taken_for_one_of_another_host():
    places = Places(RouteTable((OWN, LAB, HOME)), RuleTable(Rules()))
    assert HOME is find(places, "/x", "lab.test").route
    assert find(places, "/lab.test/x").route is None


def test_a_service_worker_may_rule_a_host_of_its_own():
    places = Places(RouteTable((OWN, LAB, HOME)), RuleTable(Rules()))
    assert not find(places, "/sw.js", "lab.test").may_be_worker  # our own pages are there too
    assert find(places, "/lab1/sw.js", "lab.test").may_be_worker


def test_below_a_base_url_our_own_addresses_are_known_by_what_follows_it():
    own = Route(
        name="own", prefix="/a/b/_nbgate/", base_url="/_nbgate/", upstream=Upstream(path="/x"), kind=RouteKind.OWN
    )
    places = Places(RouteTable((own,)), RuleTable(Rules()), ("a", "b"))
    place = find(places, "/a/b/_nbgate/account/totp")
    assert (("_nbgate", "account", "totp"), True, True) == (place.own, place.is_own, place.is_document)
    assert ((), False, False) == ((place := find(places, "/_nbgate/account")).own, place.is_own, place.is_document)


def rule(name, at):
    return Rule(id=name, action=Action.DENY, at=at, patterns=(Pattern(segments=("closed",)),))


RULES = Rules(rules=(rule("of-mounts", At.MOUNT), rule("of-hosts", At.HOST)))


@pytest.mark.parametrize(
    ("disabled", "found"),
    [
        ((), ["of-hosts", "of-mounts"]),
        (("of-mounts",), ["of-hosts"]),
        (("of-hosts",), ["of-mounts"]),
        (("of-hosts", "of-mounts"), []),
        (("another",), ["of-hosts", "of-mounts"]),
    ],
)
def test_rules_that_do_not_apply_to_a_route_are_not_found_there(disabled, found):
    root = Route(name="root", prefix="/", upstream=Upstream(host="127.0.0.1", port=2), disabled_rules=disabled)
    places = Places(RouteTable((OWN, root, LAB)), RuleTable(RULES))
    assert found == [rule.id for rule in find(places, "/closed").findings]
    assert ["of-mounts"] == [rule.id for rule in find(places, "/lab1/closed").findings]


def test_after_a_change_every_path_is_looked_up_anew(places):
    before = find(places, "/lab1/x")
    moved = Route(name="main", prefix="/lab2/", upstream=LAB.upstream)
    changed = places.with_changes((moved,), ())
    assert find(changed, "/lab1/x").route is None
    assert moved is find(changed, "/lab2/x").route
    assert before is find(places, "/lab1/x")


def test_a_change_keeps_the_base_url_and_the_rules():
    own = Route(
        name="own", prefix="/a/_nbgate/", base_url="/_nbgate/", upstream=Upstream(path="/x"), kind=RouteKind.OWN
    )
    places = Places(RouteTable((own,)), RuleTable(RULES), ("a",)).with_changes((LAB,), ())
    assert ("_nbgate", "login") == find(places, "/a/_nbgate/login").own
    assert ["of-mounts"] == [rule.id for rule in find(places, "/lab1/closed").findings]


def test_the_port_of_a_server_is_closed_as_long_as_it_is_there():
    """Nobody reaches a guarded server past the guard, through another one's proxy."""
    proxy = Pattern(segments=("proxy", "*"))
    open_port = Pattern(segments=("proxy", "{server_proxy_port}"))
    rules = Rules(
        rules=(Rule(id="p", action=Action.DENY, at=At.MOUNT, patterns=(proxy,), exceptions=(open_port,)),),
        server_proxy_ports=(7, 9),
    )
    other = Route(name="other", prefix="/other/", upstream=Upstream(host="127.0.0.1", port=9))
    before = Places(RouteTable((OWN, LAB)), RuleTable(rules, {1}))
    during = before.with_changes((other,), ())
    after = during.with_changes((), ("other",))
    for port, closed in ((7, (False, False, False)), (9, (False, True, False)), (8, (True, True, True))):
        assert closed == tuple(bool(find(each, f"/lab1/proxy/{port}").findings) for each in (before, during, after))
