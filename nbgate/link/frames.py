"""Turn messages into frames and bytes back into messages: a 4-byte big-endian length, then one msgpack array.

Pure: no sockets. It knows no message by name; which ones may arrive is the caller's closed union.
"""

from typing import Any, Generic, TypeVar, cast

import msgspec

from nbgate.errors import LinkError
from nbgate.link.messages import Message

LENGTH_BYTES = 4
MAX_FRAME_BYTES = (1 << 32) - 1

M = TypeVar("M", bound=Message)

_encoder = msgspec.msgpack.Encoder()


def encode(message: Message, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Return the frame of `message`.

    Raises:
        LinkError: The message is longer than `max_bytes`; the receiver would end the link.
    """
    body = _encoder.encode(message)
    if len(body) > max_bytes:
        raise LinkError(f"a {type(message).__name__} of {len(body)} bytes is over the bound of {max_bytes}")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Decoder(Generic[M]):
    """Cut a stream into messages of the union `receives`, none longer than `max_bytes`.

    A length over the bound is refused before its body is collected. After a LinkError the decoder stays broken:
    nothing that follows a bad frame can be trusted to begin where a frame begins.
    """

    def __init__(self, receives: Any, max_bytes: int) -> None:
        self._decoder = msgspec.msgpack.Decoder(receives)
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._broken = False

    @property
    def is_between_frames(self) -> bool:
        """True when everything fed so far ended with a complete frame."""
        return not self._buffer

    def feed(self, data: bytes) -> list[M]:
        """Return the messages that are complete with `data`.

        Raises:
            LinkError: A frame is over the bound, or is no message that this end receives.
        """
        if self._broken:
            raise LinkError("the link is broken")
        self._buffer += data
        messages = []
        try:
            while (body := self._next_body()) is not None:
                messages.append(self._decode(body))
        except LinkError:
            self._broken = True
            self._buffer.clear()
            raise
        return messages

    def _next_body(self) -> bytes | None:
        if len(self._buffer) < LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
        if length > self._max_bytes:
            raise LinkError(f"a frame of {length} bytes is over the bound of {self._max_bytes}")
        end = LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[LENGTH_BYTES:end])
        del self._buffer[:end]
        return body

    def _decode(self, body: bytes) -> M:
        try:
            return cast(M, self._decoder.decode(body))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise LinkError("a frame holds no message that is received here") from error
