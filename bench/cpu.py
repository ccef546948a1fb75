"""CPU time of whole process families, from /proc, and who may run on which core."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from nbgate.testing.process import descendants

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
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
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


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
