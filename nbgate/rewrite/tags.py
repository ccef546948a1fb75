"""Read one HTML tag, as browsers do, from bytes that arrive in any pieces.

It knows where a tag ends and where its attribute values stand; it does not know what they mean, and it changes
nothing. Quotes count only where a value begins (`<a title=it's>` holds no quoted text), as in the HTML standard,
section 13.2.5: with any other reading a page could hide a tag from us, or us from a tag.
"""

import re
from enum import Enum, auto

_BLANK = rb"[\t\n\f\r ]"
_NAME = rb"[^\t\n\f\r />=\"'<]++"
_VALUE = rb"=(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"
_ATTRIBUTE = re.compile(rb"(" + _NAME + rb")(?:=(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r >\"'][^\t\n\f\r >]*+)))?")

# A tag as nearly everybody writes it, whole in the buffer. What may follow a name is another character than what may be
# in it, and nothing gives back what it took, so no input makes it try in more than one way. Only single characters are
# repeated possessively: with groups Python before 3.11.5 gets that wrong (gh-106052).
_PLAIN_ATTRIBUTE = _NAME + rb"(?:" + _VALUE + rb")?"
_PLAIN_TAG = re.compile(
    rb"<(/?[A-Za-z][^\t\n\f\r />]*+)((?:" + _BLANK + rb"++" + _PLAIN_ATTRIBUTE + rb")*)" + _BLANK + rb"*+(/?)>"
)

_AFTER_TAG_NAME = re.compile(rb"[\t\n\f\r />]")
_NOT_BLANK = re.compile(rb"[^\t\n\f\r ]")
_NOT_BLANK_OR_SLASH = re.compile(rb"[^\t\n\f\r /]")
_AFTER_NAME = re.compile(rb"[\t\n\f\r />=]")
_AFTER_BARE_VALUE = re.compile(rb"[\t\n\f\r >]")


class _At(Enum):
    TAG_NAME = auto()
    BEFORE_NAME = auto()
    NAME = auto()
    AFTER_NAME = auto()
    BEFORE_VALUE = auto()
    QUOTED = auto()
    BARE = auto()
    END = auto()


class Attribute:
    """An attribute of the tag just read: its name in lower case, and where its value stands in the tag."""

    __slots__ = ("bare", "end", "name", "start")

    def __init__(self, name: bytes, start: int, end: int, *, bare: bool) -> None:
        self.name = name
        self.start = start
        self.end = end
        self.bare = bare


class TagReader:
    """Reads the tag that begins at index 0 of a buffer; remembers how far it came.

    Attributes:
        name: Of the element, lower case; an end tag's begins with "/".
        attributes: Those that have a value, in order; empty after `forget`.
        self_closing: Whether the tag ends in "/>".
    """

    def __init__(self) -> None:
        self.name = b""
        self.attributes: list[Attribute] = []
        self.self_closing = False
        self._at = _At.TAG_NAME
        self._position = 1
        self._from = 1
        self._attribute = b""
        self._quote = b'"'
        self._remembers = True

    def read(self, buffer: bytearray) -> int:
        """Go on reading; return the index behind the tag's ">", or -1 when more bytes are needed.

        Args:
            buffer: The same bytes as at the last call, with more behind them.
        """
        if self._position == 1 and self._remembers:
            plain = _PLAIN_TAG.match(buffer)
            if plain is not None:
                return self._take(plain, buffer)
        size = len(buffer)
        while self._position < size:
            self._step(buffer, size)
            if self._at is _At.END:
                return self._position
        return -1

    def forget(self) -> None:
        """Drop what was read so far (the caller empties its buffer) and go on to look for the end of the tag alone."""
        self._remembers = False
        self.attributes = []
        self._position = self._from = 0

    def _take(self, plain: re.Match[bytes], buffer: bytearray) -> int:
        """Take over a tag that one expression could read; what the steps below would have read, and faster."""
        self.name = plain[1].lower()
        self.self_closing = bool(plain[plain.re.groups])
        for found in _ATTRIBUTE.finditer(buffer, *plain.span(2)):
            group = found.lastindex or 1
            if group > 1:
                attribute = Attribute(found[1].lower(), *found.span(group), bare=group == _ATTRIBUTE.groups)
                self.attributes.append(attribute)
        self._at = _At.END
        return plain.end()

    def _step(self, buffer: bytearray, size: int) -> None:
        match self._at:
            case _At.TAG_NAME:
                self._tag_name(buffer, size)
            case _At.BEFORE_NAME:
                self._before_name(buffer, size)
            case _At.NAME:
                self._name(buffer, size)
            case _At.AFTER_NAME:
                self._after_name(buffer, size)
            case _At.BEFORE_VALUE:
                self._before_value(buffer, size)
            case _At.QUOTED:
                self._quoted(buffer, size)
            case _:
                self._bare(buffer, size)

    def _tag_name(self, buffer: bytearray, size: int) -> None:
        is_end_tag = self._remembers and self._position == 1 and buffer[1:2] == b"/"
        found = _AFTER_TAG_NAME.search(buffer, self._position + is_end_tag)
        self._position = found.start() if found else size
        if found:
            self.name = bytes(buffer[1 : self._position]).lower() if self._remembers else b""
            self._at = _At.BEFORE_NAME

    def _before_name(self, buffer: bytearray, size: int) -> None:
        found = _NOT_BLANK_OR_SLASH.search(buffer, self._position)
        end = found.start() if found else size
        if end > self._position:
            self.self_closing = buffer[end - 1] == ord("/")
        self._position = end
        if found is None:
            return
        if buffer[end] == ord(">"):
            self._finish()
            return
        self.self_closing = False
        self._from = end
        self._position = end + 1  # the first character of a name may be "="
        self._at = _At.NAME

    def _name(self, buffer: bytearray, size: int) -> None:
        found = _AFTER_NAME.search(buffer, self._position)
        self._position = found.start() if found else size
        if found:
            self._attribute = bytes(buffer[self._from : self._position]).lower() if self._remembers else b""
            self._at = _At.AFTER_NAME

    def _after_name(self, buffer: bytearray, size: int) -> None:
        found = _NOT_BLANK.search(buffer, self._position)
        self._position = found.start() if found else size
        if found is None:
            return
        if buffer[self._position] == ord("="):
            self._position += 1
            self._at = _At.BEFORE_VALUE
        else:
            self._at = _At.BEFORE_NAME

    def _before_value(self, buffer: bytearray, size: int) -> None:
        found = _NOT_BLANK.search(buffer, self._position)
        self._position = found.start() if found else size
        if found is None:
            return
        first = bytes(buffer[self._position : self._position + 1])
        if first == b">":
            self._finish()
            return
        if first in {b'"', b"'"}:
            self._quote = first
            self._position += 1
            self._at = _At.QUOTED
        else:
            self._at = _At.BARE
        self._from = self._position

    def _quoted(self, buffer: bytearray, size: int) -> None:
        end = buffer.find(self._quote, self._position)
        if end < 0:
            self._position = size
            return
        self._keep(end, bare=False)
        self._position = end + 1
        self._at = _At.BEFORE_NAME

    def _bare(self, buffer: bytearray, size: int) -> None:
        found = _AFTER_BARE_VALUE.search(buffer, self._position)
        if found is None:
            self._position = size
            return
        self._keep(found.start(), bare=True)
        self._position = found.start()
        self._at = _At.BEFORE_NAME

    def _keep(self, end: int, *, bare: bool) -> None:
        if self._remembers:
            self.attributes.append(Attribute(self._attribute, self._from, end, bare=bare))

    def _finish(self) -> None:
        self._position += 1
        self._at = _At.END
