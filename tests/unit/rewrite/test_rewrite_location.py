import pytest

from nbgate.model.route import Route, Upstream
from nbgate.rewrite.location import map_link, map_location, map_path

UPSTREAM = Upstream(host="127.0.0.1", port=8888)
SAME = Route(name="lab", prefix="/", upstream=UPSTREAM)
DEEP = Route(name="ada", prefix="/user/ada/", upstream=UPSTREAM, base_url="/ipython/")
ORIGIN = "https://gw.test:8443"


@pytest.mark.parametrize(
    ("value", "same", "deep"),
    [
        ("/", "/", "/"),
        ("/lab?", "/lab?", "/lab?"),
        ("/ipython/", "/ipython/", "/user/ada/"),
        ("/ipython/lab?x=/ipython/", "/ipython/lab?x=/ipython/", "/user/ada/lab?x=/ipython/"),
        ("/ipythonx/", "/ipythonx/", "/ipythonx/"),
        ("http://127.0.0.1:8888/ipython/lab", "/ipython/lab", "/user/ada/lab"),
        ("https://127.0.0.1:8888/ipython/lab", "/ipython/lab", "/user/ada/lab"),
        ("HTTP://127.0.0.1:8888/lab", "/lab", "/lab"),
        ("http://127.0.0.1:8888", "/", "/"),
        ("http://127.0.0.1:8888/", "/", "/"),
        ("lab/tree?x", "lab/tree?x", "lab/tree?x"),
        ("../x", "../x", "../x"),
        ("?x", "?x", "?x"),
        ("https://hub.example/oauth?next=//x", "https://hub.example/oauth?next=//x", "https://hub.example/oauth?next=//x"),
        ("http://127.0.0.1:9999/x", "http://127.0.0.1:9999/x", "http://127.0.0.1:9999/x"),
        ("http://127.0.0.1:8888.evil.example/", "http://127.0.0.1:8888.evil.example/", "http://127.0.0.1:8888.evil.example/"),
        ("//evil.example/x", None, None),
        ("//127.0.0.1:8888/x", None, None),
        ("///evil.example", None, None),
        ("/\\evil.example", None, None),
        ("\\evil.example", None, None),
        ("\\\\evil.example", None, None),
        ("\\/evil.example", None, None),
        ("/\t/evil.example", None, None),
        ("\t//evil.example", None, None),
        ("/lab\x00", None, None),
        ("http://127.0.0.1:8888//evil.example", None, None),
        ("http://127.0.0.1:8888/\\evil.example", None, None),
    ],
)  # fmt: skip
def test_addresses_of_the_upstream_become_public_paths(value: str, same: str | None, deep: str | None) -> None:
    assert same == map_location(value, SAME)
    assert deep == map_location(value, DEEP)


UP = Route(name="ada", prefix="/", upstream=UPSTREAM, base_url="/ipython/")


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        ("/ipython/", "/"),
        ("/ipython/lab?next=%2Fipython%2Flab", "/lab?next=%2Flab"),
        ("/ipython//evil.example/", None),
        ("/ipython/\\evil.example/", None),
        ("/ipython/\t/evil.example/", None),
        ("http://127.0.0.1:8888/ipython//evil.example/", None),
        ("/ipython/login?next=%2Fipython%2F%2Fevil.example", "/login?next=%2Fipython%2F%2Fevil.example"),
        ("/ipython/login?next=/ipython//evil.example", "/login?next=/ipython//evil.example"),
        ("/ipython/login?next=/ipython/%5Cevil.example", "/login?next=/ipython/%5Cevil.example"),
    ],
)
def test_where_the_prefix_is_the_root_no_path_becomes_another_host(value: str, mapped: str | None) -> None:
    assert mapped == map_location(value, UP)


@pytest.mark.parametrize(
    ("query", "mapped"),
    [
        ("next=%2Fipython%2Flab%3Fx", "next=%2Fuser%2Fada%2Flab%3Fx"),
        ("next=%2fipython%2flab", "next=%2Fuser%2Fada%2Flab"),
        ("next=/ipython/lab", "next=/user/ada/lab"),
        ("next=%2Fipython%2F", "next=%2Fuser%2Fada%2F"),
        ("a=/ipython/&next=/ipython/x&b=/ipython/", "a=/ipython/&next=/user/ada/x&b=/ipython/"),
        ("next=/ipython/x#next=/ipython/", "next=/user/ada/x#next=/ipython/"),
        ("xnext=/ipython/x", "xnext=/ipython/x"),
        ("next=%2Fipython", "next=%2Fipython"),
        ("next=%2Fother", "next=%2Fother"),
        ("next=https://evil.example/ipython/", "next=https://evil.example/ipython/"),
        ("next=//evil.example/", "next=//evil.example/"),
        ("next=", "next="),
        ("next=%2Fipython%2F%00", "next=%2Fipython%2F%00"),
    ],
)
def test_the_path_to_which_a_login_goes_on_is_mapped_in_its_spelling(query: str, mapped: str) -> None:
    assert f"/user/ada/login?{mapped}" == map_location(f"/ipython/login?{query}", DEEP)
    assert f"/elsewhere?{query}" == map_location(f"/elsewhere?{query}", DEEP)
    assert f"/ipython/login?{query}" == map_location(f"/ipython/login?{query}", SAME)


def test_the_root_as_base_url_is_mapped_in_a_query_too() -> None:
    down = Route(name="ada", prefix="/lab1/", upstream=UPSTREAM)
    assert "/lab1/login?next=%2Flab1%2Flab" == map_location("/login?next=%2Flab", down)
    assert "/lab1/login?next=%2F%2Fevil.example" == map_location("/login?next=%2F%2Fevil.example", down)


def test_an_upstream_on_a_socket_calls_itself_localhost() -> None:
    route = Route(name="lab", prefix="/", upstream=Upstream(path="/run/jupyter.sock"))
    assert map_location("http://localhost/lab", route) == "/lab"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            '<http://127.0.0.1:8888/ipython/lab/api/extensions?page=1&per_page=30>; rel="last"',
            '<https://gw.test:8443/user/ada/lab/api/extensions?page=1&per_page=30>; rel="last"',
        ),
        (
            '<http://127.0.0.1:8888/a>; rel="next", <https://cdn.example/x>; rel=preload',
            '<https://gw.test:8443/a>; rel="next", <https://cdn.example/x>; rel=preload',
        ),
        ("</ipython/x>; rel=preload", "</user/ada/x>; rel=preload"),
        ("<//evil.example/x>; rel=preload", "<>; rel=preload"),
        ("<http://127.0.0.1:8888>; rel=x", "<https://gw.test:8443/>; rel=x"),
        ("nonsense", "nonsense"),
        ("<unclosed", "<unclosed"),
        ("", ""),
    ],
)
def test_links_stay_absolute_where_they_were(value: str, expected: str) -> None:
    assert expected == map_link(value, DEEP, ORIGIN)


def test_a_path_outside_the_base_url_stays() -> None:
    assert map_path("/ipython", DEEP) == "/ipython"
    assert map_path("/ipython/x", SAME) == "/ipython/x"
    assert map_path("//x", SAME) is None
