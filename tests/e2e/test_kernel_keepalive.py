"""A cell that says nothing for long, behind a proxy that cuts what is idle: pings keep the kernel's websocket open.

The time is short here: the proxy cuts after seconds, and the cell is quiet for several times as long.
"""

import asyncio
import contextlib
import json
import uuid

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

IDLE_SECONDS = 1.5
QUIET_SECONDS = 4 * IDLE_SECONDS
ANSWER_SECONDS = 30.0
PIECE_BYTES = 1 << 16


@pytest.fixture
def gateway(jupyter, tmp_path, request):
    config = f"{CHEAP_LOGIN}[limits]\nwebsocket_ping_seconds = {request.param}\n"
    environment = {"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)}
    with running_gateway(tmp_path, f"localhost:{jupyter.port}", config=config, environment=environment) as running:
        yield running


@contextlib.asynccontextmanager
async def proxy(port, impatient):
    """Relay to `port`; once `impatient` is set, cut what is idle for `IDLE_SECONDS`. Give its own port."""

    relays = {}

    async def relay(reader, writer):
        relays[asyncio.current_task()] = writer
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as idle:
                await asyncio.gather(pump(idle, reader, inner_writer), pump(idle, inner_reader, writer))

    async def pump(idle, reader, writer):
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(PIECE_BYTES):
                    if impatient.is_set():
                        idle.reschedule(asyncio.get_running_loop().time() + IDLE_SECONDS)
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    for writer in relays.values():
        writer.transport.abort()
    await asyncio.gather(*relays)


def start_kernel(gateway, cookie):
    headers = {"Cookie": cookie, "Origin": gateway.base_url, "Content-Type": "application/json"}
    status, _, body = gateway.request("POST", "/api/kernels", body="{}", headers=headers)
    assert 201 == status
    return json.loads(body)["id"]


def execute(code):
    """Return an execute_request as a notebook page sends it."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": "s",
        "username": "",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    return json.dumps(
        {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
    )


async def printed(websocket):
    """Return what the next cell prints."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            message = json.loads(await websocket.recv())
            if message["msg_type"] == "stream":
                return message["content"]["text"]


async def run_quiet_cells(gateway):
    """Run a cell, then one that is long silent; return what both print."""
    impatient = asyncio.Event()
    cookie = await asyncio.to_thread(gateway.login)
    kernel = await asyncio.to_thread(start_kernel, gateway, cookie)
    async with (
        proxy(gateway.port, impatient) as port,
        connect(
            f"wss://{gateway.host}/api/kernels/{kernel}/channels",
            host="127.0.0.1",
            port=port,
            ssl=gateway.certificate.client_context(),
            additional_headers={"Cookie": cookie},
            origin=gateway.base_url,
            compression=None,
            ping_interval=None,
            proxy=None,
        ) as websocket,
    ):
        await websocket.send(execute("print('begun')"))
        first = await printed(websocket)
        impatient.set()
        await websocket.send(execute(f"import time; time.sleep({QUIET_SECONDS}); print(6*7)"))
        return first + await printed(websocket)


@pytest.mark.parametrize("gateway", [0.3], indirect=True)
async def test_output_arrives_after_a_long_silence(gateway):
    assert "begun\n42\n" == await run_quiet_cells(gateway)


@pytest.mark.parametrize("gateway", [0], indirect=True)
async def test_without_pings_the_proxy_would_have_cut_it(gateway):
    with pytest.raises(ConnectionClosed):
        await run_quiet_cells(gateway)
