"""Bind the listening sockets, and say in one line with a hint why not where it cannot be done.

Binds early, so that a mistake shows before anything else starts; when to listen is decided in `nbgate.supervisor.door`.
"""

import contextlib
import errno
import ipaddress
import re
import socket
from pathlib import Path

from nbgate.errors import ExitCode, StartError

BACKLOG = 1024
HTTPS_PORT = 443
_PORT = re.compile(r":[0-9]+$")
_EXAMPLES = {"--port": 8443, "--http-port": 8080}
_TRIES = 16  # where the system chooses the port
_ALL = ("::", "0.0.0.0")
_LOCALHOST = ("127.0.0.1", "::1")
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_UNPRIVILEGED_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def bind_sockets(
    ip: str, port: int, *, mistyped: ExitCode = ExitCode.USAGE, flag: str = "--port"
) -> list[socket.socket]:
    """Return bound sockets, non-blocking, not yet listening; all on one port, which the system chooses where it is 0.

    `*` and `localhost` mean IPv4 and IPv6, each on its own socket, so that no client gets an IPv4-mapped address; a
    machine without one of the two families gets the other.

    Args:
        ip: An IP address, `localhost` or `*`; already checked.
        port: 0 to 65535.
        mistyped: The exit code where `ip` is no address of this machine.
        flag: What sets the port.

    Raises:
        StartError: Occupied port (75), privileged port (77), an address that is not of this machine (`mistyped`).
    """
    addresses = {"*": _ALL, "localhost": _LOCALHOST}.get(ip, (ip,))
    for tries_left in reversed(range(1 if port else _TRIES)):
        try:
            return _bind_all(addresses, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not tries_left:
                raise _start_error(error, ip, port, mistyped, flag) from error
    raise AssertionError("the last try returns or raises")


def _bind_all(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    """The port that the system chose for the first address may be taken at the second: that is EADDRINUSE too."""
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    try:
        for address in addresses:
            try:
                sockets.append(_bind(address, sockets[0].getsockname()[1] if sockets else port))
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                failure = error
        if failure is not None and not sockets:
            raise failure
    except OSError:
        close_all(sockets)
        raise
    return sockets


def _bind(address: str, port: int) -> socket.socket:
    ((family, kind, protocol, _, where), *_) = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
    except OSError:
        sock.close()
        raise
    reserve([sock])
    return sock


def reserve(sockets: list[socket.socket]) -> None:
    """Let nobody listen beside bound sockets that do not listen yet.

    Where both have SO_REUSEADDR, Linux lets any user of the machine take an address of `*` until we listen there.
    """
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def share(sockets: list[socket.socket]) -> None:
    """End what `reserve` began: another socket of ours is to be bound, or to listen, at an address these cover."""
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def listen(sockets: list[socket.socket]) -> None:
    """Let clients connect; the first of `sockets` is one of HTTPS.

    Raises:
        StartError: Somebody else began to listen on the port since it was bound.
    """
    share(sockets)
    for sock in sockets:
        try:
            sock.listen(BACKLOG)
        except OSError as error:
            address, port, *_ = sock.getsockname()
            flag = "--port" if port == sockets[0].getsockname()[1] else "--http-port"
            raise _start_error(error, address, port, ExitCode.USAGE, flag) from error


def stop(sockets: list[socket.socket]) -> None:
    """Let no client connect, whoever holds copies of the sockets; they stay bound, and `listen` begins anew.

    Shutting down a listening socket ends the listening itself, not only this process's hold on it: nobody needs to be
    asked or waited for. Connections that were accepted go on; those that nobody has accepted yet are reset.
    """
    for sock in sockets:
        with contextlib.suppress(OSError):  # ENOTCONN: it was not listening
            sock.shutdown(socket.SHUT_RDWR)


def close_all(sockets: list[socket.socket]) -> None:
    """Close the sockets; workers keep their copies."""
    for sock in sockets:
        sock.close()


def is_loopback(ip: str) -> bool:
    """True where only this machine can reach `ip`."""
    return ip == "localhost" or (ip != "*" and ipaddress.ip_address(ip).is_loopback)


def loopback_of(ip: str) -> str:
    """Return the address by which this machine alone reaches what `ip` shall be."""
    if ip == "*":
        return "localhost"
    return "::1" if ":" in ip else "127.0.0.1"


def covers_loopback(ip: str) -> bool:
    """True where who listens on `ip` listens on this machine's own addresses too."""
    return ip in {"*", *_ALL}


def urls(ip: str, port: int, hostname: str, hosts: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what to type into a browser, the one that works on this machine last.

    Args:
        ip: Where it listens.
        port: On which port.
        hostname: This machine's name; for who listens on all addresses and has no public name.
        hosts: The public names, if there are any: from elsewhere nothing else is served. One may name another port.
    """
    own = f"[{ip}]" if ":" in ip else ip
    if is_loopback(ip):
        named: tuple[str, ...] = (own,)
    else:
        named = hosts or ((hostname,) if covers_loopback(ip) else (own,))
        named += ("localhost",) if covers_loopback(ip) else ()
    suffix = "" if port == HTTPS_PORT else f":{port}"
    return tuple(f"https://{host}{'' if host in hosts and _PORT.search(host) else suffix}/" for host in named)


def _start_error(error: OSError, ip: str, port: int, mistyped: ExitCode, flag: str) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(
            f"port {port} on {ip} is already in use",
            hint=f"see who has it with `ss -ltnp 'sport = :{port}'`, or take another with {flag}",
            exit_code=ExitCode.TRY_AGAIN,
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return StartError(
            f"port {port} needs privileges that this user does not have",
            hint=f"take one from {_first_unprivileged()} on with {flag}, for example {flag} {_EXAMPLES[flag]}",
            exit_code=ExitCode.PERMISSION,
        )
    return StartError(
        f"{ip} is not an address of this machine",
        hint="`ip address` lists them; use 127.0.0.1 for this machine alone, or * for all",
        exit_code=mistyped,
    )


def _first_unprivileged() -> str:
    try:
        return _UNPRIVILEGED_START.read_text().strip()
    except OSError:
        return "1024"
