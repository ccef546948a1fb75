import random
import re
from pathlib import Path

import pytest

from nbgate.rewrite.html import MAX_CONFIG_BYTES, MAX_SCRIPT_BYTES, MAX_TAG_BYTES, PageRewriter, banner_script

BANNER = banner_script("/_nbgate")

TOKEN = "5ekrettoken0123456789abcdef0123456789abcdef0123"
PAGES = sorted((Path(__file__).parent / "pages").glob("*.html"))
CONFIG = b'<script id="jupyter-config-data" type="application/json">'


def rewrite(page: bytes, token: str = TOKEN, sizes: tuple[int, ...] = (), *, after_head: bytes = b"") -> bytes | None:
    """Return the page as it leaves, fed in pieces of `sizes` and then whole; None when it was cut."""
    rewriter = PageRewriter(token, after_head=after_head)
    out = b""
    for size in sizes:
        out += rewriter.feed(page[:size])
        page = page[size:]
    out += rewriter.feed(page)
    out += rewriter.finish()
    return None if rewriter.leaked else out


def whole_and_by_the_byte(page: bytes, token: str = TOKEN) -> bytes | None:
    whole = rewrite(page, token)
    assert whole == rewrite(page, token, sizes=(1,) * len(page))
    return whole


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_real_page_loses_its_token_and_no_other_byte(path: Path) -> None:
    """Recorded from JupyterLab 4.6.6, Notebook 7.6.5 and nbclassic 1.3.3 with a token."""
    page = path.read_bytes()
    assert page.count(TOKEN.encode()) >= 1
    expected = page.replace(TOKEN.encode(), b"")
    assert expected == rewrite(page)
    generator = random.Random(2)
    for _ in range(30):
        sizes = tuple(generator.choice((1, 2, 3, 7, 40, 300)) for _ in range(generator.randrange(400)))
        assert expected == rewrite(page, sizes=sizes)


def test_there_are_pages_of_all_kinds() -> None:
    assert [path.stem for path in PAGES] == ["classic", "error404", "lab", "lab404", "tree"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'<body data-jupyter-api-token="TT">', b'<body data-jupyter-api-token="">'),
        (b"<body data-jupyter-api-token='TT'>", b"<body data-jupyter-api-token=''>"),
        (b"<body data-jupyter-api-token=TT class=x>", b'<body data-jupyter-api-token="" class=x>'),
        (b"<body data-jupyter-api-token=TT>", b'<body data-jupyter-api-token="">'),
        (b"<BODY Data-Jupyter-API-Token = 'TT' />", b"<BODY Data-Jupyter-API-Token = '' />"),
        (b'<body data-jupyter-api-token="another">', b'<body data-jupyter-api-token="">'),
        (b"<body\n\tdata-jupyter-api-token\n=\n'TT'\n>", b"<body\n\tdata-jupyter-api-token\n=\n''\n>"),
        (b'<p/data-jupyter-api-token="TT"/>', b'<p/data-jupyter-api-token=""/>'),
        (b'<p a=""data-jupyter-api-token="TT">', b'<p a=""data-jupyter-api-token="">'),
        (b'<p a data-jupyter-api-token="TT">', b'<p a data-jupyter-api-token="">'),
        (b"<p title=it's data-jupyter-api-token=\"TT\">", b"<p title=it's data-jupyter-api-token=\"\">"),
        (b"<p ' data-jupyter-api-token=\"TT\">", b"<p ' data-jupyter-api-token=\"\">"),
        (b'<p =" data-jupyter-api-token="TT">', b'<p =" data-jupyter-api-token="">'),
        (b"<p title='a > b' data-jupyter-api-token=\"TT\">", b"<p title='a > b' data-jupyter-api-token=\"\">"),
        (b"<p a=><p a= >", b"<p a=><p a= >"),
        (b"<p a= data-jupyter-api-token=x>", b"<p a= data-jupyter-api-token=x>"),
        (b'<body data-ws-url="wss://127.0.0.1:8888/">', b'<body data-ws-url="">'),
        (b'<body data-ws-url="" data-ws-path="terminals/websocket/1">', b'<body data-ws-url="" data-ws-path="terminals/websocket/1">'),
        (b'<a href="/tree?token=TT">', b'<a href="/tree?token=">'),
        (b'<a href="/tree?a=b&token=TT#x">', b'<a href="/tree?a=b&token=#x">'),
        (b'<a href="/tree?a=b&amp;token=TT&amp;c=d">', b'<a href="/tree?a=b&amp;token=&amp;c=d">'),
        (b"<a href=/tree?token=TT>", b'<a href="/tree?token=">'),
        (b'<form action="/login?token=TT">', b'<form action="/login?token=">'),
        (b'<img src="/logo?token=TT">', b'<img src="/logo?token=">'),
        (b'<a href="/x?token=of-somebody-else">', b'<a href="/x?token=of-somebody-else">'),
        (b'<a href="/x?mytoken=1" title="?token=y">', b'<a href="/x?mytoken=1" title="?token=y">'),
        (b"<p><![CDATA[<body data-jupyter-api-token='x'>]]>", b"<p><![CDATA[<body data-jupyter-api-token='x'>]]>"),
    ],
)  # fmt: skip
def test_attributes_that_show_the_token_are_blanked(before: bytes, after: bytes) -> None:
    page = b"a < b &amp; <3 " + before.replace(b"TT", TOKEN.encode()) + b" </p> \xff\x00 caf\xc3\xa9"
    assert b"a < b &amp; <3 " + after + b" </p> \xff\x00 caf\xc3\xa9" == whole_and_by_the_byte(page)


def test_a_links_token_is_known_in_every_spelling() -> None:
    token = "geheim+ja/nein"
    for spelled in (b"geheim+ja/nein", b"geheim%2Bja%2Fnein", b"geheim&#x2B;ja/nein"):
        page = b'<a href="/?token=' + spelled + b'">'
        if b"&#" in spelled:  # an entity ends our reading of a value; the guard sees the rest of the spellings
            continue
        assert rewrite(page, token) == b'<a href="/?token=">'


@pytest.mark.parametrize(
    "markup",
    [
        b"<!-- BODY -->",
        b"<!--> BODY2 <!---> x",
        b"<!-- a -- > > BODY --!> x",
        b"<!---- BODY -->",
        b"<!doctype html><?xml BODY?>",
        b"<!x BODY2>",
        b"</ BODY2>",
        b"</>",
        b"<script>if (a<b) { BODY }</script >",
        b"<SCRIPT>BODY</scripts></ScRiPt\n>",
        b"<style>BODY</style>",
        b"<title>BODY</title>",
        b"<textarea>BODY</textarea/>",
        b"<script src=x></script>",
        b"<script><!-- BODY --></script>",
        b"</p title='>'>",
    ],
)
def test_what_is_no_start_tag_passes_as_it_is_and_ends_where_it_ends(markup: bytes) -> None:
    inner = markup.replace(b"BODY2", b"data-ws-url='x'").replace(b"BODY", b"<body data-ws-url='x'>")
    page = inner + b"<body data-ws-url='x'>" + inner
    assert inner + b"<body data-ws-url=''>" + inner == whole_and_by_the_byte(page)


@pytest.mark.parametrize("element", [b"title", b"style", b"script", b"textarea"])
def test_an_element_closed_in_its_own_tag_hides_nothing(element: bytes) -> None:
    """In SVG `<title/>` is whole; taking it for an open one would hide the rest of the page."""
    page = b"<svg><" + element + b"/></svg><body data-ws-url='x'>"
    assert b"<svg><" + element + b"/></svg><body data-ws-url=''>" == whole_and_by_the_byte(page)


@pytest.mark.parametrize("page", [b"", b"<", b"</", b"<!", b"<!-", b"<!--", b"<!-- x", b"<!-- x --", b"<p", b"<p a='", b"<p a=b", b"x<script>x</scri", b"<?"])  # fmt: skip
def test_a_page_that_ends_anywhere_loses_nothing(page: bytes) -> None:
    assert page == whole_and_by_the_byte(page)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"token": "TT"}', b'{"token": ""}'),
        (b'{"a":1,"token":"TT","b":"c"}', b'{"a":1,"token":"","b":"c"}'),
        (b'{ "wsUrl" : "wss://x/" , "token" : "" }', b'{ "wsUrl" : "" , "token" : "" }'),
        (b'{"x": {"token": "kept"}, "y": ["token", "kept"]}', b'{"x": {"token": "kept"}, "y": ["token", "kept"]}'),
        (b'{"token": "a", "token": "b"}', b'{"token": "", "token": ""}'),
        (b'{"\\u0074oken": "TT", "x\\"token": "c"}', b'{"\\u0074oken": "", "x\\"token": "c"}'),
        (b'{"t": "token", "u": "\\"token\\": \\"c\\""}', b'{"t": "token", "u": "\\"token\\": \\"c\\""}'),
        (b'{"token": null, "x": [{"token": "kept"}]}', b'{"token": null, "x": [{"token": "kept"}]}'),
        (b'["token", "kept"]', b'["token", "kept"]'),
        (b'{"bad\\x": "kept", "token": "bad\\x"}', b'{"bad\\x": "kept", "token": "bad\\x"}'),
        (b'{"caf\xc3\xa9\xff": "\xff", "token": "\xff"}', b'{"caf\xc3\xa9\xff": "\xff", "token": ""}'),
    ],
)
def test_the_page_configuration_loses_the_token_and_keeps_its_form(before: bytes, after: bytes) -> None:
    page = CONFIG + before.replace(b"TT", TOKEN.encode()) + b"</script><p>"
    assert CONFIG + after + b"</script><p>" == whole_and_by_the_byte(page)


def test_only_a_script_of_that_id_is_the_page_configuration() -> None:
    for start in (
        b'<div id="jupyter-config-data">',
        b'<script id="other">',
        b"<script>",
        b"<script data-id=jupyter-config-data>",
    ):
        page = start + b'{"token": "kept"}</script>'
        assert page == whole_and_by_the_byte(page)
    assert whole_and_by_the_byte(b'<SCRIPT ID=jupyter-config-data>{"token":"x"}</SCRIPT>') == (
        b'<SCRIPT ID=jupyter-config-data>{"token":""}</SCRIPT>'
    )
    assert whole_and_by_the_byte(CONFIG[:-1] + b'/>{"token":"x"}</script>') == CONFIG[:-1] + b'/>{"token":""}</script>'


@pytest.mark.parametrize(
    "page",
    [
        b"before TT after",
        b"<p title='TT'>",
        b"<!-- TT -->",
        b"<script>var t = 'TT';</script>",
        b"<body data-x=TT",
        CONFIG + b'{"x": {"token": "TT"}}</script>',
        CONFIG + b'{"x": "TT"}</script>',
        CONFIG + b'{"token": "TT',
        CONFIG + b'{"token": "unknown"}',
        CONFIG + b" " * (MAX_CONFIG_BYTES + 1) + b"</script>",
        CONFIG + b" " * (MAX_CONFIG_BYTES + 20),
    ],
    ids=range(11),
)
def test_where_the_token_would_still_show_the_page_is_cut(page: bytes) -> None:
    page = page.replace(b"TT", TOKEN.encode())
    assert rewrite(page) is None
    assert rewrite(page, sizes=(1,) * min(200, len(page))) is None


def test_a_cut_page_gives_nothing_more_and_no_part_of_the_token() -> None:
    rewriter = PageRewriter(TOKEN)
    text = b"before " + TOKEN.encode() + b" after"
    out = b"".join(rewriter.feed(text[at : at + 1]) for at in range(len(text)))
    assert out == b"before "
    assert rewriter.leaked
    assert rewriter.feed(b"<p>") == rewriter.finish() == b""


def test_the_page_streams_while_it_comes() -> None:
    """Voila sends a page over minutes, in pieces that end anywhere."""
    rewriter = PageRewriter(TOKEN)
    assert rewriter.feed(b'<div cell-index="') == b""
    assert rewriter.feed(b"1") == b""
    assert rewriter.feed(b'">text') == b'<div cell-index="1">text'
    assert rewriter.feed(b"more") == b"more"
    assert rewriter.feed(b"<script>a long scri") == b"<script>a long scri"
    assert rewriter.feed(b"pt</scr") == b"pt"
    assert rewriter.feed(b"ipt>") == b"</script>"
    assert rewriter.feed(b"ends like 5ek") == b"ends like "
    assert rewriter.feed(b"!<") == b"5ek!"
    assert rewriter.finish() == b"<"


def test_a_tag_too_long_to_hold_passes_as_it_is_and_the_next_one_is_read() -> None:
    image = b"<img src='data:image/png;base64," + b"A>" * MAX_TAG_BYTES + b"' data-ws-url='kept' x=y z >"
    page = image + b"<body data-ws-url='x'>"
    expected = image + b"<body data-ws-url=''>"
    assert expected == rewrite(page)
    for size in (1000, 4096, 65000):
        assert expected == rewrite(page, sizes=(size,) * (len(page) // size))
    rewriter = PageRewriter(TOKEN)
    assert image[: MAX_TAG_BYTES + 1] == rewriter.feed(image[: MAX_TAG_BYTES + 1])


@pytest.mark.parametrize("sizes", [(), (40000, 40000), (100,) * 2000])
def test_a_tag_just_short_enough_is_read(sizes: tuple[int, ...]) -> None:
    start, end = b"<body x='", b"' data-ws-url='x'>"
    filler = b"A" * (MAX_TAG_BYTES - len(start) - len(end))
    assert rewrite(start + filler + end, sizes=sizes) == start + filler + b"' data-ws-url=''>"
    longer = start + filler + b"A" + end
    assert longer == rewrite(longer, sizes=sizes)


def test_a_script_with_an_endless_tag_is_still_a_script() -> None:
    page = b"<script x='" + b"A" * 70000 + b"'>'<body data-ws-url=\"kept\">'</script><body data-ws-url='x'>"
    expected = page.replace(b"='x'>", b"=''>")
    assert expected == rewrite(page, sizes=(1000,) * 60)
    nameless = b"<" + b"a" * 70000 + b" b=c></script><body data-ws-url='x'>"
    assert nameless.replace(b"'x'", b"''") == rewrite(nameless, sizes=(1000,) * 60)


class Prefix:
    """What rules for prefixes do, in small."""

    def attribute(self, tag: bytes, name: bytes, value: bytes) -> bytes:
        return b"/user/ada" + value if (tag, name) == (b"a", b"href") else value

    def config_value(self, key: str, value: str) -> str:
        return "/user/ada/</script>'&" if key == "baseUrl" else value


def test_further_edits_come_after_the_scrub() -> None:
    rewriter = PageRewriter(TOKEN, edits=(Prefix(),))
    page = b"<a href=/x?token=" + TOKEN.encode() + b">" + CONFIG + b'{"baseUrl": "/", "token": "x"}</script>'
    assert rewriter.feed(page) + rewriter.finish() == (
        b'<a href="/user/ada/x?token=">'
        + CONFIG
        + b'{"baseUrl": "/user/ada/\\u003c/script\\u003e\\u0027\\u0026", "token": ""}</script>'
    )


def edit_script(text: bytes) -> bytes:
    return text.replace(b"'/", b"'/user/ada/")


def edited(page: bytes, token: str = TOKEN, step: int = 0) -> bytes | None:
    """Return the page with more edits than of the token, fed whole or in pieces of `step`; None when it was cut."""
    rewriter = PageRewriter(token, edits=(Prefix(),), edit_script=edit_script)
    pieces = [page[at : at + step] for at in range(0, len(page), step)] if step else [page]
    out = b"".join(map(rewriter.feed, pieces)) + rewriter.finish()
    return None if rewriter.leaked else out


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<script>x='/y';</script>", b"<script>x='/user/ada/y';</script>"),
        (b"<SCRIPT type=text/javascript>'/</scrip' </ScRiPt>", b"<SCRIPT type=text/javascript>'/user/ada/</scrip' </ScRiPt>"),
        (b"<script async data-src='x'>'/'</script>", b"<script async data-src='x'>'/user/ada/'</script>"),
        (b"<script src=x>'/'</script>", b"<script src=x>'/'</script>"),
        (b"<script SRC=''>'/'</script>", b"<script SRC=''>'/'</script>"),
        (b"<script/>'/'", b"<script/>'/'"),
        (b"<style>'/'</style>", b"<style>'/'</style>"),
        (b"<title>'/'</title>", b"<title>'/'</title>"),
        (b"<p>'/'</p>", b"<p>'/'</p>"),
        (b"<!-- <script>'/'</script> -->", b"<!-- <script>'/'</script> -->"),
        (b"<script></script>", b"<script></script>"),
        (b"<script>'/'", b"<script>'/'"),
        (CONFIG + b'{"x": "\'/"}</script>', CONFIG + b'{"x": "\'/"}</script>'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", [TOKEN, ""])
def test_an_inline_script_is_edited(before: bytes, after: bytes, token: str) -> None:
    assert after == edited(before, token=token) == edited(before, token=token, step=1)


def test_an_inline_script_streams_where_nobody_edits_it() -> None:
    """Voila's pages come over minutes."""
    held = PageRewriter(TOKEN, edits=(Prefix(),), edit_script=edit_script)
    streams = PageRewriter(TOKEN, edits=(Prefix(),))
    assert (b"<script>", b"<script>x='/y") == (held.feed(b"<script>x='/y"), streams.feed(b"<script>x='/y"))


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("end", [b"</script>'/'", b""])
def test_a_long_inline_script_passes_as_it_is(over: int, end: bytes) -> None:
    text = b"'/'" + b" " * (MAX_SCRIPT_BYTES + over - len(b"'/'"))
    expected = text if over or not end else text.replace(b"'/'", b"'/user/ada/'")
    page, expected = b"<script>" + text + end, b"<script>" + expected + end
    assert expected == edited(page) == edited(page, step=50_000) == edited(page, step=1_000)


@pytest.mark.parametrize("tail", [b"", b"</script><a href=/x>"])
@pytest.mark.parametrize("step", [0, 1 << 20])
def test_a_long_page_configuration_is_a_leak_only_where_there_is_a_token(tail: bytes, step: int) -> None:
    page = CONFIG + b'{"baseUrl": "/"}' + b" " * MAX_CONFIG_BYTES + tail
    assert edited(page, token=TOKEN, step=step) is None
    assert page.replace(b"href=/x", b'href="/user/ada/x"') == edited(page, token="", step=step)


@pytest.mark.parametrize("step", [0, 1])
def test_a_page_configuration_without_an_end_is_a_leak_only_where_there_is_a_token(step: int) -> None:
    page = CONFIG + b'{"baseUrl": "/"'
    assert edited(page, token=TOKEN, step=step) is None
    assert page == edited(page, token="", step=step)


def test_without_a_token_nothing_counts_as_a_leak() -> None:
    page = CONFIG + b'{"token": ""}</script> nothing'
    assert page == whole_and_by_the_byte(page, "")


# what is added behind the head's start tag


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.parametrize("token", [TOKEN, ""])
def test_a_real_page_gets_the_banner_and_no_other_byte(path: Path, token: str) -> None:
    page = path.read_bytes()
    (head,) = re.findall(rb"<head[^>]*>", page)
    scrubbed = page.replace(TOKEN.encode(), b"") if token else page
    expected = scrubbed.replace(head, head + BANNER)
    assert expected == rewrite(page, token, after_head=BANNER)
    assert expected == rewrite(page, token, sizes=(1,) * len(page), after_head=BANNER)
    generator = random.Random(3)
    for _ in range(10):
        sizes = tuple(generator.choice((1, 2, 3, 7, 40, 300)) for _ in range(generator.randrange(400)))
        assert expected == rewrite(page, token, sizes=sizes, after_head=BANNER)


LONG_VALUE = b"x" * (MAX_TAG_BYTES + 10)


@pytest.mark.parametrize(
    "page",
    [
        b"<head>|<title>x</title></head>",
        b"<!doctype html>\n<html>\n<head>|\n<meta charset=utf-8>",
        b"<HTML LANG=en><HEAD>|<TITLE>",
        b"<html><head lang='a>b' data-x>|<p>",
        b"<html><head\n>|",
        b"<head/>|<p>",
        b"\xef\xbb\xbf<html><head>|",
        b"<!-- <head> --><head>|",
        b"</p><head>|",
        b"<head>|<head>",
        b"<head>|</head><body><head>",
        b"<head>|<script><head></script>",
        b"<html x='" + LONG_VALUE + b"'><head>|",
        b"<head x='" + LONG_VALUE + b"'>|<head>",
    ],
    ids=range(14),
)
@pytest.mark.parametrize("token", [TOKEN, ""])
def test_the_banner_stands_behind_the_first_head(page: bytes, token: str) -> None:
    expected, plain = page.replace(b"|", BANNER), page.replace(b"|", b"")
    assert expected == rewrite(plain, token, after_head=BANNER)
    small = (1,) * len(plain) if len(plain) < 1000 else (1000,) * 70
    assert expected == rewrite(plain, token, sizes=small, after_head=BANNER)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"plain words",
        b"<p>no head</p>",
        b"<html><body><p></body></html>",
        b"<header>x</header>",
        b"<headx><head>",
        b"<body><head>",
        b"<meta charset=utf-8><head>",
        b"<div><script><head></script>",
        b"<script><head></script><head>",
        b"<!-- <head> -->",
        b"<?xml <head>",
        b"<title><head></title><head>",
        b"</head>",
        b"<hea",
        b"<head",
        b"<head x='",
    ],
)
@pytest.mark.parametrize("token", [TOKEN, ""])
def test_a_page_without_a_head_in_its_place_gets_no_banner(page: bytes, token: str) -> None:
    assert page == rewrite(page, token, after_head=BANNER)
    assert page == rewrite(page, token, sizes=(1,) * len(page), after_head=BANNER)


def test_without_a_token_a_page_with_a_banner_keeps_every_other_byte() -> None:
    """What a scrub would blank, or count as a leak, is the page's own there."""
    rest = b"<body data-ws-url='wss://x/' data-jupyter-api-token=x>" + CONFIG + b'{"token": "x", "wsUrl": "y"}'
    page = b"<html><head></head>" + rest
    expected = b"<html><head>" + BANNER + b"</head>" + rest
    assert expected == rewrite(page, "", after_head=BANNER)
    assert expected == rewrite(page, "", sizes=(1,) * len(page), after_head=BANNER)


def test_once_the_banner_is_in_nothing_is_held_back() -> None:
    rewriter = PageRewriter("", after_head=BANNER)
    assert b"" == rewriter.feed(b"<he")
    assert b"<head>" + BANNER == rewriter.feed(b"ad>")
    assert b"<p a='" == rewriter.feed(b"<p a='")
    assert b"" == rewriter.finish()


@pytest.mark.parametrize("sizes", [(), (1,) * 100])
def test_another_secret_in_a_page_with_a_banner_counts_as_a_leak_wherever_it_stands(sizes: tuple[int, ...]) -> None:
    rewriter = PageRewriter("", after_head=BANNER, secret=TOKEN)
    page = b"<head></head><body>" + TOKEN.encode() + b"</body>"
    pieces = [page[at : at + 1] for at in range(len(page))] if sizes else [page]
    out = b"".join(map(rewriter.feed, pieces)) + rewriter.finish()
    assert (True, False) == (rewriter.leaked, TOKEN.encode() in out)
