"""What the filter refuses, tried in a child; and that every jump of it lands where it should."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nbgate.edge import seccomp

ALLOW, EPERM = 0x7FFF0000, 0x00050001
CHILD = """
import ctypes, errno, os, resource, sys
from nbgate.edge.seccomp import refuse_calls
ctypes.CDLL(None).prctl(38, ctypes.c_ulong(1), *[ctypes.c_ulong(0)] * 3)
def outcome(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""


def run(filtered, call, *arguments):
    """Return what a filtered child gets for `outcome(call)`; `sys.argv` are `arguments`."""
    script = CHILD + ("refuse_calls()\n" if filtered else "") + f"print(outcome({textwrap.dedent(call)}))"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(Path(seccomp.__file__).parents[2])},
        check=True,
    )
    return done.stdout.strip()


CALLS = [
    "os.chmod, sys.argv[1], 0o666",
    "lambda: os.fchmod(os.open(sys.argv[1], os.O_RDWR), 0o666)",
    "os.chown, sys.argv[1], os.getuid(), os.getgid()",
    "os.lchown, sys.argv[1], os.getuid(), os.getgid()",
    "os.utime, sys.argv[1]",
    "os.setxattr, sys.argv[1], 'user.nbgate', b'1'",
    "resource.prlimit, os.getppid(), resource.RLIMIT_NOFILE",
    "os.kill, os.getppid(), 0",
    "os.posix_spawn, '/bin/true', ['true'], {}",
]
GOOD = [
    "resource.getrlimit, resource.RLIMIT_NOFILE",
    "resource.setrlimit, resource.RLIMIT_CORE, (0, 0)",
    "open, sys.argv[1], 'ab'",
    "lambda: os.waitpid(os.fork() or os._exit(0), 0)",
]


@pytest.mark.parametrize("call", CALLS)
def test_what_changes_files_of_others_or_other_processes_is_refused(tmp_path, call):
    file = tmp_path / "control.key"
    file.touch(mode=0o600)
    assert "EPERM" == run(True, call, file)
    assert 0o600 == file.stat().st_mode & 0o777
    assert run(False, call, file) in {"done", "EOPNOTSUPP"}


@pytest.mark.parametrize("call", GOOD)
def test_all_else_is_as_before(tmp_path, call):
    assert "done" == run(True, call, tmp_path / "file").splitlines()[0]


def judged(code, number, *, architecture, first=0):
    """Run the filter as the kernel does."""
    steps = [code[at : at + 8] for at in range(0, len(code), 8)]
    at = loaded = 0
    while True:
        operation, yes, no = int.from_bytes(steps[at][:2], "little"), steps[at][2], steps[at][3]
        value = int.from_bytes(steps[at][4:], "little")
        at += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            loaded = {0: number, 4: architecture, 16: first}[value]
        else:
            at += yes if (loaded == value if operation == 0x15 else loaded >= value) else no


@pytest.mark.parametrize("calls", seccomp.TABLES.values(), ids=seccomp.TABLES)
def test_every_number_ends_where_it_should(calls):
    code = seccomp.build_filter(calls)
    got = {number for number in range(1024) if judged(code, number, architecture=calls.architecture) == EPERM}
    assert set(calls.refused) == got
    assert EPERM == judged(code, 1, architecture=calls.architecture ^ 1)
    assert EPERM == judged(code, 0x40000000, architecture=calls.architecture)
    assert EPERM == judged(code, calls.prlimit, architecture=calls.architecture, first=1)
    assert ALLOW == judged(code, calls.prlimit, architecture=calls.architecture)


def test_what_cannot_be_enforced_is_said(monkeypatch):
    assert ("system calls not filtered: unknown machine",) == seccomp.refuse_calls("vax")
    monkeypatch.setitem(seccomp.TABLES, "old", seccomp.Calls(0, 9999, 0, ()))
    assert ("system calls not filtered: function not implemented",) == seccomp.refuse_calls("old")
