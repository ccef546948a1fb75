"""What a person types of the network in front of the gateway: its public names, and the proxies it may believe.

Pure and without names to resolve: only what can be judged by looking at it.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from nbgate.config.addresses import AddressError

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_ADDRESS_ALIKE = re.compile(r"[0-9.]+")
_PARTS = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):([^:/]*)")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_MAX_PORT = 65535
_HOST_HINT = "write what stands in the browser between https:// and the next slash, for example jupyter.example.org"
_NETWORK_HINT = "write an address or a network, for example 192.0.2.7 or 10.0.0.0/8"


def parse_hosts(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the public names as a Host header spells them: lower case, each with its port if it has one.

    Raises:
        AddressError: One can never be the Host of a request.
    """
    return tuple(dict.fromkeys(map(_parse_host, texts)))


def is_host_name(text: str) -> bool:
    """Say whether `text` is a name that a host can have, in lower case; an address is none."""
    return bool(_NAME.fullmatch(text)) and not _ADDRESS_ALIKE.fullmatch(text)


def _parse_host(text: str) -> str:
    parts = _PARTS.fullmatch(text.lower())
    name, port = parts.groups() if parts else (text.lower(), None)
    spelled = _address(name) or (name if is_host_name(name) else "")
    if not spelled:
        raise AddressError(f"{text!r} is not a name", _meant(text))
    if port is None:
        return spelled
    if not _PORT.fullmatch(port) or int(port) > _MAX_PORT:
        raise AddressError(f"the port of {text!r} is not a number from 1 to {_MAX_PORT}", _HOST_HINT)
    return f"{spelled}:{port}"


def _address(name: str) -> str:
    """Return the address in its usual spelling, "" for what is none; a Host names no interface (`%`)."""
    try:
        address = ip_address(name.removeprefix("[").removesuffix("]").replace("%", " "))
    except ValueError:
        return ""
    return f"[{address}]" if address.version == 6 else str(address)


def _meant(text: str) -> str:
    if "*" in text:
        return "name each host by itself: a wildcard would take names that are not yours"
    if "_" in text:
        return "browsers and certificates take no underscore in a name: use one with a hyphen"
    try:
        name = urlsplit(text if "://" in text else f"//{text}").netloc.rpartition("@")[2].rstrip(".")
        plain = name.encode("idna").decode("ascii").lower()
        parsed = _parse_host(plain) if plain != text else ""
    except ValueError:  # UnicodeError and AddressError are kinds of it
        parsed = ""
    return f"did you mean {parsed}?" if parsed else _HOST_HINT


def parse_networks(texts: Sequence[str]) -> tuple[str, ...]:
    """Return networks in their usual spelling; an address is a network of one.

    Raises:
        AddressError: One is no network, or holds everybody.
    """
    return tuple(dict.fromkeys(map(_parse_network, texts)))


def _parse_network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise AddressError(f"{text!r} is not a network", _meant_network(text)) from None
    if network.prefixlen == 0:
        raise AddressError(
            f"{text} is everybody: whoever connects could say to be anybody else", "name the proxies' own addresses"
        )
    return str(network)


def _meant_network(text: str) -> str:
    if text == "localhost":
        return "did you mean 127.0.0.1?"
    try:
        return f"did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        return _NETWORK_HINT
