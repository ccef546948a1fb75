"""Tell what people do in a collaboration room from what their tabs do alone (jupyter-collaboration, y-protocols).

The first byte of a message says its kind; 1 is awareness: where a cursor stands and that its tab is open, sent for ever
by a tab that everybody has left. Reads data frames that `frames` has judged and handed out, and judges nothing itself.
"""

AWARENESS = 1
_LENGTH, _OPCODE = 0x7F, 0x0F
_CONTROL_BYTES = 125
_MASK_BYTES = 4


class RoomTalk:
    """Follows what one client sends into a room."""

    __slots__ = ("_left", "_wants_kind", "_xor")

    def __init__(self) -> None:
        self._left = 0  # payload of the frame under way that is still to come
        self._xor = 0  # the first byte of its mask
        self._wants_kind = False  # the first byte of the message under way is still to come

    def feed(self, raw: bytes) -> bool:
        """Say whether a message begins in `raw` that is more than awareness.

        Args:
            raw: Bytes of masked data frames, as `Data` holds them: no frame header is cut.
        """
        at, acts = 0, False
        while at < len(raw):
            if not self._left:
                at = self._begin(raw, at)
            taken = min(self._left, len(raw) - at)
            if taken and self._wants_kind:
                self._wants_kind = False
                acts = acts or raw[at] ^ self._xor != AWARENESS
            self._left -= taken
            at += taken
        return acts

    def _begin(self, raw: bytes, at: int) -> int:
        """Read the frame header at `at`; return where its payload begins."""
        if raw[at] & _OPCODE:  # not a continuation
            self._wants_kind = True
        length = raw[at + 1] & _LENGTH
        at += 2
        if length > _CONTROL_BYTES:
            size = 2 if length == _CONTROL_BYTES + 1 else 8
            length = int.from_bytes(raw[at : at + size])
            at += size
        self._left, self._xor = length, raw[at]
        return at + _MASK_BYTES
