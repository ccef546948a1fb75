"""Make and open files that belong to nbgate alone: folders 0700, files 0600, whatever the umask is.

Follows no symbolic link and repairs nothing: a file that others may read is refused, because it may have been read.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
MAX_SOCKET_PATH_BYTES = 107  # of sun_path in unix(7), without its last NUL


def make_private_folder(path: Path) -> None:
    """Make the folder `path` (0700) unless it is there; folders that are made on the way to it are 0700 too.

    Raises:
        OSError: It cannot be made.
        PermissionError: It is there, and somebody else may enter it or owns it.
    """
    try:
        path.mkdir(mode=FOLDER_MODE)
    except FileNotFoundError:
        make_private_folder(path.parent)
        make_private_folder(path)
    except FileExistsError:
        _require_private(path, path.lstat(), stat.S_ISDIR, "chmod 700")
    else:
        path.chmod(FOLDER_MODE)


def require_safe_parent(path: Path) -> None:
    """Check that nobody can put something else in the place of `path`; a sticky folder as /tmp lets nobody.

    Raises:
        PermissionError: The folder it lies in is everybody's to write.
    """
    folder = path.resolve().parent
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise PermissionError(f"{path} lies in a folder in which everybody may replace it: chmod o-w {folder}")


def open_private(path: Path, flags: int) -> int:
    """Open `path` and return its descriptor; with `O_CREAT` in `flags` a new file is 0600.

    Raises:
        OSError: It cannot be opened, or is a symbolic link.
        PermissionError: It is no regular file, or somebody else may read it or owns it.
    """
    existed = os.path.lexists(path)
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        if not existed:
            os.fchmod(descriptor, FILE_MODE)  # a umask can only take bits away, but it can take ours
        _require_private(path, os.fstat(descriptor), stat.S_ISREG, "chmod 600")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_private(path: Path, most_bytes: int = 1 << 20) -> bytes:
    """Return the content of `path`, at most `most_bytes` of it.

    Raises:
        OSError: It cannot be read, or is a symbolic link.
        PermissionError: It is no regular file, or somebody else may read it or owns it.
    """
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        return file.read(most_bytes)


def write_private(path: Path, data: bytes) -> None:
    """Write a whole file (0600) or none, durably: who reads meanwhile sees the older one.

    Raises:
        OSError: It cannot be written; an older file is as it was.
    """
    newer = path.with_suffix(".new")
    newer.unlink(missing_ok=True)
    with os.fdopen(open_private(newer, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    newer.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in folder `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_private(path: Path, found: os.stat_result, is_right_kind: Callable[[int], bool], command: str) -> None:
    if not is_right_kind(found.st_mode):
        raise PermissionError(f"{path} is not what it should be: refusing to use it")
    if found.st_uid not in {os.geteuid(), 0}:
        raise PermissionError(f"{path} belongs to another user")
    if found.st_mode & 0o077:
        raise PermissionError(f"{path} is open to other users: {command} {path}")
