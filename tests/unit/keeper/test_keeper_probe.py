import asyncio
import os
from contextlib import asynccontextmanager

import pytest

from nbgate.keeper.probe import UNNAMED, Credential, Finding, Guard, probe_credential, probe_guard, probe_product
from nbgate.model.route import Upstream

OURS = (os.geteuid(),)
TOKEN = Credential(token="5ecre7")
LOGIN = Credential(cookie="username-x=1; _xsrf=2", xsrf="2")


class RawServer(asyncio.Protocol):
    """A raw upstream that records what it is asked and sends fixed bytes; `answer` None hangs up, b"" says nothing."""

    def __init__(self, answer, asked, open_connections):
        self.answer, self.asked, self.open_connections = answer, asked, open_connections
        self.over = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.open_connections.append(self)

    def data_received(self, data):
        self.asked.append(data.decode())
        if self.answer is None:
            self.transport.close()
        else:
            self.transport.write(self.answer)

    def connection_lost(self, exc):
        self.over.set()


@asynccontextmanager
async def stub(answer, path=None, owners=OURS):
    asked, open_connections = [], []
    loop = asyncio.get_running_loop()

    def make():
        return RawServer(answer, asked, open_connections)

    if path is None:
        server = await loop.create_server(make, "127.0.0.1", 0)
        upstream = Upstream(host="127.0.0.1", port=server.sockets[0].getsockname()[1], owners=owners)
    else:
        server = await loop.create_unix_server(make, path)
        upstream = Upstream(path=str(path), owners=owners)
    async with server:
        yield upstream, asked
        for connection in open_connections:
            await connection.over.wait()


def head(status, *lines):
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "Content-Length: 0", "", ""]).encode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (head(401), Finding(Guard.GUARDED, 401)),
        (head(403), Finding(Guard.GUARDED, 403)),
        (head(302, "Location: /login?next=%2Fapi"), Finding(Guard.GUARDED, 302)),
        (head(303, "Location: http://127.0.0.1:1/jl/login"), Finding(Guard.GUARDED, 303)),
        (head(302, "Location: /elsewhere?x=/login"), Finding(Guard.OPEN, 302)),
        (head(302), Finding(Guard.OPEN, 302)),
        (head(200), Finding(Guard.OPEN, 200)),
        (head(200, "Location: /login"), Finding(Guard.OPEN, 200)),
        (head(404), Finding(Guard.OPEN, 404)),
        (head(500), Finding(Guard.OPEN, 500)),
        (b"SSH-2.0-OpenSSH\r\n", Finding(Guard.DOWN)),
        (None, Finding(Guard.DOWN)),
    ],
)
async def test_only_a_demand_for_a_login_is_guarded(answer, expected):
    async with stub(answer) as (upstream, asked):
        assert expected == await probe_guard(upstream, "/jl/")
    assert asked[0].startswith("GET /jl/api/contents HTTP/1.1\r\n")
    assert f"Host: {upstream.authority}\r\n" in asked[0]
    assert "Authorization" not in asked[0]
    assert "Cookie" not in asked[0]


async def test_a_closed_port_is_down():
    async with stub(head(200)) as (upstream, _):
        pass
    assert Finding(Guard.DOWN) == await probe_guard(upstream, "/")
    assert Finding(Guard.DOWN) == await probe_credential(upstream, "/", TOKEN)


async def test_a_server_that_says_nothing_is_silent_after_the_deadline():
    async with stub(b"") as (upstream, _):
        assert Finding(Guard.SILENT) == await probe_guard(upstream, "/", seconds=0.05)
        assert Finding(Guard.SILENT) == await probe_credential(upstream, "/", TOKEN, seconds=0.05)


@pytest.mark.parametrize(
    ("status", "expected"), [(200, Guard.OPEN), (403, Guard.GUARDED), (302, Guard.GUARDED), (500, Guard.GUARDED)]
)
async def test_a_token_is_good_when_the_server_says_200(status, expected):
    async with stub(head(status)) as (upstream, asked):
        assert Finding(expected, status) == await probe_credential(upstream, "/", TOKEN)
    assert asked[0].startswith("GET /api/contents?content=0 HTTP/1.1\r\n")
    assert "Authorization: token 5ecre7\r\n" in asked[0]


async def test_a_login_is_shown_as_a_browser_would(tmp_path):
    async with stub(head(200)) as (upstream, asked):
        assert Finding(Guard.OPEN, 200) == await probe_credential(upstream, "/", LOGIN)
    assert "Cookie: username-x=1; _xsrf=2\r\n" in asked[0]
    assert "X-XSRFToken: 2\r\n" in asked[0]
    assert "Authorization" not in asked[0]


@pytest.mark.parametrize("path", [None, "j.sock"])
async def test_somebody_elses_socket_is_sent_not_one_byte(path, tmp_path):
    nobody = (os.geteuid() + 1,)
    async with stub(head(200), path and tmp_path / path, nobody) as (upstream, asked):
        expected = Finding(Guard.FOREIGN, uid=os.geteuid())
        assert expected == await probe_guard(upstream, "/")
        assert expected == await probe_credential(upstream, "/", TOKEN)
    assert [] == asked


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (head(302, "Location: /jl/lab?"), "JupyterLab"),
        (head(302, "Location: /jl/tree"), "Jupyter Notebook"),
        (head(302, "Location: /jl/voila/x"), "Voilà"),
        (head(302, "Location: /jl/login?next=%2Fjl%2F"), UNNAMED),
        (head(302), UNNAMED),
        (head(200, "Location: /jl/lab"), UNNAMED),
        (None, UNNAMED),
    ],
)
async def test_a_server_is_called_by_its_first_page(answer, name):
    async with stub(answer) as (upstream, asked):
        assert name == await probe_product(upstream, "/jl/")
    assert asked[0].startswith("GET /jl/ HTTP/1.1\r\n")


def test_a_credential_says_whether_it_is_one_and_never_what():
    assert [False, True, True] == [bool(each) for each in (Credential(), TOKEN, LOGIN)]
    assert {} == Credential().headers()
    assert [] == [text for text in map(repr, (TOKEN, LOGIN)) if "5ecre7" in text or "username" in text]


async def test_a_server_on_a_unix_socket_is_asked_as_well(tmp_path):
    async with stub(head(403), tmp_path / "j.sock") as (upstream, asked):
        assert Finding(Guard.GUARDED, 403) == await probe_guard(upstream, "/")
    assert "Host: localhost\r\n" in asked[0]
