"""Many clients that want to keep a gateway busy with nothing; a program of its own, so that it disturbs no measurement.

Usage: crowd.py PORT KIND COUNT SECONDS HOST [COOKIE]. Kinds: `silent` connects and says nothing; `head`, `body` and
`read` speak TLS and are slow with a request's head, with a login's body, with reading an answer. Each comes from one of
250 addresses 127.0.1.x; readers, who have a session, from 127.0.2.x: in a netblock of strangers they would be dropped
with these before they have said who they are. It prints JSON: how many connected, for how long each lasted at most, how many are left, and
how each answer began.
"""

import asyncio
import collections
import json
import socket
import ssl
import sys
import time

import uvloop

DRIP_SECONDS = 0.3
AT_ONCE = 10
TIGHT_BYTES = 4096


class Slow(asyncio.Protocol):
    """One of them."""

    def __init__(self, crowd):
        self.crowd = crowd
        self.transport = None
        self.answer = b""

    def connection_made(self, transport):
        self.transport = transport
        self.began = time.monotonic()
        self.crowd.open.add(self)
        self.crowd.connected += 1
        transport.write(self.crowd.first)
        if self.crowd.kind == "read":
            transport.pause_reading()

    def data_received(self, data):
        self.answer = (self.answer + data)[:12]

    def connection_lost(self, exc):
        self.crowd.open.discard(self)
        self.crowd.longest = max(self.crowd.longest, time.monotonic() - self.began)
        self.crowd.answers[self.answer.decode("latin-1")] += 1


class Crowd:
    """All of them."""

    def __init__(self, port, kind, host, cookie):
        self.port = port
        self.kind = kind
        self.open = set()
        self.connected = 0
        self.refused = 0
        self.longest = 0.0
        self.answers = collections.Counter()
        lines = f"Host: {host}\r\n" + (f"Cookie: {cookie}\r\n" if cookie else "")
        self.first = {
            "silent": b"",
            "head": f"GET /lab HTTP/1.1\r\n{lines}X-Slow: ".encode(),
            "body": (
                f"POST /_nbgate/api/login HTTP/1.1\r\n{lines}Origin: https://{host}\r\n"
                "Content-Type: application/json\r\nContent-Length: 8000\r\n\r\n"
            ).encode(),
            "read": f"GET /files/big HTTP/1.1\r\n{lines}\r\n".encode(),
        }[kind]
        self.context = None
        if kind != "silent":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    async def come(self, number, turn):
        async with turn:
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((f"127.0.{2 if self.kind == 'read' else 1}.{number % 250 + 1}", 0))
            if self.kind == "read":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TIGHT_BYTES)
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(20):
                    await loop.sock_connect(sock, ("127.0.0.1", self.port))
                    await loop.create_connection(
                        lambda: Slow(self), sock=sock, ssl=self.context, server_hostname="" if self.context else None
                    )
            except (OSError, EOFError, TimeoutError):
                self.refused += 1
                sock.close()

    async def run(self, count, seconds):
        ends = time.monotonic() + seconds
        turn = asyncio.Semaphore(AT_ONCE)
        coming = asyncio.gather(*(self.come(number, turn) for number in range(count)))
        while time.monotonic() < ends and (self.open or not coming.done()):
            await asyncio.sleep(DRIP_SECONDS)
            if self.kind in {"head", "body"}:
                for slow in list(self.open):
                    slow.transport.write(b"x")
        coming.cancel()
        left = len(self.open)
        print(json.dumps({  # noqa: T201 - whoever started this program reads it
            "connected": self.connected, "refused": self.refused, "left": left,
            "longest": round(self.longest, 2), "answers": self.answers,
        }))  # fmt: skip


def main(port, kind, count, seconds, host, cookie=""):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Crowd(int(port), kind, host, cookie).run(int(count), float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
