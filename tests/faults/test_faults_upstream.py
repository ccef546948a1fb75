"""F01, F02: an upstream that breaks off its answer. F06: one that is faster than its client.

Pass: the client sees every answer that is not whole as broken off, within a second; the audit says why; the next
request is answered on a new connection; a slow client costs less than 2 MiB, and nobody else their time; nothing leaks.
"""

import asyncio
import time

import pytest
from books import get, let_go, nothing_left, record_of, resident_bytes

from nbgate.testing.raw_client import parse_answer
from nbgate.testing.stub_upstream import ReadRequest, Reset, Send, WaitFor
from nbgate.testing.wait import wait_until

BODY = b"~" * (128 << 10)  # in no head and no line of a chunk
HALF = len(BODY) // 2
SECONDS = 1.0
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
LENGTH = PLAIN + b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = PLAIN + b"Transfer-Encoding: chunked\r\n\r\n"

BROKEN = {
    "F01-reset-half-way": (LENGTH + BODY[:HALF], (Reset(),)),
    "F01-closed-half-way": (LENGTH + BODY[:HALF], ()),
    "F02-reset-behind-the-head": (CHUNKED, (Reset(),)),
    "F02-closed-behind-the-head": (CHUNKED, ()),
    "F02-reset-between-chunks": (CHUNKED + b"%x\r\n" % HALF + BODY[:HALF] + b"\r\n", (Reset(),)),
    "F02-closed-in-a-chunk": (CHUNKED + b"%x\r\n" % len(BODY) + BODY[:HALF], ()),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_is_broken_off_is_seen_broken_off(stub, gateway, cookie, case):
    sent, end = BROKEN[case]
    path = f"/api/contents/{case}"
    gate = asyncio.Event()
    with nothing_left(gateway, stub):
        stub.script(ReadRequest(), Send(sent), WaitFor(gate), *end)
        with gateway.client() as client:
            client.socket.suppress_ragged_eofs = False  # an end without a word of TLS is to be seen as one
            client.send(get(gateway, cookie, path))
            client.read_until(b"\r\n\r\n")
            while client.received.count(b"~") < sent.count(b"~"):  # in as many chunks as it was read in
                assert client.read_some()
            begun = time.monotonic()
            let_go(stub, gate)
            received = client.read_to_end()
            assert time.monotonic() - begun < SECONDS
            assert client.reset, "a clean end of TLS"
        with pytest.raises(ValueError, match="before the end of an answer"):
            parse_answer(received, ended=True)
        assert not received.endswith(b"0\r\n\r\n")
        assert "upstream-truncated" == record_of(gateway, path)["event.reason"]
        before = len(stub.connections)
        assert 200 == gateway.request("GET", f"{path}-again", headers={"Cookie": cookie})[0]
        assert before + 1 == len(stub.connections)


SLOW_BYTES_PER_SECOND = 10 << 10
SLOW_SECONDS = 4.0
GROWTH_BYTES = 2 << 20
GIB = 1 << 30
PIECE, PIECES = bytes(1 << 20), 32  # many times what all buffers hold; the rest of the GiB would wait behind it
P99_SECONDS = 0.1


def seconds_of_requests(gateway, cookie, client, count):
    taken = []
    for _ in range(count):
        begun = time.monotonic()
        client.send(get(gateway, cookie, "/api/contents"))
        assert 200 == client.read_answer().status
        taken.append(time.monotonic() - begun)
    return taken


def test_f06_a_slow_client_of_a_fast_upstream_costs_neither_memory_nor_others_their_time(stub, gateway, cookie):
    (worker,) = gateway.processes("worker")
    with nothing_left(gateway, stub), gateway.client() as other:
        seconds_of_requests(gateway, cookie, other, 200)
        wait_until(lambda: all(it.ended.is_set() for it in stub.connections), what="no connection kept")
        before = resident_bytes(worker)
        head = PLAIN + b"Content-Length: %d\r\n\r\n" % GIB
        stub.script(ReadRequest(), Send(head), *[Send(PIECE)] * PIECES)
        with gateway.client() as slow:
            slow.send(get(gateway, cookie, "/files/big"))
            begun, peak, taken = time.monotonic(), 0, []
            while (now := time.monotonic() - begun) < SLOW_SECONDS:
                if len(slow.received) < now * SLOW_BYTES_PER_SECOND:
                    slow.received += slow.socket.recv(1 << 10)
                taken += seconds_of_requests(gateway, cookie, other, 5)
                peak = max(peak, resident_bytes(worker))
        assert peak - before < GROWTH_BYTES
        assert sorted(taken)[len(taken) * 99 // 100] < P99_SECONDS
    assert len(taken) > 100
