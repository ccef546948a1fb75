"""CPU time of whole process families, from /proc, and who may run on which core."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from nbgate.testing.process import descendants

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_UTIME, _STIME = 11, 12  # fields of /proc/PID/stat after the name in parentheses


def family_seconds(roots: list[int]) -> float:
    """Return user and system time of the processes `roots` and all their living descendants, in seconds."""
    family = {pid for root in roots for pid in descendants(root)}
    return sum(_process_seconds(pid) for pid in family)


def _process_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[_UTIME]) + int(fields[_STIME])) / TICKS_PER_SECOND


def family_resident_bytes(roots: list[int]) -> int:
    """Return the proportional memory (PSS) of the processes `roots` and all their living descendants."""
    family = {pid for root in roots for pid in descendants(root)}
    return sum(_proportional_bytes(pid) for pid in family)


def _proportional_bytes(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except PermissionError:  # a process that may not be looked into, and we are not root
            return own_bytes(pid)
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return 0


def own_bytes(pid: int) -> int:
    """Return the memory of `pid` that is no file's; anybody may ask that of any process."""
    _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split())
    return (resident - shared) * PAGE_BYTES


def cores() -> tuple[int, int]:
    """Return (core of the side under test, core of load and origin); the same one twice where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Start programs on `core`: children inherit where this process may run."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
