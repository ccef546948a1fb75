"""Follow the frames of one direction of a websocket, and build frames (RFC 6455 section 5).

The tracker hands out the very bytes it was given: data frames as runs of bytes, control frames one by one. It holds
back only what it cannot judge yet: an incomplete frame header, an incomplete control frame. It decodes no message and
answers nothing.
"""

from enum import IntEnum

from msgspec import Struct

from nbgate.errors import FrameError
from nbgate.reasons import Reason
from nbgate.websocket.close_codes import INVALID_PAYLOAD, MESSAGE_TOO_BIG, PROTOCOL_ERROR, may_be_sent


class Opcode(IntEnum):
    """What a frame is (RFC 6455 section 11.8); no other number is taken."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


# The same as plain numbers: comparing with an enum member costs four times as much, and this runs for every frame.
_CONTINUATION, _CLOSE = int(Opcode.CONTINUATION), int(Opcode.CLOSE)
_FIN, _RSV1, _RSV23, _OPCODE = 0x80, 0x40, 0x30, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_MAX_CONTROL_BYTES = 125
_MAX_REASON_BYTES = _MAX_CONTROL_BYTES - 2
_DATA_OPCODES = frozenset(map(int, (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY)))
_CONTROL_OPCODES = frozenset(map(int, (Opcode.CLOSE, Opcode.PING, Opcode.PONG)))


class Data(Struct, frozen=True, gc=False):
    """Wire bytes of data frames, without a gap."""

    raw: bytes


class Control(Struct, frozen=True, gc=False):
    """A whole control frame: its payload without the mask, and the frame as it was on the wire."""

    opcode: int
    payload: bytes
    raw: bytes


Piece = Data | Control


class FrameTracker:
    """Follows one direction of one websocket.

    Args:
        from_client: Whether frames must be masked (from a client) or must not be (from a server).
        max_message_bytes: Longest data message, judged from its frame headers; None for no cap.
        extensions: Whether an extension was negotiated that may set RSV1.

    Attributes:
        frames: Frame headers read so far.
        payload_bytes: Payload of data frames handed out so far.
        closed: A close frame was handed out; whatever follows it is discarded (RFC 6455 section 5.5.1).
        salvaged: After a FrameError: the good pieces that stood before the fault in the same bytes.
    """

    __slots__ = (
        "_extensions",
        "_held",
        "_mask_bit",
        "_max_message_bytes",
        "_message_bytes",
        "_open",
        "_remaining",
        "closed",
        "frames",
        "payload_bytes",
        "salvaged",
    )

    def __init__(self, *, from_client: bool, max_message_bytes: int | None, extensions: bool) -> None:
        self._mask_bit = _MASKED if from_client else 0
        self._max_message_bytes = max_message_bytes
        self._extensions = extensions
        self._held = b""  # an incomplete header, or an incomplete control frame
        self._remaining = 0  # payload of the data frame under way that has not come yet
        self._open = False  # a message under way wants a continuation
        self._message_bytes = 0  # of the message under way, as its frame headers announce it
        self.frames = 0
        self.payload_bytes = 0
        self.closed = False
        self.salvaged: tuple[Piece, ...] = ()

    @property
    def at_boundary(self) -> bool:
        """Say whether everything handed out so far ends where a frame ends: here another frame may go in."""
        return self._remaining == 0

    def feed(self, data: bytes) -> list[Piece]:
        """Return the pieces that are complete with `data`.

        Raises:
            FrameError: At the first frame that breaks RFC 6455 or the cap; `close_code` says how. The tracker is of
                no further use then, but for `salvaged` and `at_boundary`.
        """
        if self.closed:
            return []
        size = len(data)
        if self._remaining > size:
            self._remaining -= size
            self.payload_bytes += size
            return [Data(data)]
        if self._held:
            data = self._held + data
            size = len(data)
            self._held = b""
        pieces: list[Piece] = []
        begin, at = self._split(data, size, pieces)
        if at > begin:
            pieces.append(Data(data if at - begin == size else data[begin:at]))
        if at < size and not self.closed:
            self._held = data[at:]
        return pieces

    def _split(self, data: bytes, size: int, pieces: list[Piece]) -> tuple[int, int]:
        """Walk over the frames in `data`; return where the last run of data frames begins and ends."""
        begin = at = 0
        try:
            while at < size:
                if self._remaining:
                    taken = min(self._remaining, size - at)
                    self._remaining -= taken
                    self.payload_bytes += taken
                    at += taken
                    continue
                header = self._read_header(data, at, size)
                if header is None:
                    break
                opcode, payload_at, length = header
                if opcode < _CLOSE:
                    self.frames += 1
                    self._remaining = length
                    at = payload_at
                    continue
                end = payload_at + length
                if end > size:
                    break
                control = self._read_control(opcode, data[at:end], payload_at - at)
                if at > begin:
                    pieces.append(Data(data[begin:at]))
                pieces.append(control)
                begin = at = end
                if opcode == _CLOSE:
                    self.closed = True
                    break
        except FrameError:
            self.salvaged = (*pieces, Data(data[begin:at])) if at > begin else tuple(pieces)
            raise
        return begin, at

    def _read_header(self, data: bytes, at: int, size: int) -> tuple[int, int, int] | None:
        """Judge the frame header at `at`: (opcode, where its payload begins, payload length), None if incomplete."""
        if size - at < 2:
            return None
        first, second = data[at], data[at + 1]
        opcode, length = first & _OPCODE, second & _LENGTH
        if second & _MASKED != self._mask_bit or first & _RSV23:
            raise _broken()
        if opcode in _DATA_OPCODES:
            good = (opcode == _CONTINUATION) == self._open
            good = good and (not first & _RSV1 or (self._extensions and opcode != _CONTINUATION))
        else:
            good = (
                opcode in _CONTROL_OPCODES and first & _FIN != 0 and not first & _RSV1 and length <= _MAX_CONTROL_BYTES
            )
        if not good:
            raise _broken()
        payload_at = at + 2
        if length > _MAX_CONTROL_BYTES:
            payload_at += 2 if length == 126 else 8
            if payload_at > size:
                return None
            length = int.from_bytes(data[at + 2 : payload_at])
            if length < (126 if payload_at == at + 4 else 1 << 16) or length >= 1 << 63:
                raise _broken()
        if self._mask_bit:
            payload_at += 4
        if opcode < _CLOSE and not self._judge_message(first, length, complete=payload_at <= size):
            return None
        return (opcode, payload_at, length) if payload_at <= size else None

    def _judge_message(self, first: int, length: int, *, complete: bool) -> bool:
        """Count a data frame into its message and judge the cap; False until its header is complete."""
        total = self._message_bytes + length
        if self._max_message_bytes is not None and total > self._max_message_bytes:
            raise FrameError(Reason.WEBSOCKET_TOO_BIG, MESSAGE_TOO_BIG)
        if complete:
            self._open = not first & _FIN
            self._message_bytes = total if self._open else 0
        return complete

    def _read_control(self, opcode: int, raw: bytes, header_bytes: int) -> Control:
        """Judge a whole control frame."""
        payload = raw[header_bytes:]
        if self._mask_bit:
            payload = _apply_mask(payload, raw[header_bytes - 4 : header_bytes])
        if opcode == _CLOSE:
            parse_close(payload)
        self.frames += 1
        return Control(opcode, payload, raw)


def build_frame(opcode: int, payload: bytes, *, mask: bytes | None) -> bytes:
    """Build one final frame.

    Args:
        opcode: An `Opcode`.
        payload: At most 125 bytes in a control frame.
        mask: Four random bytes towards a server, None towards a client.
    """
    length = len(payload)
    mask_bit = 0 if mask is None else _MASKED
    if length <= _MAX_CONTROL_BYTES:
        header = bytes((_FIN | opcode, mask_bit | length))
    elif length < 1 << 16:
        header = bytes((_FIN | opcode, mask_bit | 126)) + length.to_bytes(2)
    else:
        header = bytes((_FIN | opcode, mask_bit | 127)) + length.to_bytes(8)
    return header + payload if mask is None else header + mask + _apply_mask(payload, mask)


def build_close(code: int | None, reason: str = "", *, mask: bytes | None) -> bytes:
    """Build a close frame; without a code it is empty. A reason over 123 bytes is cut at a character."""
    if code is None:
        return build_frame(Opcode.CLOSE, b"", mask=mask)
    text = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
    return build_frame(Opcode.CLOSE, code.to_bytes(2) + text, mask=mask)


def parse_close(payload: bytes) -> int | None:
    """Return the code in the payload of a close frame, None when it is empty.

    Raises:
        FrameError: 1002 for one byte or a code that may not be sent, 1007 for a reason that is not UTF-8.

    Source: RFC 6455 section 5.5.1.
    """
    if not payload:
        return None
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or not may_be_sent(code):
        raise _broken()
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise FrameError(Reason.WEBSOCKET_FRAME, INVALID_PAYLOAD) from error
    return code


def _broken() -> FrameError:
    return FrameError(Reason.WEBSOCKET_FRAME, PROTOCOL_ERROR)


def _apply_mask(payload: bytes, mask: bytes) -> bytes:
    """XOR `payload` with the repeated mask; as one big integer, because that runs in C."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
