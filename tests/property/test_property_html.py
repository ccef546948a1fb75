"""Any bytes, cut anywhere, give the page itself but for the values that were to be blanked."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from nbgate.rewrite.html import PageRewriter

TOKEN = "t0kent0kent0keX"
PIECES = [b"<", b">", b"</", b"/>", b"/", b"=", b'"', b"'", b" ", b"\n", b"\x0b", b"\x00", b"\xff", b"x", b"!", b"--", b"-->", b"--!>", b"<!--", b"<!-->", b"<?", b"<a", b"<script", b"<script>", b"</script>", b"</script", b"<style>", b"</style>", b"<title>", b"</title>", b"<textarea/>", b"{", b"}", b",", b":", b"\\", b'"token"', b'"wsUrl"', b' id="jupyter-config-data"', b' id="jupyter-config-data">', b" data-ws-url", b" data-jupyter-api-token=", b" href=", b"?token=", b"&token=", b"t0ken", b"t0kent0ke"]  # fmt: skip
PAGES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=40).map(b"".join)


def rewrite(page: bytes, cuts: list[int], token: str = TOKEN, *, after_head: bytes = b"") -> tuple[bytes, bool]:
    rewriter = PageRewriter(token, after_head=after_head)
    out = b""
    done = 0
    for cut in sorted(cut % (len(page) + 1) for cut in cuts):
        out += rewriter.feed(page[done:cut])
        done = cut
    out += rewriter.feed(page[done:])
    return out + rewriter.finish(), rewriter.leaked


@given(PAGES, st.lists(st.integers(min_value=0, max_value=10_000), max_size=10))
def test_cuts_change_nothing(page: bytes, cuts: list[int]) -> None:
    whole, leaked = rewrite(page, [])
    pieces, leaked_in_pieces = rewrite(page, cuts)
    by_the_byte, leaked_by_the_byte = rewrite(page, list(range(len(page))))
    assert leaked == leaked_in_pieces == leaked_by_the_byte
    if not leaked:
        assert whole == pieces == by_the_byte


@given(PAGES, st.lists(st.integers(min_value=0, max_value=10_000), max_size=10))
def test_the_token_never_comes_out(page: bytes, cuts: list[int]) -> None:
    middle = len(page) // 2
    for sown in (page[:middle] + TOKEN.encode() + page[middle:], page.replace(b"x", TOKEN.encode())):
        out, _ = rewrite(sown, cuts)
        assert TOKEN.encode() not in out


@given(PAGES, st.lists(st.integers(min_value=0, max_value=10_000), max_size=10), st.sampled_from(["", TOKEN]))
def test_what_is_added_behind_the_head_is_added_once_and_wherever_the_page_is_cut(
    page: bytes, cuts: list[int], token: str
) -> None:
    for sown in (page, b"<html><head>" + page):
        plain, leaked = rewrite(sown, [], token)
        with_it = [rewrite(sown, where, token, after_head=b"<ADDED>") for where in ([], cuts, list(range(len(sown))))]
        assert {leaked} == {each[1] for each in with_it}
        if not leaked:
            (whole,) = {each[0] for each in with_it}
            assert plain == whole.replace(b"<ADDED>", b"")
            assert whole.count(b"<ADDED>") == (1 if sown is not page else 0)


def is_part_of(short: bytes, long: bytes) -> bool:
    """Say whether `short` is `long` with bytes left out."""
    rest = iter(long)
    return all(byte in rest for byte in short)


@given(PAGES)
def test_bytes_are_only_ever_taken_out(page: bytes) -> None:
    """Quotes are added around a bare value alone; the pages here have none that is blanked and unquoted."""
    page = page.replace(b"data-ws-url", b"data-x").replace(b"data-jupyter-api-token=", b"data-y=")
    out, leaked = rewrite(page, [])
    assert leaked or is_part_of(out, page)


@given(st.binary(max_size=200))
def test_a_page_with_nothing_to_blank_passes_as_it_is(page: bytes) -> None:
    assert (page, False) == rewrite(page, list(range(len(page))))


class _Values(HTMLParser):
    """An independent reader of start tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.values: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.values += [value for name, value in attrs if name == "data-ws-url"]


NAMES = st.sampled_from(["a", "data-ws-url", "href", "data-x"])
VALUES = st.text("ab <>/=&?", max_size=8)
ATTRIBUTES = st.lists(st.tuples(NAMES, VALUES, st.sampled_from("\"'"), st.sampled_from([" ", "\n", "  "])), max_size=5)
TAGS = st.lists(st.tuples(st.sampled_from(["p", "a", "body"]), ATTRIBUTES, st.text("ab &>", max_size=5)), max_size=5)


@given(TAGS)
def test_another_reader_finds_every_value_blank(tags: list[tuple[str, list[tuple[str, str, str, str]], str]]) -> None:
    page = "".join(
        f"<{tag}{''.join(f'{gap}{name}={quote}{value}{quote}' for name, value, quote, gap in attributes)}>{text}"
        for tag, attributes, text in tags
    )
    out, leaked = rewrite(page.encode(), list(range(len(page))))
    reader, before = _Values(), _Values()
    reader.feed(out.decode())
    before.feed(page)
    assert not leaked
    assert [""] * len(before.values) == reader.values
