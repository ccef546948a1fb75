"""SIGTERM with work under way: downloads and logins end well, websockets are closed so that pages reconnect; exit is 0."""

import asyncio
import hashlib
import json
import random
import signal
import time

import pytest
from steady_clients import Download, close_code, open_stream, open_websocket

from nbgate.testing.gateway import USER, running_gateway
from nbgate.testing.stub_upstream import StubUpstream, answer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

DOWNLOADS = 20
WEBSOCKETS = 20
LOGINS = 5
BODY = random.Random(1).randbytes(8 << 20)
BYTES_PER_SECOND = 1 << 20
SERVICE_RESTART = 1012
JITTER_SECONDS = 5.0
REFUSED_SECONDS = 1.0
"""A client that comes now is refused at once: it could wait for this gateway for ever."""
EXIT_SECONDS = 35.0
LOGINS_TAKE = "[login]\nmemory_kib = 65536\ntime_cost = 3\nqueue_seconds = 20.0\n"
"""As long as they take outside a test, some of them still waiting for their turn when the end is asked for."""


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def gateway(request, tmp_path):
    with StubUpstream(default_answer=answer(BODY)).in_thread() as stub:
        flags, upstream = ("--allow-open-upstream",), f"127.0.0.1:{stub.port}"
        with running_gateway(tmp_path, upstream, flags=flags, workers=request.param, config=LOGINS_TAKE) as running:
            yield running


async def begin_login(gateway):
    """Send a login; return the connection on which its answer is to come."""
    reader, writer = await open_stream(gateway)
    body = json.dumps({"username": USER, "password": gateway.password})
    lines = ["POST /_nbgate/api/login HTTP/1.1", f"Host: {gateway.host}", f"Origin: {gateway.base_url}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", body]
    writer.write("\r\n".join(lines).encode())
    return reader, writer


async def end_login(reader, writer):
    """Return the status line."""
    async with asyncio.timeout(EXIT_SECONDS):
        line = await reader.readline()
    writer.transport.abort()
    return line


async def accepts(gateway):
    try:
        _, writer = await open_stream(gateway)
    except OSError:
        return False
    writer.transport.abort()
    return True


async def under_way(downloads):
    async with asyncio.timeout(20):
        while not all(download.got for download in downloads):
            await asyncio.sleep(0.01)


async def test_sigterm_lets_downloads_end_and_closes_websockets_for_a_reconnect(gateway):
    cookie = gateway.login()
    sockets = [await open_websocket(gateway, cookie) for _ in range(WEBSOCKETS)]
    downloads = [Download(gateway, cookie, "/files/big", per_second=BYTES_PER_SECOND) for _ in range(DOWNLOADS)]
    async with asyncio.TaskGroup() as group:
        for download in downloads:
            group.create_task(download.run())
        await under_way(downloads)
        logins = [await begin_login(gateway) for _ in range(LOGINS)]
        gateway.program.process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        assert all(download.got < download.total / 2 for download in downloads)
        async with asyncio.timeout(REFUSED_SECONDS):
            while await accepts(gateway):
                pass
        async with asyncio.timeout(JITTER_SECONDS + 2):
            codes = await asyncio.gather(*(close_code(socket) for socket in sockets))
        assert any(download.got < download.total for download in downloads), "nothing was under way any more"
        answered = await asyncio.gather(*(end_login(*login) for login in logins))
    ended = await asyncio.to_thread(gateway.program.wait, EXIT_SECONDS)
    took = time.monotonic() - asked
    assert [SERVICE_RESTART] * WEBSOCKETS == codes
    assert {hashlib.sha256(BODY).digest()} == {download.digest.digest() for download in downloads}
    assert [b"HTTP/1.1 200 OK\r\n"] * LOGINS == answered
    assert 0 == ended, gateway.program.said()
    assert took < EXIT_SECONDS
    check_audit(gateway)


def check_audit(gateway):
    """Every download and every websocket has its record, and each download ended well."""
    records = gateway.audit()
    files = [record for record in records if record.get("url.path") == "/files/big"]
    assert [("success", len(BODY))] * DOWNLOADS == [
        (record.get("event.outcome", "success"), record["http.response.body.bytes"]) for record in files
    ]
    closed = [record for record in records if record["event.action"] == "websocket.close"]
    assert WEBSOCKETS == len(closed)
