import pytest

from nbgate.errors import ConfigError
from nbgate.http.target import parse_target
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.routing.table import RouteTable, prefix_segments, rest_of, slash_redirect, upstream_target

UPSTREAM = Upstream(host="127.0.0.1", port=8888)


def route(name: str, prefix: str, base_url: str = "/", kind: RouteKind = RouteKind.NOTEBOOK) -> Route:
    return Route(name=name, prefix=prefix, upstream=UPSTREAM, base_url=base_url, kind=kind)


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
    assert ["route a", "route b", "route b", "route c", "route e", "route f"] == [
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
