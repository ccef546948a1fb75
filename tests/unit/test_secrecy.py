"""What a process gives up before it holds a secret: tried in a process of its own."""

import subprocess
import sys

import pytest

from nbgate import secrecy

SCRIPT = """
import ctypes, os, resource
from nbgate.secrecy import keep_secrets
os.umask(0)
keep_secrets()
print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
os.execvp("python3", ["python3", "-c", "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"])
"""


def test_files_are_private_and_there_is_no_core_and_nobody_looks_in():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert ("0o77 (0, 0) 0\n(0, 0)\n", "") == (done.stdout, done.stderr)


def test_a_kernel_that_refuses_is_not_passed_over(monkeypatch):
    class Refusing:
        def prctl(self, *_arguments):
            return -1

    monkeypatch.setattr(secrecy, "_libc", Refusing())
    monkeypatch.setattr(secrecy.os, "umask", lambda mask: 0)
    monkeypatch.setattr(secrecy.resource, "setrlimit", lambda what, limits: None)
    with pytest.raises(OSError, match=r"\[Errno \d+\]"):
        secrecy.keep_secrets()
