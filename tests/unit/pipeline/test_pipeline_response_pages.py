"""Pages of real servers, kept in `tests/pages`: each as served at `/`, and as served by one that was told `/ipython/`."""

import random
from pathlib import Path

import pytest
from moved_pages import PREFIX, ROUTE, TOKEN, Page, random_sizes, rewriter_of, rewritten
from msgspec.structs import replace

PAGES = sorted((Path(__file__).resolve().parents[2] / "pages").glob("*/*.root"))
HTML, JSON = "text/html; charset=UTF-8", "application/json"
BACK = replace(ROUTE, prefix="/", base_url=PREFIX)
EVENT_STREAM = "text/event-stream"


def read(file):
    path, status = file.stem.rsplit(".", 1)
    path = "" if path == "index" else path.replace("+", "/")
    return Page(path, int(status), JSON if path.startswith("api/") else HTML, file.read_bytes())


@pytest.mark.parametrize("file", PAGES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_rewritten_page_is_that_of_a_server_that_was_told_the_prefix(file):
    page, told = read(file), read(file.with_suffix(".moved"))
    expected = told.body.replace(TOKEN.encode(), b"")
    assert expected == rewritten(page)
    generator = random.Random(file.name)
    for _ in range(30):
        assert expected == rewritten(page, random_sizes(generator, len(page.body)))
    assert page.body.replace(TOKEN.encode(), b"") == rewritten(told, route=BACK)


def test_there_are_pages_of_all_servers():
    assert {"lab", "notebook7", "notebook6", "nbclassic", "voila", "voila-server"} == {
        file.parent.name for file in PAGES
    }
    assert len(PAGES) >= 20


@pytest.mark.parametrize("file", PAGES, ids=lambda file: f"{file.parent.name}/{file.stem}")
@pytest.mark.parametrize("token", [TOKEN, ""])
def test_a_page_of_a_server_that_was_told_the_prefix_is_not_mapped(file, token):
    page = read(file)
    expected = page.body.replace(TOKEN.encode(), b"") if token and page.content_type == HTML else page.body
    assert expected == rewritten(page, route=replace(ROUTE, prefix="/"), token=token)


BODY = b'<link href="/static/x.css"><script id="jupyter-config-data" type="application/json">{"baseUrl": "/"}</script>'


@pytest.mark.parametrize(
    ("path", "status", "content_type"),
    [
        ("files/x.html", 200, "text/html"),
        ("nbconvert/html/a.ipynb", 200, "text/html"),
        ("static/x.html", 200, "text/html"),
        ("custom/x.html", 200, "text/html"),
        ("lab/extensions/x/x.html", 200, "text/html"),
        ("voila/files/x.html", 200, "text/html"),
        ("proxy/8080/", 200, "text/html"),
        ("lab", 200, "text/plain"),
        ("lab", 200, "application/json"),
        ("lab", 200, "image/svg+xml"),
        ("lab", 200, EVENT_STREAM),
        ("api/contents/x", 200, JSON),
        ("api/sessions", 200, JSON),
        ("api/kernelspecs/python3/x", 200, JSON),
        ("api/kernelspecs", 404, JSON),
        ("api/kernelspecs", 200, "text/plain"),
        ("lab/api/settings", 200, JSON),
    ],
)
def test_what_is_no_page_of_the_server_passes_to_the_byte(path, status, content_type):
    assert rewriter_of(Page(path, status, content_type, BODY)) is None


@pytest.mark.parametrize("path", ["files/nothing.html", "static/nothing", "lab/nothing"])
def test_an_error_page_is_the_servers_own_wherever_it_is(path):
    assert BODY.replace(b'"/', b'"/ipython/') == rewritten(Page(path, 404, HTML, BODY))


@pytest.mark.parametrize(
    ("path", "status", "files", "script"),
    [
        ("tree", 200, True, True),
        ("unknown/page", 200, True, True),
        ("", 200, False, False),
        ("voila/render/a.ipynb", 200, False, False),
        ("voila/render/a.ipynb", 404, True, True),
        ("", 500, True, True),
    ],
)
def test_what_cells_wrote_into_a_page_of_voila_stays(path, status, files, script):
    """A server that was told the prefix would not change it either."""
    body = b'<a href="/files/x"></a><a href="/voila/x"></a><script>require.config({custom : \'/custom\'})</script>'
    expected = body.replace(b'"/voila', b'"/ipython/voila')
    expected = expected.replace(b'"/files', b'"/ipython/files') if files else expected
    expected = expected.replace(b"'/custom", b"'/ipython/custom") if script else expected
    assert expected == rewritten(Page(path, status, HTML, body))
