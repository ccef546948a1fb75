"""F32: an upstream named `localhost`, which many machines resolve to ::1 first.

Pass: 127.0.0.1 is asked, within 300 ms, whether nobody or somebody else listens on ::1; who listens there is sent
nothing. An upstream that is not this machine is refused at the start, without a name being looked up.
"""

import contextlib
import errno
import socket
import time

import pytest
from books import QUIET_PROBE

from nbgate.errors import ExitCode
from nbgate.testing.gateway import CHEAP_LOGIN, prepare_gateway, running_gateway

SECONDS = 0.3
FLAGS = ("--allow-open-upstream",)


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError as error:
        if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            raise
        return False


@pytest.mark.parametrize(
    "somebody_else", [False, pytest.param(True, marks=pytest.mark.skipif(not has_ipv6(), reason="no ::1"))]
)
def test_f32_localhost_is_asked_on_ipv4_at_once(stub, tmp_path, somebody_else):
    upstream = f"localhost:{stub.port}"
    with contextlib.ExitStack() as stack:
        decoy = None
        if somebody_else:
            decoy = stack.enter_context(socket.create_server(("::1", stub.port), family=socket.AF_INET6))
            decoy.setblocking(False)
        gateway = stack.enter_context(
            running_gateway(tmp_path, upstream, flags=FLAGS, config=CHEAP_LOGIN + QUIET_PROBE)
        )
        cookie = gateway.login()
        with gateway.client() as client:
            begun = time.monotonic()
            client.send(f"GET /api/contents HTTP/1.1\r\nHost: {gateway.host}\r\nCookie: {cookie}\r\n\r\n".encode())
            assert 200 == client.read_answer().status
            assert time.monotonic() - begun < SECONDS
        if decoy is not None:
            with pytest.raises(BlockingIOError):
                decoy.accept()


@pytest.mark.parametrize(
    "address", ["192.0.2.7:8888", "[2001:db8::7]:8888", "notebooks.example:8888", "ip6-localhost:8888"]
)
def test_f32_an_upstream_that_is_not_this_machine_is_refused(tmp_path, address):
    gateway = prepare_gateway(tmp_path, address, flags=FLAGS)
    gateway.program.start()
    assert ExitCode.USAGE == gateway.program.wait()
    assert "hint:" in gateway.program.said()
