"""F14: a worker that stands still for longer than its deadlines, as on a laptop whose lid was shut.

Pass: what came meanwhile is read before anything is called late: connections that asked, answers that arrived and
websockets go on, no deadline fires in a burst; who really said nothing is let go of. Nothing leaks.
"""

import asyncio
import contextlib
import os
import signal
import time

from books import get, let_go, nothing_left

from nbgate.testing.stub_upstream import ReadRequest, Send, WaitFor, answer, frame_head

STILL_SECONDS = 2.5  # more than keepalive_seconds and upstream_answer_seconds of the gateway
ASKING, WAITING, WEBSOCKETS = 20, 10, 5
MASKED_HELLO = b"\x81\x85\0\0\0\0hello"
HELLO = frame_head(0x81, 5) + b"hello"


@contextlib.contextmanager
def standing_still(pid):
    """Stop `pid` for the block, and for `STILL_SECONDS` at least: that its deadlines pass is what this is about."""
    begun = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(max(0.0, begun + STILL_SECONDS - time.monotonic()))
    finally:
        os.kill(pid, signal.SIGCONT)


def upgrade(gateway, cookie):
    return (
        get(gateway, cookie, "/api/kernels/1/channels").removesuffix(b"\r\n")
        + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: {gateway.base_url}\r\n\r\n".encode()
    )


def test_f14_what_came_while_a_worker_stood_still_is_not_late(stub, gateway, cookie):
    (worker,) = gateway.processes("worker")
    gate = asyncio.Event()
    with nothing_left(gateway, stub), contextlib.ExitStack() as stack:
        websockets = [stack.enter_context(gateway.client()) for _ in range(WEBSOCKETS)]
        for client in websockets:
            client.send(upgrade(gateway, cookie))
            assert 101 == client.read_answer().status
        waiting = [stack.enter_context(gateway.client()) for _ in range(WAITING)]
        for _ in waiting:
            stub.script(ReadRequest(), WaitFor(gate), Send(answer(b"waited for")))
        seen = len(stub.requests)
        for client in waiting:
            client.send(get(gateway, cookie, "/api/waiting"))
        while len(stub.requests) < seen + WAITING:
            time.sleep(0.005)
        asking = [stack.enter_context(gateway.client()) for _ in range(ASKING)]
        silent = stack.enter_context(gateway.client())
        for client in (*asking, silent):
            client.send(get(gateway, cookie, "/api/before"))
            assert 200 == client.read_answer().status
        with standing_still(worker):
            let_go(stub, gate)
            for client in asking:
                client.send(get(gateway, cookie, "/api/meanwhile"))
            for client in websockets:
                client.send(MASKED_HELLO)
        assert [(200, b"waited for")] * WAITING == [(a.status, a.body) for a in (c.read_answer() for c in waiting)]
        assert [200] * ASKING == [client.read_answer().status for client in asking]
        for client in websockets:
            assert client.read_until(HELLO)
        assert b"" == silent.read_to_end()
    assert [worker] == gateway.processes("worker")
