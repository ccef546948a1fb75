"""Rewrite a page while it streams: bytes in, bytes out, and no byte changed but the ones an edit asks for.

A tokenizer for just as much HTML as it takes to find start tags and the page configuration. It never waits for the
whole page: Voila sends one over minutes, in pieces that end anywhere. It holds back at most one tag (64 KiB; a longer
one, such as an image in an attribute, passes as it is), the configuration script (4 MiB; a longer one counts as a leak
where there is a token), and where it is to be edited an inline script (256 KiB; a longer one passes as it is). It knows
no charset: everything it looks for is ASCII, all other bytes pass as they are.
Without a token and further edits it changes nothing but what it is to add behind the `<head>` tag, and holds back one
tag at most, and what could be the beginning of another secret.
"""

import html
import re
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Protocol

from nbgate.rewrite.page_config import edit_config
from nbgate.rewrite.tags import TagReader
from nbgate.rewrite.token_scrub import TokenGuard, TokenScrub

MAX_TAG_BYTES = 64 << 10
MAX_CONFIG_BYTES = 4 << 20
MAX_SCRIPT_BYTES = 256 << 10

_CONFIG_ID = b"jupyter-config-data"
_COMMENT = b"<!--"
_COMMENT_END = re.compile(rb"--!?>")
_RAW_ENDS = {
    name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE)
    for name in (b"script", b"style", b"textarea", b"title")
}


def banner_script(own: str) -> bytes:
    """Return the element that brings our script into a page; `own` is the path of our own pages."""
    return f'<script src="{html.escape(own)}/static/banner.js" defer></script>'.encode()


class PageEdit(Protocol):
    """What may be changed in a page. Called in document order; must depend on nothing but its arguments."""

    def attribute(self, tag: bytes, name: bytes, value: bytes) -> bytes:
        """Return the value to write; all names in lower case. It must not hold the quote around the old one."""
        ...

    def config_value(self, key: str, value: str) -> str:
        """Return the value to write for a string in the outermost object of the page configuration."""
        ...


class _In(Enum):
    TEXT = auto()
    TAG = auto()
    LONG_TAG = auto()
    COMMENT = auto()
    DECLARATION = auto()
    RAW = auto()
    CONFIG = auto()
    SCRIPT = auto()


class PageRewriter:
    """Scrubs `token` from one page, applies further edits to it, and adds `after_head` once.

    It stands right behind the start tag of the page's head, before any script of the page; a page whose first element
    below `html` is no `head` gets none.

    Args of the constructor:
        token: The server's, "" for none.
        edits: Further changes.
        after_head: What is added.
        edit_script: Gets the text of each inline script, which is held back for it, and returns the text to write.
        secret: Where there is no token: what must not be in the page either, and stands nowhere by design.

    Attributes:
        leaked: The token or secret would still be in the output, or could be: cut the answer. Nothing more comes out.
    """

    def __init__(
        self,
        token: str,
        edits: Sequence[PageEdit] = (),
        *,
        after_head: bytes = b"",
        edit_script: Callable[[bytes], bytes] | None = None,
        secret: str = "",
    ) -> None:
        self._edits: tuple[PageEdit, ...] = (TokenScrub(token), *edits) if token else tuple(edits)
        self._edit_script = edit_script
        self._after_head = after_head
        self._has_token = bool(token)
        self._guard = TokenGuard(token or secret)
        self._in = _In.TEXT
        self._buffer = bytearray()
        self._out = bytearray()
        self._tag = TagReader()
        self._raw_end = _RAW_ENDS[b"script"]
        self._from = 0

    @property
    def leaked(self) -> bool:
        """Say whether the answer must be cut."""
        return self._guard.leaked

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the page; return those that may go to the client now."""
        if not (self._edits or self._edit_script or self._after_head or self._buffer):
            return self._guard.feed(chunk)  # there is nothing left to do but that
        self._buffer += chunk
        while self._step():
            pass
        return self._drain()

    def finish(self) -> bytes:
        """End the page; return what was held back. A configuration script without its end could hold the token."""
        if self._in is _In.CONFIG and self._has_token:
            self._guard.leaked = True
        self._emit(len(self._buffer))
        return self._drain() + self._guard.finish()

    def _drain(self) -> bytes:
        out, self._out = bytes(self._out), bytearray()
        return self._guard.feed(out)

    def _emit(self, count: int) -> None:
        """Move `count` bytes from the front of the buffer to the output."""
        self._out += self._buffer[:count]
        del self._buffer[:count]

    def _step(self) -> bool:
        """Do the next thing; False when it needs more bytes."""
        if self.leaked or not self._buffer:
            self._buffer.clear()
            return False
        match self._in:
            case _In.TEXT:
                return self._text()
            case _In.TAG | _In.LONG_TAG:
                return self._start_tag()
            case _In.COMMENT:
                return self._comment()
            case _In.DECLARATION:
                return self._declaration()
            case _:
                return self._raw_text()

    def _text(self) -> bool:
        start = self._buffer.find(b"<")
        self._emit(len(self._buffer) if start < 0 else start)
        if len(self._buffer) < len(b"<x"):
            return False
        begin = bytes(self._buffer[:4])
        if begin[1:2].isalpha() or (begin[1:2] == b"/" and begin[2:3].isalpha()):
            self._in, self._tag = _In.TAG, TagReader()
        elif begin in {b"</", b"<!", b"<!-"}:
            return False
        elif begin == _COMMENT:
            self._in, self._from = _In.COMMENT, 2  # "<!-->" is a whole comment
        elif begin[1:2] in {b"!", b"?", b"/"}:
            self._in = _In.DECLARATION
        else:
            self._emit(1)
        return True

    def _comment(self) -> bool:
        found = _COMMENT_END.search(self._buffer, self._from)
        if found:
            self._emit(found.end())
            self._in = _In.TEXT
            return True
        kept = min(len(self._buffer), len(b"--!"))
        self._from = max(0, self._from - (len(self._buffer) - kept))
        self._emit(len(self._buffer) - kept)
        return False

    def _declaration(self) -> bool:
        end = self._buffer.find(b">") + 1
        self._emit(end or len(self._buffer))
        if end:
            self._in = _In.TEXT
        return bool(end)

    def _start_tag(self) -> bool:
        end = self._tag.read(self._buffer)
        if end >= 0:
            if self._in is _In.TAG and end <= MAX_TAG_BYTES:
                self._emit_edited(end)
            else:
                self._emit(end)
            self._enter_element()
            return True
        if self._in is _In.LONG_TAG or len(self._buffer) > MAX_TAG_BYTES:
            self._in = _In.LONG_TAG
            self._emit(len(self._buffer))
            self._tag.forget()
        return False

    def _emit_edited(self, end: int) -> None:
        """Emit the tag that ends at `end`, with its attribute values as the edits want them."""
        tag = bytes(self._buffer[:end])
        done = 0
        for attribute in self._tag.attributes:
            old = new = tag[attribute.start : attribute.end]
            for edit in self._edits:
                new = edit.attribute(self._tag.name, attribute.name, new)
            if new != old:
                self._out += tag[done : attribute.start]
                self._out += b'"' + new + b'"' if attribute.bare else new  # a bare value must not become empty
                done = attribute.end
            if self._edits and attribute.name == b"id" and old == _CONFIG_ID and self._tag.name == b"script":
                self._in = _In.CONFIG
        if self._edit_script is not None and self._in is _In.TAG and self._is_inline_script():
            self._in = _In.SCRIPT
        self._out += tag[done:]
        del self._buffer[:end]

    def _is_inline_script(self) -> bool:
        return self._tag.name == b"script" and all(attribute.name != b"src" for attribute in self._tag.attributes)

    def _enter_element(self) -> None:
        """Go on with what the tag just read makes of the bytes behind it.

        `<title/>` is whole in SVG and open in HTML; reading on as markup finds every tag of both.
        """
        if self._after_head and self._tag.name[:1] != b"/" and self._tag.name != b"html":
            if self._tag.name == b"head":
                self._out += self._after_head
            self._after_head = b""
        is_config = self._in is _In.CONFIG
        raw_end = None if self._tag.self_closing and not is_config else _RAW_ENDS.get(self._tag.name)
        if raw_end is None:
            self._in = _In.TEXT
            return
        if not (is_config or self._in is _In.SCRIPT):
            self._in = _In.RAW
        self._raw_end, self._from = raw_end, 0

    def _raw_text(self) -> bool:
        """Pass the text of a script, style, textarea or title; edit that of a script which is held back for it."""
        found = self._raw_end.search(self._buffer, self._from)
        size = found.start() if found else self._before_a_beginning()
        if self._in is not _In.RAW and size > (MAX_CONFIG_BYTES if self._in is _In.CONFIG else MAX_SCRIPT_BYTES):
            self._guard.leaked |= self._in is _In.CONFIG and self._has_token
            self._in = _In.RAW
        if self._in is _In.RAW:
            self._emit(size)
            self._from = 0
        elif found:
            self._out += self._edit_text(bytes(self._buffer[:size]))
            del self._buffer[:size]
        else:
            self._from = size
        if found:
            self._in = _In.TEXT
        return found is not None

    def _edit_text(self, text: bytes) -> bytes:
        if self._in is _In.CONFIG or self._edit_script is None:
            return edit_config(text, self._edit_config)
        return self._edit_script(text)

    def _before_a_beginning(self) -> int:
        """Return how much of the buffer is certainly no part of an end tag that is still under way."""
        start = self._buffer.rfind(b"<", max(0, len(self._buffer) - len(b"</textarea")))
        return start if start >= 0 else len(self._buffer)

    def _edit_config(self, key: str, value: str) -> str:
        for edit in self._edits:
            value = edit.config_value(key, value)
        return value
