"""What the kernel keeps from a worker: proven by a child that was confined by the worker's own call, and by /proc."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbgate.edge import landlock

pytestmark = pytest.mark.skipif(landlock.abi_version() == 0, reason="this kernel offers no landlock")

CHILD = """
import json, sys
from nbgate.edge.confine import confine_worker
confine_worker()
seen = {}
for mode, path in json.load(sys.stdin):
    try:
        open(path, mode).close()
        seen[mode + " " + path] = "open"
    except OSError as error:
        seen[mode + " " + path] = type(error).__name__
print(json.dumps(seen))
"""


def ask(paths):
    """Return what a confined child of ours gets when it opens each (mode, path)."""
    done = subprocess.run([sys.executable, "-c", CHILD], input=json.dumps(paths), capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    return json.loads(done.stdout)


def test_a_confined_child_opens_neither_store_nor_audit_nor_keys(stub_gateway):
    stub_gateway.login()
    files = [path for path in stub_gateway.data.rglob("*") if path.is_file()]
    kinds = {path.name.split(".")[-1] for path in files}
    assert {"db", "jsonl", "key"} <= kinds
    wanted = [(mode, str(path)) for path in [*files, stub_gateway.certificate.pem] for mode in ("rb", "r+b", "ab")]
    seen = ask(wanted)
    assert {"PermissionError"} == set(seen.values())
    assert len(wanted) == len(seen)


def test_a_confined_child_makes_no_file_and_still_reads_its_own_program(stub_gateway):
    new = str(stub_gateway.data / "audit" / "new.jsonl")
    program = json.__file__
    expected = {f"wb {new}": "PermissionError", f"rb {program}": "open", f"wb {os.devnull}": "open"}
    assert expected == ask([("wb", new), ("rb", program), ("wb", os.devnull)])


def test_the_running_worker_has_no_capability_and_gains_none(stub_gateway):
    (pid,) = stub_gateway.processes("worker")
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    sets = {name: int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    assert {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapAmb": 0} == sets
    assert "1" == fields["NoNewPrivs"]


def test_status_says_what_the_kernel_enforces(stub_gateway):
    workers = [entry for entry in stub_gateway.status()["processes"] if entry["role"] == "worker"]
    assert all("no_new_privs" in entry["confinement"] for entry in workers)
    assert workers
