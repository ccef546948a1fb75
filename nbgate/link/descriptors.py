"""One end of a control link between the supervisor and a child: small messages, some with a descriptor (SCM_RIGHTS).

Never blocks and knows no event loop: the owner watches `fileno()` and calls `receive` and `flush`. A descriptor belongs
to whoever holds it last: `send` takes it over and closes it, `receive` hands it out, and what is refused is closed.
"""

import os
import socket
from array import array
from collections import deque
from typing import Any, Generic

from nbgate.errors import LinkError
from nbgate.link.frames import Decoder, M, encode
from nbgate.link.messages import MAX_CONTROL_BYTES, LinkKeeper, LinkWorker, ListenHere, Message

CARRIES_DESCRIPTOR = (LinkWorker, LinkKeeper, ListenHere)
MAX_CONTROL_QUEUED_BYTES = 1 << 20
_READ_BYTES = 65536
_MAX_DESCRIPTORS_A_READ = 4


class ControlSocket(Generic[M]):
    """A connected stream socket of which this object becomes the owner.

    Order: messages arrive in the order they were sent, and the n-th descriptor belongs to the n-th message that carries
    one (the kernel keeps a descriptor with the first byte it was sent with). A message without its descriptor, or a
    descriptor without its message, is a LinkError. After a LinkError the only thing left to call is `close`.
    """

    def __init__(self, sock: socket.socket, receives: Any) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._decoder = Decoder[M](receives, MAX_CONTROL_BYTES)
        self._arrived: deque[int] = deque()
        self._queue: deque[tuple[bytes, int | None]] = deque()
        self._queued_bytes = 0
        self.ended = False

    def fileno(self) -> int:
        """Return the descriptor to watch, -1 once closed."""
        return self._sock.fileno()

    @property
    def is_closed(self) -> bool:
        """True after `close`."""
        return self._sock.fileno() < 0

    @property
    def wants_write(self) -> bool:
        """True while something waits for the other end to read."""
        return bool(self._queue)

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """Send `message`, at once or as soon as `flush` can; `descriptor` is closed when it is sent.

        Raises:
            LinkError: The other end is gone, or has not read for so long that the queue is over its bound.
        """
        frame = encode(message, MAX_CONTROL_BYTES)
        self._queue.append((frame, descriptor))
        self._queued_bytes += len(frame)
        if self._queued_bytes > MAX_CONTROL_QUEUED_BYTES:
            self._discard()
            raise LinkError("the other end of a control link does not read")
        self.flush()

    def flush(self) -> None:
        """Send as much of the queue as the socket takes.

        Raises:
            LinkError: The other end is gone.
        """
        while self._queue:
            frame, descriptor = self._queue[0]
            try:
                sent = _send(self._sock, frame, descriptor)
            except BlockingIOError:
                return
            except OSError as error:
                self._discard()
                raise LinkError("the other end of a control link is gone") from error
            self._queued_bytes -= sent
            if descriptor is not None:
                os.close(descriptor)
            if sent == len(frame):
                self._queue.popleft()
            else:
                self._queue[0] = (frame[sent:], None)

    def receive(self) -> list[tuple[M, int | None]]:
        """Return what has arrived; sets `ended` when the other end has closed.

        Raises:
            LinkError: What arrived is not one of the messages received here, or a descriptor is missing or too many.
        """
        try:
            data, descriptors, truncated = _receive(self._sock)
        except BlockingIOError:
            return []
        except OSError:  # ECONNRESET: the other end closed while something of ours was unread
            self.ended = True
            return []
        self._arrived.extend(descriptors)
        self.ended = not data
        pairs: list[tuple[M, int | None]] = []
        try:
            self._pair_up(data, pairs, truncated=truncated)
        except LinkError:
            self._arrived.extend(descriptor for _, descriptor in pairs if descriptor is not None)
            self._discard()
            raise
        return pairs

    def _pair_up(self, data: bytes, pairs: list[tuple[M, int | None]], *, truncated: bool) -> None:
        """Fill `pairs`, which the caller keeps: what was paired before a LinkError must still be closed."""
        if truncated:
            raise LinkError("more descriptors than a control link carries")
        for message in self._decoder.feed(data):
            pairs.append((message, self._descriptor_of(message)))  # noqa: PERF401 - see the docstring
        if self._arrived and self._decoder.is_between_frames:
            raise LinkError("a descriptor came without its message")

    def _descriptor_of(self, message: M) -> int | None:
        if not isinstance(message, CARRIES_DESCRIPTOR):
            return None
        if not self._arrived:
            raise LinkError(f"a {type(message).__name__} came without its descriptor")
        return self._arrived.popleft()

    def close(self) -> None:
        """Close the socket and every descriptor that is still in our hands."""
        self._discard()
        self._sock.close()

    def _discard(self) -> None:
        """Close the descriptors; the socket stays until the owner, who may be watching it, calls `close`."""
        waiting = [descriptor for _, descriptor in self._queue if descriptor is not None]
        for descriptor in (*waiting, *self._arrived):
            os.close(descriptor)
        self._queue.clear()
        self._arrived.clear()
        self._queued_bytes = 0


def _send(sock: socket.socket, frame: bytes, descriptor: int | None) -> int:
    flags = socket.MSG_NOSIGNAL
    if descriptor is None:
        return sock.send(frame, flags)
    return socket.send_fds(sock, [frame], [descriptor], flags)


def _receive(sock: socket.socket) -> tuple[bytes, list[int], bool]:
    """Return bytes, descriptors, and whether there were more than fit.

    Not `socket.recv_fds`: up to Python 3.12 it drops its flags, and the descriptors would survive an exec.
    """
    room = socket.CMSG_LEN(_MAX_DESCRIPTORS_A_READ * array("i").itemsize)
    data, ancillary, flags, _ = sock.recvmsg(_READ_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    return data, list(descriptors), bool(flags & socket.MSG_CTRUNC)
