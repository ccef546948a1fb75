"""A private folder for one notebook server: its socket, its token, and what it writes about itself.

Nobody else may enter it (0700), and it is gone when the server is. It is short, because the path of a Unix socket is.
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nbgate.errors import ExitCode, StartError
from nbgate.files import FILE_MODE, MAX_SOCKET_PATH_BYTES

SOCKET_NAME = "server.sock"
TOKEN_NAME = "token"  # noqa: S105 - the name of a file
_CONFIGURATIONS = {
    "jupyter_server_config.json": ("IdentityProvider", "PasswordIdentityProvider"),
    "jupyter_notebook_config.json": ("NotebookApp",),  # Notebook 6
}
_PREFIX = "nbgate-"
_RANDOM_CHARS = 8  # what mkdtemp appends


@contextmanager
def private_folder(environ: Mapping[str, str]) -> Iterator[Path]:
    """Make a folder below XDG_RUNTIME_DIR, or where temporary files are; remove it with all that is in it.

    Raises:
        StartError: There is no place for it (73).
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=choose_parent(environ)))
    except OSError as error:
        raise StartError(
            f"cannot make a private folder for the notebook server: {(error.strerror or str(error)).lower()}",
            hint="set TMPDIR to a folder that you may write to",
            exit_code=ExitCode.CANNOT_CREATE,
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a server that is just ending may still remove files of its own


def choose_parent(environ: Mapping[str, str]) -> Path:
    """Return the first folder that is ours or everybody's, and whose path leaves room for a socket's."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and _is_private(Path(runtime)) and _is_short(Path(runtime)):
        return Path(runtime)
    temporary = Path(tempfile.gettempdir())
    return temporary if _is_short(temporary) else Path("/tmp")  # noqa: S108 - mkdtemp makes a folder of ours in it


def write_token(folder: Path, token: str) -> Path:
    """Write the token's own file and the configuration that gives it to a Jupyter server; return the former.

    With `folder` first in JUPYTER_CONFIG_PATH it wins over what a person's configuration says for use without a
    gateway, such as a password or no token at all. A variable with the token would be every kernel's.
    """
    for name, sections in _CONFIGURATIONS.items():
        _write(folder / name, json.dumps({section: {"token": token} for section in sections}))
    return _write(folder / TOKEN_NAME, token)


def _write(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    return path


def _is_private(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _is_short(parent: Path) -> bool:
    path = parent / (_PREFIX + "x" * _RANDOM_CHARS) / SOCKET_NAME
    return len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
