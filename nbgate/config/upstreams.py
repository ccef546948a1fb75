"""Where a notebook server is, as people type it: host and port, an address with its base URL, or a socket's path.

Pure and without names to resolve: only what can be judged by looking at it. Where it is to be mounted is said elsewhere
(`nbgate.config.routes`).
"""

import re
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from nbgate.config.addresses import AddressError, parse_base
from nbgate.config.names import is_host_name
from nbgate.model.route import Upstream, UpstreamTls
from nbgate.model.route_spec import RouteSpec

LOCALHOST: Final = "127.0.0.1"
_HTTPS_PORT: Final = 443
_SCHEMES: Final = ("http", "https")
_EXAMPLES: Final = "for example localhost:8888 or http://localhost:8888/base/"
_REMOTE: Final = "a server of another machine needs allow_remote_upstream = true"


def parse_address(text: str, *, may_be_remote: bool = False) -> RouteSpec:
    """Return the server at `host:port`, `http(s)://host:port/base/` or `unix:/path`, without a place of its own.

    `localhost` becomes 127.0.0.1. Another name is kept as what is to be resolved: workers resolve none. A base of `/`
    counts as not said: it is what everybody types, and the server knows better.

    Args:
        text: What was typed.
        may_be_remote: Servers of other machines are accepted.

    Raises:
        AddressError: It is none of these.
    """
    if text.startswith("unix:"):
        return RouteSpec(upstream=_unix(text.removeprefix("unix:")))
    parts = _split(text)
    if parts.scheme not in _SCHEMES:
        raise AddressError(
            f"an upstream cannot be reached by {parts.scheme!r}",
            f"write host:port or an http:// or https:// address, {_EXAMPLES}",
        )
    host, port = _host_and_port(parts)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AddressError(
            "an upstream is an address alone, without a user, query or fragment",
            f"write {parts.scheme}://{_shown(host)}:{port}/; its token is found by itself",
        )
    address = LOCALHOST if host == "localhost" else _maybe_address(host, port)
    if not may_be_remote:
        _require_loopback(host, address, port)
    base_url = parse_base(parts.path)
    return RouteSpec(
        upstream=Upstream(
            host=address,
            port=port,
            name="" if address else host,
            tls=UpstreamTls(server_name=host) if parts.scheme == "https" else None,
        ),
        resolve="" if address else host,
        base_url="" if base_url == "/" else base_url,
    )


def require_local(spec: RouteSpec) -> None:
    """Check that a server is one of this machine.

    Raises:
        AddressError: It is not, or nobody can tell.
    """
    if not spec.upstream.path:
        _require_loopback(spec.resolve or spec.upstream.host, spec.upstream.host, spec.upstream.port)


def is_remote(upstream: Upstream) -> bool:
    """Say whether it is, or may be, on another machine: whose process listens there is then unknown (T46)."""
    return not upstream.path and not (upstream.host and ip_address(upstream.host).is_loopback)


def _unix(path: str) -> Upstream:
    if not path.startswith("/") or "\0" in path:
        raise AddressError("a unix socket is named by its whole path", "for example unix:/run/user/1000/jupyter.sock")
    return Upstream(path=path)


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
    except ValueError:
        parts = None
    if parts is None or not text.isascii() or re.search(r"[\s\\]", text):
        raise AddressError("this is not an address", f"write {_EXAMPLES}")
    return parts


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressError("the port of an upstream is a number from 1 to 65535", f"write {_EXAMPLES}") from None
    if port is None and parts.scheme == "https" and host:
        port = _HTTPS_PORT
    if not port:
        if host.isdecimal():
            raise AddressError("an upstream needs a host and a port", f"did you mean localhost:{host}?")
        raise AddressError("an upstream needs a port", f"did you mean {_shown(host or 'localhost')}:8888?")
    if not host:
        raise AddressError("an upstream needs a host", f"did you mean localhost:{port}?")
    return host, port


def _maybe_address(host: str, port: int) -> str:
    """Return the address in its usual spelling, "" for a name."""
    try:
        address = ip_address(host.replace("%", " "))  # an interface's name has no place in a Host header
    except ValueError:
        if is_host_name(host):
            return ""
        close = _close(host)
        meant = f"did you mean {close}:{port}?" if close else f"write {_EXAMPLES}"
        raise AddressError(f"{host!r} is neither an address nor a name", meant) from None
    if address.is_unspecified:
        raise AddressError(f"{host} is where a server listens, not where it is", f"did you mean localhost:{port}?")
    return str(address)


def _require_loopback(host: str, address: str, port: int) -> None:
    if not address:
        close = _close(host)
        meant = f"did you mean {close}:{port}?" if close else f"give it by address, {_EXAMPLES}; {_REMOTE}"
        raise AddressError(f"{host!r} is not known to be this machine", meant)
    if not ip_address(address).is_loopback:
        raise AddressError(f"{host} is not this machine", f"run nbgate on its machine; or accept it: {_REMOTE}")


def _close(host: str) -> str:
    return next(iter(get_close_matches(host, ["localhost", LOCALHOST], n=1, cutoff=0.7)), "")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
