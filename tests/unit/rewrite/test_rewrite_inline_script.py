import pytest

from nbgate.model.route import Route, Upstream
from nbgate.rewrite.inline_script import map_script


def route(prefix: str = "/lab1/", base_url: str = "/") -> Route:
    return Route(name="x", prefix=prefix, base_url=base_url, upstream=Upstream(host="127.0.0.1", port=8888))


NOTEBOOK_6 = b"""
      require.config({
          urlArgs: "v=20261123081528",
          baseUrl: '/static/',
          paths: {
            'auth/js/main': 'auth/js/main.min',
            custom : '/custom',
            'custom-preload' : '/custom-preload',
            nbextensions : '/nbextensions',
            kernelspecs : '/kernelspecs',
            underscore : 'components/underscore/underscore-min',
"""


def test_the_addresses_of_require_become_public() -> None:
    expected = NOTEBOOK_6
    for name in (b"/static/", b"/custom'", b"/custom-preload", b"/nbextensions", b"/kernelspecs"):
        expected = expected.replace(b"'" + name, b"'/lab1" + name)
    assert expected == map_script(NOTEBOOK_6, route())
    assert expected.replace(b"/lab1/", b"/ipython/lab1/") == map_script(NOTEBOOK_6, route("/ipython/lab1/"))
    assert NOTEBOOK_6 == map_script(expected, route("/", "/lab1/"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'window.mathjax_url = "/static/x/MathJax.js";', b'window.mathjax_url = "/lab1/static/x/MathJax.js";'),
        (b"window.mathjax_url='/static/x'", b"window.mathjax_url='/lab1/static/x'"),
        (b'window.mathjax_url = "//cdn.example/x"', None),
        (b'window.mathjax_url = "https://cdn.example/x"', None),
        (b'window.mathjax_url = ""', None),
        (b"window.mathjax_url = '/static/x\"", None),
        (b"window.mathjax_url = '/elsewhere/x'", None),
        (b"window.mathjax_url.x = '/static/x'", None),
        (b"my.window.mathjax_url = '/static/x'", None),
        (b"baseUrl: '/static/'", None),
        (b"require.config({baseUrl: '/static/'})", b"require.config({baseUrl: '/lab1/static/'})"),
        (b'require.config({"baseUrl": "/static/"})', b'require.config({"baseUrl": "/lab1/static/"})'),
        (b"require.config({mybaseUrl: '/static/'})", None),
        (b"require.config({x.custom: '/custom'})", None),
        (b"require.config({baseUrl: '/tree/'})", None),
        (b"require.config({baseUrl: '//static/'})", None),
        (b"require.config({custom: 'custom'})", None),
        (b"require.config({custom: '/cust\nom'})", None),
        (b"require.config({custom: '/custom\\'})", None),
        (b"require.config({other: '/custom'})", None),
        (b"", None),
        (b"\xff\x00", None),
    ],
)
def test_known_lines_are_mapped_and_no_others(before: bytes, after: bytes | None) -> None:
    assert (before if after is None else after) == map_script(before, route())


def test_what_is_written_can_end_neither_string_nor_script() -> None:
    odd = route("/a'b\"c\\</")
    assert b"window.mathjax_url = '/a\\x27b\\x22c\\x5c\\x3c/static/x'" == map_script(
        b"window.mathjax_url = '/static/x'", odd
    )
