"""Give up, for ever, everything a worker does not need: privileges, capabilities, core dumps, files, calls.

Called once, in a worker's only thread, before its first accept. Irreversible; it never widens anything, and it opens no
file that the worker will use. What the kernel cannot enforce is said in the answer, not passed over.
"""

import ctypes
import os
import site
import struct
import sys
from pathlib import Path

from nbgate.edge import landlock, seccomp
from nbgate.errors import ExitCode, StartError
from nbgate.secrecy import keep_secrets

_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT = 47
_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")

_SYSTEM = (Path("/lib"), Path("/lib64"), Path("/usr/lib"), Path("/usr/lib64"), Path("/proc/net"))
_WRITABLE = (Path("/dev/null"),)

_libc = ctypes.CDLL(None, use_errno=True)


def own_folders() -> tuple[Path, ...]:
    """Return the folders from which Python and nbgate are imported; whatever lies in them a worker may read."""
    package = Path(__file__).resolve().parent.parent
    user_site = (Path(site.getusersitepackages()),) if site.ENABLE_USER_SITE else ()
    return (Path(sys.prefix), Path(sys.base_prefix), *user_site, package)


def confine_worker(readable: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """Confine this process; return in words what the kernel enforces from now on, for `nbgate status`.

    Args:
        readable: What may be read beyond Python, the package, the system's libraries and /proc/net.

    Raises:
        StartError: There is a second thread already (it would stay free), or without its privileges this process cannot
            read its own program.
    """
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise StartError("a worker can be confined only while it has one thread")
    _prctl(_SET_NO_NEW_PRIVS, 1)
    capabilities = _drop_capabilities()
    keep_secrets()
    folders = own_folders()
    for folder in folders:
        _require_readable(folder)
    files = _restrict_files((*folders, *_SYSTEM, *readable))
    calls = seccomp.refuse_calls()
    return ("no_new_privs", "not dumpable", "no core dumps", *capabilities, *calls, *files)


def _restrict_files(readable: tuple[Path, ...]) -> tuple[str, ...]:
    abi = landlock.abi_version()
    if not abi:
        return ("files not confined: this kernel offers no landlock",)
    return landlock.restrict(abi, readable=readable, writable=_WRITABLE)


def _drop_capabilities() -> tuple[str, ...]:
    """Empty every set; the bounding set too where we may: no program started later can gain any of it."""
    bounding = os.geteuid() == 0
    if bounding:
        for capability in range(int(_LAST_CAPABILITY.read_text()) + 1):
            bounding &= _libc.prctl(_CAPBSET_DROP, *map(ctypes.c_ulong, (capability, 0, 0, 0))) == 0
    _prctl(_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, bytes(24)))
    return ("no capabilities, nor any to gain",) if bounding else ("no capabilities",)


def _require_readable(folder: Path) -> None:
    try:
        if folder.is_dir():
            next(folder.iterdir(), None)
    except OSError as error:
        raise StartError(
            f"a worker without privileges cannot read {folder}",
            hint="install nbgate where its user may read it, or start it as that user",
            exit_code=ExitCode.PERMISSION,
        ) from error


def _prctl(option: int, argument: int) -> None:
    _checked(_libc.prctl(option, *map(ctypes.c_ulong, (argument, 0, 0, 0))))


def _checked(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
