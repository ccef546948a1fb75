"""Ask the kernel whose socket answers at an address, so that no credential is sent to somebody else's (T46).

It is asked on a connection that stands, before its first byte: a server that took the port meanwhile is seen. Judges
nobody beyond the list it is given, remembers nothing, and never waits.

The kernel's own lookup (sock_diag, over netlink) takes 12 µs. The text of /proc/net/tcp, for kernels without it, takes
0.7 ms for each family even on an idle machine, because the kernel walks whole hash tables to write it.
"""

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from nbgate.errors import NbgateError
from nbgate.link.peer import peer_uid

_SOCK_DIAG: Final = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY: Final = 20  # SOCK_DIAG_BY_FAMILY
_REQUEST: Final = 1  # NLM_F_REQUEST
_HEAD: Final = struct.Struct("=IHHII")  # struct nlmsghdr
_ASK: Final = struct.Struct("=BBBBI")  # struct inet_diag_req_v2 up to its id
_PORTS: Final = struct.Struct("!HH")
_ANY: Final = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # no interface, no cookie
_STATE_AT: Final = _HEAD.size + 1
_UID_AT: Final = _HEAD.size + 4 + 48 + 12  # struct inet_diag_msg: family to retrans, id, expires to wqueue
_UID: Final = struct.Struct("=I")
_LISTEN: Final = 10
_LISTEN_TEXT: Final = "0A"
_BLOCK_BYTES: Final = 1 << 16
_TABLES: Final = {4: "/proc/net/tcp", 6: "/proc/net/tcp6"}
Address = IPv4Address | IPv6Address
_V4_ANY, _V6_ANY = IPv4Address("0.0.0.0"), IPv6Address("::")


class ForeignListenerError(NbgateError):
    """The upstream's: a user we were not told to trust listens there; `uid` is -1 when nobody could be found."""

    status = 502

    def __init__(self, uid: int) -> None:
        super().__init__("another user listens at the notebook server's address", hint="--upstream-user names the user")
        self.uid = uid


def require_owner(sock: socket.socket, owners: tuple[int, ...]) -> None:
    """Check on a connected socket that one of `owners` listens at the other end; empty: anybody may.

    Raises:
        ForeignListenerError: Somebody else does, or it cannot be found out who.
        OSError: The connection is over already.
    """
    if not owners:
        return
    if sock.family == socket.AF_UNIX:
        uid: int | None = peer_uid(sock)
    else:
        host, port = sock.getpeername()[:2]
        uid = listener_uid(host, port)
    if uid not in owners:
        raise ForeignListenerError(-1 if uid is None else uid)


def listener_uid(host: str, port: int) -> int | None:
    """Return the uid of the socket that answers at `host`, a literal address of this machine; None for nobody's."""
    address: Address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # an IPv4 connection: a socket of IPv6 alone has no part in it
    try:
        uid = _ask_kernel(address, port)
    except OSError:
        uid = None
    return _read_tables(address, port) if uid is None else uid  # nobody, or a kernel without sock_diag: they look alike


def _ask_kernel(address: Address, port: int) -> int | None:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    local = address.packed.ljust(16, b"\0")
    ask = _ASK.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN) + _PORTS.pack(port, 0) + local + bytes(16) + _ANY
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
        kernel.setblocking(False)  # the answer is there when send returns
        kernel.send(_HEAD.pack(_HEAD.size + len(ask), _BY_FAMILY, _REQUEST, 1, 0) + ask)
        answer = kernel.recv(_BLOCK_BYTES)
    if _HEAD.unpack_from(answer)[1] != _BY_FAMILY or answer[_STATE_AT] != _LISTEN:
        return None
    return int(_UID.unpack_from(answer, _UID_AT)[0])


def _read_tables(address: Address, port: int) -> int | None:
    """An IPv4 address may be served by a socket of the other family, never the other way round."""
    found = {version: parse_listeners(_blocks(path), port) for version, path in _TABLES.items()}
    return find_owner(found[4], found[6], address)


def _blocks(path: str) -> Iterator[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # no such family here
    try:
        while block := os.read(descriptor, _BLOCK_BYTES):
            yield block.decode("ascii")
    finally:
        os.close(descriptor)


def parse_listeners(blocks: Iterable[str], port: int) -> dict[Address, int]:
    """Return the uid of each listening socket at `port` by its address, from the text of /proc/net/tcp or tcp6.

    Listening sockets come first (net/ipv4/tcp_ipv4.c): it is read up to the first other one, and no further.
    """
    found: dict[Address, int] = {}
    for line in _lines(blocks):
        fields = line.split()
        if len(fields) < 8 or fields[3] == "st":
            continue
        if fields[3] != _LISTEN_TEXT:
            break
        address, _, number = fields[1].partition(":")
        if int(number, 16) == port:
            found.setdefault(_address(address), int(fields[7]))
    return found


def find_owner(tcp: dict[Address, int], tcp6: dict[Address, int], address: Address) -> int | None:
    """Return whose socket answers at `address`: the exact one before the wildcard, its own family before the other."""
    candidates: list[tuple[dict[Address, int], Address]] = [(tcp6, address), (tcp6, _V6_ANY)]
    if isinstance(address, IPv4Address):
        mapped = IPv6Address(f"::ffff:{address}")
        candidates = [(tcp, address), (tcp6, mapped), (tcp, _V4_ANY), (tcp6, _V6_ANY)]
    return next((table[key] for table, key in candidates if key in table), None)


def _lines(blocks: Iterable[str]) -> Iterator[str]:
    rest = ""
    for block in blocks:
        *lines, rest = (rest + block).split("\n")
        yield from lines


def _address(text: str) -> Address:
    """Addresses are printed as words of 32 bits in the machine's own order."""
    words = (int(text[at : at + 8], 16) for at in range(0, len(text), 8))
    return ip_address(b"".join(struct.pack("=I", word) for word in words))
