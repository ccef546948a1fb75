"""What a notebook server prints, kept in a private file without its token.

Holds at most two files of `MAX_FILE_BYTES`; a full disk costs lines of it, never the server.
"""

import contextlib
import os
from collections import deque
from pathlib import Path

from nbgate.files import open_private

MAX_FILE_BYTES = 8 << 20
MAX_LINE_BYTES = 65536
LAST_LINES = 8
_MASK = b"(token)"


class ServerOutput:
    """Writes whole lines to `path`, which begins anew at each start, and remembers the last ones."""

    def __init__(self, path: Path, token: str, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self._path = path
        self._token = token.encode()
        self._max_file_bytes = max_file_bytes
        self._held = b""
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._file = self._open()
        self._written_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take what was printed."""
        self._held = (self._held + data).replace(self._token, _MASK)
        end = self._held.rfind(b"\n") + 1
        if len(self._held) > MAX_LINE_BYTES:  # no line: all but what may be the beginning of the token
            end = len(self._held) - len(self._token) + 1
        self._write(self._held[:end])
        self._held = self._held[end:]

    def close(self) -> None:
        """Write what is left and close the file."""
        self._write(self._held)
        self._held = b""
        os.close(self._file)

    def last_lines(self) -> list[str]:
        """Return the last lines that say something."""
        return [*self._last, *_lines(self._held)][-LAST_LINES:]

    def _write(self, data: bytes) -> None:
        self._last.extend(_lines(data))
        with contextlib.suppress(OSError):
            if self._written_bytes + len(data) > self._max_file_bytes:
                self._begin_anew()
            self._written_bytes += os.write(self._file, data)

    def _begin_anew(self) -> None:
        self._path.replace(self._path.with_suffix(".old"))
        newer = self._open()
        os.close(self._file)
        self._file, self._written_bytes = newer, 0

    def _open(self) -> int:
        return open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


def _lines(data: bytes) -> list[str]:
    return [line for line in data.decode(errors="replace").splitlines() if line.strip()]
