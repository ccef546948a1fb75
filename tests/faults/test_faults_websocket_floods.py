"""F28: a 50 MiB message, 100,000 fragments, a million pings, an end that reads nothing.

Pass: each is closed with its own code and its own reason in the audit, long before all of it was taken; the worker
holds no more than a few MiB of it; who is there properly goes on; nothing leaks.
"""

import asyncio
import contextlib
import socket

import pytest
from books import QUIET_PROBE, let_go, nothing_left, resident_bytes
from open_websockets import CHANNELS, echoes, open_websocket
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.stub_upstream import ReadRequest, ReadToEnd, Send, WaitFor, frame_head
from nbgate.testing.wait import wait_until

MIB = 1 << 20
AT_ONCE = 4
GROWTH_BYTES = 8 * MIB
ENDED_SECONDS = 15.0
LIMITS = "[limits]\nwrite_stall_seconds = 0.5\nupstream_answer_seconds = 1.0\n"
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@pytest.fixture(scope="module")
def gateway(stub, tmp_path_factory):
    folder, upstream, flags = tmp_path_factory.mktemp("gateway"), f"127.0.0.1:{stub.port}", ("--allow-open-upstream",)
    with running_gateway(folder, upstream, flags=flags, config=CHEAP_LOGIN + QUIET_PROBE + LIMITS) as running:
        yield running


def masked(first, length=0):
    """The head of a frame whose mask changes nothing."""
    head = frame_head(first, length)
    return head[:1] + bytes([head[1] | 0x80]) + head[2:] + bytes(4)


def repeated(piece, count, begin=b""):
    yield begin
    at_once = max(1, (64 << 10) // len(piece))
    for _ in range(count // at_once):
        yield piece * at_once


FLOODS = {
    "50-MiB-in-one-frame": (lambda: repeated(bytes(MIB), 50, masked(0x82, 50 * MIB)), 1009, "websocket-too-big"),
    "50-MiB-in-many": (lambda: repeated(masked(0, MIB) + bytes(MIB), 49, masked(2)), 1009, "websocket-too-big"),
    "100k-fragments": (lambda: repeated(masked(0), 100_000, masked(1)), 1009, "websocket-fragments"),
    "1M-pings": (lambda: repeated(masked(0x89), 1_000_000), 1008, "websocket-flood"),
    "1M-pongs": (lambda: repeated(masked(0x8A, 1) + b"x", 1_000_000), 1008, "websocket-flood"),
}


class Peer:
    """A websocket of somebody who means no good."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, gateway, cookie, *, receive_bytes=0):
        sock = socket.create_connection(("127.0.0.1", gateway.port))
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        context = gateway.certificate.client_context()
        reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname="localhost")
        head = f"GET /{CHANNELS} HTTP/1.1\r\nHost: {gateway.host}\r\nOrigin: {gateway.base_url}\r\nCookie: {cookie}\r\n"
        head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        writer.write(f"{head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return cls(reader, writer)

    async def send(self, pieces):
        """Send until the other end has had enough."""
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()

    async def close_code(self):
        """Read to the close frame; `websockets` says which code it has."""
        protocol = Protocol(Side.CLIENT, state=State.OPEN)
        while data := await self.reader.read(64 << 10):
            protocol.receive_data(data)
            if any(frame.opcode is Opcode.CLOSE for frame in protocol.events_received()):
                return protocol.close_rcvd.code
        return None

    async def flood(self, pieces):
        async with asyncio.timeout(ENDED_SECONDS), asyncio.TaskGroup() as group:
            sending = group.create_task(self.send(pieces))
            code = await self.close_code()
            sending.cancel()
        self.writer.transport.abort()
        return code


@contextlib.asynccontextmanager
async def person_at_work(gateway, cookie):
    """Run the block beside somebody who goes on working; the worker's memory may not grow by much meanwhile."""
    (worker,) = gateway.processes("worker")
    most = before = resident_bytes(worker)
    ended = asyncio.Event()

    async def work(websocket):
        nonlocal most
        while not ended.is_set():
            await echoes(websocket)
            most = max(most, resident_bytes(worker))
            await asyncio.sleep(0.005)

    async with open_websocket(gateway, cookie) as websocket, asyncio.TaskGroup() as group:
        group.create_task(work(websocket))
        yield
        ended.set()
    assert most - before < GROWTH_BYTES


def closes(gateway):
    return [record for record in gateway.audit() if record["event.action"] == "websocket.close"]


def run_beside_work(gateway, stub, cookie, peers_do):
    """Run `peers_do`, and return code and reason of each websocket that ended badly."""

    async def run():
        async with person_at_work(gateway, cookie):
            await peers_do()

    before = len(closes(gateway))
    with nothing_left(gateway, stub):
        asyncio.run(run())
    ended = wait_until(lambda: len(closes(gateway)) > before + AT_ONCE and closes(gateway)[before:], what="the records")
    return sorted(
        (record["nbgate.websocket.close_code"], record["event.reason"])
        for record in ended
        if record.get("event.outcome") == "failure"
    )


@pytest.mark.parametrize("case", FLOODS)
def test_a_flood_is_closed_with_its_code_and_its_reason(stub, gateway, cookie, case):
    pieces, code, reason = FLOODS[case]

    async def flood():
        peers = []
        for _ in range(AT_ONCE):
            stub.script(ReadRequest(), Send(SWITCH), ReadToEnd())
            peers.append(await Peer.connect(gateway, cookie))
        assert [code] * AT_ONCE == await asyncio.gather(*(peer.flood(pieces()) for peer in peers))

    assert [(code, reason)] * AT_ONCE == run_beside_work(gateway, stub, cookie, flood)


def test_a_client_that_reads_nothing_is_cut_off(stub, gateway, cookie):
    before = len(closes(gateway))

    async def read_nothing():
        peers = []
        for _ in range(AT_ONCE):
            stub.script(ReadRequest(), Send(SWITCH), *[Send(frame_head(0x82, MIB) + bytes(MIB))] * 64, ReadToEnd())
            peers.append(await Peer.connect(gateway, cookie, receive_bytes=8192))
            peers[-1].writer.transport.pause_reading()
        await asyncio.to_thread(wait_until, lambda: len(closes(gateway)) >= before + AT_ONCE, what="their ends")
        for peer in peers:
            peer.writer.transport.abort()

    assert [(1006, "write-timeout")] * AT_ONCE == run_beside_work(gateway, stub, cookie, read_nothing)


def test_an_upstream_that_reads_nothing_is_a_1012(stub, gateway, cookie):
    gate = asyncio.Event()

    async def write_much():
        peers = []
        for _ in range(AT_ONCE):
            stub.script(ReadRequest(), Send(SWITCH), WaitFor(gate))
            peers.append(await Peer.connect(gateway, cookie))
        message = masked(0x82, MIB) + bytes(MIB)
        assert [1012] * AT_ONCE == await asyncio.gather(*(peer.flood(repeated(message, 64)) for peer in peers))
        let_go(stub, gate)

    assert [(1012, "upstream-timeout")] * AT_ONCE == run_beside_work(gateway, stub, cookie, write_much)
