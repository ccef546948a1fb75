"""Judge the meaning of a request's header block: framing, host, upgrade, and what may go upstream.

Gets lines whose shape is good already. What this module reads for the gateway's own use is never forwarded as it
stands: the rewrite sets it anew or leaves it out. It sees neither method nor version.
"""

import re

import httptools
from msgspec import Struct

from nbgate.errors import ProtocolError
from nbgate.http.headers import CONDITIONAL, TOKEN, Handling, HeaderTables, split_list
from nbgate.reasons import Reason

_HOST = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")  # T20
_LENGTH = re.compile(r"[0-9]{1,15}")  # at most 15 digits: every reader holds that exactly
_WEBSOCKET_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")  # 16 bytes in base64, RFC 6455 section 4.1
_MAX_PORT = 65535
_NO_OPTIONS: frozenset[str] = frozenset()
_KEEP_ALIVE = frozenset({"keep-alive"})
_PLAIN_OPTIONS = frozenset({"close", "keep-alive", "upgrade"})
_FORWARDED = Handling.FORWARDED
_CONDITIONAL = Handling.CONDITIONAL

# Two of these can mean two things to two readers. Origin may repeat here: the guard refuses it with its own reason.
_SINGLETONS = CONDITIONAL - {"if-match", "if-none-match"} | {
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-key",
    "sec-websocket-version",
    "service-worker",
    "transfer-encoding",
    "upgrade",
    "user-agent",
}


class WebsocketOffer(Struct, frozen=True, gc=False):
    """What a client offers in its websocket handshake; `extensions` is the header value as sent."""

    key: str
    protocols: tuple[str, ...]
    extensions: str | None
    version: str


class Fields(Struct, frozen=True, gc=False):
    """All that is judged once of a request's header block.

    Attributes:
        host: Host as sent, lower case, with its port if it has one.
        forward: The lines that go upstream unchanged, in order and as spelled, each with its CRLF.
        conditional: The If-* and Range lines, likewise.
        origins: Every Origin, as sent: the guard wants exactly one.
        content_type: Lower case.
        fetch_site, fetch_mode, fetch_dest: Fetch-Metadata, lower case.
        websocket: The offer, when this block asks for a websocket; any other upgrade is dropped.
        forwarded_for: What hops say of the client: worth nothing unless they are trusted.
        preflight: A browser asks whether another site's script may send the request (CORS).
        service_worker: A browser fetches the script of a service worker.
        authorization: What a program presents; goes nowhere.
    """

    host: str
    forward: bytes
    conditional: bytes
    accept_encoding: str | None
    content_length: int | None
    chunked: bool
    expect_continue: bool
    keep_alive_token: bool
    close_token: bool
    cookie: str | None
    origins: tuple[str, ...]
    referer: str | None
    fetch_site: str | None
    fetch_mode: str | None
    fetch_dest: str | None
    accept: str | None
    user_agent: str | None
    content_type: str | None
    websocket: WebsocketOffer | None
    forwarded_for: str | None = None
    preflight: bool = False
    service_worker: bool = False
    authorization: str | None = None


class _Headers:
    """Collects what llhttp reads."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note one header; llhttp leaves the blanks after a value."""
        self.pairs.append((name, value.rstrip(b" \t")))


def read_fields(block: bytes, tables: HeaderTables) -> Fields:
    """Judge a header block whose every line has good shape.

    llhttp reads it, so that two readers have agreed on every block that passes: the grammar of the caller and this one.

    Args:
        block: The header lines and the empty line, each with its CRLF.
        tables: Which names are refused and which are not forwarded.

    Raises:
        ProtocolError: When a header is refused, repeats where it must not, or says something unclear.
    """
    pairs = _read_pairs(block)
    if pairs is None:
        _judge_pairs([_split_line(line) for line in block.split(b"\r\n")[:-2]], tables)  # for the exact reason
        raise ProtocolError(Reason.BAD_HEADER)
    return _judge_pairs(pairs, tables)


def _read_pairs(block: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return the names and values llhttp reads, or None when it refuses the block."""
    headers = _Headers()
    try:
        httptools.HttpRequestParser(headers).feed_data(b"POST / HTTP/1.1\r\n" + block)
    except httptools.HttpParserUpgrade:
        return headers.pairs  # it stops after the head of any upgrade
    except httptools.HttpParserError:
        return None
    return headers.pairs


def _split_line(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")


def _judge_pairs(pairs: list[tuple[bytes, bytes]], tables: HeaderTables) -> Fields:
    """Make `Fields` of names and values as sent."""
    values: dict[str, str] = {}
    origins: list[str] = []
    forward: list[bytes] = []
    conditional: list[bytes] = []
    frequent = tables.frequent
    for spelled, value_bytes in pairs:
        name, handling = frequent.get(spelled) or tables.handle(spelled)
        value = value_bytes.decode()
        if name == "origin":
            origins.append(value)
        elif name not in values:
            values[name] = value
        elif name in _SINGLETONS:
            raise ProtocolError(Reason.DUPLICATE_HEADER)
        else:
            values[name] += ", " + value  # RFC 9110 section 5.3
        if handling is _FORWARDED:
            forward += (spelled, b": ", value_bytes, b"\r\n")
        elif handling is _CONDITIONAL:
            conditional += (spelled, b": ", value_bytes, b"\r\n")
    if not tables.refused.isdisjoint(values):
        raise ProtocolError(Reason.BAD_HEADER)
    get = values.get
    connection = _read_connection(values.get("connection"))
    if not connection <= _PLAIN_OPTIONS:
        forward, conditional = _without(forward, connection), _without(conditional, connection)
    length = _read_length(get("content-length"), get("transfer-encoding"))
    return Fields(
        _read_host(get("host")),
        b"".join(forward),
        b"".join(conditional),
        get("accept-encoding"),
        length,
        "transfer-encoding" in values,
        _read_expect(get("expect")),
        "keep-alive" in connection,
        "close" in connection,
        get("cookie"),
        tuple(origins),
        get("referer"),
        _lower(get("sec-fetch-site")),
        _lower(get("sec-fetch-mode")),
        _lower(get("sec-fetch-dest")),
        get("accept"),
        get("user-agent"),
        _lower(get("content-type")),
        _read_offer(values) if "upgrade" in connection else None,
        get("x-forwarded-for"),
        "access-control-request-method" in values,
        "service-worker" in values or _lower(get("sec-fetch-dest")) == "serviceworker",
        get("authorization"),
    )


def _lower(value: str | None) -> str | None:
    return None if value is None else value.lower()


def _without(forward: list[bytes], options: frozenset[str]) -> list[bytes]:
    """Leave out the lines (four pieces each) whose name Connection lists (T28)."""
    named = [forward[at].decode().lower() in options for at in range(0, len(forward), 4)]
    return [piece for at, piece in enumerate(forward) if not named[at // 4]]


def _read_connection(value: str | None) -> frozenset[str]:
    """Return the options of Connection, lower case."""
    if value is None or value == "keep-alive":
        return _NO_OPTIONS if value is None else _KEEP_ALIVE
    options = frozenset(split_list(value.lower()))
    if not all(map(TOKEN.fullmatch, options)):
        raise ProtocolError(Reason.BAD_HEADER)
    return options


def _read_length(length: str | None, coding: str | None) -> int | None:
    """Return the announced length of the body; None when there is none or it is chunked (RFC 9112 section 6)."""
    if coding is not None and (coding != "chunked" or length is not None):
        raise ProtocolError(Reason.BAD_TRANSFER_ENCODING)
    if length is None:
        return None
    if _LENGTH.fullmatch(length) is None:
        raise ProtocolError(Reason.BAD_LENGTH)
    return int(length)


def _read_host(value: str | None) -> str:
    """Return Host in lower case; it must be there, and be a name or address with at most a port."""
    host = (value or "").lower()
    match = _HOST.fullmatch(host)
    if match is None or int(match[1] or 0) > _MAX_PORT:
        raise ProtocolError(Reason.BAD_HOST)
    return host


def _read_expect(value: str | None) -> bool:
    """Say whether the client waits for a 100 (RFC 9110 section 10.1.1); there is no other expectation."""
    if value is None:
        return False
    if value.lower() != "100-continue":
        raise ProtocolError(Reason.EXPECTATION_UNKNOWN, 417)
    return True


def _read_offer(values: dict[str, str]) -> WebsocketOffer | None:
    """Return the websocket offer, or None when the upgrade is to something else."""
    if "websocket" not in split_list(values.get("upgrade", "").lower()):
        return None
    version = values.get("sec-websocket-version", "")
    if version != "13":
        raise ProtocolError(Reason.WEBSOCKET_VERSION, 426)
    key = values.get("sec-websocket-key", "")
    protocols = tuple(split_list(values.get("sec-websocket-protocol", "")))
    tokens = len(set(protocols)) == len(protocols) and all(map(TOKEN.fullmatch, protocols))
    if _WEBSOCKET_KEY.fullmatch(key) is None or not tokens:
        raise ProtocolError(Reason.BAD_UPGRADE)
    return WebsocketOffer(key, protocols, values.get("sec-websocket-extensions"), version)
