"""What becomes of an accepted connection before it is one of HTTP: its place, its PROXY header, its TLS handshake.

It admits or drops before TLS, and starts the handshake with the policy now in force. Knows sockets and TLS, no HTTP but
one fixed answer: who speaks plain HTTP to the TLS port is told the https address.
"""

import asyncio
import collections
import contextlib
import re
import socket
import ssl
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from nbgate.edge.accept import ACCEPTS_PER_TURN, AcceptLoop, Gate
from nbgate.edge.admission import Ticket
from nbgate.edge.tls import Handshake, failed_handshake
from nbgate.errors import ProtocolError
from nbgate.http.proxy_protocol import ProxyHeader
from nbgate.model.client import Client, make_client
from nbgate.pipeline.answers import not_tls
from nbgate.reasons import Reason

TLS_HANDSHAKE_RECORD = 0x16
SHUTDOWN_SECONDS = 30.0  # the connection has deadlines of its own; a slow reader gets the rest of its last answer
LEAST_HANDSHAKE_SECONDS = 0.01
HANDSHAKES_PER_TURN = 1  # a signature costs more than many requests: between two of them all who wait get their turn
_PEEK_BYTES = 2048
_DISCARD_BYTES = 65536
_HOST_LINE = re.compile(
    rb"\r\nhost:[ \t]*([a-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]{2,45}\](?::\d{1,5})?)[ \t]*\r\n", re.IGNORECASE
)


class TlsGate(Gate, Protocol):
    """What the listener asks of its worker besides."""

    def identify(self, ticket: Ticket, client: Client) -> None:
        """Take note of what the PROXY header says."""
        ...

    def handshake(self) -> tuple[float, bool]:
        """Return the seconds a handshake may take, and whether a PROXY header comes first."""
        ...

    def tls(self, ticket: Ticket) -> ssl.SSLContext:
        """Return the context now in force for this connection."""
        ...

    def connection(self, ticket: Ticket) -> asyncio.Protocol:
        """Return the protocol for a client whose handshake is about to begin."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run `coroutine` and keep it until it ends."""
        ...


class Arrival:
    """A connection that is no HTTP yet.

    Attributes:
        deadline: Loop time at which the handshake must be over.
        header: Reads the PROXY header, None where there is none (any more).
        header_bytes: How much of it has been read.
        dropped_for: Why it was ended during its handshake.
    """

    __slots__ = ("deadline", "dropped_for", "header", "header_bytes", "sock", "ticket")

    def __init__(self, sock: socket.socket, ticket: Ticket, deadline: float) -> None:
        self.sock = sock
        self.ticket = ticket
        self.deadline = deadline
        self.header: ProxyHeader | None = None
        self.header_bytes = 0
        self.dropped_for: Reason | None = None

    def end_handshake(self, reason: Reason) -> None:
        """End the connection under the hands of the TLS code, which then fails."""
        self.dropped_for = reason
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Listener(AcceptLoop):
    """Accepts on inherited sockets until `stop`, and begins the handshakes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sockets: list[socket.socket], gate: TlsGate) -> None:
        super().__init__(loop, sockets, self._arrive, gate.make_room)
        self._gate = gate
        self._waiting: dict[socket.socket, Arrival] = {}
        self._ready: collections.deque[Arrival] = collections.deque()

    def expire(self, now: float) -> None:
        """Drop connections that have not begun their handshake in time."""
        for arrival in list(self._waiting.values()):
            if now >= arrival.deadline:
                reason = Reason.HANDSHAKE_FAILED if arrival.header is None else Reason.BAD_PROXY_HEADER
                self._drop(arrival, reason)

    def _most(self) -> int:
        """Return how many may be accepted this turn: those who wait for their handshake leave no room for more.

        Others wait in the kernel's queue, where nobody drops them for whoever comes next.
        """
        return ACCEPTS_PER_TURN - len(self._ready)

    def _arrive(self, sock: socket.socket, address: Any) -> None:
        ticket = self._gate.enter(make_client(address[0], address[1]), lambda reason: self._drop(arrival, reason))
        if ticket is None:
            sock.close()
            return
        seconds, has_header = self._gate.handshake()
        arrival = Arrival(sock, ticket, self._loop.time() + seconds)
        if has_header:
            arrival.header = ProxyHeader()
            if not ticket.is_trusted:
                self._drop(arrival, Reason.BAD_PROXY_HEADER)
                return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waiting[sock] = arrival
        self._loop.add_reader(sock.fileno(), self._look, arrival)
        self._look(arrival)

    def _look(self, arrival: Arrival) -> None:
        """Judge the first byte, once the PROXY header is read if there must be one; wait when it has not come."""
        try:
            first = arrival.sock.recv(_PEEK_BYTES, socket.MSG_PEEK)
            if first and arrival.header is not None:
                first = self._read_header(arrival, arrival.header, first)
        except (BlockingIOError, InterruptedError):
            return
        except ProtocolError as error:
            self._drop(arrival, error.reason)
            return
        except OSError:
            first = b""
        if not first:
            self._drop(arrival, None)
        elif first[0] == TLS_HANDSHAKE_RECORD:
            self._loop.remove_reader(arrival.sock.fileno())
            self._ready.append(arrival)
            if len(self._ready) == 1:
                self._loop.call_soon(self._begin)
        else:
            self._answer_plain(arrival, first)

    def _begin(self) -> None:
        """Begin the handshakes of a turn; who was dropped meanwhile is passed over."""
        begun = 0
        while self._ready and begun < HANDSHAKES_PER_TURN:
            arrival = self._ready.popleft()
            if arrival.sock in self._waiting:
                begun += 1
                self._let_go_of(arrival)
                arrival.ticket.end = arrival.end_handshake
                self._gate.spawn(self._handshake(arrival))
        if self._ready:
            self._loop.call_soon(self._begin)

    def _read_header(self, arrival: Arrival, header: ProxyHeader, first: bytes) -> bytes:
        """Take the PROXY header, of which `first` has come, off the socket; return what has come behind it.

        Raises:
            ProtocolError: It is no good header.
            BlockingIOError: Nothing has come behind it, or it is not complete.
        """
        proxied = header.feed(first)
        if proxied is None:
            arrival.header_bytes += len(arrival.sock.recv(len(first)))
            raise BlockingIOError
        arrival.sock.recv(proxied.length - arrival.header_bytes)
        arrival.header = None
        if proxied.address is not None:
            self._gate.identify(arrival.ticket, make_client(proxied.address, proxied.port))
        return arrival.sock.recv(_PEEK_BYTES, socket.MSG_PEEK)

    async def _handshake(self, arrival: Arrival) -> None:
        context = self._gate.tls(arrival.ticket)
        protocol = self._gate.connection(arrival.ticket)
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                arrival.sock,
                ssl=cast(ssl.SSLContext, Handshake(context, arrival.sock)),
                ssl_handshake_timeout=max(arrival.deadline - self._loop.time(), LEAST_HANDSHAKE_SECONDS),
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except (TimeoutError, OSError, EOFError) as error:  # ssl.SSLError is an OSError
            arrival.sock.close()
            self._gate.refused(arrival.ticket, arrival.dropped_for or failed_handshake(error), 0)
        except BaseException:
            arrival.sock.close()
            self._gate.refused(arrival.ticket, None, 0)  # a fault of ours: the log says which
            raise

    def _answer_plain(self, arrival: Arrival, first: bytes) -> None:
        sock = arrival.sock
        with contextlib.suppress(OSError):
            sock.recv(_DISCARD_BYTES)  # unread bytes would turn the close into a reset
            sock.send(not_tls(_https_url(sock, first)))
            sock.shutdown(socket.SHUT_WR)
        self._drop(arrival, Reason.NOT_TLS, status=400)

    def _drop(self, arrival: Arrival, reason: Reason | None, status: int = 0) -> None:
        self._let_go_of(arrival)
        arrival.sock.close()
        self._gate.refused(arrival.ticket, reason, status)

    def _let_go_of(self, arrival: Arrival) -> None:
        self._waiting.pop(arrival.sock, None)
        self._loop.remove_reader(arrival.sock.fileno())


def _https_url(sock: socket.socket, first: bytes) -> str:
    """The address the person typed, if it is a well-formed one; else the one they reached."""
    if found := _HOST_LINE.search(first):
        return f"https://{found[1].decode('ascii').lower()}/"
    host, port = sock.getsockname()[:2]
    return f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/"
