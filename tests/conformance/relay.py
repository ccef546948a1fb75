"""What stands around the gateway in a conformance run: an echo behind it, and in front what a browser would add.

The suite speaks plain websocket and has neither cookie nor Origin. The relay puts both into the handshake and TLS around
everything; of the frames it changes no byte.
"""

import asyncio
import contextlib
import logging

from websockets.asyncio.server import serve

HEAD_END = b"\r\n\r\n"
PIECE_BYTES = 1 << 16
SILENT = logging.getLogger("conformance.echo")
SILENT.setLevel(logging.CRITICAL)  # it reports every broken frame, and those are the point


@contextlib.asynccontextmanager
async def running_echo():
    """Run a websocket echo without limits, as a notebook server would be; give its port."""

    async def echo(websocket):
        async for message in websocket:
            await websocket.send(message)

    def answer(connection, request):
        return None if "Upgrade" in request.headers else connection.respond(200, "ok\n")  # the keeper looks at it

    async with serve(
        echo, "127.0.0.1", 0, max_size=None, ping_interval=None, process_request=answer, logger=SILENT
    ) as server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def running_relay(gateway, cookie):
    """Run a relay into `gateway`; give its port."""

    async def relay(reader, writer):
        with contextlib.suppress(OSError, EOFError):
            await carry(gateway, cookie, reader, writer)
        writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def carry(gateway, cookie, reader, writer):
    """Send the handshake on with what a browser adds, then every byte, until either side ends."""
    request, *lines = (await reader.readuntil(HEAD_END)).removesuffix(HEAD_END).decode().split("\r\n")
    lines = [line for line in lines if not line.lower().startswith(("host:", "origin:"))]
    lines += [f"Host: {gateway.host}", f"Origin: {gateway.base_url}", f"Cookie: {cookie}"]
    context = gateway.certificate.client_context()
    inner_reader, inner_writer = await asyncio.open_connection("localhost", gateway.port, ssl=context)
    try:
        inner_writer.write("\r\n".join([request, *lines, "", ""]).encode())
        ways = [asyncio.create_task(pump(reader, inner_writer)), asyncio.create_task(pump(inner_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    finally:
        inner_writer.close()


async def pump(reader, writer):
    while data := await reader.read(PIECE_BYTES):
        writer.write(data)
        await writer.drain()
