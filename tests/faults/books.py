"""What a fault may not leave behind: descriptors and connections of a real gateway, counted before and after."""

import contextlib
from pathlib import Path

from nbgate.testing.wait import wait_until

SETTLE_SECONDS = 10.0
QUIET_PROBE = "[probe]\ninterval_seconds = 86400.0\n"
"""The keeper looks at the stub once, at the start: every later connection there is a test's."""


def descriptors(pid):
    """Return how many descriptors `pid` has open; 0 where only root may count them."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:
        return 0


def resident_bytes(pid):
    """Return the memory of `pid` that is in use."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10


@contextlib.contextmanager
def nothing_left(gateway, stub):
    """Run the block, and see that no process keeps a descriptor of it, nor the stub a connection."""

    def is_idle():
        return all(connection.ended.is_set() for connection in stub.connections) and not connections(gateway)

    wait_until(is_idle, what="no connection before", deadline_seconds=SETTLE_SECONDS)
    before = {pid: descriptors(pid) for role in ("worker", "keeper") for pid in gateway.processes(role)}
    yield
    wait_until(is_idle, what="no connection left", deadline_seconds=SETTLE_SECONDS)

    def grown():
        return {pid: count for pid, count in before.items() if descriptors(pid) > count}

    wait_until(lambda: not grown(), what="as few descriptors as before", deadline_seconds=SETTLE_SECONDS)


def connections(gateway):
    """Return how many connections the workers hold, as `nbgate status` says."""
    return sum(process.get("connections", 0) for process in gateway.status()["processes"])


def record_of(gateway, path):
    """Return the audit record of the one request for `path`."""

    def look():
        return [record for record in gateway.audit() if record.get("url.path") == path]

    (record,) = wait_until(look, what=f"the record of {path}")
    return record


def let_go(stub, event):
    """Set an event that a script of the stub waits for: it lives on the stub's own loop."""
    stub._server.get_loop().call_soon_threadsafe(event.set)


def get(gateway, cookie, path):
    return f"GET {path} HTTP/1.1\r\nHost: {gateway.host}\r\nCookie: {cookie}\r\n\r\n".encode()
