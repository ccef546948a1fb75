"""Somebody between the gateway and a notebook server who passes every byte on and keeps what the gateway sends."""

import asyncio
import contextlib
import threading

CHUNK_BYTES = 1 << 16


class Tap:
    """Listens on `port` while it is entered, in front of the server at `upstream`; `heard` is what came for it."""

    def __init__(self, upstream):
        self.port = 0
        self.heard = bytearray()
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tap", daemon=True)
        self._tasks = set()

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *exc):
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            answers, out = await asyncio.open_connection("127.0.0.1", self._upstream)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(pump(reader, out, self.heard))
                    group.create_task(pump(answers, writer))
            finally:
                out.transport.abort()
        writer.transport.abort()


async def pump(reader, writer, heard=None):
    """Pass on what one side sends, until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            if heard is not None:
                heard += data
            writer.write(data)
            await writer.drain()
        writer.write_eof()
