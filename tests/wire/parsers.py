"""Three servers that people run behind gateways, each with its own reader of HTTP: Tornado, h11, aiohttp.

Each answers with what it was asked, and keeps every whole request as it read it. They run on one loop in a thread, on
ports of loopback. They judge nothing, and share no line of code with nbgate or with each other.
"""

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field

import h11
from aiohttp import web
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, ResponseStartLine

MAX_BODY_BYTES = 1 << 60  # none of them refuses a body for its length: that would be an early answer, not a reading
MAX_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Parsed:
    """One whole request as a server read it; `id` is the gateway's."""

    method: str
    target: str
    body: bytes
    id: str


@dataclass(slots=True)
class Server:
    """A running server."""

    name: str
    port: int = 0
    parsed: list[Parsed] = field(default_factory=list)

    def take(self, method, target, body, request_id):
        """Note a request, and return the body of its answer: no other request's answer looks like it."""
        self.parsed.append(Parsed(method, target, body, request_id))
        return text_of(method, target)


def text_of(method, target):
    return f"{method} {target}\n".encode()


def bind(server):
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    listening.setblocking(False)
    server.port = listening.getsockname()[1]
    return listening


async def serve_tornado(server, stack):
    def handle(request):
        body = server.take(request.method, request.uri, request.body, request.headers.get("X-Request-ID", ""))
        headers = HTTPHeaders({"Content-Type": "text/plain", "Content-Length": str(len(body))})
        sent = b"" if request.method == "HEAD" else body
        request.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, sent)
        request.connection.finish()

    serving = HTTPServer(handle, max_header_size=MAX_HEAD_BYTES, max_body_size=MAX_BODY_BYTES)
    serving.add_socket(bind(server))
    stack.push_async_callback(serving.close_all_connections)
    stack.callback(serving.stop)


async def serve_aiohttp(server, stack):
    async def handle(request):
        body = server.take(
            request.method, request.raw_path, await request.read(), request.headers.get("X-Request-ID", "")
        )
        return web.Response(body=body, content_type="text/plain")

    runner = web.ServerRunner(
        web.Server(
            handle, max_line_size=MAX_HEAD_BYTES, max_field_size=MAX_HEAD_BYTES, max_headers=256, auto_decompress=False
        )
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, bind(server)).start()


async def serve_h11(server, stack):
    async def converse(reader, writer):
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        with contextlib.suppress(ConnectionError, h11.RemoteProtocolError):
            while await answer_one(connection, reader, writer):
                connection.start_next_cycle()
        writer.close()

    async def answer_one(connection, reader, writer):
        request, body = None, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(1 << 16))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        sent = server.take(
            request.method.decode(),
            request.target.decode("latin-1"),
            body,
            dict(request.headers).get(b"x-request-id", b"").decode(),
        )
        head = h11.Response(
            status_code=200, headers=[("Content-Type", "text/plain"), ("Content-Length", str(len(sent)))]
        )
        data = [head, *([] if request.method == b"HEAD" else [h11.Data(data=sent)]), h11.EndOfMessage()]
        writer.write(b"".join(map(connection.send, data)))
        await writer.drain()
        return connection.our_state is h11.DONE

    serving = await asyncio.start_server(converse, sock=bind(server))
    stack.callback(serving.close)


SERVE = {"aiohttp": serve_aiohttp, "h11": serve_h11, "tornado": serve_tornado}


@contextlib.contextmanager
def running_parsers():
    """Run all three; give them by name."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="parsers", daemon=True)
    thread.start()
    servers = {name: Server(name) for name in SERVE}
    stack = contextlib.AsyncExitStack()

    async def start():
        for name, serve in SERVE.items():
            await serve(servers[name], stack)

    async def stop():
        await stack.aclose()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield servers
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
