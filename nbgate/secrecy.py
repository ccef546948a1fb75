"""What every process of the gateway gives up before it holds a secret: files others may read, core dumps, onlookers.

Irreversible for the process that calls it. What a worker gives up beyond this is in `nbgate.edge.confine`.
"""

import ctypes
import os
import resource

_SET_DUMPABLE = 4
_libc = ctypes.CDLL(None, use_errno=True)


def keep_secrets() -> None:
    """Make new files private, and this process one that leaves no core and that its own user cannot look into.

    Not dumpable: /proc/PID/environ, mem and fd are root's, and no debugger of the same user attaches. It ends at an
    exec, so each process calls this for itself; the limit and the umask are inherited. The limit alone would not do:
    where cores go to a program (`kernel.core_pattern` with a pipe) the kernel passes over it.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc.prctl(_SET_DUMPABLE, *map(ctypes.c_ulong, (0, 0, 0, 0))) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
