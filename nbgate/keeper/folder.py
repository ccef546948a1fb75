"""The data folder of one gateway: who holds it, and the secrets that lie in it.

Makes what is missing, 0700 and 0600; repairs nothing and reads no secret that somebody else may have read.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nbgate.crypto import totp
from nbgate.crypto.sealing import Keyring
from nbgate.crypto.tokens import KEY_BYTES, new_control_key
from nbgate.errors import ExitCode, StartError
from nbgate.files import make_private_folder, open_private, read_private, require_safe_parent, write_private
from nbgate.model.keys import SealingKey

LOCK: Final = "lock"
ROUTES_PURPOSE: Final = "routes"
CONTROL_KEY: Final = "control.key"
CONTROL_SOCKET: Final = "control.sock"
PAGES_SOCKET: Final = "pages.sock"
LOCK_WAIT_SECONDS: Final = 2.0
_LOCK_POLL_SECONDS: Final = 0.05
_WITHOUT: Final = {
    "cookies": "cookies that notebook servers have set are lost",
    "devices": "every browser is unknown until its next login",
    "forms": "pages that are open now must be loaded again",
    "routes": "routes that were added must be removed and added again: nbgate routes list",
    "totp": "no second factor that is set up now can be read: nbgate totp remove NAME for each user who has one",
}
_MAX_LOCK_BYTES: Final = 64

RandomBytes = Callable[[int], bytes]


def prepare_folder(path: Path) -> None:
    """Make the data folder unless it is there.

    Raises:
        StartError: It cannot be made (73), belongs to or is open to somebody else, or somebody else could put another
            one in its place (77).
    """
    try:
        make_private_folder(path)
        require_safe_parent(path)
        make_private_folder(path / "keys")
    except PermissionError as error:
        raise StartError(
            f"the data folder cannot be used: {error}",
            hint="choose another with --data-dir, or correct its owner and mode",
            exit_code=ExitCode.PERMISSION,
        ) from error
    except OSError as error:
        raise StartError(
            f"cannot make the data folder {path}: {(error.strerror or str(error)).lower()}",
            hint="choose another with --data-dir",
            exit_code=ExitCode.CANNOT_CREATE,
        ) from error


@contextmanager
def held(folder: Path, *, wait_seconds: float = LOCK_WAIT_SECONDS, is_keeper: bool = True) -> Iterator[bool]:
    """Hold the data folder until the block ends; the kernel lets go of it when this process ends, however it ends.

    A command that changes the store while no gateway runs holds it for a moment: that is waited for. Gives True if the
    last keeper that held it was a child of our own parent: then this keeper replaces one that died.

    Args:
        folder: The data folder.
        wait_seconds: How long to wait for another one's end.
        is_keeper: Not for such a command: it leaves no trace of its parent.

    Raises:
        StartError: Another process holds it (75), or its lock is no file of ours (77).
    """
    try:
        descriptor = open_private(folder / LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise StartError(
            f"the data folder cannot be held: {error}",
            hint="correct this file's owner and mode, or remove it",
            exit_code=ExitCode.PERMISSION,
        ) from error
    try:
        _lock(descriptor, folder, wait_seconds)
        parent = str(os.getppid())
        before = os.pread(descriptor, _MAX_LOCK_BYTES, 0).decode("ascii", errors="replace").split("\n")
        replaced = "".join(before[1:2])
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n{parent if is_keeper else replaced}\n".encode(), 0)
        yield replaced == parent
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                pid = os.pread(descriptor, _MAX_LOCK_BYTES, 0).decode("ascii", errors="replace").split("\n")[0]
                raise StartError(
                    f"another nbgate (process {pid}) uses {folder}",
                    hint="end it, or give this one a folder of its own with --data-dir",
                    exit_code=ExitCode.TRY_AGAIN,
                ) from None
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return


def load_key(folder: Path, name: str, random_bytes: RandomBytes) -> bytes:
    """Return the 32 bytes of `keys/NAME.key`, made at the first start.

    Raises:
        StartError: It cannot be read, or is damaged (78).
    """
    path = folder / "keys" / f"{name}.key"
    without = f"bring it back from a backup; or remove it: a new one is made, and {_WITHOUT[name]}"
    try:
        if not os.path.lexists(path):
            write_private(path, f"{random_bytes(KEY_BYTES).hex()}\n".encode())
        key = bytes.fromhex(read_private(path).decode("ascii"))
    except (OSError, ValueError) as error:
        raise StartError(
            f"the key {path} cannot be read: {error}",
            hint=f"correct its owner and mode; {without}",
            exit_code=ExitCode.CONFIGURATION,
        ) from error
    if len(key) != KEY_BYTES:
        raise StartError(f"the key {path} is damaged", hint=without, exit_code=ExitCode.CONFIGURATION)
    return key


def load_totp_keyring(folder: Path, random_bytes: RandomBytes) -> Keyring:
    """Return what seals TOTP secrets.

    Raises:
        StartError: See `load_key`.
    """
    return Keyring((SealingKey(id=0, secret=load_key(folder, "totp", random_bytes)),), purpose=totp.PURPOSE)


def load_route_keyring(folder: Path, random_bytes: RandomBytes) -> Keyring:
    """Return what seals the routes that are added while the gateway runs.

    Raises:
        StartError: See `load_key`.
    """
    return Keyring((SealingKey(id=0, secret=load_key(folder, "routes", random_bytes)),), purpose=ROUTES_PURPOSE)


def own_sockets(folder: Path) -> frozenset[str]:
    """Return the paths of the private sockets in the data folder, whatever links lead to it."""
    real = folder.resolve()
    return frozenset(str(real / name) for name in (CONTROL_SOCKET, PAGES_SOCKET))


def write_control_key(folder: Path, random_bytes: RandomBytes) -> str:
    """Make the control key of this run, for commands of the same user to read."""
    key = new_control_key(random_bytes(KEY_BYTES))
    write_private(folder / CONTROL_KEY, f"{key}\n".encode())
    return key
