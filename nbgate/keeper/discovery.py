"""Find the notebook servers that run as the same person, and their tokens, in the files they leave on disk.

Reads only files that belong to this user and that nobody else may write, of processes that live. It remembers nothing:
a restarted server has a new token, so each look reads the folders again.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nbgate.errors import ExitCode, StartError
from nbgate.jupyter.runtime_files import (
    MAX_FILE_BYTES,
    RuntimeFile,
    is_plain_token,
    is_runtime_file_name,
    matching,
    maybe_parse_runtime_file,
    maybe_upstream,
)
from nbgate.link.listener_owner import listener_uid
from nbgate.model.route import Upstream

MAX_FILES = 256


def runtime_folders(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return where servers of this person write their runtime files, most specific first (jupyter_core's own rules).

    JUPYTER_RUNTIME_DIR excludes every other place, as it does for Jupyter itself.
    """
    if environ.get("JUPYTER_RUNTIME_DIR"):
        return (Path(environ["JUPYTER_RUNTIME_DIR"]),)
    folders = []
    if environ.get("JUPYTER_DATA_DIR"):
        folders.append(Path(environ["JUPYTER_DATA_DIR"]) / "runtime")
    elif environ.get("XDG_DATA_HOME"):
        folders.append(Path(environ["XDG_DATA_HOME"]) / "jupyter" / "runtime")
    else:
        folders.append(home / ".local" / "share" / "jupyter" / "runtime")
    if environ.get("XDG_RUNTIME_DIR"):
        folders.append(Path(environ["XDG_RUNTIME_DIR"]) / "jupyter")  # jupyter_core before 4.6
    return tuple(folders)


def find_servers(upstream: Upstream, folders: tuple[Path, ...]) -> tuple[RuntimeFile, ...]:
    """Return the living servers of this user at `upstream`, the one that began last first.

    More than one can match: a process number is used again, a crashed server leaves its file. Whoever uses a token
    asks the server whether it is the right one.
    """
    return matching(_living(folders), upstream)


def running_servers(folders: tuple[Path, ...]) -> tuple[RuntimeFile, ...]:
    """Return the servers of this user that can be reached on this machine, the one that began last first.

    A process of that number is not enough: it may be another one's by now. Something must listen where the file says.
    """
    return tuple(file for file in _living(folders) if _listens(maybe_upstream(file)))


def _living(folders: tuple[Path, ...]) -> list[RuntimeFile]:
    dated = [found for folder in folders for found in _read_folder(folder)]
    dated.sort(key=lambda pair: pair[0], reverse=True)
    return [file for _, file in dated]


def _listens(upstream: Upstream | None) -> bool:
    if upstream is None:
        return False
    if upstream.path:
        try:
            return Path(upstream.path).is_socket()
        except OSError:
            return False  # in a folder we may not enter, or longer than a path can be
    return listener_uid(upstream.host, upstream.port) is not None


def load_token(path: Path, named_by: str = "--upstream-token-file") -> str:
    """Return the token in the file the operator named.

    Args:
        path: The file.
        named_by: The option, or the key of a table, that named it.

    Raises:
        StartError: It cannot be read, others can read it too, or it holds no token; with what to do about it.
    """
    token = _load_secret(path, "token", named_by).decode("ascii", errors="replace").strip()
    if not token or not is_plain_token(token):
        raise _unfit(path, "token", "holds no token", "write the notebook server's token into it, on one line")
    return token


def load_password(path: Path, named_by: str = "--upstream-password-file") -> str:
    """Return the password in the file the operator named, as it is but for the end of its line.

    Args:
        path: The file.
        named_by: As for `load_token`.

    Raises:
        StartError: As `load_token`.
    """
    try:
        password = _load_secret(path, "password", named_by).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _unfit(path, "password", "is not UTF-8 text", "write the password into it, on one line") from error
    if not password or not password.isprintable():
        hint = "write the notebook server's password into it, on one line"
        raise _unfit(path, "password", "holds no password", hint)
    return password


def _load_secret(path: Path, what: str, named_by: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        hint = f"name one that this user may read with {named_by}"
        raise _unfit(path, what, f"cannot be read: {(error.strerror or 'error').lower()}", hint) from error
    with _closing(descriptor):
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unfit(path, what, "is no regular file", f"name a file that holds the {what} and nothing else")
        if status.st_mode & 0o077:
            raise _unfit(path, what, "can be read by others", f"chmod 600 {path}")
        if status.st_uid not in {os.geteuid(), 0}:
            raise _unfit(path, what, "belongs to somebody else", f"chown it to uid {os.geteuid()}")
        return os.read(descriptor, MAX_FILE_BYTES)


def _unfit(path: Path, what: str, said: str, hint: str) -> StartError:
    return StartError(f"upstream {what} file {path} {said}", hint=hint, exit_code=ExitCode.CONFIGURATION)


def _read_folder(folder: Path) -> list[tuple[float, RuntimeFile]]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if is_runtime_file_name(entry.name))
    except OSError:
        return []  # no such folder: nobody started a server yet
    found = (_maybe_read(folder / name) for name in names[-MAX_FILES:])
    return [pair for pair in found if pair is not None]


def _maybe_read(path: Path) -> tuple[float, RuntimeFile] | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None  # gone since the folder was listed, or a link to elsewhere
    with _closing(descriptor):
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        text = os.read(descriptor, MAX_FILE_BYTES).decode("utf-8", errors="replace")
    parsed = maybe_parse_runtime_file(text)
    if parsed is None or not _lives(parsed.pid):
        return None
    return status.st_mtime, parsed


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError, OverflowError):
        return False  # dead, or the number now belongs to a process of somebody else
    return True
