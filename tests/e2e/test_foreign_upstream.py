"""Another user listens in the notebook server's place (T46): it is sent not one byte, and everybody is told why."""

import os
import socket
import threading
from contextlib import ExitStack, contextmanager

import pytest

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a socket of another user"),
]

NOBODY = 65534
QUIET_PROBE = "[probe]\ninterval_seconds = 86400.0\n"


@contextmanager
def stranger(port=0):
    """Listen as another user; bring the port, and all that was received there."""
    os.seteuid(NOBODY)
    try:
        server = socket.create_server(("127.0.0.1", port))
    finally:
        os.seteuid(0)
    received, accepted = [], []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            accepted.append(connection)
            with connection:
                received.append(connection.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], received
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def test_a_stranger_at_the_start_is_named_and_sent_nothing(tmp_path):
    with stranger() as (port, received), running_gateway(tmp_path, f"127.0.0.1:{port}") as gateway:
        cookie = gateway.login()
        status, _, body = gateway.request("GET", "/lab", headers={"Cookie": cookie})
        assert (502, True) == (status, b"upstream-uid-mismatch" in body)
        (shown,) = gateway.status()["upstreams"]
        assert "foreign" == shown["condition"]
        assert f"(uid {NOBODY}), so it is sent nothing; if that is meant: --upstream-user nobody" in shown["hint"]
        assert {b""} == set(received)


def test_a_stranger_who_takes_the_port_later_is_seen_by_the_worker(tmp_path):
    flags = ("--allow-open-upstream",)
    with ExitStack() as before:
        port = before.enter_context(StubUpstream().in_thread()).port
        running = running_gateway(tmp_path, f"127.0.0.1:{port}", flags=flags, config=CHEAP_LOGIN + QUIET_PROBE)
        with running as gateway:
            cookie = gateway.login()
            assert 200 == gateway.request("GET", "/lab", headers={"Cookie": cookie})[0]
            before.close()
            with stranger(port) as (_, received):
                status, _, body = gateway.request("GET", "/lab", headers={"Cookie": cookie})
                assert (502, True) == (status, b"upstream-uid-mismatch" in body)
                wait_until(lambda: gateway.status()["upstreams"][0]["condition"] == "foreign", what="the keeper's look")
                assert {b""} == set(received)


def test_a_user_who_is_named_is_believed(tmp_path):
    with stranger() as (port, received):
        with running_gateway(tmp_path, f"127.0.0.1:{port}", flags=("--upstream-user", "nobody")) as gateway:
            assert "down" == gateway.status()["upstreams"][0]["condition"]  # it hangs up, but it was asked
        assert any(asked.startswith(b"GET /api/contents ") for asked in received)
