"""Pages of real notebook servers, each started twice: at `/`, and told the prefix under which we mount the other.

`PYTHONPATH=.:tests python tests/e2e/prefix_pages.py` writes those that are kept into `tests/pages` anew. Start times,
folders and random ids are taken out of a page, and of those that are kept what they say of the machine; nothing else.
"""

import concurrent.futures
import json
import re
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from moved_pages import PREFIX, TOKEN, Page

from nbgate.testing.jupyter import (
    LAB,
    NBCLASSIC,
    NOTEBOOK_6,
    NOTEBOOK_7,
    VOILA,
    VOILA_SERVER,
    Kind,
    find_command,
    running_jupyter,
)

GOLDEN = Path(__file__).resolve().parents[1] / "pages"

_NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "c1",
            "metadata": {},
            "outputs": [],
            "source": 'from IPython.display import HTML\ndisplay(HTML(\'<a href="/files/x">a</a><img src="/static/y.png">\'))',
        }
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@dataclass(frozen=True)
class Served:
    """A kind of server.

    Attributes:
        paths: Of its pages, below the base URL.
        golden: Those of them that are kept.
    """

    kind: Kind
    paths: tuple[str, ...]
    golden: tuple[str, ...] = ()


_KERNELS = ("api/kernelspecs", "api/kernelspecs/python3")
_CLASSIC = (
    "tree",
    "tree/folder",
    "notebooks/a.ipynb",
    "edit/x.txt",
    "terminals/1",
    "nothing",
    "view/page.html",
    "logout",
)
SERVERS = {
    "lab": Served(
        LAB,
        ("lab", "lab/tree/folder", "lab/workspaces/w", "lab?reset", "doc", "lab/nothing/here", "nothing", "files/nothing",
         "view/page.html", "logout", "lab/api/themes", *_KERNELS),
        ("lab", "lab/nothing/here", "nothing", "view/page.html", "logout", *_KERNELS),
    ),
    "notebook7": Served(
        NOTEBOOK_7,
        ("tree", "tree/folder", "notebooks/a.ipynb", "edit/x.txt", "consoles/x", "terminals/1", "nothing", "lab", *_KERNELS),
        ("tree", "notebooks/a.ipynb", "terminals/1"),
    ),
    "notebook6": Served(
        NOTEBOOK_6,
        (*_CLASSIC, "nbextensions/nothing", *_KERNELS),
        ("tree", "notebooks/a.ipynb", "edit/x.txt", "terminals/1", "nothing", "logout", *_KERNELS),
    ),
    "nbclassic": Served(NBCLASSIC, (*_CLASSIC, *_KERNELS), ("tree", "notebooks/a.ipynb", "edit/x.txt")),
    "voila": Served(
        VOILA, ("", "voila/tree/folder", "voila/render/a.ipynb", "nothing"), ("", "voila/render/a.ipynb")
    ),
    "voila-server": Served(
        VOILA_SERVER,
        ("voila", "voila/tree/folder", "voila/render/a.ipynb", "voila/render/none.ipynb", "voila/nothing", *_KERNELS),
        ("voila", "voila/render/none.ipynb", "voila/nothing"),
    ),
}  # fmt: skip


@contextmanager
def running_pair(served, folder):
    """Run the server at `/` and at the prefix; give, for each, a function that gets a page from it."""
    with ExitStack() as stack, concurrent.futures.ThreadPoolExecutor() as threads:
        folders = {base_url: folder / name / "jupyter" for base_url, name in (("/", "root"), (PREFIX, "moved"))}
        for each in folders.values():
            _fill(each / "root")
        pair = [
            running_jupyter(each, kind=served.kind, base_url=base_url, token=TOKEN)
            for base_url, each in folders.items()
        ]
        started = list(threads.map(lambda server: server.__enter__(), pair))
        for server in pair:
            stack.push(server.__exit__)
        environment = find_command(served.kind).parents[1]
        yield tuple(_getter(server, {folders[server.base_url]: "/home/ada", environment: "/opt"}) for server in started)


def _fill(root):
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "y.txt").write_text("y")
    (root / "a.ipynb").write_text(json.dumps(_NOTEBOOK))
    (root / "x.txt").write_text("x")
    (root / "page.html").write_text("<p>")


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def _getter(server, folders):
    opener = urllib.request.build_opener(_Stay)

    def get(path):
        request = urllib.request.Request(
            f"{server.url.rstrip('/')}{server.base_url}{path}", headers={"Authorization": f"token {TOKEN}"}
        )
        try:
            answer = opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read()
        return Page(path, answer.status, answer.headers["Content-Type"], without_chance(body, folders))

    return get


def without_chance(body, folders):
    """Return a page without what differs from one start of a server to the next, and with `folders` called otherwise."""
    for folder, name in folders.items():
        body = body.replace(str(folder).encode(), name.encode())
    body = re.sub(rb'("store_id": )\d+', rb"\g<1>0", body)
    body = re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", b"00000000", body)
    return re.sub(rb"\bv=20\d{12}\b", b"v=20261123000000", body)


def _record(folder):
    for name, served in SERVERS.items():
        (GOLDEN / name).mkdir(parents=True, exist_ok=True)
        with running_pair(served, folder / name) as gets:
            for path in served.golden:
                for get, which in zip(gets, ("root", "moved"), strict=True):
                    page = get(path)
                    file = f"{path.replace('/', '+') or 'index'}.{page.status}.{which}"
                    (GOLDEN / name / file).write_bytes(
                        re.sub(rb'"(sys_version|platform)": "[^"]*"', rb'"\1": ""', page.body)
                    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        _record(Path(made))
