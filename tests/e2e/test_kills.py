"""kill -9 of a worker and of the keeper under traffic: back at once, nobody logged out, nothing forgotten."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from audit_reader import broken_links, processes
from traffic import PATH, Traffic

from nbgate.errors import ExitCode
from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

KILLS = 20
BACK_SECONDS = 2.0
HOLD_SECONDS = 1.0
PASSWORD = "a long password of bob"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def gateway(request, tmp_path):
    with StubUpstream().in_thread() as stub:
        flags, upstream = ("--allow-open-upstream",), f"127.0.0.1:{stub.port}"
        with running_gateway(tmp_path, upstream, flags=flags, workers=request.param, config=CHEAP_LOGIN) as running:
            running.add_user("bob", PASSWORD)
            yield running


def status_of(gateway, cookie):
    return gateway.request("GET", PATH, headers={"Cookie": cookie})[0]


def kill_one(gateway, role):
    """Kill one process of `role`; return its id and how many of its kind there were."""
    before = gateway.processes(role)
    os.kill(before[0], signal.SIGKILL)
    return before[0], len(before)


def is_back(gateway, role, pid, count):
    """Say whether there are `count` processes of `role` without `pid`, and they do what they are for."""
    now = gateway.processes(role)
    if pid in now or len(now) != count:
        return False
    try:
        return gateway.request("GET", "/_nbgate/login")[0] == 200
    except OSError:
        return False


def revoke(gateway, number, cookie):
    """End bob's session, in one round by his own logout, in the next by a new password; done means done."""
    if number % 2:
        headers = {"Cookie": cookie, "Origin": gateway.base_url, "Content-Type": "application/json"}

        def log_out():
            try:
                return gateway.request("POST", "/_nbgate/api/logout", headers=headers)[0] in {200, 204, 401}
            except OSError:
                return False

        wait_until(log_out, what="bob's logout", deadline_seconds=5)
    else:

        def set_password():
            done = gateway.command("user", "passwd", "bob", "--password-stdin", input_text=f"{PASSWORD}\n")
            assert done.returncode in {0, ExitCode.TRY_AGAIN}, done.stderr  # it may be asked in the moment it ends
            return not done.returncode

        wait_until(set_password, what="bob's new password", deadline_seconds=5)


def play_round(gateway, role, number, traffic, pool):
    """Kill, revoke meanwhile, and see both done in time; return the id that was killed."""
    bobs = wait_until(lambda: try_login(gateway), what="bob's login")
    assert 200 == status_of(gateway, bobs)
    pid, count = kill_one(gateway, role)
    killed_at = time.monotonic()
    revoked = pool.submit(revoke, gateway, number, bobs)
    wait_until(lambda: is_back(gateway, role, pid, count), what=f"{role} back", deadline_seconds=BACK_SECONDS)
    wait_until(lambda: traffic.last_ok > killed_at, what="ada goes on", deadline_seconds=BACK_SECONDS)
    revoked.result(timeout=20)
    wait_until(lambda: status_of(gateway, bobs) == 401, what="bob is out", deadline_seconds=HOLD_SECONDS)
    return pid


@pytest.mark.parametrize("role", ["worker", "keeper"])
def test_a_killed_process_is_replaced_and_nothing_is_forgotten(gateway, role):
    adas = gateway.login()
    with Traffic(gateway, adas) as traffic, ThreadPoolExecutor(1) as pool:
        killed = [play_round(gateway, role, number, traffic, pool) for number in range(KILLS)]
        assert 200 == status_of(gateway, adas)
    assert {200} == set(traffic.statuses)
    check_audit(gateway, role, killed)
    check_status(gateway, role, killed)


def try_login(gateway):
    try:
        return gateway.login("bob", PASSWORD)
    except (OSError, RuntimeError):
        return None


def check_audit(gateway, role, killed):
    assert [] == broken_links(gateway.audit_lines())
    exited = wait_until(
        lambda: (seen := processes(gateway.audit(), role, "exited")) and set(killed) <= set(seen) and seen,
        what="the ends in the audit",
    )
    assert sorted(killed) == sorted(exited)


def check_status(gateway, role, killed):
    status = gateway.status()
    entries = [entry for entry in status["processes"] if entry["role"] == role]
    assert KILLS == sum(entry["restarts"] for entry in entries)
    assert sorted(gateway.processes(role)) == sorted(entry["pid"] for entry in entries)
    assert not set(killed) & {entry["pid"] for entry in entries}
