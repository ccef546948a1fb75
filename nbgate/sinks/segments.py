"""Append-only segment files: `audit-<number of the first record, 12 digits>.jsonl`, 0600, in a folder of their own.

Bytes in order, nothing else: no record is built, checked or dropped here. A file is never rewritten; all that is ever
cut off its end is a part of a line that a failed write or a crash has left, and at start even that is kept, in a file
`.torn`.
"""

import contextlib
import os
import re
import threading
from io import BytesIO
from pathlib import Path
from typing import Final

from msgspec import Struct

from nbgate.audit.chain import broken
from nbgate.files import make_private_folder, open_private, sync_folder

TAIL_BYTES: Final = 4 << 20
_NAME: Final = re.compile(r"audit-([0-9]{12})\.jsonl", re.ASCII)


class Disk:
    """The four calls by which a segment changes; a test passes one that fails."""

    def open(self, path: Path, flags: int) -> int:
        """Open a private file."""
        return open_private(path, flags)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write at the end; returns how much was written."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut a file."""
        os.ftruncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        """Make a file durable."""
        os.fsync(descriptor)


class Found(Struct, frozen=True, kw_only=True):
    """What stood in the folder at start.

    Attributes:
        tail: The last whole lines of the newest segment that has any, at most `TAIL_BYTES`; empty if no segment has.
        first_seq: The number that segment is named after, if `tail` is all of it; else None.
        before: The last lines of the segment before it, as far as `TAIL_BYTES` reach; unchecked.
        torn_bytes: How much of a torn last line was put aside.
        torn_segment: Of which segment it was, "" if none.
    """

    tail: tuple[bytes, ...]
    first_seq: int | None
    before: tuple[bytes, ...]
    torn_bytes: int
    torn_segment: str


class Segments:
    """A `nbgate.ports.RecordSink` of files."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._lock = threading.Lock()  # `sync` may run while `begin` closes the descriptor
        self._descriptor = -1
        self._segment = ""
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """How long the segment in use is."""
        return self._size_bytes

    @property
    def segment(self) -> str:
        """The name of the segment in use."""
        return self._segment

    def begin(self, first_seq: int) -> None:
        """Go on in a new, empty segment. One of this name was begun in vain if there is one: it is put aside."""
        path = self._folder / f"audit-{first_seq:012d}.jsonl"
        if path.exists() and path.stat().st_size:
            path.rename(_free_torn_name(path))
        descriptor = self._disk.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            sync_folder(self._folder)
        except OSError:
            os.close(descriptor)
            raise
        self._use(descriptor, path.name, 0)

    def resume(self, name: str, size_bytes: int) -> None:
        """Go on at the end of a segment that is there."""
        descriptor = self._disk.open(self._folder / name, os.O_WRONLY | os.O_APPEND)
        self._use(descriptor, name, size_bytes)

    def append(self, lines: bytes) -> None:
        """Write whole lines at the end; after an error none of them is there.

        If not even the part that was written can be cut off again it stays, at the end of a segment that is not used
        any more.
        """
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._disk.write(self._descriptor, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.truncate(self._descriptor, self._size_bytes)
            raise
        self._size_bytes += len(lines)

    def sync(self) -> None:
        """Make all that was appended durable; may run in another thread than the rest."""
        with self._lock:
            descriptor = os.dup(self._descriptor)
        try:
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the file."""
        self._use(-1, "", 0)

    def _use(self, descriptor: int, name: str, size_bytes: int) -> None:
        with self._lock:
            old, self._descriptor = self._descriptor, descriptor
        self._segment, self._size_bytes = name, size_bytes
        if old >= 0:
            os.close(old)


def open_segments(folder: Path, disk: Disk | None = None) -> tuple[Segments, Found]:
    """Open the log in `folder` (made if missing, 0700) at the end of its newest segment.

    A torn last line is moved to a `.torn` file. Segments without a whole line are removed. If no segment has a whole
    line the caller calls `begin`.

    Raises:
        OSError: Files cannot be read or written, or are open to other users.
        AuditError: The newest segment has no line end within `TAIL_BYTES`.
    """
    make_private_folder(folder)
    segments = Segments(folder, disk or Disk())
    names = sorted(path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))
    torn_bytes, torn_segment = 0, ""
    while names:
        path = folder / names.pop()
        torn = _put_torn_line_aside(path)
        if torn:
            torn_bytes, torn_segment = torn_bytes + torn, path.name
        size_bytes = path.stat().st_size
        if size_bytes:
            tail = _last_lines(path, TAIL_BYTES)
            if not tail:
                raise broken(f"{path.name} does not end in records")
            read_bytes = sum(map(len, tail))
            before = _last_lines(folder / names[-1], TAIL_BYTES - read_bytes) if names else ()
            whole = read_bytes == size_bytes
            segments.resume(path.name, size_bytes)
            return segments, Found(
                tail=tail,
                first_seq=_number(path.name) if whole else None,
                before=before if whole else (),
                torn_bytes=torn_bytes,
                torn_segment=torn_segment,
            )
        path.unlink()
    return segments, Found(tail=(), first_seq=None, before=(), torn_bytes=torn_bytes, torn_segment=torn_segment)


def _number(name: str) -> int:
    return int(name.removeprefix("audit-").removesuffix(".jsonl"))


def _read_end(path: Path, limit_bytes: int) -> bytes:
    descriptor = open_private(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        size_bytes = os.fstat(descriptor).st_size
        file.seek(max(0, size_bytes - limit_bytes))
        return file.read()


def _last_lines(path: Path, limit_bytes: int) -> tuple[bytes, ...]:
    """Return the last whole lines of a file, as many as fit into `limit_bytes`."""
    end = _read_end(path, limit_bytes)
    lines = BytesIO(end).readlines()
    return tuple(lines if len(end) < limit_bytes else lines[1:])


def _put_torn_line_aside(path: Path) -> int:
    end = _read_end(path, TAIL_BYTES)
    torn = end[end.rfind(b"\n") + 1 :]
    if not torn:
        return 0
    size_bytes = path.stat().st_size
    if len(torn) == TAIL_BYTES < size_bytes:
        raise broken(f"{path.name} does not end in records")
    with os.fdopen(open_private(_free_torn_name(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as aside:
        aside.write(torn)
        aside.flush()
        os.fsync(aside.fileno())
    sync_folder(path.parent)
    descriptor = open_private(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, size_bytes - len(torn))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return len(torn)


def _free_torn_name(path: Path) -> Path:
    number = 0
    while (free := path.with_suffix(f".{number}.torn" if number else ".torn")).exists():
        number += 1
    return free
