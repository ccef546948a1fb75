import pytest

from nbgate.errors import ConfigError
from nbgate.http.target import parse_target
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.routing.table import (
    MAX_PREFIX_SEGMENTS,
    RouteTable,
    prefix_segments,
    rest_of,
    slash_redirect,
    upstream_target,
)

UPSTREAM = Upstream(host="127.0.0.1", port=8888)


def route(name: str, prefix: str, base_url: str = "/", kind: RouteKind = RouteKind.NOTEBOOK, host: str = "") -> Route:
    return Route(name=name, prefix=prefix, upstream=UPSTREAM, base_url=base_url, kind=kind, host=host)


ROOT = route("lab", "/")
OWN = route("own", "/_nbgate/", "/_nbgate/", RouteKind.OWN)
ADA = route("ada", "/user/ada/")
ADA_TWO = route("ada2", "/user/ada/two/", "/ipython/")
TABLE = RouteTable((ROOT, OWN, ADA, ADA_TWO))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/", "lab"),
        (b"/lab", "lab"),
        (b"/_nbgate", "own"),
        (b"/_nbgate/", "own"),
        (b"/_nbgate/login", "own"),
        (b"/%5fnbgate/login", "own"),
        (b"/_nbgatex/login", "lab"),
        (b"/_NBGATE/login", "lab"),
        (b"/user", "lab"),
        (b"/user/adam/", "lab"),
        (b"/user/ada", "ada"),
        (b"/user/ada/", "ada"),
        (b"/user/%61da/lab?x=/_nbgate/", "ada"),
        (b"/user/ada/twofold", "ada"),
        (b"/user/ada/two", "ada2"),
        (b"/user/ada/two/lab", "ada2"),
        (b"/x/user/ada/", "lab"),
    ],
)
def test_the_longest_prefix_of_whole_decoded_segments_wins(path: bytes, name: str) -> None:
    found = TABLE.match(parse_target(path).segments)
    assert found is not None
    assert name == found.name


def test_without_a_route_for_everything_a_path_may_match_nothing() -> None:
    table = RouteTable((ADA,))
    assert table.match(("user", "bob", "")) is None
    assert table.match(("",)) is None
    assert RouteTable(()).match(("",)) is None


@pytest.mark.parametrize(
    ("found", "raw", "expected"),
    [
        (ROOT, b"/lab?reset", b"/lab?reset"),
        (ROOT, b"/", b"/"),
        (ADA, b"/user/ada/", b"/"),
        (ADA, b"/user/ada/?", b"/?"),
        (ADA, b"/user/%61da/lab/tree/%41.ipynb?a=%20b", b"/lab/tree/%41.ipynb?a=%20b"),
        (ADA, b"/user/ada/api/collaboration/session/a%2Fb.txt", b"/api/collaboration/session/a%2Fb.txt"),
        (ADA_TWO, b"/user/ada/two/lab/", b"/ipython/lab/"),
        (OWN, b"/_nbgate/login?next=%2Flab", b"/_nbgate/login?next=%2Flab"),
        (route("x", "/", "/ipython/"), b"/lab?user/ada/", b"/ipython/lab?user/ada/"),
        (route("x", "/", "/ipython/"), b"/", b"/ipython/"),
    ],
)
def test_the_prefix_is_swapped_on_the_raw_bytes_and_nothing_else_changes(
    found: Route, raw: bytes, expected: bytes
) -> None:
    assert expected == upstream_target(found, parse_target(raw))


@pytest.mark.parametrize(
    ("found", "raw", "expected"),
    [
        (ROOT, b"/", None),
        (ROOT, b"/lab", None),
        (OWN, b"/_nbgate", "/_nbgate/"),
        (OWN, b"/_nbgate/", None),
        (ADA, b"/user/ada", "/user/ada/"),
        (ADA, b"/user/%61da?reset&x=//evil", "/user/ada/?reset&x=//evil"),
        (ADA, b"/user/ada/x", None),
    ],
)
def test_a_prefix_without_its_slash_is_redirected_with_its_query(
    found: Route, raw: bytes, expected: str | None
) -> None:
    assert expected == slash_redirect(found, parse_target(raw))


def test_the_rest_is_what_the_upstream_sees_below_its_base_url() -> None:
    assert ("lab", "") == rest_of(ADA, ("user", "ada", "lab", ""))
    assert ("lab",) == rest_of(ROOT, ("lab",))
    assert () == prefix_segments(ROOT)
    assert ("user", "ada", "two") == prefix_segments(ADA_TWO)


def test_every_bad_route_is_named_at_once() -> None:
    bad = (
        route("a", "lab/"),
        route("b", "/lab"),
        route("c", "/x/", "//x/"),
        route("d", "/y/"),
        route("e", "/y/"),
        route("f", "/ü/"),
    )
    with pytest.raises(ConfigError) as caught:
        RouteTable(bad)
    assert ["route a", "route b", "route c", "route e", "route f"] == [
        problem.where for problem in caught.value.problems
    ]
    assert all(problem.hint for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("of", "folder", "expected"),
    [
        (ROOT, (), True),
        (ROOT, ("user",), True),
        (ROOT, ("user", "ada"), True),
        (ROOT, ("user", "ada", "x"), False),
        (ROOT, ("lab",), False),
        (ADA, ("user", "ada"), True),
        (ADA, ("user", "ada", "lab"), False),
        (ADA_TWO, ("user", "ada", "two"), False),
    ],
)
def test_below_a_folder_lie_the_prefixes_of_others(of: Route, folder: tuple[str, ...], expected: bool) -> None:
    assert expected == RouteTable((ROOT, ADA, ADA_TWO)).has_others_below(of, folder)


@pytest.mark.parametrize(
    "prefix",
    ["lab/", "/lab", "", "//", "/a//b/", "/a b/", "/a\r\nX: y/", "/a?b/", "/a#b/", '/a"b/', "/<a>/", "/a\\b/", "/\t/",
     "/a;b/"],
)  # fmt: skip
def test_a_prefix_holds_nothing_that_ends_a_line_or_an_address(prefix: str) -> None:
    with pytest.raises(ConfigError):
        RouteTable((route("a", prefix),))
    with pytest.raises(ConfigError):
        RouteTable((route("a", "/a/", prefix),))


@pytest.mark.parametrize("prefix", ["/", "/a/", "/user/a.b@c.org/", "/%40/", "/~a_b-c!$&'()*+,=:/"])
def test_a_prefix_may_hold_whatever_a_path_may(prefix: str) -> None:
    assert 1 == RouteTable((route("a", prefix),)).count()


def test_a_prefix_has_a_bounded_depth() -> None:
    assert RouteTable((route("a", "/a" * (MAX_PREFIX_SEGMENTS - 1) + "/"),)).count()
    with pytest.raises(ConfigError):
        RouteTable((route("a", "/a" * MAX_PREFIX_SEGMENTS + "/"),))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (route("ada", "/elsewhere/"), "name is used"),
        (route("x", "/user/ada/"), "used by another route"),
        (route("x", "/_nbgate/"), "used by another route"),
        (route("x", "/_nbgate/login/"), "gateway's own pages"),
        (route("x", "/_nbgate/a/b/", host="lab.test"), "gateway's own pages"),
        (route("x", "/_nbgate/", host="lab.test"), "used by another route"),
    ],
)
def test_no_route_takes_anothers_name_or_place(bad: Route, says: str) -> None:
    for make in (lambda: RouteTable((*TABLE.routes, bad)), lambda: RouteTable((bad, *TABLE.routes))):
        with pytest.raises(ConfigError) as caught:
            make()
        assert 1 == len(caught.value.problems)
    with pytest.raises(ConfigError) as caught:
        RouteTable((*TABLE.routes, bad))
    assert says in caught.value.problems[0].text
    assert caught.value.problems[0].hint


# hosts

LAB = route("lab1", "/", host="lab1.test")
LAB_X = route("lab2", "/x/", host="lab2.test")
LAB_Y = route("lab3", "/x/y/", host="lab2.test")
HOSTS = RouteTable((ROOT, OWN, ADA, LAB, LAB_X, LAB_Y))


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("", b"/user/ada/", ADA),
        ("", b"/x/", ROOT),
        ("lab1.test", b"/user/ada/", LAB),
        ("lab1.test", b"/_nbgate/login", OWN),
        ("lab2.test", b"/x/a", LAB_X),
        ("lab2.test", b"/x/y/a", LAB_Y),
        ("lab2.test", b"/", None),
        ("lab2.test", b"/user/ada/", None),
        ("lab2.test", b"/_nbgate/login", OWN),
    ],
)
def test_a_host_with_routes_has_no_others_but_our_own_pages(host: str, path: bytes, expected: Route | None) -> None:
    assert expected is HOSTS.match(parse_target(path).segments, host)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("lab1.test", "lab1.test"),
        ("lab1.test:8443", "lab1.test"),
        ("lab1.test.", "lab1.test"),
        ("lab1.test.:8443", "lab1.test"),
        ("lab1.test..", ""),
        ("x.lab1.test", ""),
        ("test", ""),
        ("", ""),
        ("[::1]:8443", ""),
        ("192.0.2.1", ""),
    ],
)
def test_a_host_is_known_by_its_name(host: str, name: str) -> None:
    assert name == HOSTS.host_of(host)
    assert "" == TABLE.host_of(host)


def test_what_there_is() -> None:
    assert ("lab1.test", "lab2.test") == HOSTS.hosts
    assert {ROOT, OWN, ADA, LAB, LAB_X, LAB_Y} == set(HOSTS.routes)
    assert (ADA, None) == (HOSTS.get("ada"), HOSTS.get("x"))
    assert [2, 1, 2] == [HOSTS.count(host) for host in ("", "lab1.test", "lab2.test")]
    assert [None, LAB, None] == [HOSTS.only(host) for host in ("", "lab1.test", "lab2.test")]
    assert (0, None) == (RouteTable((OWN,)).count(), RouteTable((OWN,)).only())
    assert (0, None) == (RouteTable(()).count(), RouteTable(()).only())


def test_others_lie_below_a_folder_on_the_same_host_only() -> None:
    assert HOSTS.has_others_below(LAB_X, ("x", "y"))
    assert not HOSTS.has_others_below(LAB_Y, ("x", "y"))
    assert not HOSTS.has_others_below(LAB, ("user",))
    assert HOSTS.has_others_below(LAB, ())  # our own pages


# changes


def test_a_route_that_changes_goes_from_its_former_place() -> None:
    moved = route("ada", "/ada/", host="lab2.test")
    table = HOSTS.with_changes((moved,))
    assert ROOT is table.match(("user", "ada", ""))
    assert moved is table.match(("ada", ""), "lab2.test")
    assert ADA is HOSTS.match(("user", "ada", ""))
    assert HOSTS.match(("ada", ""), "lab2.test") is None


def test_routes_may_change_places() -> None:
    table = HOSTS.with_changes((route("lab2", "/x/y/", host="lab2.test"), route("lab3", "/x/", host="lab2.test")))
    assert ["lab3", "lab2"] == [
        found.name for path in (("x", ""), ("x", "y", "")) if (found := table.match(path, "lab2.test"))
    ]


def test_a_host_whose_last_route_goes_is_like_any_other() -> None:
    table = HOSTS.with_changes((), ("lab1",))
    assert ("lab2.test",) == table.hosts
    assert "" == table.host_of("lab1.test")
    assert ("lab2.test",) == HOSTS.with_changes((), ("lab1", "lab3")).hosts
    assert LAB is HOSTS.with_changes((route("lab4", "/z/", host="lab1.test"),)).with_changes((), ("lab4",)).match(
        (), "lab1.test"
    )
    back = table.with_changes((LAB,))
    assert LAB is back.match(("",), "lab1.test")
    assert OWN is back.match(("_nbgate", ""), "lab1.test")


def test_our_own_pages_stay_whatever_is_asked() -> None:
    assert OWN is HOSTS.with_changes((), ("own",)).match(("_nbgate", ""))
    with pytest.raises(ConfigError):
        HOSTS.with_changes((route("own", "/x/"),))


def test_what_goes_and_comes_back_in_one_change_is_there() -> None:
    table = HOSTS.with_changes((ADA,), ("ada", "nobody"))
    assert ADA is table.match(("user", "ada", ""))


def test_a_change_that_cannot_be_leaves_everything_as_it_was() -> None:
    before = set(HOSTS.routes)
    with pytest.raises(ConfigError):
        HOSTS.with_changes((route("new", "/new/"), route("other", "/user/ada/")), ("lab1",))
    assert before == set(HOSTS.routes)
    assert HOSTS.match(("new", "")) is ROOT
    assert LAB is HOSTS.match(("",), "lab1.test")
