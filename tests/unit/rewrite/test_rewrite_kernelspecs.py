import json

import pytest

from nbgate.model.route import Route, Upstream
from nbgate.rewrite.kernelspecs import MAX_KERNELSPECS_BYTES, KernelspecsRewriter, map_kernelspecs

ROUTE = Route(name="x", prefix="/lab1/", upstream=Upstream(host="127.0.0.1", port=8888))
DEEP = Route(name="x", prefix="/", base_url="/ipython/", upstream=Upstream(host="127.0.0.1", port=8888))
LIST = (
    b'{"default": "python3", "kernelspecs": {"python3": {"name": "python3", "spec": {"argv": ["/kernelspecs/x"], '
    b'"metadata": {"resources": {"a": "/kernelspecs/x"}}, "resources": {"a": "/kernelspecs/x"}}, '
    b'"resources": {"logo-svg": "RES/python3/logo-svg.svg" , "kernel.js":"RES/python3/kernel.js"}}}}'
)


def mapped(text: bytes, sizes: tuple[int, ...] = ()) -> bytes:
    rewriter = KernelspecsRewriter(ROUTE)
    out = b""
    for size in sizes:
        out += rewriter.feed(text[:size])
        text = text[size:]
    out += rewriter.feed(text) + rewriter.finish()
    assert not rewriter.leaked
    return out


@pytest.mark.parametrize("sizes", [(), (1,) * len(LIST), (100, 0, 7)])
def test_the_addresses_of_resources_become_public_and_no_other_byte_changes(sizes: tuple[int, ...]) -> None:
    before, after = LIST.replace(b"RES", b"/kernelspecs"), LIST.replace(b"RES", b"/lab1/kernelspecs")
    assert after == mapped(before, sizes)
    one = before[before.index(b'{"name"') : -2]
    assert one.replace(b'"logo-svg": "/', b'"logo-svg": "/lab1/').replace(
        b'"kernel.js":"/', b'"kernel.js":"/lab1/'
    ) == mapped(one)
    assert json.loads(mapped(one))


@pytest.mark.parametrize(
    "value",
    ["https://cdn.example/x.svg", "//evil.example/x", "/files/x", "kernelspecs/x", "", "/kernelspecs", "/kernelspecs/\\u0009x"],
)  # fmt: skip
def test_what_lies_elsewhere_stays(value: str) -> None:
    text = f'{{"resources": {{"x": "{value}"}}}}'.encode()
    assert text == mapped(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'{"resources": "/kernelspecs/x"}',
        b'{"resources": ["/kernelspecs/x"]}',
        b'["resources", {"x": "/kernelspecs/x"}]',
        b'{"other": {"python3": {"resources": {"x": "/kernelspecs/x"}}}}',
        b'{"a": {"resources": {"x": "/kernelspecs/x"}}}',
        b'{"kernelspecs": [{"resources": {"x": "/kernelspecs/x"}}]}',
        b'{"kernelspecs": {"a": {"b": {"resources": {"x": "/kernelspecs/x"}}}}}',
        b'{"resources": {"x": "/kernelspecs/x',
    ],
)
def test_what_is_no_list_of_kernels_stays(text: bytes) -> None:
    assert text == mapped(text)


def test_where_the_prefix_is_the_root_no_address_becomes_another_host() -> None:
    text = b'{"resources": {"x": "/ipython/kernelspecs/x", "y": "/ipython//kernelspecs/x"}}'
    assert text.replace(b"/ipython/k", b"/k") == map_kernelspecs(text, DEEP)


@pytest.mark.parametrize("over", [0, 1])
def test_a_list_over_the_bound_passes_as_it_is(over: int) -> None:
    """It holds no secret; a 502 in its place would cost more than a picture."""
    text = b'{"resources": {"x": "/kernelspecs/x"}}'
    text += b" " * (MAX_KERNELSPECS_BYTES + over - len(text))
    expected = text if over else text.replace(b"/kern", b"/lab1/kern")
    assert expected == mapped(text) == mapped(text, (50_000,) * 30)


def test_over_the_bound_nothing_is_held_back() -> None:
    rewriter = KernelspecsRewriter(ROUTE)
    assert b"" == rewriter.feed(b" " * MAX_KERNELSPECS_BYTES)
    assert b" " * MAX_KERNELSPECS_BYTES + b"x" == rewriter.feed(b"x")
    assert b"y" == rewriter.feed(b"y")
    assert b"" == rewriter.finish()


def test_deep_nesting_costs_nothing_and_changes_nothing() -> None:
    text = b'{"a":' * 100_000 + b'["x","y"]'
    assert text == mapped(text)
