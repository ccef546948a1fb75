"""Build the head a client gets from an upstream's answer, and say which bodies are pages to be rewritten.

It writes neither framing lines nor the last CRLF; the edge does, because it re-frames the body. It decides no refusal:
a redirect to the upstream's own login, or a 403 in spite of our token, is for its caller to see.
"""

from enum import Enum, auto
from http import HTTPStatus

from nbgate.http.headers import HeaderTables
from nbgate.http.response import ResponseHead
from nbgate.model.route import Route, RouteKind
from nbgate.rewrite.kernelspecs import MAX_KERNELSPECS_BYTES
from nbgate.rewrite.location import map_link, map_location
from nbgate.rewrite.policy_report import map_policies
from nbgate.rewrite.sandbox import sandbox_line

MAX_KNOWN_NAMES = 512
MAX_BUILT = 256

# What is no longer true of a page once a byte of it has changed; and nobody keeps it, it was made for one person.
_OF_THE_OLD_BODY = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-md5",
        "digest",
        "etag",
        "expires",
        "last-modified",
        "pragma",
        "repr-digest",
    }
)
_ADDRESSES = frozenset({"content-location", "location", "sourcemap", "x-sourcemap"})
_OURS = frozenset({"set-cookie", "x-content-type-options", "x-request-id"})

_OPENER_POLICY = "cross-origin-opener-policy"
_EMBEDDER_POLICY = "cross-origin-embedder-policy"
_ISOLATING = frozenset({"credentialless", "require-corp"})

_NO_BODY = frozenset({101, 204, 304})
_PARTIAL = 206
_SWITCHING = 101
_FIRST_ERROR = 400


class BodyPlan(Enum):
    """What to do with the body of an answer."""

    PASS = auto()
    REWRITE = auto()
    REFUSE = auto()  # a page that cannot be rewritten as it comes: encoded, or a part of one
    KERNELSPECS = auto()


class _Line(Enum):
    KEEP = auto()
    DROP = auto()
    ADDRESS = auto()
    LINK = auto()
    OPENER = auto()
    OLD_BODY = auto()


_KEEP = _Line.KEEP  # looked up for every line of every answer


class ClientHeads:
    """Builds heads for clients; remembers what is to be done with each name (at most `MAX_KNOWN_NAMES`).

    The lines of the same `ResponseHead` object for the same route and origin are built once (at most `MAX_BUILT`): the
    reader gives the same object for the same bytes.
    """

    def __init__(self, tables: HeaderTables, always: bytes = b"") -> None:
        self._tables = tables
        self._always = always
        self._known: dict[str, _Line] = {}
        self._built: dict[tuple[int, str, str, bool, bool], tuple[ResponseHead, Route, bytes]] = {}

    def build(
        self,
        response: ResponseHead,
        *,
        route: Route,
        public_origin: str,
        rewritten: bool,
        set_cookies: bytes,
        request_id: str,
        user_content: bool = False,
    ) -> bytes:
        """Return status line and header lines for the client, without framing lines and without the last CRLF.

        Args:
            response: What the upstream sent.
            route: Whose upstream.
            public_origin: `https://` and the Host of the request.
            rewritten: Whether the body is rewritten on its way.
            set_cookies: Finished Set-Cookie lines; the upstream's own are never copied.
            request_id: Of the request; printable ASCII.
            user_content: A document is shown in a sandbox, unless the server does that itself.
        """
        key = (id(response), route.name, public_origin, rewritten, user_content)
        built = self._built.get(key)
        if built is None or built[0] is not response or built[1] is not route:  # it may have another base URL now
            lines = self._lines(response, route, public_origin, rewritten=rewritten)
            built = (response, route, lines + (sandbox_line(response) if user_content else b""))
            if not response.set_cookies:  # such a head comes once
                if len(self._built) >= MAX_BUILT:
                    self._built.clear()
                self._built[key] = built
        return b"%b%bX-Request-ID: %b\r\n" % (built[2], set_cookies, request_id.encode("ascii"))

    def _lines(self, response: ResponseHead, route: Route, public_origin: str, *, rewritten: bool) -> bytes:
        lines = [b"HTTP/1.1 %d %b\r\n" % (response.status, response.phrase.encode("latin-1"))]
        known = self._known
        for name, line, value in map_policies(response.lines, route) if route.is_moved else response.lines:
            what = known.get(name) or self._learn(name)
            if what is _KEEP:
                lines.append(line)
            elif what is _Line.OLD_BODY:
                if not rewritten:
                    lines.append(line)
            elif what is _Line.OPENER:
                lines.append(line if route.kind is RouteKind.OWN else _opener_line(response, line, value))
            elif what is not _Line.DROP:
                lines.append(_mapped(what, line, value, route, public_origin))
        if rewritten:
            lines.append(b"Cache-Control: no-store\r\n")
        if response.status == _SWITCHING:
            lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
        else:
            lines.append(b"X-Content-Type-Options: nosniff\r\n")
        lines.append(self._always)
        return b"".join(lines)

    def _learn(self, name: str) -> _Line:
        if len(self._known) >= MAX_KNOWN_NAMES:
            self._known.clear()
        what = self._known[name] = _judge_line(name, self._tables)
        return what


def is_document(response: ResponseHead, *, method: str, untouched: bool) -> bool:
    """Say whether the body is a page of a notebook server, which may show its token.

    Args:
        response: What the upstream sent.
        method: Of the request.
        untouched: Whether the path is user content or an asset (`nbgate.jupyter.paths.is_untouched`). The error page
            of such a path is still the server's own, and shows the token like any other.
    """
    if method == "HEAD" or response.is_informational or response.status in _NO_BODY or not _is_html(response):
        return False
    return not untouched or response.status >= _FIRST_ERROR


def plan_body(response: ResponseHead, *, method: str, untouched: bool, kernelspecs: bool = False) -> BodyPlan:
    """Say what to do with the body; the arguments are those of `is_document`, and whether JSON here is to be mapped.

    A page was asked for whole and uncompressed. One that comes otherwise could hide the token from the rewriter. JSON
    that does passes as it is: all it costs is a picture.
    """
    if is_document(response, method=method, untouched=untouched):
        return BodyPlan.REWRITE if _is_readable(response) else BodyPlan.REFUSE
    is_list = kernelspecs and method != "HEAD" and response.status == HTTPStatus.OK and _is_json(response)
    if not is_list or not _is_readable(response) or (response.length or 0) > MAX_KERNELSPECS_BYTES:
        return BodyPlan.PASS
    return BodyPlan.KERNELSPECS


def _is_readable(response: ResponseHead) -> bool:
    encoded = any(name == "content-encoding" and value.lower() != "identity" for name, _, value in response.lines)
    return not encoded and response.status != _PARTIAL


def _is_json(response: ResponseHead) -> bool:
    return response.content_type is not None and response.content_type.lower().lstrip().startswith("application/json")


def _is_html(response: ResponseHead) -> bool:
    """Say whether a browser would show the body as HTML; XHTML never came from a notebook server."""
    return response.content_type is not None and response.content_type.lower().lstrip().startswith("text/html")


def _judge_line(name: str, tables: HeaderTables) -> _Line:
    if name in _OURS or tables.strips_response(name):
        return _Line.DROP
    if name in _ADDRESSES:
        return _Line.ADDRESS
    if name == "link":
        return _Line.LINK
    if name == _OPENER_POLICY:
        return _Line.OPENER
    return _Line.OLD_BODY if name in _OF_THE_OLD_BODY else _Line.KEEP


def _opener_line(response: ResponseHead, line: bytes, value: str) -> bytes:
    """Return the policy of a page towards windows that it opens; one that would share ours with it becomes laxer.

    Pages of one origin that both say `same-origin` may look into each other: a script of a notebook page would read the
    form tokens of a page of ours that it opens, which says so too. Ours never say COEP, by which they are told apart.
    """
    if value.partition(";")[0].strip(" \t").lower() != "same-origin":
        return line
    if any(
        name == _EMBEDDER_POLICY and it.partition(";")[0].strip(" \t") in _ISOLATING for name, _, it in response.lines
    ):
        return line
    return b"Cross-Origin-Opener-Policy: same-origin-allow-popups\r\n"


def _mapped(what: _Line, line: bytes, value: str, route: Route, public_origin: str) -> bytes:
    """Return the line with its addresses made public, spelled as before; b"" when it must be left out."""
    mapped = map_link(value, route, public_origin) if what is _Line.LINK else map_location(value, route)
    if mapped is None:
        return b""
    if mapped == value:
        return line
    return line.partition(b":")[0] + b": " + mapped.encode("latin-1") + b"\r\n"
