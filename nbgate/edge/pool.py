"""Kept connections to upstreams, newest first, a bounded number for each.

Only a connection whose last exchange was read to its end and was well framed comes back here (THREATS 1.D), and only
while somebody may want it again. Knows nothing of routes or requests. Past `MAX_IDLE` the connection that comes back is
closed. Whom a new one leads to is proven before it is given out: by the kernel on this machine, by TLS anywhere.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from nbgate.config.schema import Limits
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.link.listener_owner import require_owner
from nbgate.link.upstream_tls import client_context, require_pin
from nbgate.model.route import Upstream, UpstreamTls

MAX_IDLE = 64
MAX_CONTEXTS = 64
TLS_SHUTDOWN_SECONDS = 1.0


class Pool:
    """The kept connections of one worker; `is_used` says of an upstream whether a route leads there."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, is_used: Callable[[Upstream], bool] = lambda _upstream: True
    ) -> None:
        self._loop = loop
        self._is_used = is_used
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._idle: dict[Upstream, list[UpstreamConnection]] = {}
        self._asked: Upstream | None = None
        self._asked_idle: list[UpstreamConnection] = []

    def take(self, upstream: Upstream) -> UpstreamConnection | None:
        """Return an idle connection to `upstream`, or None."""
        if upstream is not self._asked:  # hashing it costs more than all the rest, and there are few
            self._asked, self._asked_idle = upstream, self._idle.setdefault(upstream, [])
        idle = self._asked_idle
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep `connection` for the next request."""
        connection.user = None
        same = connection.upstream is self._asked
        idle = self._asked_idle if same else self._idle.setdefault(connection.upstream, [])
        if len(idle) >= MAX_IDLE or not connection.is_open:
            connection.close()
            return
        connection.resume_reading()  # it may have been paused for a slow client: unread it would answer nobody
        connection.reused = True
        connection.idle_since = self._loop.time()
        idle.append(connection)

    async def connect(self, upstream: Upstream, limits: Limits) -> UpstreamConnection:
        """Return a new connection to `upstream`.

        Raises:
            ForeignListenerError: Another user than allowed listens there; nothing was sent.
            ssl.SSLError: It did not prove by TLS that it is the upstream; nothing of a request was sent.
            OSError: Nobody listens there.
            TimeoutError: Nobody answered within `upstream_connect_seconds`.
        """
        connection = UpstreamConnection(upstream, limits.buffer_bytes, self._lost)
        try:
            async with asyncio.timeout(limits.upstream_connect_seconds):
                if upstream.tls is None:
                    await self._connect_plain(connection, upstream)
                else:
                    await self._connect_tls(connection, upstream, upstream.tls)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _connect_plain(self, connection: UpstreamConnection, upstream: Upstream) -> None:
        if upstream.path:
            transport, _ = await self._loop.create_unix_connection(lambda: connection, upstream.path)
        else:
            transport, _ = await self._loop.create_connection(lambda: connection, upstream.host, upstream.port)
        if upstream.owners and connection.transport is not None:
            _require_owner(transport.get_extra_info("socket"), upstream)

    async def _connect_tls(self, connection: UpstreamConnection, upstream: Upstream, tls: UpstreamTls) -> None:
        """Connect, see whose socket it is, and only then begin to speak; the pin is asked before HTTP is spoken."""
        sock = socket.socket(_family(upstream), socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            await self._loop.sock_connect(sock, upstream.path or (upstream.host, upstream.port))
            _require_owner(sock, upstream)
            transport = await self._shake_hands(connection, sock, tls)
        except BaseException:
            sock.close()  # a loop that uses it still lets go of it first
            raise
        require_pin(tls, transport.get_extra_info("ssl_object"))

    async def _shake_hands(
        self, connection: UpstreamConnection, sock: socket.socket, tls: UpstreamTls
    ) -> asyncio.Transport:
        try:
            transport, _ = await self._loop.create_connection(
                lambda: connection,
                sock=sock,
                ssl=self._context(tls),
                server_hostname=tls.server_name,
                ssl_shutdown_timeout=TLS_SHUTDOWN_SECONDS,
            )
        except ConnectionError as error:  # it took the connection: that is another thing than nobody listening
            raise ssl.SSLEOFError("the upstream ended the handshake") from error
        return transport

    def _context(self, tls: UpstreamTls) -> ssl.SSLContext:
        """Return the context for these authorities; all pins share one, which believes none."""
        context = self._contexts.get(tls.ca)
        if context is None:
            if len(self._contexts) >= MAX_CONTEXTS:
                self._contexts.clear()
            context = self._contexts[tls.ca] = client_context(tls)
        return context

    def expire(self, older_than: float) -> None:
        """Close what has been idle since before `older_than` (loop time), and all that no route leads to any more."""
        for upstream, idle in list(self._idle.items()):
            is_used = self._is_used(upstream)
            while idle and (not is_used or idle[0].idle_since < older_than):
                idle.pop(0).close()
            if not idle:
                del self._idle[upstream]
                if idle is self._asked_idle:
                    self._asked = None

    def close(self) -> None:
        """End every kept connection, at once: nothing is under way on them, and the loop may end too."""
        for idle in self._idle.values():
            while idle:
                idle.pop().abort()

    def _lost(self, connection: UpstreamConnection) -> None:
        idle = self._idle.get(connection.upstream, [])
        if connection in idle:
            idle.remove(connection)


def _family(upstream: Upstream) -> int:
    if upstream.path:
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in upstream.host else socket.AF_INET


def _require_owner(sock: socket.socket, upstream: Upstream) -> None:
    """Ask whose socket it is where that can be known: not what runs on another machine, which TLS has to say."""
    if upstream.path or _is_loopback(upstream.host):
        require_owner(sock, upstream.owners)


def _is_loopback(host: str) -> bool:
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
