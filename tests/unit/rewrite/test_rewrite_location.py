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
