"""Ask the kernel to refuse this process the system calls that Landlock does not know (seccomp).

Landlock holds what is opened, made and removed. Modes, owners, times and attributes of a file change without opening
it, so the owner of the data folder, or of the whole system where a gateway runs as root, could still give files away to
others; limits of other processes and programs in anonymous memory are no files at all. Only the kernel's interface, by
ctypes. Source: https://docs.kernel.org/userspace-api/seccomp_filter.html. What is refused fails with EPERM.
"""

import ctypes
import os
import platform
import struct

from msgspec import Struct

_SET_MODE_FILTER = 1
_SPEC_ALLOW = 1 << 2  # without it kernels before 5.16 slow the whole process down
_RETURN_ALLOW = 0x7FFF0000
_RETURN_EPERM = 0x00050001
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
_X32 = 0x40000000  # numbers of another table begin here

_libc = ctypes.CDLL(None, use_errno=True)


class Calls(Struct, frozen=True):
    """The numbers of one architecture.

    Attributes:
        architecture: AUDIT_ARCH_*.
        seccomp: The call that installs a filter.
        prlimit: The call that changes limits; allowed on the caller only.
        refused: In this order: change a file's mode, owner, attributes and times; start a program; signal, look into
            or reach into a process; keys, programs for the kernel, and what only exploits need.
    """

    architecture: int
    seccomp: int
    prlimit: int
    refused: tuple[int, ...]


_EVERYWHERE = (424, 438, 452, 463, 466, 469)
"""pidfd_send_signal, pidfd_getfd, fchmodat2, setxattrat, removexattrat, file_setattr"""
TABLES = {
    "x86_64": Calls(
        0xC000003E,
        317,
        302,
        (
            *(90, 91, 268, 92, 93, 94, 260, 188, 189, 190, 197, 198, 199, 132, 235, 261, 280),
            *(59, 322, 62, 200, 234, 129, 297, 101, 310, 311, 312, 248, 249, 250, 321, 298, 323, *_EVERYWHERE),
        ),
    ),
    "aarch64": Calls(
        0xC00000B7,
        277,
        261,
        (
            *(52, 53, 54, 55, 5, 6, 7, 14, 15, 16, 88),
            *(221, 281, 129, 130, 131, 138, 240, 117, 270, 271, 272, 217, 218, 219, 280, 241, 282, *_EVERYWHERE),
        ),
    ),
}


def refuse_calls(machine: str = "") -> tuple[str, ...]:
    """Refuse the calls of the table to this thread and all it starts, for ever; return in words what holds from now on.

    `no_new_privs` must be set before. Where the kernel or the machine cannot do it, the answer says so.
    """
    calls = TABLES.get(machine or platform.machine())
    if calls is None:
        return ("system calls not filtered: unknown machine",)
    code = build_filter(calls)
    memory = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(memory))  # struct sock_fprog
    arguments = (ctypes.c_long(calls.seccomp), ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(_SPEC_ALLOW), program)
    if _libc.syscall(*arguments) != 0:
        return (f"system calls not filtered: {os.strerror(ctypes.get_errno()).lower()}",)
    return ("no programs, no signals, no change of modes and owners",)


def build_filter(calls: Calls) -> bytes:
    """Return the filter, in the kernel's classic BPF; every jump goes forward to the one refusal near the end."""
    chain = len(calls.refused)
    refusal = chain + 8
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, refusal - 2, calls.architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, refusal - 4, 0, _X32),
        (_EQUAL, chain + 1, 0, calls.prlimit),
        *((_EQUAL, refusal - 6 - at, 0, number) for at, number in enumerate(calls.refused)),
        (_RETURN, 0, 0, _RETURN_ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _RETURN_EPERM),
        (_RETURN, 0, 0, _RETURN_ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
