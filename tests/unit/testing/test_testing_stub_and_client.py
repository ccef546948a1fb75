"""The stub upstream and the raw client are proven against each other: what one sends, the other shows byte for byte."""

import pytest
from websockets.sync.client import connect

from nbgate.testing import raw_client, stub_upstream
from nbgate.testing.raw_client import RawClient, parse_answer
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

GET = b"GET /a HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nx-two: 2\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize("send", [raw_client.Send, raw_client.SendEachByte])
def test_every_byte_is_recorded_and_every_request_answered(send):
    with StubUpstream().in_thread() as stub, RawClient(stub.port) as client:
        client.run([send(GET + POST + CHUNKED)])
        answers = [client.read_answer() for _ in range(3)]
        assert [b"ok"] * 3 == [answer.body for answer in answers]
        assert [200] * 3 == [answer.status for answer in answers]
        (connection,) = stub.connections
        assert GET + POST + CHUNKED == bytes(connection.received)
        assert len(GET + POST + CHUNKED) == stub.received_bytes
        assert ["GET /a HTTP/1.1", "POST /b HTTP/1.1", "PUT /c HTTP/1.1"] == [r.line for r in stub.requests]
        assert [b"", b"abc", b"abcde"] == [r.body for r in stub.requests]
        assert ["1", "2"] == stub.requests[0].values("X-TWO")


def test_head_is_answered_without_a_body():
    with StubUpstream().in_thread() as stub, RawClient(stub.port) as client:
        client.send(b"HEAD /a HTTP/1.1\r\n\r\n" + GET)
        assert b"" == client.read_answer(to_head=True).body
        assert b"ok" == client.read_answer().body


def test_a_script_sends_what_it_says_and_then_closes():
    stub = StubUpstream()
    stub.script(stub_upstream.ReadBytes(4), stub_upstream.Send(b"half an ans"), stub_upstream.ReadRequest())
    with stub.in_thread(), RawClient(stub.port) as client:
        steps = [raw_client.Send(b"abcd"), raw_client.ReadUntil(b"half"), raw_client.Pause(0), raw_client.Send(GET)]
        assert b"half an ans" == client.run([*steps, raw_client.ReadToEnd()])
        assert client.closed
        assert "GET /a HTTP/1.1" == stub.requests[0].line


def test_a_reset_is_seen_as_a_reset():
    stub = StubUpstream()
    stub.script(stub_upstream.ReadRequest(), stub_upstream.Reset())
    with stub.in_thread(), RawClient(stub.port) as client:
        client.send(GET)
        assert b"" == client.read_to_end()
        assert client.reset


def test_a_script_may_record_to_the_end():
    stub = StubUpstream()
    stub.script(stub_upstream.ReadToEnd())
    with stub.in_thread():
        with RawClient(stub.port) as client:
            client.send(b"\x00\xff" * 3)
        wait_until(lambda: stub.received_bytes == 6, what="six bytes")
    assert b"\x00\xff" * 3 == bytes(stub.connections[0].received)


def test_the_client_says_when_the_end_came_first():
    stub = StubUpstream()
    stub.script(stub_upstream.ReadRequest())
    with stub.in_thread(), RawClient(stub.port) as client:
        client.send(GET)
        with pytest.raises(ConnectionError, match="closed before"):
            client.read_until(b"never")
        with pytest.raises(ValueError, match="before the end"):
            client.read_answer()


def test_a_websocket_is_echoed():
    with StubUpstream().in_thread() as stub:
        url = f"ws://127.0.0.1:{stub.port}/echo"
        with connect(url, compression=None, subprotocols=["one", "two"], proxy=None) as socket:
            assert "one" == socket.subprotocol
            for message in ("text", b"bytes", "x" * 200, b"y" * 70_000):
                socket.send(message)
                assert message == socket.recv(timeout=5)
            assert socket.ping().wait(5)
        assert "GET /echo HTTP/1.1" == stub.requests[0].line


def test_the_client_needs_its_with_block():
    with pytest.raises(RuntimeError):
        RawClient(1).send(b"")


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokREST", False, (200, b"ok", 40)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", False, None),
    (b"HTTP/1.1 204 No Content\r\n\r\nREST", False, (204, b"", 27)),
    (b"HTTP/1.1 100 Continue\r\n\r\n", False, (100, b"", 25)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nR", False, (200, b"ok", 59)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", False, None),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False, None),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", True, (200, b"until the end", 32)),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil", False, None),
    (b"HTTP/1.0 200", False, None),
]


@pytest.mark.parametrize(("data", "ended", "expected"), ANSWERS)
def test_an_answer_is_taken_whole_or_not_at_all(data, ended, expected):
    parsed = parse_answer(data, ended=ended)
    assert expected == (None if parsed is None else (parsed[0].status, parsed[0].body, parsed[1]))


def test_an_answer_that_ends_early_is_an_error():
    with pytest.raises(ValueError, match="before the end"):
        parse_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", ended=True)


def test_the_answer_to_head_has_no_body():
    parsed = parse_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ended=False, to_head=True)
    assert parsed is not None
    assert b"" == parsed[0].body


def test_a_target_may_have_a_script_of_its_own_on_any_connection():
    stub = StubUpstream(respond=lambda request: stub_upstream.answer(request.target.encode()))
    stub.plays["/b"] = (stub_upstream.Send(stub_upstream.answer(b"played")),)
    with stub.in_thread(), RawClient(stub.port) as client:
        client.send(GET + POST + GET)
        assert [b"/a", b"played", b"/a"] == [client.read_answer().body for _ in range(3)]


def test_an_early_script_comes_before_the_body_and_a_hang_up_ends_in_order():
    stub = StubUpstream()
    stub.early["/b"] = (stub_upstream.Send(stub_upstream.answer(b"early")), stub_upstream.HangUp())
    with stub.in_thread(), RawClient(stub.port) as client:
        client.send(POST.removesuffix(b"abc"))
        assert b"early" == client.read_answer().body
        assert (b"", False, []) == (client.read_to_end(), client.reset, stub.requests)
