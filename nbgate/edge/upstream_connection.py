"""One connection to an upstream: it carries the exchange it is attached to, and nothing when it is idle.

Thin: bytes in go to the exchange, which reads them with the pure parsers. It decides nothing; an idle connection on
which anything arrives is closed, because what it says belongs to no request (THREATS D15, D29).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Protocol, cast

from nbgate.model.route import Upstream


class UpstreamUser(Protocol):
    """Who listens to an upstream connection: an exchange."""

    def upstream_data(self, data: bytes) -> None:
        """Take bytes of the upstream."""
        ...

    def upstream_lost(self, *, broken: bool) -> None:
        """Take note that the upstream ended the connection, or that it broke."""
        ...

    def upstream_full(self, *, full: bool) -> None:
        """Take note that the upstream does, or no longer does, fall behind with reading."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """A connection to `upstream`; `reused` says that it has carried an exchange before the present one."""

    __slots__ = (
        "_buffer_bytes",
        "_has_said_end",
        "_on_idle_lost",
        "idle_since",
        "reused",
        "transport",
        "upstream",
        "user",
    )

    def __init__(
        self, upstream: Upstream, buffer_bytes: int, on_idle_lost: "Callable[[UpstreamConnection], None]"
    ) -> None:
        self.upstream = upstream
        self.transport: asyncio.Transport | None = None
        self.user: UpstreamUser | None = None
        self.reused = False
        self.idle_since = 0.0
        self._buffer_bytes = buffer_bytes
        self._has_said_end = False
        self._on_idle_lost = on_idle_lost

    @property
    def is_open(self) -> bool:
        """True until the connection is lost or closed."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def has_sent_all(self) -> bool:
        """True when nothing that was written waits for the upstream to read."""
        return self.transport is not None and self.transport.get_write_buffer_size() == 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio's callback)."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._buffer_bytes)

    def data_received(self, data: bytes) -> None:
        """Hand `data` to the exchange (asyncio's callback)."""
        if self.user is not None:
            self.user.upstream_data(data)
        else:
            self.abort()

    def eof_received(self) -> bool:
        """Treat the upstream's end of sending as the end of the connection (asyncio's callback)."""
        self._has_said_end = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever uses the connection (asyncio's callback)."""
        transport, self.transport = self.transport, None
        if self.user is None:
            self._on_idle_lost(self)
            return
        if exc is not None and transport is not None and self.upstream.tls is None:
            self._hear_out(transport.get_extra_info("socket"), self.user)
        if self.user is not None:  # it may have all it needs
            # Over TLS anybody in between can end the TCP connection: only the upstream can say that this was all.
            is_cut = self.upstream.tls is not None and not self._has_said_end
            self.user.upstream_lost(broken=exc is not None or is_cut)

    def _hear_out(self, sock: socket.socket, user: UpstreamUser) -> None:
        """Read what the upstream said before it stopped listening.

        A server that refuses a long body answers and closes; then it is our write that fails, with the answer unread.
        The socket is open until this callback ends.
        """
        left = self._buffer_bytes
        with contextlib.suppress(OSError):
            while left > 0 and self.user is user and (data := os.read(sock.fileno(), left)):
                left -= len(data)
                user.upstream_data(data)

    def pause_writing(self) -> None:
        """Pass back-pressure on (asyncio's callback)."""
        if self.user is not None:
            self.user.upstream_full(full=True)

    def resume_writing(self) -> None:
        """Pass the end of back-pressure on (asyncio's callback)."""
        if self.user is not None:
            self.user.upstream_full(full=False)

    def write(self, data: bytes) -> None:
        """Send `data`; on a connection that is gone it is dropped, the loss has been or will be told."""
        if self.transport is not None:
            self.transport.write(data)

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self.transport is not None:
            self.transport.resume_reading()

    def abort(self) -> None:
        """End the connection at once; its user is not called any more."""
        self.user = None
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """End the connection after what was written is sent; its user is not called any more."""
        self.user = None
        if self.transport is not None:
            self.transport.close()
