"""Websockets of people who are there when a fault happens, and the program behind the gateway that has it."""

import asyncio
import contextlib
import sys
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from nbgate.testing.process import Program, is_running, kill_quietly

PROGRAM = Path(__file__).with_name("echo_upstream.py")
CHANNELS = "api/kernels/1/channels"


@contextlib.contextmanager
def echo_upstream(folder, port):
    """Run the echo on `port`; the test may kill, stop and start it."""
    program = Program([sys.executable, str(PROGRAM), str(port)], folder / f"echo-{port}.log")
    program.start()
    program.wait_for_line("ready")
    try:
        yield program
    finally:
        if is_running(program.pid):
            kill_quietly(program.pid)
        program.wait()


def open_websocket(gateway, cookie, base="/", **options):
    """Return a kernel's websocket, to be awaited or entered."""
    return connect(
        f"wss://localhost:{gateway.port}{base}{CHANNELS}",
        ssl=gateway.certificate.client_context(),
        origin=gateway.base_url,
        additional_headers={"Cookie": cookie},
        **{"compression": None, "proxy": None, "ping_interval": None, **options},
    )


async def echoes(websocket, text="here"):
    """Send something and see it come back."""
    await websocket.send(text)
    async with asyncio.timeout(10):
        assert text == await websocket.recv()


async def close_code(websocket):
    """Wait for the close of the other side; return its code, None where there was none."""
    try:
        while True:
            await websocket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
