"""Where notebook servers write addresses of their own: attributes and the page configuration (R9, R10)."""

import pytest

from nbgate.model.route import Route, Upstream
from nbgate.rewrite.prefix import PrefixEdit

UPSTREAM = Upstream(host="127.0.0.1", port=8888)
LINKS = frozenset({"", "static", "tree"})


def edit_of(prefix: str, base_url: str) -> PrefixEdit:
    return PrefixEdit(Route(name="x", prefix=prefix, base_url=base_url, upstream=UPSTREAM), LINKS)


DOWN, UP, ACROSS = edit_of("/lab1/", "/"), edit_of("/", "/ipython/"), edit_of("/a/b/", "/ipython/")


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        (b"/static/x.js?v=1#y", b"/lab1/static/x.js?v=1#y"),
        (b"/static", b"/lab1/static"),
        (b"/static?x", b"/lab1/static?x"),
        (b"/static#x", b"/lab1/static#x"),
        (b"/tree?token=", b"/lab1/tree?token="),
        (b"/", b"/lab1/"),
        (b"/?x", b"/lab1/?x"),
        (b"/#x", b"/lab1/#x"),
        (b"/lab1/static/x", b"/lab1/static/x"),
        (b"/staticx", b"/staticx"),
        (b"/Static/x", b"/Static/x"),
        (b"/%73tatic/x", b"/%73tatic/x"),
        (b"/elsewhere/static/", b"/elsewhere/static/"),
        (b"static/x", b"static/x"),
        (b"./static/x", b"./static/x"),
        (b"?x", b"?x"),
        (b"#", b"#"),
        (b"", b""),
        (b"//static/x", b"//static/x"),
        (b"//evil.example/static", b"//evil.example/static"),
        (b"/\\evil.example", b"/\\evil.example"),
        (b"\\static/x", b"\\static/x"),
        (b" /static/x", b" /static/x"),
        (b"/static/\tx", b"/static/\tx"),
        (b"https://evil.example/static/", b"https://evil.example/static/"),
        (b"data:text/html,/static/", b"data:text/html,/static/"),
        (b"javascript:/static/", b"javascript:/static/"),
        (b"/static/caf\xc3\xa9\xff", b"/lab1/static/caf\xc3\xa9\xff"),
        (b"/static/&amp;", b"/lab1/static/&amp;"),
    ],
)
@pytest.mark.parametrize("name", [b"href", b"src", b"action", b"formaction", b"poster"])
def test_an_address_that_the_server_wrote_becomes_public(name: bytes, value: bytes, mapped: bytes) -> None:
    assert mapped == DOWN.attribute(b"a", name, value)


@pytest.mark.parametrize(
    ("value", "up", "across"),
    [
        (b"/ipython/static/x", b"/static/x", b"/a/b/static/x"),
        (b"/ipython/", b"/", b"/a/b/"),
        (b"/ipython", b"/ipython", b"/ipython"),
        (b"/ipythonx/static/", b"/ipythonx/static/", b"/ipythonx/static/"),
        (b"/static/x", b"/static/x", b"/static/x"),
        (b"/ipython//evil.example/", b"/ipython//evil.example/", b"/ipython//evil.example/"),
        (b"/ipython/\\evil.example/", b"/ipython/\\evil.example/", b"/ipython/\\evil.example/"),
        (b"/ipython/ipython/static/", b"/ipython/ipython/static/", b"/ipython/ipython/static/"),
    ],
)
def test_no_address_becomes_another_host(value: bytes, up: bytes, across: bytes) -> None:
    assert up == UP.attribute(b"a", b"href", value)
    assert across == ACROSS.attribute(b"a", b"href", value)


@pytest.mark.parametrize(
    "name", [b"title", b"data-href", b"srcset", b"content", b"data-notebook-path", b"data-ws-path"]
)
def test_other_attributes_stay(name: bytes) -> None:
    assert b"/static/x" == DOWN.attribute(b"a", name, b"/static/x")


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        (b"/", b"/lab1/"),
        (b"/voila/", b"/lab1/voila/"),
        (b"", b""),
        (b"x", b"x"),
        (b"//evil.example/", b"//evil.example/"),
    ],
)
def test_the_base_url_of_a_body_is_the_prefix(value: bytes, mapped: bytes) -> None:
    assert mapped == DOWN.attribute(b"body", b"data-base-url", value)


def test_a_page_makes_the_addresses_of_its_websockets_itself() -> None:
    assert b"" == DOWN.attribute(b"body", b"data-ws-url", b"wss://127.0.0.1:8888/")
    assert "" == DOWN.config_value("wsUrl", "wss://127.0.0.1:8888/")


def test_what_is_written_cannot_end_an_attribute() -> None:
    odd = edit_of("/a'b\"c<&/", "/x'y/")
    assert b"/a&#x27;b&quot;c&lt;&amp;/static/" == odd.attribute(b"a", b"href", b"/x&#x27;y/static/")


@pytest.mark.parametrize(
    ("key", "value", "mapped"),
    [
        ("baseUrl", "/", "/lab1/"),
        ("frontendUrl", "/", "/lab1/"),
        ("notFoundUrl", "/lab/x", "/lab1/lab/x"),
        ("fullAppUrl", "/lab", "/lab1/lab"),
        ("fullStaticUrl", "/static/lab", "/lab1/static/lab"),
        ("fullMathjaxUrl", "https://cdn.example/MathJax.js", "https://cdn.example/MathJax.js"),
        ("fullMathjaxUrl", "//cdn.example/MathJax.js", "//cdn.example/MathJax.js"),
        ("fullMathjaxUrl", "/static/components/MathJax.js", "/lab1/static/components/MathJax.js"),
        ("fullTreeUrl", "", ""),
        ("appUrl", "/lab", "/lab"),
        ("treeUrl", "/lab/tree", "/lab/tree"),
        ("preferredPath", "/", "/"),
        ("serverRoot", "/home/ada", "/home/ada"),
        ("rootUri", "file:///home/ada", "file:///home/ada"),
        ("staticDir", "/usr/share", "/usr/share"),
        ("fullname", "/x", "/x"),
        ("fullnameUrl", "/x", "/x"),
        ("xbaseUrl", "/x", "/x"),
        ("baseUrlx", "/x", "/x"),
    ],
)
def test_what_the_page_configuration_calls_full_addresses_become_public(key: str, value: str, mapped: str) -> None:
    assert mapped == DOWN.config_value(key, value)
