"""Whether a Host is one of the public names of the gateway (T20).

Gets Host as the shape check passed it, and names as the configuration's check passed them, both lower case. It resolves
no name, and who may use which name is not its question.
"""

from collections.abc import Container

_DEFAULT_PORT = ":443"
_LOCAL = frozenset({"127.0.0.1", "[::1]", "localhost"})


def name_of(host: str) -> str:
    """Return the name or address in a Host, without its port; IPv6 keeps its brackets."""
    name, colon, port = host.rpartition(":")
    return name if colon and not port.endswith("]") else host


def is_local(host: str) -> bool:
    """Say whether Host is a name by which every machine knows itself."""
    return name_of(host) in _LOCAL


def is_public(host: str, public: Container[str]) -> bool:
    """Say whether Host is one of the public names: a name alone stands for any port, one with a port for that one."""
    name = name_of(host)
    return name in public or host in public or (name == host and host + _DEFAULT_PORT in public)
