"""Clients on one event loop that go on while something happens to the gateway: requests, websockets, slow downloads.

They repeat nothing that failed: what is lost counts. Never `websockets.sync`: reading and writing TLS in two threads is
a race before Python 3.13.
"""

import asyncio
import contextlib
import hashlib
import socket
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

ANSWER_SECONDS = 15.0
READ_BYTES = 64 << 10


def open_websocket(gateway, cookie):
    """Return a kernel's websocket, to be awaited or entered."""
    return connect(
        f"wss://localhost:{gateway.port}/api/kernels/1/channels",
        ssl=gateway.certificate.client_context(),
        origin=gateway.base_url,
        additional_headers={"Cookie": cookie},
        compression=None,
        proxy=None,
    )


async def open_stream(gateway, *, receive_bytes=0):
    """Return reader and writer of a TLS connection; `receive_bytes` bounds what the kernel takes in for us."""
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", gateway.port))
    except OSError:
        sock.close()
        raise
    context = gateway.certificate.client_context()
    return await asyncio.open_connection(sock=sock, ssl=context, server_hostname="localhost", limit=READ_BYTES)


def get(gateway, cookie, path):
    return f"GET {path} HTTP/1.1\r\nHost: {gateway.host}\r\nCookie: {cookie}\r\n\r\n".encode()


class Requests:
    """`connections` clients that together ask `per_second` times; every `fresh_every`th time on a new connection."""

    def __init__(self, gateway, cookie, *, connections, per_second, fresh_every):
        self.answered = 0
        self.failed = []
        self._gateway = gateway
        self._request = get(gateway, cookie, "/api/contents")
        self._pause = connections / per_second
        self._fresh_every = fresh_every
        self._connections = connections
        self._stopping = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self):
        async with asyncio.TaskGroup() as group:
            for number in range(self._connections):
                group.create_task(self._ask_on(number))
            yield self
            self._stopping.set()

    async def _ask_on(self, number):
        due = time.monotonic() + number * self._pause / self._connections
        while not self._stopping.is_set():
            try:
                due = await self._ask_some(due)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.failed.append(f"client {number}: {error!r}")

    async def _ask_some(self, due):
        """Ask `fresh_every` times on one connection, each time when it is due."""
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await open_stream(self._gateway)
        try:
            for _ in range(self._fresh_every):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), max(0.0, due - time.monotonic()))
                    return due
                due += self._pause
                writer.write(self._request)
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._take(reader)
        finally:
            writer.transport.abort()
        return due

    async def _take(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(length_of(head))
        if not head.startswith(b"HTTP/1.1 200 ") or body != b"ok":
            raise ValueError(head)
        self.answered += 1


def length_of(head):
    (value,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(value.partition(b":")[2])


async def echo_until(websocket, stopping, pause_seconds):
    """Send numbers and see each come back, until `stopping` is set; return how many did."""
    count = 0
    while not stopping.is_set():
        await websocket.send(str(count))
        async with asyncio.timeout(ANSWER_SECONDS):
            assert str(count) == await websocket.recv()
        count += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause_seconds)
    return count


async def close_code(websocket):
    """Wait for the close of the other side; return its code."""
    try:
        while True:
            await websocket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


class Download:
    """A reader who takes no more than `per_second` bytes a second, and goes on reading to the end."""

    def __init__(self, gateway, cookie, path, *, per_second):
        self.got = 0
        self.total = 0
        self.digest = hashlib.sha256()
        self._gateway = gateway
        self._request = get(gateway, cookie, path)
        self._per_second = per_second

    async def run(self):
        reader, writer = await open_stream(self._gateway, receive_bytes=READ_BYTES)
        try:
            writer.write(self._request)
            self.total = length_of(await reader.readuntil(b"\r\n\r\n"))
            begun = time.monotonic()
            while data := await reader.read(READ_BYTES):
                self.digest.update(data)
                self.got += len(data)
                if self.got == self.total:
                    return
                await asyncio.sleep(begun + self.got / self._per_second - time.monotonic())
        finally:
            writer.transport.abort()
