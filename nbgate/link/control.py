"""A child's end of its control link, driven by the child's event loop.

Knows asyncio and nothing of processes; the supervisor's end is `nbgate.link.descriptors.ControlSocket` on selectors.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Generic

from nbgate.errors import LinkError
from nbgate.link.descriptors import ControlSocket
from nbgate.link.frames import M
from nbgate.link.messages import Message


class ControlLink(Generic[M]):
    """Call `on_message(message, descriptor)` for what arrives and `on_lost(cause)` once, when the link is over.

    `cause` is None when the other end closed. `on_lost` is not called after `close()`. Must be made in a running loop;
    becomes the owner of `sock`; the receiver of a descriptor becomes its owner.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        receives: Any,
        on_message: Callable[[M, int | None], None],
        on_lost: Callable[[LinkError | None], None],
    ) -> None:
        self._end = ControlSocket[M](sock, receives)
        self._on_message = on_message
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._loop.add_reader(self._end.fileno(), self._read)

    @property
    def is_open(self) -> bool:
        """True until the link is lost or closed."""
        return self._is_open

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """Send `message`; `descriptor`, if any, is closed when it is sent.

        Raises:
            LinkError: The link is over, or the other end does not read.
        """
        if not self._is_open:
            raise LinkError("the control link is closed")
        try:
            self._end.send(message, descriptor)
        except LinkError as error:
            self._lose(error)
            raise
        if self._end.wants_write:
            self._loop.add_writer(self._end.fileno(), self._write)

    def close(self) -> None:
        """End the link; nothing is called back any more."""
        if self._is_open:
            self._end_watch()

    def _read(self) -> None:
        try:
            pairs = self._end.receive()
        except LinkError as error:
            self._lose(error)
            return
        for message, descriptor in pairs:
            self._on_message(message, descriptor)
        if self._end.ended and self._is_open:
            self._lose(None)

    def _write(self) -> None:
        try:
            self._end.flush()
        except LinkError as error:
            self._lose(error)
            return
        if not self._end.wants_write:
            self._loop.remove_writer(self._end.fileno())

    def _lose(self, cause: LinkError | None) -> None:
        self._end_watch()
        self._on_lost(cause)

    def _end_watch(self) -> None:
        self._is_open = False
        self._loop.remove_reader(self._end.fileno())
        self._loop.remove_writer(self._end.fileno())
        self._end.close()
