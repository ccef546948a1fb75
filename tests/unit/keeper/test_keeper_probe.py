"""What is asked of a server and what its answer means; whom it is asked of is proven before the first byte."""

import asyncio
import os
import ssl
from contextlib import asynccontextmanager

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from msgspec import structs

from nbgate.keeper import probe as module
from nbgate.keeper.probe import (
    MARIMO,
    SAID_OF_CERTIFICATE,
    UNNAMED,
    VOILA,
    Credential,
    Finding,
    Guard,
    maybe_read,
    probe_credential,
    probe_guard,
    probe_health,
    probe_product,
)
from nbgate.link.upstream_tls import pin_of
from nbgate.model.route import Upstream, UpstreamTls

OURS = (os.geteuid(),)
TOKEN = Credential(token="5ecre7")
LOGIN = Credential(cookie="username-x=1; _xsrf=2", xsrf="2")


class RawServer(asyncio.Protocol):
    """A raw upstream that records what it is asked and sends fixed bytes; `answer` None hangs up, b"" says nothing.

    A dict has an answer for each path, with or without a credential (`path`, `path with it`), and 404 for the others.
    """

    def __init__(self, answer, asked, open_connections):
        self.answer, self.asked, self.open_connections = answer, asked, open_connections
        self.over = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.open_connections.append(self)

    def data_received(self, data):
        self.asked.append(data.decode())
        answer = self.choose(data.decode()) if isinstance(self.answer, dict) else self.answer
        if answer is None:
            self.transport.close()
        else:
            self.transport.write(answer)

    def choose(self, request):
        path = request.split()[1].partition("?")[0]
        with_it = f"{path} with {request.partition('Authorization: ')[2].partition(chr(13))[0]}"
        return self.answer.get(with_it, self.answer.get(path, head(404, *self.answer.get("always", ()))))

    def connection_lost(self, exc):
        self.over.set()


@asynccontextmanager
async def stub(answer, path=None, owners=OURS, context=None):
    asked, open_connections = [], []
    loop = asyncio.get_running_loop()

    def make():
        return RawServer(answer, asked, open_connections)

    if path is None:
        server = await loop.create_server(make, "127.0.0.1", 0, ssl=context)
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
    ("status", "expected"),
    [(200, Guard.OPEN), (401, Guard.GUARDED), (403, Guard.GUARDED), (302, Guard.GUARDED), (500, Guard.GUARDED)],
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


# what it is

ANYBODY = head(200)
LAB = {"/jl/api": ANYBODY, "/jl/": head(302, "Location: /jl/lab?")}
TO_LOGIN = head(303, "Location: /jl/auth/login?next=%2Fjl%2F", "server: uvicorn")
NO_NOTEBOOK = "/jl/voila/render/none"
TO_FILES = head(302, "Location: /jl/voila/files/none")
UVICORN = ("server: uvicorn",)
MARIMO_GUARDED = {
    "always": UVICORN,
    "/jl/": TO_LOGIN,
    "/jl/ with Bearer 5ecre7": head(200, *UVICORN),
    "/jl/health": head(200, *UVICORN),
    "/jl/api/status": head(401, *UVICORN),
}
MARIMO_OPEN = MARIMO_GUARDED | {"/jl/": head(200, *UVICORN), "/jl/api/status": head(200, *UVICORN)}
STATIC = {"/jl/voila/static/voila.js": ANYBODY}
VOILA_GUARDED = STATIC | {
    "/jl/": head(302, "Location: /jl/login?next=%2Fjl%2F"),
    NO_NOTEBOOK: head(302, "Location: /jl/login?next=%2Fjl%2Fvoila%2Frender%2Fnone"),
    f"{NO_NOTEBOOK} with token 5ecre7": TO_FILES,
}
VOILA_OPEN = STATIC | {"/jl/": ANYBODY, NO_NOTEBOOK: TO_FILES}
VOILA_ONE = STATIC | {path: head(302, f"Location: /jl/voila/files{path}") for path in ("/jl/api", "/jl/api/contents")}


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        (LAB, "JupyterLab"),
        (LAB | {"/jl/": head(302, "Location: /jl/tree")}, "Jupyter Notebook"),
        (LAB | {"/jl/": head(302, "Location: /jl/voila/x")}, VOILA),
        (LAB | {"/jl/": head(302, "Location: /jl/login?next=%2Fjl%2F")}, UNNAMED),
        (LAB | {"/jl/": head(302)}, UNNAMED),
        (LAB | {"/jl/": head(200, "Location: /jl/lab")}, UNNAMED),
        (LAB | {"/jl/": None}, UNNAMED),
        (VOILA_GUARDED, VOILA),
        (VOILA_OPEN, VOILA),
        (VOILA_ONE, VOILA),
        (MARIMO_GUARDED, MARIMO),
        (MARIMO_OPEN, MARIMO),
        ({"always": UVICORN}, UNNAMED),
        ({"always": UVICORN, "/jl/health": None}, UNNAMED),
        ({"/jl/voila/static/voila.js": None}, UNNAMED),
        ({}, UNNAMED),
        (None, UNNAMED),
    ],
)
async def test_a_server_is_called_by_what_it_shows_strangers(answers, name):
    async with stub(answers) as (upstream, _):
        assert name == await probe_product(upstream, "/jl/")


@pytest.mark.parametrize(
    ("answers", "guard", "opens"),
    [
        (MARIMO_GUARDED, Guard.GUARDED, Guard.OPEN),
        (MARIMO_OPEN, Guard.OPEN, None),
        (VOILA_GUARDED, Guard.GUARDED, Guard.OPEN),
        (VOILA_OPEN, Guard.OPEN, None),
        (VOILA_ONE, Guard.OPEN, None),
        (VOILA_GUARDED | {NO_NOTEBOOK: None}, Guard.DOWN, Guard.OPEN),
        (MARIMO_GUARDED | {"/jl/": None}, Guard.DOWN, Guard.OPEN),
    ],
)
async def test_a_server_without_contents_is_asked_its_own_question(answers, guard, opens):
    token = structs.replace(TOKEN, bearer="always" in answers)
    async with stub(answers) as (upstream, asked):
        assert guard is (await probe_guard(upstream, "/jl/")).guard
        if opens is not None:
            assert opens is (await probe_credential(upstream, "/jl/", token)).guard
            wrong = await probe_credential(upstream, "/jl/", structs.replace(token, token="wrong"))
            assert Guard.DOWN is wrong.guard if guard is Guard.DOWN else Guard.GUARDED is wrong.guard
    if answers.get("/jl/") is ANYBODY:  # its first page may be a notebook, which asking executes
        assert [] == [each for each in asked if each.startswith("GET /jl/ ")]


async def test_a_redirect_to_its_login_says_that_a_token_is_wrong():
    async with stub(head(302, "Location: /login")) as (upstream, asked):
        assert Finding(Guard.GUARDED, 302) == await probe_credential(upstream, "/", TOKEN)
    assert 1 == len(asked)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (head(200), Finding(Guard.OPEN, 200)),
        (head(302), Finding(Guard.OPEN, 302)),
        (head(401), Finding(Guard.OPEN, 401)),
        (head(404), Finding(Guard.DOWN, 404)),
        (head(503), Finding(Guard.DOWN, 503)),
        (None, Finding(Guard.DOWN)),
    ],
)
async def test_a_path_that_was_named_is_there_and_does_not_fail(answer, expected):
    async with stub(answer) as (upstream, asked):
        assert expected == await probe_health(upstream, "/jl/up")
    assert asked[0].startswith("GET /jl/up HTTP/1.1\r\n")


def test_a_credential_says_whether_it_is_one_and_never_what():
    assert [False, True, True] == [bool(each) for each in (Credential(), TOKEN, LOGIN)]
    assert {} == Credential().headers()
    assert [] == [text for text in map(repr, (TOKEN, LOGIN)) if "5ecre7" in text or "username" in text]


def test_a_server_that_hangs_up_before_it_is_asked_is_gone():
    class Gone:
        transport = None

    with pytest.raises(ConnectionResetError):
        module._checked(Gone(), Upstream(host="127.0.0.1", port=1))


async def test_a_server_on_a_unix_socket_is_asked_as_well(tmp_path):
    async with stub(head(403), tmp_path / "j.sock") as (upstream, asked):
        assert Finding(Guard.GUARDED, 403) == await probe_guard(upstream, "/")
    assert "Host: localhost\r\n" in asked[0]


# https

AUTHORITY, OTHER = trustme.CA(), trustme.CA()
NAME = "lab.example.org"
ISSUED = AUTHORITY.issue_cert(NAME)


def ca(authority):
    return authority.cert_pem.bytes().decode("ascii")


def pin(issued):
    der = load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)
    return pin_of(der)


def server_context(asked_for):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ISSUED.configure_cert(context)
    context.sni_callback = lambda _end, name, _context: asked_for.append(name)
    return context


@pytest.mark.parametrize(
    ("tls", "is_believed"),
    [
        (UpstreamTls(server_name=NAME, ca=ca(AUTHORITY)), True),
        (UpstreamTls(server_name=NAME, pin=pin(ISSUED)), True),
        (UpstreamTls(server_name="other.example.org", pin=pin(ISSUED)), True),
        (UpstreamTls(server_name="other.example.org", ca=ca(AUTHORITY)), False),
        (UpstreamTls(server_name=NAME, ca=ca(OTHER)), False),
        (UpstreamTls(server_name=NAME, pin="0" * 64), False),
    ],
)
async def test_a_server_that_speaks_https_proves_who_it_is_before_the_first_byte(tls, is_believed):
    names = []
    async with stub(head(403), context=server_context(names)) as (upstream, asked):
        named = structs.replace(upstream, tls=tls, name=NAME)
        findings = [await probe_guard(named, "/"), await probe_credential(named, "/", TOKEN)]
    if is_believed:
        assert [Finding(Guard.GUARDED, 403)] * 2 == findings
        assert f"Host: {NAME}:{upstream.port}\r\n" in asked[0]
    else:
        assert ([Finding(Guard.FOREIGN, said=SAID_OF_CERTIFICATE)] * 2, []) == (findings, asked)
    assert [tls.server_name] * 2 == names


async def test_a_server_that_does_not_speak_https_is_down_and_is_sent_no_token():
    async with stub(head(200)) as (upstream, asked):
        named = structs.replace(upstream, tls=UpstreamTls(server_name=NAME, ca=ca(AUTHORITY)))
        assert Finding(Guard.DOWN) == await probe_credential(named, "/", TOKEN)
    assert "5ecre7" not in "".join(asked)


async def test_somebody_elses_socket_with_the_right_certificate_is_foreign_all_the_same():
    nobody = (os.geteuid() + 1,)
    async with stub(head(200), owners=nobody, context=server_context([])) as (upstream, asked):
        named = structs.replace(upstream, tls=UpstreamTls(server_name=NAME, pin=pin(ISSUED)))
        assert Finding(Guard.FOREIGN, uid=os.geteuid()) == await probe_guard(named, "/")
    assert [] == asked


async def test_what_a_server_is_called_is_resolved_by_nobody():
    async with stub(head(403)) as (upstream, asked):
        named = structs.replace(upstream, name="no-such-name.invalid")
        assert Finding(Guard.GUARDED, 403) == await probe_guard(named, "/")
    assert f"Host: no-such-name.invalid:{upstream.port}\r\n" in asked[0]


# what somebody asks to read


def body(text):
    return f"HTTP/1.1 200 X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(body("12345"), b"12345"), (body("123456"), None), (head(403), None), (None, None), (b"SSH-2.0\r\n", None)],
)
async def test_a_body_is_read_up_to_a_bound(answer, expected):
    async with stub(answer) as (upstream, asked):
        assert expected == await maybe_read(upstream, "/jl/api/kernels", TOKEN.headers(), max_bytes=5)
    assert "Authorization: token 5ecre7\r\n" in asked[0]


async def test_of_somebody_else_nothing_is_read():
    async with stub(body("1"), owners=(os.geteuid() + 1,)) as (upstream, asked):
        assert await maybe_read(upstream, "/", {}, max_bytes=5) is None
    assert [] == asked
