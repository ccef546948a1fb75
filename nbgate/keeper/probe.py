"""Ask a notebook server whether it guards itself, what it is, and whether a credential opens it.

One request per question, without a cookie jar, without following redirects, within five seconds; an answer's body is
read where somebody asks for it, up to a bound. Not one byte is sent before the kernel has said whose socket it is, or
the certificate that was named was shown. This file decides nothing: `nbgate.keeper.upstreams` draws the conclusions.

What tells, found out by asking them:

- Jupyter: `api/contents` is 401, 403 or a redirect to its login; with `token T` 200. `api` is 200 for anybody.
- Voilà 0.5 (standalone) has no contents: `voila/render/none` is a redirect to its login; with `token T` to
  `voila/files/`. Its first page may be a notebook, which asking would execute; `voila/static/voila.js` is open.
- marimo 0.25: its first page is a redirect to `auth/login`; with `Bearer T` 200. While it runs an app, all of `api/` is
  401 even with the token. `health` is 200 for anybody, `api/contents` 404.
"""

import ssl
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.client_proto import ResponseHandler
from msgspec import Struct
from yarl import URL

from nbgate.link.listener_owner import ForeignListenerError, require_owner
from nbgate.link.upstream_tls import client_context, require_pin
from nbgate.model.route import Upstream

PROBE_SECONDS = 5.0
_MAX_HEAD_LINE_BYTES = 8190
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PRODUCTS = {"lab": "JupyterLab", "tree": "Jupyter Notebook", "voila": "Voilà"}
_NO_NOTEBOOK = "voila/render/none"  # asked for a kernel that is not there, it writes a traceback into its log
_VOILA_FILES = "/voila/files/"
_UVICORN = "uvicorn"
_ASKS_FOR_LOGIN = frozenset({401, 403})
UNNAMED = "a notebook server"
MARIMO = "marimo"
VOILA = "Voilà"
SAID_OF_CERTIFICATE = (
    "the certificate shown there is not the one that was named, or nobody who was named vouches for it, so it is sent "
    "nothing"
)


class Guard(StrEnum):
    """How an upstream answered a request without credentials."""

    GUARDED = "guarded"
    OPEN = "open"
    SILENT = "silent"  # it took the connection and said nothing: busy, perhaps
    FOREIGN = "foreign"  # another user listens there, or somebody with another certificate: nothing was sent
    DOWN = "down"


class Finding(Struct, frozen=True):
    """What one look at an upstream found.

    Attributes:
        status: 0 when nothing answered.
        uid: Who listens there, where it is somebody else; -1 when that is not known.
        said: Why it is foreign, where that is not a matter of users.
    """

    guard: Guard
    status: int = 0
    uid: int = -1
    said: str = ""


class Credential(Struct, frozen=True, kw_only=True):
    """What opens a notebook server: its token, sent as `token` or as `Bearer`, or a login there."""

    token: str = ""
    cookie: str = ""
    xsrf: str = ""
    bearer: bool = False

    def headers(self) -> dict[str, str]:
        """Return the request headers that show it."""
        if self.token:
            return {"Authorization": f"{'Bearer' if self.bearer else 'token'} {self.token}"}
        return {"Cookie": self.cookie, "X-XSRFToken": self.xsrf} if self.cookie else {}

    def __bool__(self) -> bool:
        return bool(self.token or self.cookie)

    def __repr__(self) -> str:
        return f"Credential({'token' if self.token else 'login' if self.cookie else 'none'}=Secret(…))"


async def probe_guard(upstream: Upstream, base_url: str, *, seconds: float = PROBE_SECONDS) -> Finding:
    """Ask without credentials for what a stranger must not have.

    401, 403 or a redirect to a login page is guarded; whatever else answers would answer every local user. Where there
    are no contents it may be another kind of server, which is asked its own question: never one that makes it execute.
    """
    answer = await fetch(upstream, "GET", f"{base_url}api/contents", {}, seconds=seconds)
    if isinstance(answer, Finding):
        return answer
    if _asks_for_login(answer):
        return Finding(Guard.GUARDED, answer.status)
    if _has_no_contents(answer):
        other = await fetch(upstream, "GET", _other_question(answer, base_url), {}, seconds=seconds)
        if isinstance(other, Finding):
            return other
        if _asks_for_login(other):
            return Finding(Guard.GUARDED, other.status)
    return Finding(Guard.OPEN, answer.status)


async def probe_credential(
    upstream: Upstream, base_url: str, credential: Credential, *, seconds: float = PROBE_SECONDS
) -> Finding:
    """Ask the same with `credential`: OPEN means it opens. A large home folder is not listed for it (`content=0`)."""
    target = base_url if credential.bearer else f"{base_url}api/contents?content=0"
    answer = await fetch(upstream, "GET", target, credential.headers(), seconds=seconds)
    if isinstance(answer, Finding):
        return answer
    if credential.bearer or _asks_for_login(answer) or not _has_no_contents(answer):
        return Finding(Guard.OPEN if answer.status == 200 else Guard.GUARDED, answer.status)
    other = await fetch(upstream, "GET", f"{base_url}{_NO_NOTEBOOK}", credential.headers(), seconds=seconds)
    if isinstance(other, Finding):
        return other
    return Finding(Guard.OPEN if _VOILA_FILES in _led_to(other) else Guard.GUARDED, other.status)


def _is_of_certificate(error: Exception) -> bool:
    """What the handshake refuses is a class of aiohttp's own, what we refuse after it is the cause of another one."""
    is_refused = isinstance(error, aiohttp.ClientConnectorCertificateError)
    return is_refused or isinstance(error.__cause__, ssl.SSLCertVerificationError)


async def probe_product(upstream: Upstream, base_url: str, *, seconds: float = PROBE_SECONDS) -> str:
    """Return what a person calls the server, by what it shows strangers.

    Jupyter's base URL leads to its first page, before any login. It is not asked of Voilà: the first page may be a
    notebook, which would be executed.
    """

    async def ask(path: str) -> aiohttp.ClientResponse | None:
        answer = await fetch(upstream, "GET", base_url + path, {}, seconds=seconds)
        return None if isinstance(answer, Finding) else answer

    version = await ask("api")
    if version is None:
        return UNNAMED
    if version.status == 200:
        return _by_first_page(await ask(""), base_url)
    if _is_uvicorn(version):
        health = await ask("health")
        return MARIMO if health is not None and health.status == 200 else UNNAMED
    static = await ask("voila/static/voila.js")
    return VOILA if static is not None and static.status == 200 else UNNAMED


async def probe_health(upstream: Upstream, target: str, *, seconds: float = PROBE_SECONDS) -> Finding:
    """Ask a path that somebody named: the server lives (OPEN) unless it is not there or says that it failed."""
    answer = await fetch(upstream, "GET", target, {}, seconds=seconds)
    if isinstance(answer, Finding):
        return answer
    return Finding(Guard.DOWN if answer.status == 404 or answer.status >= 500 else Guard.OPEN, answer.status)


def _other_question(answer: aiohttp.ClientResponse, base_url: str) -> str:
    """Return what tells whether a server without contents guards itself: marimo's first page, or a page of Voilà's."""
    return base_url if _is_uvicorn(answer) else f"{base_url}{_NO_NOTEBOOK}"


def _has_no_contents(answer: aiohttp.ClientResponse) -> bool:
    return answer.status == 404 or answer.status in _REDIRECTS


def _asks_for_login(answer: aiohttp.ClientResponse) -> bool:
    return answer.status in _ASKS_FOR_LOGIN or _led_to(answer).endswith("/login")


def _led_to(answer: aiohttp.ClientResponse) -> str:
    """Return the path of a redirect; "" for another answer."""
    return urlsplit(answer.headers.get("Location", "")).path if answer.status in _REDIRECTS else ""


def _is_uvicorn(answer: aiohttp.ClientResponse) -> bool:
    return answer.headers.get("Server", "") == _UVICORN


def _by_first_page(answer: aiohttp.ClientResponse | None, base_url: str) -> str:
    first = "" if answer is None else _led_to(answer).removeprefix(base_url).split("/")[0]
    return _PRODUCTS.get(first, UNNAMED)


async def fetch(
    upstream: Upstream,
    method: str,
    target: str,
    headers: dict[str, str],
    *,
    body: bytes | None = None,
    seconds: float = PROBE_SECONDS,
) -> aiohttp.ClientResponse | Finding:
    """Return the head of the answer, its connection closed, or why there is none."""
    session = _session(upstream, seconds)
    try:
        answer = await _ask(session, upstream, method, target, headers, body)
        answer.close()
    except TimeoutError:
        return Finding(Guard.SILENT)
    except ForeignListenerError as error:
        return Finding(Guard.FOREIGN, uid=error.uid)
    except (aiohttp.ClientError, OSError) as error:
        if _is_of_certificate(error):
            return Finding(Guard.FOREIGN, said=SAID_OF_CERTIFICATE)
        return Finding(Guard.DOWN)  # refused, reset, or not HTTP: in each case there is no server to talk to
    finally:
        await session.close()
    return answer


async def maybe_read(
    upstream: Upstream, target: str, headers: dict[str, str], *, max_bytes: int, seconds: float = PROBE_SECONDS
) -> bytes | None:
    """Return the body of a 200, at most `max_bytes` long; None for every other answer, and where there is none."""
    session = _session(upstream, seconds)
    try:
        answer = await _ask(session, upstream, "GET", target, headers, None)
        if answer.status != 200:
            return None
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                return None
    except (TimeoutError, ForeignListenerError, aiohttp.ClientError, OSError):
        return None
    finally:
        await session.close()
    return bytes(body)


def _session(upstream: Upstream, seconds: float) -> aiohttp.ClientSession:
    connector = _UnixConnector(upstream) if upstream.path else _TcpConnector(upstream)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=seconds),
        auto_decompress=False,
        trust_env=False,
        max_line_size=_MAX_HEAD_LINE_BYTES,
        max_field_size=_MAX_HEAD_LINE_BYTES,
        skip_auto_headers=("User-Agent",),
    )


async def _ask(
    session: aiohttp.ClientSession,
    upstream: Upstream,
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes | None,
) -> aiohttp.ClientResponse:
    """Ask at the address itself: what it is called is said in the Host header and to TLS, and resolved by nobody."""
    named = msgspec.structs.replace(upstream, name="")
    url = URL(f"{upstream.scheme}://{named.authority}{target}", encoded=True)
    return await session.request(
        method,
        url,
        headers={"Host": upstream.authority, **headers},
        data=body,
        allow_redirects=False,
        server_hostname=None if upstream.tls is None else upstream.tls.server_name,
    )


class _TcpConnector(aiohttp.TCPConnector):
    """Looks whose socket answered, between connecting and the first byte: aiohttp has no other place for that."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(force_close=True, ssl=True if upstream.tls is None else client_context(upstream.tls))
        self._upstream = upstream

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        return _checked(await super()._create_connection(*args, **kwargs), self._upstream)


class _UnixConnector(aiohttp.UnixConnector):
    """The same for a Unix socket."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(upstream.path, force_close=True)
        self._upstream = upstream

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        return _checked(await super()._create_connection(*args, **kwargs), self._upstream)


def _checked(connection: ResponseHandler, upstream: Upstream) -> ResponseHandler:
    if connection.transport is None:
        raise ConnectionResetError("the upstream hung up at once")
    try:
        require_owner(connection.transport.get_extra_info("socket"), upstream.owners)
        if upstream.tls is not None:
            require_pin(upstream.tls, connection.transport.get_extra_info("ssl_object"))
    except (ForeignListenerError, OSError):
        connection.close()
        raise
    return connection
