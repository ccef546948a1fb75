"""Somebody between browser and gateway: ends TLS with the gateway's own certificate, and meddles with websockets.

Every plain request gets a connection of its own, so that the head of each one can be looked at.
"""

import asyncio
import contextlib
import ssl

from between import Between

HEAD_END = b"\r\n\r\n"
SMALL_BYTES = 64 << 10
LATE_SECONDS = 2.5
CHUNK_BYTES = 1 << 16

PASS, STRIP, KILL, HOLD_ANSWER, HOLD_FRAMES, DELAY, CUT_LARGE = (
    "pass",
    "drop the Upgrade header",
    "kill the connection of a handshake",
    "hold the answer to a handshake",
    "hold all frames",
    "delay all frames",
    "cut a connection with a large message",
)


class Meddler(Between):
    """Stands in front of the gateway; `way` says what is done to websockets, from the next one on."""

    def __init__(self, gateway, host):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(gateway.certificate.pem)
        super().__init__(context)
        self.way = PASS
        self._gateway = gateway
        self._host = host

    async def carry(self, reader, writer):
        head = await reader.readuntil(HEAD_END)
        is_handshake = b"\r\nupgrade: websocket\r\n" in head.lower()
        way = self.way if is_handshake else PASS
        if way is KILL:
            return
        if way is STRIP or not is_handshake:
            head = one_request(head)
        upstream, out = await asyncio.open_connection(
            "127.0.0.1",
            self._gateway.port,
            ssl=self._gateway.certificate.client_context(),
            server_hostname=self._host,
        )
        try:
            out.write(head)
            async with asyncio.TaskGroup() as group:
                up = group.create_task(pump_up(reader, out, way))
                await pump_down(upstream, writer, way)
                up.cancel()
        finally:
            out.transport.abort()


def one_request(head):
    """Return `head` without an Upgrade, for a connection that ends with its answer."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"upgrade:", b"connection:"))]
    return b"\r\n".join([lines[0], b"Connection: close", *lines[1:]])


async def pump_up(reader, out, way):
    """Pass on what the browser sends."""
    passed = 0
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(CHUNK_BYTES):
            passed += len(data)
            if way is CUT_LARGE and passed > SMALL_BYTES:
                out.transport.abort()
                return
            if way is not HOLD_FRAMES:
                out.write(data)
                await out.drain()


async def pump_down(upstream, writer, way):
    """Pass on what the gateway sends, until it or the browser ends."""
    with contextlib.suppress(OSError, ssl.SSLError):
        if way is DELAY:
            writer.write(await upstream.readuntil(HEAD_END))
        while data := await upstream.read(CHUNK_BYTES):
            if way is HOLD_ANSWER:
                continue
            if way is DELAY:
                await asyncio.sleep(LATE_SECONDS)
            writer.write(data)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
        await writer.wait_closed()
