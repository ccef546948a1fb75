"""The link between the keeper and one worker, on an event loop.

It carries messages and bounds its queue; it does not know what they mean, and it never drops one silently.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Generic, cast

from nbgate.errors import LinkError
from nbgate.link.frames import Decoder, M, encode
from nbgate.link.messages import MAX_QUEUED_BYTES, Message


class Link(asyncio.Protocol, Generic[M]):
    """One end. Made by `open_link`.

    `on_message(message)` is called for what arrives, in order; `on_lost(cause)` once when the link is over, `cause`
    None when the other end closed. Neither is called after `close()`.
    """

    def __init__(
        self,
        *,
        receives: Any,
        max_bytes: int,
        on_message: Callable[[M], None],
        on_lost: Callable[[LinkError | None], None],
    ) -> None:
        self._decoder = Decoder[M](receives, max_bytes)
        self._on_message = on_message
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """True until the link is lost or closed."""
        return self._transport is not None

    @property
    def queued_bytes(self) -> int:
        """Return how much waits for the other end to read."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def send(self, message: Message) -> None:
        """Send `message`.

        What is judged is what the *earlier* messages left unread: one large snapshot on an empty queue may pass.

        Raises:
            LinkError: The link is over, or over `MAX_QUEUED_BYTES` wait unread: the caller has the worker replaced.
        """
        if self._transport is None:
            raise LinkError("the link is closed")
        if self.queued_bytes > MAX_QUEUED_BYTES:
            raise LinkError("the other end of the link does not read")
        self._transport.write(encode(message))

    def close(self) -> None:
        """End the link after what is queued was sent; nothing is called back any more."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio's callback)."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that are complete with `data` (asyncio's callback)."""
        if self._transport is None:
            return
        try:
            messages = self._decoder.feed(data)
        except LinkError as error:
            self._transport.abort()
            self._lose(error)
            return
        for message in messages:
            self._on_message(message)
            if not self.is_open:  # closed by what was just handled
                return

    def connection_lost(self, exc: Exception | None) -> None:
        """Say once that the link is over (asyncio's callback)."""
        cause = None if exc is None else LinkError("the link broke")
        if cause is not None:
            cause.__cause__ = exc
        self._lose(cause)

    def _lose(self, cause: LinkError | None) -> None:
        if self._transport is not None:
            self._transport = None
            self._on_lost(cause)


async def open_link(
    sock: socket.socket,
    *,
    receives: Any,
    max_bytes: int,
    on_message: Callable[[M], None],
    on_lost: Callable[[LinkError | None], None],
) -> Link[M]:
    """Return a link on `sock`.

    Args:
        sock: A connected stream socket; the link becomes its owner.
        receives: The union of messages that may arrive here.
        max_bytes: The longest message that may arrive here.
        on_message: Called for each message.
        on_lost: Called once when the link is over without `close()`.
    """
    link = Link[M](receives=receives, max_bytes=max_bytes, on_message=on_message, on_lost=on_lost)
    await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=sock)
    return link
