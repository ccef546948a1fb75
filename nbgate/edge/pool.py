"""Kept connections to upstreams, newest first, a bounded number for each.

Only a connection whose last exchange was read to its end and was well framed comes back here (THREATS 1.D). Knows
nothing of routes or requests. Past `MAX_IDLE` the connection that comes back is closed.
"""

import asyncio

from nbgate.config.schema import Limits
from nbgate.edge.upstream_connection import UpstreamConnection
from nbgate.link.listener_owner import ForeignListenerError, require_owner
from nbgate.model.route import Upstream

MAX_IDLE = 64


class Pool:
    """The kept connections of one worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
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
            OSError: Nobody listens there.
            TimeoutError: Nobody answered within `upstream_connect_seconds`.
        """
        connection = UpstreamConnection(upstream, limits.buffer_bytes, self._forget)
        async with asyncio.timeout(limits.upstream_connect_seconds):
            if upstream.path:
                await self._loop.create_unix_connection(lambda: connection, upstream.path)
            else:
                await self._loop.create_connection(lambda: connection, upstream.host, upstream.port)
        if upstream.owners and connection.transport is not None:
            try:
                require_owner(connection.transport.get_extra_info("socket"), upstream.owners)
            except (ForeignListenerError, OSError):
                connection.abort()
                raise
        return connection

    def expire(self, older_than: float) -> None:
        """Close what has been idle since before `older_than` (loop time)."""
        for idle in self._idle.values():
            while idle and idle[0].idle_since < older_than:
                idle.pop(0).close()

    def close(self) -> None:
        """Close every kept connection."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _forget(self, connection: UpstreamConnection) -> None:
        idle = self._idle.get(connection.upstream, [])
        if connection in idle:
            idle.remove(connection)
