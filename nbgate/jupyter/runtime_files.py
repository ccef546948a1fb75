"""What a notebook server writes about itself: `jpserver-PID.json` and `nbserver-PID.json`, read as values.

Pure: the caller brings the text and asks the machine which process lives. This room opens no file, trusts no field it
has not checked, and never concludes from a file that a server needs no credential: with a hashed password
jupyter_server writes `"password": false, "token": ""`, which only looks open.
"""

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from nbgate.model.route import Upstream

MAX_FILE_BYTES = 65536

_NAME = re.compile(r"(?:jpserver|nbserver)-[0-9]{1,10}\.json", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]{0,512}", re.ASCII)
_BASE_URL = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,=:@-]+/)*", re.ASCII)  # no ";": it ends a cookie's Path
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost", "127.0.0.1", "::1"})
_REACHED_AT = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}
_LOOPBACK = re.compile(r"::1|127(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}", re.ASCII)


class RuntimeFile(Struct, frozen=True, kw_only=True):
    """One running notebook server as it describes itself.

    Attributes:
        base_url: Begins and ends with "/".
        token: The server's token, "" when it tells none; goes upstream and nowhere else.
        sock: Path of its Unix socket, "" for TCP.
        secure: It speaks TLS itself.
        hostname: The name or address it was told to listen on.
        root: Its root folder, "" where it does not say; shown to nobody.
    """

    pid: int
    port: int
    base_url: str
    token: str
    sock: str
    secure: bool
    hostname: str = "localhost"
    root: str = ""

    def __repr__(self) -> str:
        return f"RuntimeFile(pid={self.pid}, port={self.port}, base_url={self.base_url!r}, token=Secret(…))"


class _Raw(Struct, kw_only=True):
    pid: int
    port: int = 0
    base_url: str = "/"
    token: str = ""
    sock: str = ""
    secure: bool = False
    hostname: str = "localhost"
    root_dir: str | None = ""
    notebook_dir: str | None = ""  # what Notebook 6 calls it


_decoder = msgspec.json.Decoder(_Raw)


def is_runtime_file_name(name: str) -> bool:
    """Say whether a file of this name may describe a server; `jpserver-1-open.html` and others do not."""
    return _NAME.fullmatch(name) is not None


def maybe_parse_runtime_file(text: str) -> RuntimeFile | None:
    """Return what `text` says; None when it is half written, of an unknown shape, or unfit for a header or a path."""
    try:
        raw = _decoder.decode(text)
    except msgspec.MsgspecError:
        return None
    base_url = raw.base_url if raw.base_url.endswith("/") else raw.base_url + "/"
    if raw.pid <= 0 or not 0 <= raw.port <= 65535 or not is_plain_base_url(base_url) or not is_plain_token(raw.token):
        return None
    return RuntimeFile(
        pid=raw.pid,
        port=raw.port,
        base_url=base_url,
        token=raw.token,
        sock=raw.sock,
        secure=raw.secure,
        hostname=raw.hostname,
        root=raw.root_dir or raw.notebook_dir or "",
    )


def is_plain_token(token: str) -> bool:
    """Say whether `token` can stand in an Authorization header as it is; "" can."""
    return _TOKEN.fullmatch(token) is not None


def is_plain_base_url(base_url: str) -> bool:
    """Say whether `base_url` is a prefix of whole plain segments, without "." and ".."."""
    return _BASE_URL.fullmatch(base_url) is not None and not {".", ".."} & set(base_url.split("/"))


def matching(files: Iterable[RuntimeFile], upstream: Upstream) -> tuple[RuntimeFile, ...]:
    """Return those of `files` that describe a server at `upstream`, in the order given.

    A file is about this machine: an upstream on another host matches none, whatever its port.
    """
    if upstream.path:
        return tuple(file for file in files if file.sock == upstream.path)
    if upstream.host not in _LOOPBACK_NAMES and not upstream.host.startswith("127."):
        return ()
    has_tls = upstream.tls is not None
    return tuple(file for file in files if not file.sock and file.secure is has_tls and file.port == upstream.port)


def maybe_upstream(file: RuntimeFile) -> Upstream | None:
    """Return where a server is to be reached from its own machine; None where it cannot be guarded.

    That is one that speaks TLS itself, or listens on an address of the network alone: people can go round us.
    """
    if file.sock:
        return Upstream(path=file.sock) if file.sock.startswith("/") and file.sock.isprintable() else None
    host = _REACHED_AT.get(file.hostname, file.hostname)
    if file.secure or not file.port or _LOOPBACK.fullmatch(host) is None:
        return None
    return Upstream(host=host, port=file.port)


def running_once(files: Iterable[RuntimeFile]) -> tuple[tuple[Upstream, RuntimeFile], ...]:
    """Return the address and the file of each server that can be guarded, the one that began first first.

    Args:
        files: What runs, the newest first; of two files about one address the older was left behind.
    """
    running: dict[Upstream, RuntimeFile] = {}
    for file in files:
        upstream = maybe_upstream(file)
        if upstream is not None:
            running.setdefault(upstream, file)
    return tuple(reversed(running.items()))
