"""Slow clients, as a program of their own: they keep connections busy and do nothing with them.

Usage: python -m soak.slow PORT COUNT SECONDS PAUSE. `COUNT` of each kind, from addresses 127.0.1.x: one sends a head,
one a body, a byte every `PAUSE` seconds; one reads answers in that way. One that is thrown out comes again after
`AGAIN` pauses. Prints one line of JSON: for each kind how many connections there were, and how long they lasted.
"""

import contextlib
import json
import socket
import ssl
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ADDRESSES = 250
AGAIN = 2
HANDSHAKE_SECONDS = 5.0
LAST_SECONDS = 200.0
RECEIVE_BYTES = 2048
LOOK_SECONDS = 0.05
CONNECTS_PER_LOOK = 5  # 100 a second, twice what slowhttptest does unasked
ESTABLISHED = "01"
PAGES = 100
HOST = b"Host: localhost\r\n"
KINDS = {
    "header": b"GET /lab HTTP/1.1\r\n" + HOST + b"X-Slow: ",
    "body": b"POST /_nbgate/api/login HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/json\r\nContent-Length: 8000\r\n\r\n",
    "read": (b"GET /_nbgate/login HTTP/1.1\r\n" + HOST + b"\r\n") * PAGES,
}


@dataclass(slots=True)
class Client:
    """One slow client; between two connections it has none."""

    kind: str
    address: str
    due: float
    begun: float = 0.0
    sock: ssl.SSLSocket | None = None


@dataclass(slots=True)
class Seen:
    """What became of the connections of one kind."""

    connections: int = 0
    refused: int = 0
    still_open: int = 0
    lasted: list[float] = field(default_factory=list)


def held_by(port: int) -> set[tuple[str, int]]:
    """Return the addresses of all clients of the server at `port` that it has not let go of."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ends = [row[2].split(":") for row in rows if row[3] == ESTABLISHED and int(row[1].split(":")[1], 16) == port]
    return {(socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(number, 16)) for address, number in ends}


class Crowd:
    """All of them, in one thread."""

    def __init__(self, port: int, count: int, pause_seconds: float) -> None:
        now = time.monotonic()
        self._port, self._pause = port, pause_seconds
        self._clients = [
            Client(kind, f"127.0.1.{1 + number % ADDRESSES}", now) for number in range(count) for kind in KINDS
        ]
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self.seen = {kind: Seen() for kind in KINDS}

    def run(self, seconds: float) -> None:
        """Annoy for `seconds`, then hold on to what is left until it is thrown out."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end or (self._open() and now < end + LAST_SECONDS):
            self._look()
            may_connect = CONNECTS_PER_LOOK if now < end else 0
            for client in self._clients:
                if client.due <= time.monotonic():
                    if client.sock is not None:
                        self._drip(client, client.sock)
                    elif may_connect:
                        may_connect -= 1
                        self._connect(client)
            time.sleep(LOOK_SECONDS)
        for client in self._open():
            self.seen[client.kind].still_open += 1

    def _open(self) -> list[Client]:
        return [client for client in self._clients if client.sock is not None]

    def _look(self) -> None:
        """Take note of who was thrown out: one who does not read cannot see it, but the system knows."""
        held = held_by(self._port)
        for client in self._open():
            assert client.sock is not None
            if client.sock.getsockname() not in held:
                self._gone(client)

    def _connect(self, client: Client) -> None:
        client.begun = time.monotonic()
        client.due = client.begun + AGAIN * self._pause
        try:
            plain = socket.socket()
            plain.settimeout(HANDSHAKE_SECONDS)
            if client.kind == "read":
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            plain.bind((client.address, 0))
            plain.connect(("127.0.0.1", self._port))
            sock = self._context.wrap_socket(plain, server_hostname="localhost")
            sock.sendall(KINDS[client.kind])
        except OSError:
            self.seen[client.kind].refused += 1
            plain.close()
            return
        sock.setblocking(False)
        client.sock, client.due = sock, client.begun + self._pause
        self.seen[client.kind].connections += 1

    def _drip(self, client: Client, sock: ssl.SSLSocket) -> None:
        client.due += self._pause
        with contextlib.suppress(OSError):  # whether it was thrown out is seen elsewhere
            if client.kind == "read":
                sock.recv(1)
            else:
                sock.send(b"x")

    def _gone(self, client: Client) -> None:
        assert client.sock is not None
        client.sock.close()
        now = time.monotonic()
        self.seen[client.kind].lasted.append(now - client.begun)
        client.sock, client.due = None, now + AGAIN * self._pause


def main(port: int, count: int, seconds: float, pause_seconds: float) -> None:
    """Run, and say how it went."""
    crowd = Crowd(port, count, pause_seconds)
    crowd.run(seconds)
    told = {
        kind: {**asdict(seen), "longest_seconds": max(seen.lasted, default=0.0)} for kind, seen in crowd.seen.items()
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
