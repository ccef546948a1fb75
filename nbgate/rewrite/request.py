"""Build the head an upstream gets: its own authority, our credential, and what the client sent that may pass.

It writes neither framing lines nor the last CRLF; the edge does, because it re-frames the body. It decides nothing
about the request, and no byte of the client's head passes but `Fields.forward`, `conditional`, the method and the
target. Client lines come first and are gone before ours are added (T28, T29).
"""

import re
from urllib.parse import unquote_plus

from msgspec import Struct

from nbgate.http.head import Fields, RequestHead, WebsocketOffer
from nbgate.model.route import Route

# Query parameters by which notebook servers take a token: a client's must reach neither them nor their logs.
TOKEN_PARAMETERS = frozenset({"access_token", "token"})
# Where we are logged in, it counts before the X-XSRFToken that we send, and could only be another mount's.
LOGIN_PARAMETERS = TOKEN_PARAMETERS | {"_xsrf"}

_SCHEME = "https://"
_CLIENTS_XSRF = re.compile(rb"(?im)^x-[cx]srftoken:[^\r\n]*\r\n")


class UpstreamAccess(Struct, frozen=True, gc=False, kw_only=True):
    """What the upstream is to be told besides the client's own words.

    Attributes:
        route: Whose upstream.
        token: Its credential, or "" for an open one.
        bearer: The token is sent as `Bearer`; Notebook 6 knows nothing but `token`, which marimo does not.
        cookie: Its own cookies, unsealed, or None.
        xsrf: What goes with a login of ours among these cookies, "" for none; the client's own goes nowhere then.
        client_address: IP address of the client, in text.
        identity: Ask for a whole, uncompressed answer: it may be a page that has to be rewritten.
        extensions: On a websocket, pass the offered extensions on; not where messages are judged.
    """

    route: Route
    token: str
    cookie: str | None
    client_address: str
    identity: bool = False
    extensions: bool = True
    xsrf: str = ""
    bearer: bool = False


class UpstreamHeads:
    """Builds the heads of one client connection, and keeps the lines of the last one.

    A connection repeats itself: with the same `Fields` object and an equal `UpstreamAccess` only the request line and
    the request id are new.
    """

    __slots__ = (
        "_access",
        "_fields",
        "_lines",
    )

    def __init__(self) -> None:
        self._fields: Fields | None = None
        self._access: UpstreamAccess | None = None
        self._lines = b""

    def build(self, head: RequestHead, target: bytes, access: UpstreamAccess, request_id: str) -> bytes:
        """Return request line and header lines for the upstream, without framing lines and without the last CRLF.

        Args:
            head: What the client sent.
            target: Where it leads upstream (`nbgate.routing.table.upstream_target`); its token parameters are left out.
            access: What else the upstream is told.
            request_id: Of this request, printable ASCII.
        """
        if head.fields is not self._fields or access != self._access:
            self._lines = _lines(head.fields, access)
            self._fields, self._access = head.fields, access
        if b"?" in target:
            target = strip_token(target, logged_in=bool(access.xsrf))
        return _head(head.method, target, self._lines, request_id)


def strip_token(target: bytes, *, logged_in: bool = False) -> bytes:
    """Return `target` without the query parameters that carry a credential, in whatever spelling; all else stays."""
    path, mark, query = target.partition(b"?")
    if not mark or not (b"token" in query or b"%" in query or (logged_in and b"xsrf" in query)):
        return target
    names = LOGIN_PARAMETERS if logged_in else TOKEN_PARAMETERS
    parameters = query.split(b"&")
    kept = [parameter for parameter in parameters if _name(parameter) not in names]
    if len(kept) == len(parameters):
        return target
    return path + mark + b"&".join(kept) if kept else path


def _name(parameter: bytes) -> str:
    return unquote_plus(parameter.partition(b"=")[0].decode("ascii")).strip()


def _head(method: str, target: bytes, lines: bytes, request_id: str) -> bytes:
    return b"%b %b HTTP/1.1\r\n%bX-Request-ID: %b\r\n" % (method.encode(), target, lines, request_id.encode())


def _lines(fields: Fields, access: UpstreamAccess) -> bytes:
    authority = access.route.upstream.authority
    ours = [
        f"X-Forwarded-For: {access.client_address}",
        "X-Forwarded-Proto: https",
        f"X-Forwarded-Host: {fields.host}",
        *_encoding(fields, identity=access.identity),
        *_provenance(fields, access.route, authority),
    ]
    if access.cookie is not None:
        ours.append(f"Cookie: {access.cookie}")
    forward = fields.forward
    if access.token:
        ours.append(f"Authorization: {'Bearer' if access.bearer else 'token'} {access.token}")
    if access.xsrf:  # tornado joins two of them, and then neither is right
        ours.append(f"X-XSRFToken: {access.xsrf}")
        forward = _CLIENTS_XSRF.sub(b"", forward)
    if fields.websocket is not None:
        ours += handshake_lines(fields.websocket, extensions=access.extensions)
    if not all(line.isascii() and line.isprintable() for line in ours):
        raise ValueError("a header line for the upstream would hold more than printable ASCII")
    conditional = b"" if access.identity else fields.conditional
    written = "".join(f"{line}\r\n" for line in ours).encode("ascii")
    return f"Host: {authority}\r\n".encode("ascii") + forward + conditional + written


def _encoding(fields: Fields, *, identity: bool) -> list[str]:
    if identity:
        return ["Accept-Encoding: identity"]
    return [] if fields.accept_encoding is None else [f"Accept-Encoding: {fields.accept_encoding}"]


def _provenance(fields: Fields, route: Route, authority: str) -> list[str]:
    """Return Origin and Referer as the upstream's own, where the client sent ours (R3); another one goes nowhere.

    The Referer goes without its query: jupyter_server before 2.21 logs it (CVE-2026-86049).
    """
    lines: list[str] = []
    if not fields.origins and fields.referer is None:
        return lines
    origin = f"{route.upstream.scheme}://{authority}"
    if len(fields.origins) == 1 and _own_path(fields.origins[0], fields.host) == "":
        lines.append(f"Origin: {origin}")
    path = None if fields.referer is None else _own_path(fields.referer, fields.host)
    if path is not None:
        below = path.removeprefix(route.prefix) if path.startswith(route.prefix) else ""
        lines.append(f"Referer: {origin}{route.base_url}{below}")
    return lines


def _own_path(address: str, host: str) -> str | None:
    """Return the path of an address below our public origin, "" for the origin itself; None for any other address."""
    if not address.startswith(_SCHEME):
        return None
    authority, slash, rest = address[len(_SCHEME) :].partition("/")
    if authority.lower().removesuffix(":443") != host.removesuffix(":443"):
        return None
    path, _, _ = rest.partition("?")
    return slash + path.partition("#")[0]


def handshake_lines(offer: WebsocketOffer, *, extensions: bool) -> list[str]:
    """Return the lines that ask for a websocket as the client did, with or without the extensions it offered."""
    lines = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Version: {offer.version}",
        f"Sec-WebSocket-Key: {offer.key}",
    ]
    if offer.protocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(offer.protocols)}")
    if extensions and offer.extensions is not None:
        lines.append(f"Sec-WebSocket-Extensions: {offer.extensions}")
    return lines
