"""Any page, any two paths: cut anywhere it is mapped the same, and what is public already is mapped no further."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from nbgate.model.route import Route, Upstream
from nbgate.rewrite.html import PageRewriter
from nbgate.rewrite.inline_script import map_script
from nbgate.rewrite.kernelspecs import KernelspecsRewriter
from nbgate.rewrite.location import map_location
from nbgate.rewrite.prefix import PrefixEdit

TOKEN = "t0kent0kent0keX"
LINKS = frozenset({"", "static", "tree", "voila"})
PIECES = [b"<", b">", b"/>", b"/", b"=", b'"', b"'", b" ", b"\n", b"\xff", b"x", b"<!--", b"-->", b"<a", b"<body", b"<script", b"<script>", b"</script>", b"<style>", b"</style>", b"{", b"}", b",", b":", b"\\", b'"baseUrl"', b'"wsUrl"', b'"/ipython/"', b'"/"', b' id="jupyter-config-data">', b" data-base-url=", b" data-ws-url=", b" href=", b" src=", b"/static/", b"/ipython/static/", b"/ipython/", b"//evil.example/", b"/lab1/", b"require.config", b"window.mathjax_url = ", b"baseUrl: ", b"'/static/'", b"'/custom'", b"custom: ", TOKEN.encode()]  # fmt: skip
PAGES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=40).map(b"".join)
CUTS = st.lists(st.integers(min_value=0, max_value=10_000), max_size=10)
PATHS = st.sampled_from(["/", "/ipython/", "/lab1/", "/a/b/"])


def route_of(prefix: str, base_url: str) -> Route:
    return Route(name="x", prefix=prefix, base_url=base_url, upstream=Upstream(host="127.0.0.1", port=8888))


def rewriter_of(route: Route, token: str, scripts: bool) -> PageRewriter:
    edit_script = (lambda text: map_script(text, route)) if scripts else None
    return PageRewriter(token, (PrefixEdit(route, LINKS),), edit_script=edit_script)


def put_through(rewriter: PageRewriter | KernelspecsRewriter, page: bytes, cuts: list[int]) -> tuple[bytes, bool]:
    out, done = b"", 0
    for cut in sorted(cut % (len(page) + 1) for cut in cuts):
        out += rewriter.feed(page[done:cut])
        done = cut
    return out + rewriter.feed(page[done:]) + rewriter.finish(), rewriter.leaked


@given(PAGES, CUTS, PATHS, PATHS, st.sampled_from([TOKEN, ""]), st.booleans())
def test_cuts_change_nothing(page: bytes, cuts: list[int], prefix: str, base: str, token: str, scripts: bool) -> None:
    route = route_of(prefix, base)
    all_cuts = ([], cuts, list(range(len(page))))
    whole, *others = (put_through(rewriter_of(route, token, scripts), page, each) for each in all_cuts)
    assert all(each[1] == whole[1] for each in others)
    assert whole[1] or [whole] * 2 == others
    assert not token or TOKEN.encode() not in whole[0]


@given(PAGES, PATHS, st.booleans())
def test_without_a_move_only_addresses_of_websockets_change(page: bytes, path: str, scripts: bool) -> None:
    page = page.replace(b"data-ws-url", b"data-x").replace(b"wsUrl", b"x")
    assert (page, False) == put_through(rewriter_of(route_of(path, path), "", scripts), page, [])


@given(PAGES, st.sampled_from(["/ipython/", "/lab1/", "/a/b/"]))
def test_a_public_link_is_mapped_no_further(page: bytes, prefix: str) -> None:
    """A server at `/`: what tells its links from public ones is the first segment; its base URL cannot be told so."""
    page = page.replace(b"data-base-url", b"href").replace(b"config-data", b"x")
    once, _ = put_through(rewriter_of(route_of(prefix, "/"), "", scripts=False), page, [])
    assert (once, False) == put_through(rewriter_of(route_of(prefix, "/"), "", scripts=False), once, [])


@given(PAGES, PATHS, PATHS)
def test_the_way_there_and_back_is_no_way(page: bytes, prefix: str, base: str) -> None:
    """Where the page holds no address below the public prefix yet."""
    if prefix == "/" or prefix.encode() in page:
        return
    page = page.replace(b"data-ws-url", b"data-x").replace(b"wsUrl", b"x")
    there, _ = put_through(rewriter_of(route_of(prefix, base), "", True), page, [])
    back, _ = put_through(rewriter_of(route_of(base, prefix), "", True), there, [])
    assert page.replace(b'"', b"") == back.replace(b'"', b"")  # a bare value that is mapped comes back in quotes


@given(st.binary(max_size=300), CUTS, PATHS, PATHS)
def test_any_bytes_come_out_of_every_rewriter(data: bytes, cuts: list[int], prefix: str, base: str) -> None:
    route = route_of(prefix, base)
    assert put_through(rewriter_of(route, "", True), data, []) == put_through(rewriter_of(route, "", True), data, cuts)
    assert put_through(KernelspecsRewriter(route), data, []) == put_through(KernelspecsRewriter(route), data, cuts)


ADDRESSES = st.lists(
    st.sampled_from(["/", "//", "\\", "/ipython", "/ipython/", "lab", "?", "next=", "%2F", "%5C", "#", "\t", "evil.test", "http://127.0.0.1:8888"]),
    max_size=8,
).map("".join)  # fmt: skip


@given(ADDRESSES, PATHS, PATHS)
def test_no_location_leads_to_another_host_than_the_upstream_named(address: str, prefix: str, base: str) -> None:
    mapped = map_location(address, route_of(prefix, base))
    if mapped is None or mapped == address:
        return
    assert mapped[:1] == "/"
    assert mapped[1:2] not in {"/", "\\", "\t"}


class _Values(HTMLParser):
    """An independent reader of start tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.values: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.values += [value for name, value in attrs if name == "href"]


@given(st.lists(st.sampled_from(["/static/x", "/tree", "/", "/files/x", "//static/", "x", "/static"]), max_size=9))
def test_another_reader_finds_every_link_of_the_server_mapped(links: list[str]) -> None:
    page = "".join(f"<a title='<a href=/static/>' href='{link}'>" for link in links)
    out, _ = put_through(rewriter_of(route_of("/lab1/", "/"), TOKEN, True), page.encode(), list(range(len(page))))
    reader = _Values()
    reader.feed(out.decode())
    own = {"/static/x", "/tree", "/", "/static"}
    assert [f"/lab1{link}" if link in own else link for link in links] == reader.values
