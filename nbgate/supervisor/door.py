"""Where the gateway listens: on this machine alone until somebody can log in, then where it was asked to.

Holds the sockets and decides which of them listen; it knows neither children nor messages. The sockets of `--ip` are
bound from the start, so that an occupied port shows at once, and reserved, so that nobody takes it meanwhile.
"""

import socket

from nbgate.errors import StartError
from nbgate.supervisor import sockets as listening


class Door:
    """The listening sockets of `ip`, bound by the caller, and in their place those of loopback while nobody can log in.

    They may be of several ports, that of HTTPS first. `sockets` are those in force: what a worker is to accept on.
    """

    def __init__(self, ip: str, wide: list[socket.socket]) -> None:
        self._ip = ip
        self._wide = wide
        self._narrow: list[socket.socket] = []
        self._ports: tuple[int, ...] = tuple(dict.fromkeys(sock.getsockname()[1] for sock in wide))
        self.sockets = wide
        self.is_open = False
        self.is_narrow = False

    def open(self, *, has_user: bool) -> None:
        """Begin to listen; on loopback alone where nobody could log in.

        Raises:
            StartError: Somebody else listens on the port.
        """
        self.is_narrow = not (has_user or listening.is_loopback(self._ip))
        if self.is_narrow:
            listening.share(self._wide)
            for port in self._ports:
                self._narrow += listening.bind_sockets(listening.loopback_of(self._ip), port)
            self.sockets = self._narrow
        listening.listen(self.sockets)
        if self.is_narrow:
            listening.reserve(self._wide)
        self.is_open = True

    def widen(self) -> None:
        """Listen where it was asked for.

        Two sockets of one port where one address covers the other cannot both listen, so one stops before the other
        begins. Where the address covers loopback not, loopback goes on until the end: somebody stands in that door.

        Raises:
            StartError: Somebody else listens there; loopback goes on.
        """
        covers = listening.covers_loopback(self._ip)
        if covers:
            listening.stop(self._narrow)
        try:
            listening.listen(self._wide)
        except StartError:
            listening.stop(self._wide)
            listening.share(self._wide)
            if covers:
                listening.listen(self._narrow)
            listening.reserve(self._wide)
            raise
        self.is_narrow = False
        if covers:
            listening.close_all(self._narrow)
            self._narrow = []
        self.sockets = [*self._wide, *self._narrow]

    def urls(self, hostname: str, hosts: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return what to type into a browser, the one that works on this machine last (`sockets.urls`)."""
        return listening.urls("localhost" if self.is_narrow else self._ip, self._ports[0], hostname, hosts)

    def stop(self) -> None:
        """Let nobody in any more: a client is refused at once, and does not wait for a gateway that is ending."""
        listening.stop(self.sockets)

    def close(self) -> None:
        """Close every socket; children keep their copies."""
        listening.close_all([*self._wide, *self._narrow])
