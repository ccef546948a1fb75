"""An upstream that answers every GET at once: `/files/big` with eight megabytes, everything else with `ok`.

A program of its own, so that what it costs is not counted with the test's clients. Usage: plain_upstream.py PORT
"""

import asyncio
import sys

import uvloop

BIG = b"z" * (8 << 20)


class Plain(asyncio.Protocol):
    """One connection; it reads heads and nothing else."""

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            body = BIG if b" /files/big " in head else b"ok"
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            self.transport.write(body)  # apart: joined it would be copied for everybody who asks


async def serve(port):
    server = await asyncio.get_running_loop().create_server(Plain, "127.0.0.1", port)
    print("ready", flush=True)  # noqa: T201 - whoever started this program reads it
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
