"""The PROXY header, versions 1 and 2: who a trusted proxy says is at the far end of a connection, before the TLS bytes.

Bytes in; None, a value or one error out. It opens no socket, and whom to believe is not its question. Nothing is
repaired: what is not exactly a header of the specification ends the connection.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.1 and 2.2.
"""

import re
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from nbgate.errors import ProtocolError
from nbgate.reasons import Reason

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_V1_BYTES = 107
MAX_V2_BYTES = 536  # the 16 fixed ones, addresses, and what every sender of the specification may add

_PREFIX = b"PROXY "
_FIXED_BYTES = 16
_LOCAL, _PROXIED = 0x20, 0x21  # version 2 in the upper half
_UNSPEC, _UNIX = 0x00, 0x31  # no address that could be believed: the peer itself
_INET, _INET6 = 0x11, 0x21
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?"
    rb"|TCP(?:4 ([0-9.]{7,15}) ([0-9.]{7,15})|6 ([0-9a-fA-F:.]{2,45}) ([0-9a-fA-F:.]{2,45}))"
    rb" (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))"
)
_MAX_PORT = 65535


class Proxied(Struct, frozen=True, gc=False):
    """A complete header.

    Attributes:
        address: The source address as text, or None: the proxy speaks for itself (a health check), or does not know.
        port: The source port; 0 without an address.
        length: Bytes of the whole header, from the first byte fed: what follows is the connection.
    """

    address: str | None
    port: int
    length: int


class ProxyHeader:
    """Reads one header, in as many pieces as it comes.

    While `feed` says None every byte fed belongs to the header: a reader that peeks may consume them all.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Proxied | None:
        """Take the next bytes; the header, or None while it is not complete.

        Raises:
            ProtocolError: This is no PROXY header, or a longer one than allowed.
        """
        buffer = self._buffer = self._buffer + data
        if _begins(buffer, SIGNATURE):
            return _read_v2(buffer)
        if _begins(buffer, _PREFIX):
            return _read_v1(buffer)
        raise ProtocolError(Reason.BAD_PROXY_HEADER)


def _begins(buffer: bytes, mark: bytes) -> bool:
    return buffer.startswith(mark[: len(buffer)])


def _read_v1(buffer: bytes) -> Proxied | None:
    end = buffer.find(b"\r\n", 0, MAX_V1_BYTES)
    if end < 0:
        if len(buffer) >= MAX_V1_BYTES:
            raise ProtocolError(Reason.BAD_PROXY_HEADER)
        return None
    match = _LINE.fullmatch(buffer, 0, end)
    if match is None:
        raise ProtocolError(Reason.BAD_PROXY_HEADER)
    source4, target4, source6, target6, port, target_port = match.groups()
    length = end + 2
    if port is None:
        return Proxied(None, 0, length)
    if max(int(port), int(target_port)) > _MAX_PORT:
        raise ProtocolError(Reason.BAD_PROXY_HEADER)
    source = _address(IPv4Address, source4, target4) if source4 else _address(IPv6Address, source6, target6)
    return Proxied(source, int(port), length)


def _address(family: type[IPv4Address | IPv6Address], source: bytes, target: bytes) -> str:
    """Return the source as text; the target is not used, but a header with a bad one is no header."""
    try:
        family(target.decode())
        return str(family(source.decode()))
    except ValueError:
        raise ProtocolError(Reason.BAD_PROXY_HEADER) from None


def _read_v2(buffer: bytes) -> Proxied | None:
    if len(buffer) < _FIXED_BYTES:
        return None
    command, family = buffer[12], buffer[13]
    length = _FIXED_BYTES + int.from_bytes(buffer[14:16])
    if command not in {_LOCAL, _PROXIED} or length > MAX_V2_BYTES:
        raise ProtocolError(Reason.BAD_PROXY_HEADER)
    if len(buffer) < length:
        return None
    if command == _LOCAL or family in {_UNSPEC, _UNIX}:
        return Proxied(None, 0, length)
    body = buffer[_FIXED_BYTES:length]  # source, target, both ports; extensions after them are skipped
    if family == _INET and len(body) >= 12:
        return Proxied(str(IPv4Address(body[:4])), int.from_bytes(body[8:10]), length)
    if family == _INET6 and len(body) >= 36:
        return Proxied(str(IPv6Address(body[:16])), int.from_bytes(body[32:34]), length)
    raise ProtocolError(Reason.BAD_PROXY_HEADER)
