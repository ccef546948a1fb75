"""Follow the frames of one direction of a websocket, and build frames (RFC 6455 section 5).

The tracker hands out the very bytes it was given: data frames as runs of bytes, control frames one by one. It holds
back only what it cannot judge yet: an incomplete frame header, an incomplete control frame. It decodes no message,
answers nothing and reads no clock: whoever drives it says how much time has passed.
"""

import math
from enum import IntEnum

from msgspec import Struct

from nbgate.errors import FrameError
from nbgate.reasons import Reason
from nbgate.websocket.close_codes import (
    INVALID_PAYLOAD,
    MESSAGE_TOO_BIG,
    POLICY_VIOLATION,
    PROTOCOL_ERROR,
    may_be_sent,
)


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


class FrameLimits(Struct, frozen=True, gc=False):
    """What one direction may send; everything is allowed unless it is said.

    Attributes:
        message_bytes: Longest data message, judged from its frame headers.
        fragments: Most frames of one data message.
        data_per_second: Data frames, on average; 0 for any number.
        data_burst: How many of them may come at once.
        controls_per_second: The same of pings and pongs.
    """

    message_bytes: float = math.inf
    fragments: float = math.inf
    data_per_second: float = 0.0
    data_burst: int = 1
    controls_per_second: float = 0.0
    control_burst: int = 1


NO_LIMITS = FrameLimits()


class FrameTracker:
    """Follows one direction of one websocket.

    Args:
        from_client: Whether frames must be masked (from a client) or must not be (from a server).
        limits: What may be sent.
        extensions: Whether an extension was negotiated that may set RSV1.

    Attributes:
        remaining: Payload of the data frame under way that has not been handed out yet.
        frames: Frame headers read so far.
        payload_bytes: Payload of data frames handed out so far.
        closed: A close frame was handed out; whatever follows it is discarded (RFC 6455 section 5.5.1).
        salvaged: After a FrameError: the good pieces that stood before the fault in the same bytes.
    """

    __slots__ = (
        "_controls_due",
        "_data_due",
        "_extensions",
        "_fragments",
        "_held",
        "_limits",
        "_mask_bit",
        "_message_bytes",
        "_now",
        "closed",
        "frames",
        "payload_bytes",
        "remaining",
        "salvaged",
    )

    def __init__(self, *, from_client: bool, extensions: bool, limits: FrameLimits = NO_LIMITS) -> None:
        self._mask_bit = _MASKED if from_client else 0
        self._limits = limits
        self._extensions = extensions
        self._held = b""  # an incomplete header, or an incomplete control frame
        self._fragments = 0  # of the message under way; while there are any, it wants a continuation
        self._message_bytes = 0  # of the message under way, as its frame headers announce it
        self._now = 0.0
        self._data_due = 0.0
        self._controls_due = 0.0
        self.remaining = 0
        self.frames = 0
        self.payload_bytes = 0
        self.closed = False
        self.salvaged: tuple[Piece, ...] = ()

    @property
    def at_boundary(self) -> bool:
        """Say whether everything handed out so far ends where a frame ends: here another frame may go in."""
        return self.remaining == 0

    def feed(self, data: bytes, now_monotonic: float = 0.0) -> list[Piece]:
        """Return the pieces that are complete with `data`, which came at `now_monotonic`.

        Raises:
            FrameError: At the first frame that breaks RFC 6455 or a limit; `close_code` says how. The tracker is of
                no further use then, but for `salvaged` and `at_boundary`.
        """
        if self.closed:
            return []
        size = len(data)
        if self.remaining > size:
            self.remaining -= size
            self.payload_bytes += size
            return [Data(data)]
        self._now = now_monotonic
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
                if self.remaining:
                    taken = min(self.remaining, size - at)
                    self.remaining -= taken
                    self.payload_bytes += taken
                    at += taken
                    continue
                header = self._read_header(data, at, size)
                if header is None:
                    break
                opcode, payload_at, length = header
                if opcode < _CLOSE:
                    self.frames += 1
                    self.remaining = length
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
            good = (opcode == _CONTINUATION) == (self._fragments > 0)
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
        """Count a data frame into its message and judge the limits; False until its header is complete."""
        limits = self._limits
        total = self._message_bytes + length
        if total > limits.message_bytes:
            raise FrameError(Reason.WEBSOCKET_TOO_BIG, MESSAGE_TOO_BIG)
        if self._fragments >= limits.fragments:
            raise FrameError(Reason.WEBSOCKET_FRAGMENTS, MESSAGE_TOO_BIG)
        if complete:
            if limits.data_per_second:
                self._data_due = self._pace(self._data_due, 1 / limits.data_per_second, limits.data_burst)
            if first & _FIN:
                self._fragments = self._message_bytes = 0
            else:
                self._fragments += 1
                self._message_bytes = total
        return complete

    def _read_control(self, opcode: int, raw: bytes, header_bytes: int) -> Control:
        """Judge a whole control frame."""
        limits = self._limits
        payload = raw[header_bytes:]
        if self._mask_bit:
            payload = _apply_mask(payload, raw[header_bytes - 4 : header_bytes])
        if opcode == _CLOSE:
            parse_close(payload)
        elif limits.controls_per_second:
            self._controls_due = self._pace(self._controls_due, 1 / limits.controls_per_second, limits.control_burst)
        self.frames += 1
        return Control(opcode, payload, raw)

    def _pace(self, due: float, interval: float, burst: int) -> float:
        """Return when the frame after this one is due; so far ahead of that a client may be, and no further (GCRA)."""
        due = max(due, self._now) + interval
        if due - self._now > (burst + 0.5) * interval:  # the half is for rounding
            raise FrameError(Reason.WEBSOCKET_FLOOD, POLICY_VIOLATION)
        return due


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
