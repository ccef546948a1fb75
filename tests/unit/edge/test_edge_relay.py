"""Answers on their way down: heads and bodies in any pieces, and their deadlines."""

import socket

import pytest
from msgspec.structs import replace

from nbgate.audit.events import HttpRequest
from nbgate.config.schema import Limits
from nbgate.model.route import Condition, UpstreamState
from nbgate.rewrite.html import banner_script
from nbgate.testing.edge_rig import HOST, TOKEN, edge_rig
from nbgate.testing.stub_upstream import HangUp, ReadRequest, Send, answer
from nbgate.testing.wait import wait_until

BANNER = banner_script("/_nbgate")

NEVER = float("inf")


def get(path="/api/x", *, cookie="", extra="", version="1.1"):
    return f"GET {path} HTTP/{version}\r\nHost: {HOST}\r\n{extra}Cookie: {cookie}\r\n\r\n".encode()


PAGE = f'<html><script id="jupyter-config-data" type="application/json">{{"token": "{TOKEN}"}}</script><p>x</p></html>'.encode()
SCRUBBED = PAGE.replace(TOKEN.encode(), b"")


def chunks(body, size):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 64])
@pytest.mark.parametrize(
    ("raw", "body", "path"),
    [
        (answer(b"hello"), b"hello", "/api/x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"hello", 2), b"hello", "/api/x"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"hello"), b"hello", "/api/x"),
        (answer(PAGE, content_type="text/html"), SCRUBBED, "/lab"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(PAGE, 9),
            SCRUBBED,
            "/lab",
        ),
    ],
)
def test_an_answer_in_pieces_is_the_same_answer(rig, stub, raw, body, path, step):
    cookie = rig.login()
    stub.script(ReadRequest(), *(Send(raw[at : at + step]) for at in range(0, len(raw), step)))
    with rig.client() as client:
        client.send(get(path, cookie=cookie))
        got = client.read_answer()
    assert (200, body) == (got.status, got.body)
    assert len(body) == rig.wait_for(HttpRequest)[0].response_bytes


@pytest.mark.parametrize("step", [1000, 100_000])
def test_a_head_over_its_bound_is_refused_in_one_piece_too(rig, stub, step):
    cookie = rig.login()
    raw = answer(b"hi", extra=b"X-Long: %b\r\n" % (b"x" * Limits().response_head_bytes))
    stub.script(ReadRequest(), *(Send(raw[at : at + step]) for at in range(0, len(raw), step)))
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert 502 == client.read_answer().status


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (answer(b"hi"), True),
        (answer(b"hi") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", False),
        (answer(b"hi", extra=b"Connection: close\r\n"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", False),
        (b"HTTP/1.1 204 No Content\r\n\r\nevil", False),
    ],
)
def test_an_upstream_connection_is_kept_only_after_a_clean_end(rig, stub, raw, kept):
    """What stands behind an answer belongs to no request: it must not answer the next one (D29)."""
    cookie = rig.login()
    stub.default_answer = raw
    with rig.client() as client:
        for _ in range(2):
            client.send(get(cookie=cookie))
            assert b"evil" not in client.read_answer().body
    assert (1 if kept else 2) == len(stub.connections)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_a_body_that_is_broken_before_anything_was_sent_is_a_502(rig, stub, garbage):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(garbage))
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert 502 == client.read_answer().status
    assert (502, "upstream-bad-response") == ((event := rig.wait_for(HttpRequest)[0]).status, event.reason)


def test_a_page_that_comes_compressed_is_a_502(rig, stub):
    cookie = rig.login()
    stub.default_answer = answer(b"\x1f\x8b", content_type="text/html", extra=b"Content-Encoding: gzip\r\n")
    with rig.client() as client:
        client.send(get("/lab", cookie=cookie))
        assert 502 == client.read_answer().status


def test_a_403_is_passed_on_and_the_keeper_looks_again(rig, stub):
    from nbgate.link.messages import UpstreamSuspect

    cookie = rig.login()
    stub.default_answer = answer(b"no", status="403 Forbidden")
    with rig.client() as client:
        client.send(get(cookie=cookie))
        assert (403, b"no") == ((got := client.read_answer()).status, got.body)
    assert [UpstreamSuspect(route="main")] == rig.wait_for(UpstreamSuspect)


def test_an_upstream_that_goes_on_sending_is_never_late(stub):
    """The time for a body counts from its last piece."""
    with (
        socket.create_server(("127.0.0.1", 0)) as slow,
        edge_rig(slow.getsockname()[1], limits=Limits(upstream_body_seconds=5)) as rig,
    ):
        cookie = rig.login()
        with rig.client() as client:
            client.send(get(cookie=cookie))
            upstream, _ = slow.accept()
            with upstream:
                upstream.recv(65536)
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
                exchange = rig.call(lambda: next(iter(rig.core._context.connections)).exchange)
                for piece in (b"a", b"b", b"c"):
                    rig.call(lambda: setattr(exchange, "deadline", NEVER))
                    upstream.sendall(piece)
                    client.read_until(piece)
                    assert exchange.deadline < NEVER
                upstream.sendall(b"d")
                assert b"abcd" == client.read_answer().body


def test_while_the_client_is_full_the_upstream_is_not_read_and_not_late(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), ReadRequest())
    with rig.client() as client:
        client.send(get(cookie=cookie))
        client.read_until(b"ab")
        connection = rig.call(lambda: next(iter(rig.core._context.connections)))
        upstream = connection.exchange.uplink.upstream

        rig.call(connection.pause_writing)
        assert (False, NEVER) == (upstream.transport.is_reading(), connection.exchange.deadline)
        rig.call(connection.resume_writing)
        assert upstream.transport.is_reading()
        assert connection.exchange.deadline < NEVER


def test_an_answer_up_to_the_end_of_the_connection_reaches_an_old_client_up_to_the_end(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"))
    with rig.client() as client:
        client.send(get(cookie=cookie, version="1.0"))
        assert client.read_to_end().endswith(b"\r\n\r\nuntil the end")
    wait_until(lambda: not rig.call(lambda: rig.core._context.connections), what="the connection is gone")


PAGE_WITH_HEAD = f'<html><head><title>x</title></head><body data-jupyter-api-token="{TOKEN}"></body></html>'.encode()
TO_A_PAGE = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("token", [TOKEN, ""])
@pytest.mark.parametrize(
    ("banner", "extra", "path", "status", "added"),
    [
        (True, TO_A_PAGE, "/lab", "200 OK", True),
        (False, TO_A_PAGE, "/lab", "200 OK", False),
        (True, "", "/lab", "200 OK", False),
        (True, TO_A_PAGE, "/files/x.html", "200 OK", False),
        (True, TO_A_PAGE, "/lab", "404 Not Found", False),
    ],
)
def test_the_banner_is_added_to_a_page_somebody_goes_to(rig, stub, step, token, banner, extra, path, status, added):
    condition = Condition.GUARDED if token else Condition.OPEN_ALLOWED
    state = UpstreamState(route="main", condition=condition, token=token, generation=9)
    rig.send(rig.snapshot(banner=banner, upstreams=(state,)))
    cookie = rig.login()
    page = PAGE_WITH_HEAD if path == "/lab" else PAGE_WITH_HEAD.replace(TOKEN.encode(), b"")
    raw = answer(page, content_type="text/html", status=status)
    stub.script(ReadRequest(), *(Send(raw[at : at + step]) for at in range(0, len(raw), step)))
    with rig.client() as client:
        client.send(get(path, cookie=cookie, extra=extra))
        got = client.read_answer()
    expected = page.replace(TOKEN.encode(), b"") if token else page
    assert (expected.replace(b"<head>", b"<head>" + BANNER) if added else expected) == got.body
    assert (not added) or [] == got.values("content-length")


# a server that was told another base URL than the public prefix

LISTED = b'{"kernelspecs": {"py": {"resources": {"logo": "/kernelspecs/py/logo.svg"}}}}'
MAPPED = LISTED.replace(b'"/kern', b'"/lab1/kern')
CLASSIC = (
    b"<html><head><link href='/static/x.css'><script>require.config({custom: '/custom'});</script></head>"
    b"<body data-base-url='/' data-ws-url='wss://x/'><a href='/tree?token=TT'></a><a href='/mine'></a></body></html>"
)
CLASSIC_MAPPED = (
    b"<html><head><link href='/lab1/static/x.css'><script>require.config({custom: '/lab1/custom'});</script></head>"
    b"<body data-base-url='/lab1/' data-ws-url=''><a href='/lab1/tree?token='></a><a href='/mine'></a></body></html>"
)


def move(rig, token=TOKEN, banner=False):
    """Mount the server, which thinks it is at `/`, at `/lab1/`."""
    condition = Condition.GUARDED if token else Condition.OPEN_ALLOWED
    state = UpstreamState(route="main", condition=condition, token=token, generation=9)
    routes = tuple(replace(route, prefix="/lab1/") if route.name == "main" else route for route in rig.routes)
    rig.send(rig.snapshot(routes=routes, upstreams=(state,), banner=banner))


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("token", [TOKEN, ""])
@pytest.mark.parametrize("banner", [True, False])
def test_a_page_of_a_moved_server_names_public_addresses(rig, stub, step, token, banner):
    move(rig, token, banner)
    cookie = rig.login()
    mapped = CLASSIC_MAPPED.replace(b"<head>", b"<head>" + BANNER) if banner else CLASSIC_MAPPED
    raw = answer(CLASSIC.replace(b"TT", token.encode()), content_type="text/html")
    stub.script(ReadRequest(), *(Send(raw[at : at + step]) for at in range(0, len(raw), step)))
    with rig.client() as client:
        client.send(get("/lab1/tree", cookie=cookie, extra=TO_A_PAGE + "Accept-Encoding: gzip\r\nIf-None-Match: x\r\n"))
        got = client.read_answer()
    assert (200, mapped, []) == (got.status, got.body, got.values("content-length"))
    asked = stub.requests[-1]
    assert ("/tree", ["identity"], []) == (asked.target, asked.values("accept-encoding"), asked.values("if-none-match"))


@pytest.mark.parametrize("path", ["/lab1/files/x.html", "/lab1/static/x.html", "/lab1/nbconvert/html/x"])
def test_a_file_of_a_moved_server_is_nobodys_to_change(rig, stub, path):
    move(rig, "")
    cookie = rig.login()
    stub.default_answer = answer(CLASSIC, content_type="text/html", extra=b'ETag: "x"\r\n')
    with rig.client() as client:
        client.send(get(path, cookie=cookie))
        got = client.read_answer()
    assert (CLASSIC, ['"x"']) == (got.body, got.values("etag"))


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_lists_of_kernels_are_mapped_between_repeated_requests_for_other_things(rig, stub, token):
    """What is learnt of one path of the API holds for the others, but not for this one."""
    move(rig, token)
    cookie = rig.login()
    stub.default_answer = answer(LISTED, content_type="application/json")
    kernels, others = "/lab1/api/kernelspecs", "/lab1/api/contents"
    with rig.client() as client:
        for path in (others, others, kernels, kernels, others, kernels + "/py", kernels, others):
            client.send(get(path, cookie=cookie))
            got = client.read_answer()
            assert (path, MAPPED if path.startswith(kernels) else LISTED) == (path, got.body)


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_a_page_of_a_moved_server_that_comes_compressed_is_a_502(rig, stub, token):
    move(rig, token)
    cookie = rig.login()
    stub.default_answer = answer(b"\x1f\x8b", content_type="text/html", extra=b"Content-Encoding: gzip\r\n")
    with rig.client() as client:
        client.send(get("/lab1/lab", cookie=cookie))
        assert 502 == client.read_answer().status


def test_a_list_of_kernels_that_breaks_off_is_broken_off(rig, stub):
    move(rig)
    cookie = rig.login()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    stub.script(ReadRequest(), Send(head + LISTED), HangUp())
    with rig.client() as client:
        client.send(get("/lab1/api/kernelspecs", cookie=cookie))
        assert not client.read_to_end().endswith(b"0\r\n\r\n")
    assert "upstream-truncated" == rig.wait_for(HttpRequest)[0].reason
