"""Somebody between the gateway and a notebook server who passes every byte on and keeps what the gateway sends."""

import asyncio
import contextlib

from between import Between

CHUNK_BYTES = 1 << 16


class Tap(Between):
    """Stands in front of the server at `upstream`; `heard` is what came for it."""

    def __init__(self, upstream):
        super().__init__()
        self.heard = bytearray()
        self._upstream = upstream

    async def carry(self, reader, writer):
        answers, out = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, out, self.heard))
                group.create_task(pump(answers, writer))
        finally:
            out.transport.abort()


async def pump(reader, writer, heard=None):
    """Pass on what one side sends, until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            if heard is not None:
                heard += data
            writer.write(data)
            await writer.drain()
        writer.write_eof()
