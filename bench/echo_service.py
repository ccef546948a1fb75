"""The websocket end behind every side: sends each message back. As lean as Python allows: one protocol on uvloop.

Usage: python -m bench.echo_service PORT. It knows the load of `bench.websocket` and nothing else: whole messages of
less than 126 bytes under a mask of zeros, so that neither end spends time on masks; and a proxy's ping.
"""

import asyncio
import base64
import hashlib
import sys

import uvloop

HEAD_END = b"\r\n\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MASKED, NO_MASK, HEAD_BYTES = 0x80, bytes(4), 6
PING, PONG = 0x89, 0x8A


class EchoProtocol(asyncio.Protocol):
    """Takes one handshake, then sends frames back unmasked."""

    def __init__(self) -> None:
        self._transport = None
        self._held = b""
        self._has_switched = False

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._held += data
        if not self._has_switched:
            end = self._held.find(HEAD_END)
            if end < 0:
                return
            head, self._held = self._held[:end], self._held[end + len(HEAD_END) :]
            self._switch(head)
        while len(self._held) >= HEAD_BYTES and len(self._held) >= (size := HEAD_BYTES + (self._held[1] & ~MASKED)):
            frame, self._held = self._held[:size], self._held[size:]
            payload, first = frame[HEAD_BYTES:], frame[0]
            if first == PING:
                first, mask = PONG, frame[2:HEAD_BYTES]
                payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
            elif not frame[1] & MASKED or frame[2:HEAD_BYTES] != NO_MASK:
                self._transport.abort()
                return
            self._transport.write(bytes((first, len(payload))) + payload)

    def _switch(self, head: bytes) -> None:
        lines = (line.partition(b":") for line in head.split(b"\r\n"))
        key = next(value.strip() for name, _, value in lines if name.lower() == b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self._has_switched = True
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + HEAD_END
        )


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(EchoProtocol, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
