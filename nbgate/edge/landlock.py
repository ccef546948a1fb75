"""Ask the kernel to confine this process to a list of files (Landlock, Linux 5.13 and later).

Only the kernel's interface, by ctypes; what a worker may reach is decided in `nbgate.edge.confine`.
Source: https://docs.kernel.org/userspace-api/landlock.html. The system call numbers are the same on every architecture
that CPython supports. A rule set holds the calling thread and what it starts from then on, and can only be narrowed.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
_LAST_RIGHT_BIT_BY_ABI = {1: 12, 2: 13, 3: 14, 4: 14}  # 2: refer, 3: truncate, 5 and later: ioctl on devices
_LAST_RIGHT_BIT = 15
_NETWORK_FROM_ABI = 4
_BIND_TCP = 1
_SCOPES_FROM_ABI = 6
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3

_libc = ctypes.CDLL(None, use_errno=True)


def abi_version() -> int:
    """Return the version of Landlock that the running kernel offers, 0 for none (too old, switched off, forbidden)."""
    return max(_syscall(_CREATE_RULESET, None, 0, _RULESET_VERSION), 0)


def restrict(abi: int, *, readable: Iterable[Path], writable: Iterable[Path]) -> tuple[str, ...]:
    """Confine this thread for ever; return in words what is enforced from now on. Paths that do not exist are skipped.

    Args:
        abi: What `abi_version` returned, 1 or more.
        readable: Files, and folders with everything below them, that may be read; nothing may be executed.
        writable: Existing files that may be read and written.

    Raises:
        OSError: The kernel refused; `no_new_privs` must be set before.
    """
    with _ruleset(abi) as ruleset:
        for path in readable:
            _allow(ruleset, path, READ_FILE | READ_DIR if path.is_dir() else READ_FILE)
        for path in writable:
            _allow(ruleset, path, READ_FILE | WRITE_FILE)
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0))
    network = ("no tcp listening",) if abi >= _NETWORK_FROM_ABI else ()
    scopes = ("no signals or abstract sockets outside",) if abi >= _SCOPES_FROM_ABI else ()
    return (f"landlock {abi}: files", *network, *scopes)


@contextmanager
def _ruleset(abi: int) -> "Iterator[int]":
    attributes = ruleset_attributes(abi)
    ruleset = _checked(_syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        yield ruleset
    finally:
        os.close(ruleset)


def ruleset_attributes(abi: int) -> bytes:
    """Return `struct landlock_ruleset_attr` as a kernel of this version knows it: all that it can deny is denied."""
    files = (1 << (_LAST_RIGHT_BIT_BY_ABI.get(abi, _LAST_RIGHT_BIT) + 1)) - 1
    if abi >= _SCOPES_FROM_ABI:
        return struct.pack("=QQQ", files, _BIND_TCP, _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    if abi >= _NETWORK_FROM_ABI:
        return struct.pack("=QQ", files, _BIND_TCP)
    return struct.pack("=Q", files)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(_syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    return result


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
