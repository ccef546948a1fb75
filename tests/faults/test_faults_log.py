"""F34: nobody reads what the gateway says: its standard error is a pipe that is full.

Pass: no request waits longer than 100 ms for it; the supervisor goes on doing its work; the audit holds every request;
when somebody reads again they are told how many lines are missing; the gateway ends as it should.
"""

import contextlib
import os
import re
import signal
import subprocess
import time

import pytest
from books import QUIET_PROBE

from nbgate.testing.gateway import CHEAP_LOGIN, prepare_gateway
from nbgate.testing.wait import wait_until

REQUESTS = 100
SECONDS = 0.1
RELOADS = 5


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def gateway(stub, pipe, tmp_path):
    reading, writing = pipe
    made = prepare_gateway(
        tmp_path, f"127.0.0.1:{stub.port}", flags=("--allow-open-upstream",), config=CHEAP_LOGIN + QUIET_PROBE
    )
    made.add_user()
    program = made.program
    environment = {**os.environ, **program.environment}
    program.process = subprocess.Popen(program.command, stdin=subprocess.DEVNULL, stderr=writing, env=environment)
    try:
        made.port = int(heard(reading, rb"listening on https://\S+?:(\d+)")[1])
        yield made
    finally:
        program.log.touch()
        program.end()


def fill(writing):
    """Fill the pipe, by a descriptor of our own: the gateway's stays as it is."""
    own = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK)
    for size in (4096, 1):
        try:
            while True:
                os.write(own, b"." * size)
        except BlockingIOError:
            continue
    os.close(own)


def test_f34_a_log_that_nobody_reads_stops_nothing(gateway, pipe):
    reading, writing = pipe
    cookie = gateway.login()
    fill(writing)
    for _ in range(RELOADS):  # each one is said by the keeper or the supervisor
        (gateway.folder / "nbgate.toml").write_text("nonsense = 1\n")
        assert 78 == gateway.command("reload").returncode
    (worker,) = gateway.processes("worker")
    os.kill(worker, signal.SIGKILL)  # the supervisor says so, and starts another one
    wait_until(lambda: gateway.processes("worker") not in ([], [worker]), what="another worker")
    wait_until(lambda: answers(gateway, cookie), what="it serves")
    taken = []
    with gateway.client() as client:
        for number in range(REQUESTS):
            head = f"GET /api/contents/n{number} HTTP/1.1\r\nHost: {gateway.host}\r\nCookie: {cookie}\r\n\r\n"
            begun = time.monotonic()
            client.send(head.encode())
            assert 200 == client.read_answer().status
            taken.append(time.monotonic() - begun)
    assert max(taken) < SECONDS
    paths = {f"/api/contents/n{number}" for number in range(REQUESTS)}
    wait_until(lambda: paths <= {record.get("url.path") for record in gateway.audit()}, what="a record of each")
    what_came(reading)
    os.kill(gateway.processes("worker")[0], signal.SIGKILL)  # something to say again
    assert int(heard(reading, rb"nbgate: (\d+) lines are missing here")[1]) > 0
    fill(writing)
    gateway.program.process.terminate()
    assert 0 == gateway.program.wait(15)


def answers(gateway, cookie):
    try:
        return 200 == gateway.request("GET", "/api/contents/first", headers={"Cookie": cookie})[0]
    except OSError:
        return False


def what_came(reading):
    said = b""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(reading, 1 << 16):
            said += data
    return said


def heard(reading, pattern):
    said = bytearray()

    def look():
        said.extend(what_came(reading))
        return re.search(pattern, bytes(said))

    return wait_until(look, what=str(pattern), deadline_seconds=20)
