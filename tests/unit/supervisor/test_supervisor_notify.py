"""What the service manager is told, on a real socket of each kind."""

import os
import socket

import pytest

from nbgate.supervisor.notify import READY, Notifier, reloading


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_hears_each_state(tmp_path, kind):
    address = str(tmp_path / "notify") if kind == "path" else f"@nbgate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0", 1))
        notify = Notifier(address)
        notify(READY)
        notify(reloading())

        assert b"READY=1" == manager.recv(100)
        first, second = manager.recv(100).decode().split("\n")
        assert ("RELOADING=1", "MONOTONIC_USEC") == (first, second.split("=")[0])
        assert int(second.split("=")[1]) > 0


@pytest.mark.parametrize("address", ["", "/nonexistent/notify"])
def test_where_nobody_listens_nothing_happens(address):
    Notifier(address)(READY)
