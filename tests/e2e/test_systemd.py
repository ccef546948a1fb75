"""The unit for one user's service manager: its words are those of the command line, and it holds what it promises."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import nbgate
from nbgate.resources import data_path
from nbgate.testing.process import Program
from nbgate.testing.wait import wait_until

UNIT = data_path("deploy", "systemd", "nbgate.service")
CHECKOUT = Path(nbgate.__file__).resolve().parents[1]
NEEDS = (os.geteuid() == 0, *(shutil.which(tool) for tool in ("systemctl", "unshare", "mount")))
MANAGER = "/lib/systemd/systemd"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def setting(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return value


@pytest.fixture
def home(tmp_path):
    """A home in which nbgate is installed as `pip install --user` does it, and knows which port it may have."""
    program = tmp_path / ".local/bin/nbgate"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {sys.executable} -P -m nbgate "$@"\n')
    program.chmod(0o755)
    config = tmp_path / "nbgate.toml"
    config.write_text("port = 0\n[login]\nmemory_kib = 8192\ntime_cost = 1\n")
    return tmp_path


def environment(home) -> dict[str, str]:
    return {
        "HOME": str(home),
        "NBGATE_CONFIG": str(home / "nbgate.toml"),
        "NBGATE_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "none"),
    }


def test_its_words_start_a_gateway_that_says_when_it_is_ready_reloads_and_ends(home):
    words = shlex.split(setting("ExecStart").replace("%h", str(home)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(home / "notify"))
        manager.settimeout(30)
        program = Program(words, home / "log", {**environment(home), "NOTIFY_SOCKET": str(home / "notify")})
        program.start()
        try:
            assert b"READY=1" == manager.recv(1000)
            program.wait_for_line(r"the link that makes the first account is in")
            assert ["/bin/kill", "-HUP", "$MAINPID"] == setting("ExecReload").split()
            os.kill(program.pid, signal.SIGHUP)
            assert manager.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert b"READY=1" == manager.recv(1000)
        finally:
            code = program.end()
        assert (b"STOPPING=1", 0) == (manager.recv(1000), code)
    assert "notify" not in setting("ExecStart")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_it(home, tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(UNIT)],
        env={**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


SESSION = """
set -e
mount -t tmpfs tmpfs /run/systemd
mkdir /run/systemd/system
trap 'kill $manager' EXIT
{manager} --user > manager.log 2>&1 & manager=$!
for _ in $(seq 100); do test -S $XDG_RUNTIME_DIR/systemd/private && break; sleep 0.1; done
systemctl --user import-environment NBGATE_CONFIG NBGATE_DATA_DIR JUPYTER_RUNTIME_DIR
systemctl --user start nbgate
.local/bin/nbgate status --format json > status.json
systemctl --user reload nbgate
for _ in $(seq 100); do
    .local/bin/nbgate status --format json | grep -q '"policy_version": 2' &&
        systemctl --user show nbgate -p ActiveState | grep -q =active && break
    sleep 0.1
done
systemctl --user show nbgate -p ActiveState -p NRestarts
systemctl --user stop nbgate
systemctl --user show nbgate -p ActiveState -p Result
"""


@pytest.mark.skipif(not (all(NEEDS) and Path(MANAGER).exists()), reason="needs root, systemd and unshare")
def test_a_real_service_manager_runs_it_with_all_its_restrictions(home, tmp_path):
    """In a mount namespace of its own, because systemd asks whether it is the machine's init."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    Path("/run/systemd").mkdir(exist_ok=True)
    units = home / ".config/systemd/user"
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", SESSION.format(manager=MANAGER)],
        env={
            **os.environ,
            **environment(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(home / ".config"),
        },
        cwd=home,
        capture_output=True,
        text=True,
        timeout=100,
    )
    shown = ["NRestarts=0", "ActiveState=active", "Result=success", "ActiveState=inactive"]
    assert (0, shown) == (done.returncode, done.stdout.split()), done.stderr
    status = (home / "status.json").read_text()
    assert [] == [word for word in ("no_new_privs", "landlock", "no programs, no signals") if word not in status]
    wait_until(lambda: not (home / "data/control.sock").exists(), what="the end")
