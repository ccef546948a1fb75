"""Ask a notebook server whether it guards itself, what it is, and whether a credential opens it.

One request per question, without a cookie jar, without following redirects, within five seconds; an answer's body is
never read. Not one byte is sent before the kernel has said whose socket it is. This file decides nothing:
`nbgate.keeper.upstreams` draws the conclusions.
"""

from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from msgspec import Struct
from yarl import URL

from nbgate.link.listener_owner import ForeignListenerError, require_owner
from nbgate.model.route import Upstream

PROBE_SECONDS = 5.0
_MAX_HEAD_LINE_BYTES = 8190
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PRODUCTS = {"lab": "JupyterLab", "tree": "Jupyter Notebook", "voila": "Voilà"}
UNNAMED = "a notebook server"


class Guard(StrEnum):
    """How an upstream answered a request without credentials."""

    GUARDED = "guarded"
    OPEN = "open"
    SILENT = "silent"  # it took the connection and said nothing: busy, perhaps
    FOREIGN = "foreign"  # another user listens there: nothing was sent
    DOWN = "down"


class Finding(Struct, frozen=True):
    """What one look at an upstream found.

    Attributes:
        status: 0 when nothing answered.
        uid: Who listens there, where it is somebody else; -1 when that is not known.
    """

    guard: Guard
    status: int = 0
    uid: int = -1


class Credential(Struct, frozen=True, kw_only=True):
    """What opens a notebook server: its token, or a login there."""

    token: str = ""
    cookie: str = ""
    xsrf: str = ""

    def headers(self) -> dict[str, str]:
        """Return the request headers that show it."""
        if self.token:
            return {"Authorization": f"token {self.token}"}
        return {"Cookie": self.cookie, "X-XSRFToken": self.xsrf} if self.cookie else {}

    def __bool__(self) -> bool:
        return bool(self.token or self.cookie)

    def __repr__(self) -> str:
        return f"Credential({'token' if self.token else 'login' if self.cookie else 'none'}=Secret(…))"


async def probe_guard(upstream: Upstream, base_url: str, *, seconds: float = PROBE_SECONDS) -> Finding:
    """Ask `GET BASE/api/contents` without credentials.

    401, 403 or a redirect to a login page is guarded; whatever else answers would answer every local user.
    """
    answer = await fetch(upstream, "GET", f"{base_url}api/contents", {}, seconds=seconds)
    if isinstance(answer, Finding):
        return answer
    guarded = answer.status in {401, 403} or _is_login_redirect(answer)
    return Finding(Guard.GUARDED if guarded else Guard.OPEN, answer.status)


async def probe_credential(
    upstream: Upstream, base_url: str, credential: Credential, *, seconds: float = PROBE_SECONDS
) -> Finding:
    """Ask the same with `credential`: OPEN means it opens. A large home folder is not listed for it (`content=0`)."""
    target = f"{base_url}api/contents?content=0"
    answer = await fetch(upstream, "GET", target, credential.headers(), seconds=seconds)
    if isinstance(answer, Finding):
        return answer
    return Finding(Guard.OPEN if answer.status == 200 else Guard.GUARDED, answer.status)


async def probe_product(upstream: Upstream, base_url: str, *, seconds: float = PROBE_SECONDS) -> str:
    """Return what a person calls the server: its base URL leads strangers to its first page, before any login."""
    answer = await fetch(upstream, "GET", base_url, {}, seconds=seconds)
    if isinstance(answer, Finding):
        return UNNAMED
    first = urlsplit(answer.headers.get("Location", "")).path.removeprefix(base_url).split("/")[0]
    return _PRODUCTS.get(first, UNNAMED) if answer.status in _REDIRECTS else UNNAMED


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
    connector = _UnixConnector(upstream) if upstream.path else _TcpConnector(upstream)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=seconds),
        auto_decompress=False,
        trust_env=False,
        max_line_size=_MAX_HEAD_LINE_BYTES,
        max_field_size=_MAX_HEAD_LINE_BYTES,
        skip_auto_headers=("User-Agent",),
    )
    try:
        url = URL(f"http://{upstream.authority}{target}", encoded=True)
        answer = await session.request(method, url, headers=headers, data=body, allow_redirects=False)
        answer.close()
    except TimeoutError:
        return Finding(Guard.SILENT)
    except ForeignListenerError as error:
        return Finding(Guard.FOREIGN, uid=error.uid)
    except (aiohttp.ClientError, OSError):
        return Finding(Guard.DOWN)  # refused, reset, or not HTTP: in each case there is no server to talk to
    finally:
        await session.close()
    return answer


class _TcpConnector(aiohttp.TCPConnector):
    """Looks whose socket answered, between connecting and the first byte: aiohttp has no other place for that."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(force_close=True)
        self._owners = upstream.owners

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        return _checked(await super()._create_connection(*args, **kwargs), self._owners)


class _UnixConnector(aiohttp.UnixConnector):
    """The same for a Unix socket."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(upstream.path, force_close=True)
        self._owners = upstream.owners

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        return _checked(await super()._create_connection(*args, **kwargs), self._owners)


def _checked(connection: ResponseHandler, owners: tuple[int, ...]) -> ResponseHandler:
    if connection.transport is None:
        raise ConnectionResetError("the upstream hung up at once")
    try:
        require_owner(connection.transport.get_extra_info("socket"), owners)
    except (ForeignListenerError, OSError):
        connection.close()
        raise
    return connection


def _is_login_redirect(answer: aiohttp.ClientResponse) -> bool:
    return answer.status in _REDIRECTS and urlsplit(answer.headers.get("Location", "")).path.endswith("/login")
