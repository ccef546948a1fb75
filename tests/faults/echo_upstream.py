"""A notebook server's stand-in that can be killed, stopped and started again: echoes websockets, answers everything 200.

It prints a line for each connection it accepts. Usage: echo_upstream.py PORT
"""

import asyncio
import http
import logging
import sys

from websockets.asyncio.server import ServerConnection, serve


class Announced(ServerConnection):
    def connection_made(self, transport):
        print("accepted", flush=True)  # noqa: T201 - whoever started this program reads it
        super().connection_made(transport)


async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


def answer(connection, request):
    return None if "Upgrade" in request.headers else connection.respond(http.HTTPStatus.OK, "ok")


async def main():
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
    options = {"max_size": None, "ping_interval": None, "process_request": answer, "create_connection": Announced}
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), **options):
        print("ready", flush=True)  # noqa: T201
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
