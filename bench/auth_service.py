"""The small auth service that nginx asks: is this cookie a session? As lean as Python allows: one protocol on uvloop.

Usage: python -m bench.auth_service PORT COOKIE_NAME COOKIE_VALUE. Answers 200 with `X-User`, or 401.
"""

import asyncio
import hashlib
import hmac
import sys

import uvloop

YES = b"HTTP/1.1 200 OK\r\nX-User: ada\r\nContent-Length: 0\r\n\r\n"
NO = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
HEAD_END = b"\r\n\r\n"


class AuthProtocol(asyncio.Protocol):
    """Looks one cookie up, by the hash of its value, in the table of sessions."""

    def __init__(self, name: bytes, sessions: dict[bytes, bytes]) -> None:
        self._name = name + b"="
        self._sessions = sessions
        self._transport = None
        self._held = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._held += data
        while (end := self._held.find(HEAD_END)) >= 0:
            head, self._held = self._held[:end], self._held[end + len(HEAD_END) :]
            self._transport.write(YES if self._knows(head) else NO)

    def _knows(self, head: bytes) -> bool:
        for line in head.split(b"\r\n"):
            if line[:7].lower() == b"cookie:":
                for pair in map(bytes.strip, line[7:].split(b";")):
                    if pair.startswith(self._name):
                        offered = hashlib.sha256(pair[len(self._name) :]).digest()
                        return hmac.compare_digest(self._sessions.get(offered, b""), offered)
        return False


async def serve(port: int, name: str, value: str) -> None:
    """Serve until the process is ended."""
    known = hashlib.sha256(value.encode()).digest()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: AuthProtocol(name.encode(), {known: known}), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
