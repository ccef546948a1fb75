"""Accepts connections on inherited sockets, a few a turn, and hands them over. It knows nothing of what is on them."""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, Protocol

from nbgate.edge.admission import End, Ticket
from nbgate.model.client import Client
from nbgate.reasons import Reason

ACCEPTS_PER_TURN = 16
PAUSE_SECONDS = 0.1
NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Gate(Protocol):
    """What whoever accepts connections asks of its worker."""

    def enter(self, client: Client, end: End) -> Ticket | None:
        """Give a connection its ticket; None, and it is recorded, when there is no place for it."""
        ...

    def make_room(self) -> object:
        """End a connection that can be spared: no more files can be opened."""
        ...

    def refused(self, ticket: Ticket, reason: Reason | None, status: int) -> None:
        """Take note that a connection never became one of HTTPS, and record why; None: nobody needs to know."""
        ...


class AcceptLoop:
    """Accepts until `stop`.

    Args of the constructor:
        arrived: Called as `arrived(socket, address)` for each connection; it closes the socket in the end.
        make_room: Called when the process may open no more files; may have a connection ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: list[socket.socket],
        arrived: Callable[[socket.socket, Any], None],
        make_room: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._sockets = sockets
        self._arrived = arrived
        self._make_room = make_room
        self._accepting = False
        self._stopped = False

    @property
    def is_accepting(self) -> bool:
        """True between `start` and `stop`."""
        return self._accepting

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

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(self._most()):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors, or shut by the supervisor: pause, no spin (THREATS F24)
                if error.errno in NO_DESCRIPTORS:
                    self._make_room()
                self._loop.remove_reader(listening.fileno())
                self._loop.call_later(PAUSE_SECONDS, self._resume, listening)
                return
            sock.setblocking(False)
            try:
                self._arrived(sock, address)
            except BaseException:  # a fault of ours: the log says which, and nobody else would close it
                sock.close()
                raise

    def _most(self) -> int:
        """Return how many connections may be accepted this turn."""
        return ACCEPTS_PER_TURN

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)
