"""Answers on their way down: heads and bodies in any pieces, and their deadlines."""

import socket

import pytest

from nbgate.audit.events import HttpRequest
from nbgate.config.schema import Limits
from nbgate.model.route import Condition, UpstreamState
from nbgate.rewrite.html import BANNER
from nbgate.testing.edge_rig import HOST, TOKEN, edge_rig
from nbgate.testing.stub_upstream import ReadRequest, Send, answer
from nbgate.testing.wait import wait_until

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
