"""The port of plain HTTP: it sends GET and HEAD on to HTTPS, and refuses everything else.

A request that came here was seen by everybody on the way, so nothing is served, no cookie is read or set, and one
answer ends the connection. Visitors take the places for strangers.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from nbgate.edge.accept import AcceptLoop, Gate
from nbgate.edge.admission import Ticket
from nbgate.edge.head_reader import HeadReader
from nbgate.errors import ProtocolError
from nbgate.http.head import RequestHead
from nbgate.http.hosts import name_of
from nbgate.model.client import make_client
from nbgate.pipeline.answers import rejection
from nbgate.policy import Policy
from nbgate.reasons import Reason

HTTPS_PORT = 443
GOODBYE_SECONDS = 2.0
_READ_BYTES = 16384
_METHODS = frozenset({"GET", "HEAD"})


class Visit:
    """One connection: what it has sent so far, and the status it was answered with (0: not yet)."""

    __slots__ = ("buffer", "deadline", "reader", "sock", "status", "ticket")

    def __init__(self, sock: socket.socket, ticket: Ticket, deadline: float) -> None:
        self.sock = sock
        self.ticket = ticket
        self.deadline = deadline
        self.reader = HeadReader()
        self.buffer = b""
        self.status = 0


class Redirects(AcceptLoop):
    """Accepts on the sockets of plain HTTP.

    Args of the constructor:
        policy: Returns the policy now in force.
        public_port: Returns the port of HTTPS.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: list[socket.socket],
        gate: Gate,
        *,
        policy: Callable[[], Policy],
        public_port: Callable[[], int],
    ) -> None:
        super().__init__(loop, sockets, self._arrive, gate.make_room)
        self._gate = gate
        self._policy = policy
        self._public_port = public_port
        self._visits: set[Visit] = set()

    def expire(self, now: float) -> None:
        """End connections that sent no whole head in time, or that stay after their answer."""
        for visit in [visit for visit in self._visits if now >= visit.deadline]:
            self._end(visit, Reason.HEAD_TIMEOUT)

    def close(self) -> None:
        """Accept no more, and end what is open: nobody here does anything that is worth waiting for."""
        self.stop()
        for visit in list(self._visits):
            self._end(visit, Reason.DRAINING)

    def _arrive(self, sock: socket.socket, address: Any) -> None:
        client = make_client(address[0], address[1])
        ticket = self._gate.enter(client, lambda reason: self._end(visit, reason))
        if ticket is None:
            sock.close()
            return
        visit = Visit(sock, ticket, self._loop.time() + self._policy().limits.head_seconds)
        self._visits.add(visit)
        self._loop.add_reader(sock.fileno(), self._read, visit)

    def _read(self, visit: Visit) -> None:
        try:
            data = visit.sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._end(visit, None)
        elif not visit.status:  # what comes after the answer is read and forgotten: unread it would be a reset
            visit.buffer += data
            self._judge(visit)

    def _judge(self, visit: Visit) -> None:
        policy = self._policy()
        try:
            end = visit.reader.find_end(visit.buffer, policy)
            if end < 0:
                return
            request = visit.reader.read(visit.buffer[:end], policy)
            of_route = bool(policy.places.routes.host_of(request.fields.host))
            location = maybe_location(request, policy.exposure.hosts, self._public_port(), is_of_route=of_route)
        except ProtocolError:
            location = None
        visit.buffer = b""
        visit.status = HTTPStatus.FORBIDDEN if location is None else HTTPStatus.PERMANENT_REDIRECT
        visit.deadline = min(visit.deadline, self._loop.time() + GOODBYE_SECONDS)
        with contextlib.suppress(OSError):  # it is gone, or takes no answer: the deadline ends it
            visit.sock.send(rejection(HTTPStatus.FORBIDDEN) if location is None else redirect(location))
            visit.sock.shutdown(socket.SHUT_WR)

    def _end(self, visit: Visit, reason: Reason | None) -> None:
        if visit not in self._visits:
            return
        self._visits.discard(visit)
        self._loop.remove_reader(visit.sock.fileno())
        visit.sock.close()
        self._gate.refused(visit.ticket, Reason.CLEARTEXT if visit.status else reason, visit.status)


def maybe_location(
    request: RequestHead, hosts: tuple[str, ...], public_port: int, *, is_of_route: bool = False
) -> str | None:
    """Return where the same is to be had by HTTPS; None for what is not to be repeated there, or not with us.

    Args:
        request: What was asked for.
        hosts: The public names; one with a port says where it is reached, whatever port we listen on. Empty: any.
        public_port: The port of HTTPS.
        is_of_route: A route has this name, so it is ours too.
    """
    if request.method not in _METHODS:
        return None
    name = name_of(request.fields.host)
    public = next((host for host in hosts if name_of(host) == name), None)
    if hosts and public is None and not is_of_route:
        return None
    if public is None or public == name:
        public = name if public_port == HTTPS_PORT else f"{name}:{public_port}"
    return f"https://{public.removesuffix(f':{HTTPS_PORT}')}{request.target.raw.decode('ascii')}"


def redirect(location: str) -> bytes:
    """Return the answer that sends a client on, method and all (RFC 9110 section 15.4.9).

    It is not to be kept: a 308 that is would outlive a change of the port.
    """
    return (
        f"HTTP/1.1 308 Permanent Redirect\r\nLocation: {location}\r\nCache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ).encode("ascii")
