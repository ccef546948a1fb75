"""The worker's own accept loop: it admits or drops before TLS, and starts the handshake with the policy now in force.

Knows sockets and TLS, no HTTP but one fixed answer: who speaks plain HTTP to the TLS port is told the https address.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Coroutine
from typing import Any, Protocol

from nbgate.model.client import Client
from nbgate.pipeline.answers import not_tls
from nbgate.reasons import Reason

ACCEPTS_PER_TURN = 16
TLS_HANDSHAKE_RECORD = 0x16
SHUTDOWN_SECONDS = 30.0  # the connection has deadlines of its own; a slow reader gets the rest of its last answer
_PEEK_BYTES = 2048
_DISCARD_BYTES = 65536
_HOST_LINE = re.compile(
    rb"\r\nhost:[ \t]*([a-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]{2,45}\](?::\d{1,5})?)[ \t]*\r\n", re.IGNORECASE
)


class Gate(Protocol):
    """What the listener asks of its worker."""

    def admits(self) -> bool:
        """Say whether one more connection may be held."""
        ...

    def tls(self) -> tuple[ssl.SSLContext, float]:
        """Return the context now in force and the seconds a handshake may take."""
        ...

    def connection(self, client: Client) -> asyncio.Protocol:
        """Return the protocol for a client whose handshake is about to begin."""
        ...

    def refused(self, client: Client, reason: Reason, status: int) -> None:
        """Take note of a connection that never became one."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run `coroutine` and keep it until it ends."""
        ...


class Listener:
    """Accepts on inherited sockets until `stop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sockets: list[socket.socket], gate: Gate) -> None:
        self._loop = loop
        self._sockets = sockets
        self._gate = gate
        self._waiting: dict[socket.socket, tuple[Client, float]] = {}
        self._accepting = False
        self._stopped = False

    @property
    def is_accepting(self) -> bool:
        """True between `start` and `stop`."""
        return self._accepting

    @property
    def waiting(self) -> int:
        """Return how many connections have not sent their first byte."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to accept."""
        self._accepting = True
        for listening in self._sockets:
            listening.setblocking(False)
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def stop(self) -> None:
        """Accept no more; what is accepted goes on. The sockets belong to the supervisor and stay open there."""
        self._accepting = False
        self._stopped = True
        self._let_go()

    def replace(self, sockets: list[socket.socket]) -> None:
        """Accept on `sockets` in place of those before, as soon as accepting begins or if it has begun."""
        self._let_go()
        self._sockets = sockets
        if self._stopped:
            self._let_go()
        elif self._accepting:
            self.start()

    def _let_go(self) -> None:
        for listening in self._sockets:
            self._loop.remove_reader(listening.fileno())
            listening.close()
        self._sockets = []

    def expire(self, now: float) -> None:
        """Drop connections that have not sent their first byte in time."""
        for sock, (client, deadline) in list(self._waiting.items()):
            if now >= deadline:
                self._loop.remove_reader(sock.fileno())
                self._drop(sock, client, Reason.HANDSHAKE_FAILED)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # out of descriptors, or not listening any more: pause instead of spinning (THREATS F24)
                self._loop.remove_reader(listening.fileno())
                self._loop.call_later(0.1, self._resume, listening)
                return
            client = make_client(address)
            if not self._gate.admits():
                sock.close()
                self._gate.refused(client, Reason.OVERLOADED, 0)
                continue
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._look(sock, client):
                _, seconds = self._gate.tls()
                self._waiting[sock] = (client, self._loop.time() + seconds)
                self._loop.add_reader(sock.fileno(), self._look_again, sock)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _look_again(self, sock: socket.socket) -> None:
        client, _ = self._waiting[sock]
        self._loop.remove_reader(sock.fileno())
        if not self._look(sock, client):
            self._loop.add_reader(sock.fileno(), self._look_again, sock)

    def _look(self, sock: socket.socket, client: Client) -> bool:
        """Judge the first byte; False when it has not come yet."""
        try:
            first = sock.recv(_PEEK_BYTES, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            first = b""
        self._waiting.pop(sock, None)
        if not first:
            sock.close()
        elif first[0] == TLS_HANDSHAKE_RECORD:
            self._gate.spawn(self._handshake(sock, client))
        else:
            self._answer_plain(sock, client, first)
        return True

    async def _handshake(self, sock: socket.socket, client: Client) -> None:
        context, seconds = self._gate.tls()
        protocol = self._gate.connection(client)
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                sock,
                ssl=context,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except (TimeoutError, OSError, EOFError):  # ssl.SSLError is an OSError
            sock.close()
            self._gate.refused(client, Reason.HANDSHAKE_FAILED, 0)

    def _answer_plain(self, sock: socket.socket, client: Client, first: bytes) -> None:
        with contextlib.suppress(OSError):
            sock.recv(_DISCARD_BYTES)  # unread bytes would turn the close into a reset
            sock.send(not_tls(_https_url(sock, first)))
            sock.shutdown(socket.SHUT_WR)
        self._drop(sock, client, Reason.NOT_TLS, status=400)

    def _drop(self, sock: socket.socket, client: Client, reason: Reason, status: int = 0) -> None:
        self._waiting.pop(sock, None)
        sock.close()
        self._gate.refused(client, reason, status)


def make_client(address: tuple[str, int] | tuple[str, int, int, int]) -> Client:
    """Return the client at a socket address; an IPv4 address that came over an IPv6 socket is an IPv4 address."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    bits = 32 if ip.version == 4 else 64
    netblock = ipaddress.ip_network((ip, bits), strict=False)
    return Client(str(ip), address[1], str(netblock))


def _https_url(sock: socket.socket, first: bytes) -> str:
    """The address the person typed, if it is a well-formed one; else the one they reached."""
    if found := _HOST_LINE.search(first):
        return f"https://{found[1].decode('ascii').lower()}/"
    host, port = sock.getsockname()[:2]
    return f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/"
