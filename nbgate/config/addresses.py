"""The addresses a person types: where the notebook servers are, and where nbgate listens.

Pure and without names to resolve: only what can be judged by looking at it.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from nbgate.model.route import Upstream

AUTO = "auto"
LISTEN_WORDS = ("localhost", "*")
_LOCALHOST = "127.0.0.1"
_USUAL_IPS = (*LISTEN_WORDS, "127.0.0.1", "0.0.0.0", "::1", "::")
_BASE = re.compile(r"/(?:(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+/)*")
_EXAMPLES = "for example localhost:8888 or http://localhost:8888/base/"


class AddressError(ValueError):
    """What is wrong with an address, and in `hint` what to write instead. Repeats no query: it may hold a token."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def parse_upstream(text: str) -> tuple[Upstream, str]:
    """Return the upstream and its base URL from `host:port`, `http://host:port/base/` or `unix:/path`.

    Only addresses of this machine are accepted. `localhost` becomes 127.0.0.1: workers resolve no names.

    Raises:
        AddressError: It is none of these.
    """
    if text.startswith("unix:"):
        return _unix(text.removeprefix("unix:"))
    parts = _split(text)
    if parts.scheme != "http":
        raise AddressError(
            f"an upstream cannot be reached by {parts.scheme!r}", f"write host:port or an http:// address, {_EXAMPLES}"
        )
    host, port = _host_and_port(parts)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AddressError(
            "an upstream is an address alone, without a user, query or fragment",
            f"write http://{_shown(host)}:{port}/; its token is found by itself",
        )
    return Upstream(host=host, port=port), _parse_base(parts.path)


def parse_upstreams(texts: Sequence[str]) -> tuple[tuple[Upstream, str], ...]:
    """Return each upstream with its base URL; none when the running servers are to be found (`auto`, or nothing).

    Raises:
        AddressError: One is no address, or two can never be told apart by the path of a request.
    """
    if AUTO in texts and len(texts) > 1:
        raise AddressError("auto finds the running servers: it stands alone", "name all upstreams, or none")
    named = tuple(parse_upstream(text) for text in texts if text != AUTO)
    for position, (upstream, base) in enumerate(named):
        for other, other_base in named[:position]:
            if upstream == other:
                raise AddressError(f"{texts[position]} is named twice", "name each notebook server once")
            if base == other_base != "/":  # "/" is what everybody types: the server knows its own base better
                raise AddressError(
                    f"two upstreams have the same base URL {base}",
                    "give each notebook server one of its own, for example --ServerApp.base_url=/ada/",
                )
    return named


def _unix(path: str) -> tuple[Upstream, str]:
    if not path.startswith("/") or "\0" in path:
        raise AddressError("a unix socket is named by its whole path", "for example unix:/run/user/1000/jupyter.sock")
    return Upstream(path=path), "/"


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
    if not port:
        if host.isdecimal():
            raise AddressError("an upstream needs a host and a port", f"did you mean localhost:{host}?")
        raise AddressError("an upstream needs a port", f"did you mean {_shown(host or 'localhost')}:8888?")
    if not host:
        raise AddressError("an upstream needs a host", f"did you mean localhost:{port}?")
    return _loopback(host, port), port


def _loopback(host: str, port: int) -> str:
    if host == "localhost":
        return _LOCALHOST
    try:
        address = ip_address(host)
    except ValueError:
        close = get_close_matches(host, ["localhost", _LOCALHOST], n=1, cutoff=0.7)
        meant = f"did you mean {close[0]}:{port}?" if close else f"give it by address, {_EXAMPLES}"
        raise AddressError(f"{host!r} is not known to be this machine", meant) from None
    if address.is_unspecified:
        raise AddressError(f"{host} is where a server listens, not where it is", f"did you mean localhost:{port}?")
    if not address.is_loopback:
        raise AddressError(
            f"{host} is not this machine",
            "only a server that listens on 127.0.0.1 or ::1 is fronted: run nbgate on its machine",
        )
    return str(address)


def is_base(text: str) -> bool:
    """Say whether `text` is a plain path that begins and ends with a slash, as a server's base URL is."""
    return bool(_BASE.fullmatch(text)) and not {".", ".."} & set(text.split("/"))


def _parse_base(path: str) -> str:
    base = path if path.endswith("/") else f"{path}/"
    if not is_base(base):
        raise AddressError(
            "the base of an upstream is a plain path", "write what its c.ServerApp.base_url says, for example /base/"
        )
    return base


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def parse_listen_ip(text: str) -> str:
    """Return where to listen: an IP address in its usual spelling, `localhost`, or `*` for all addresses.

    Raises:
        AddressError: It is none of these.
    """
    if text in LISTEN_WORDS:
        return text
    try:
        return str(ip_address(text))
    except ValueError:
        inner = text.strip("[]")
        close = [inner] if inner != text and ":" in inner else get_close_matches(text, _USUAL_IPS, n=1)
        meant = f"did you mean {close[0]}?" if close else "write an IP address of this machine, localhost, or * for all"
        raise AddressError(f"{text!r} is not an address", meant) from None
