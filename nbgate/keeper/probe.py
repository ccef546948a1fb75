"""Ask a notebook server whether it guards itself, and whether a token opens it.

One request per question, without cookies, without following redirects, within five seconds; an answer's body is never
read. This file decides nothing: `nbgate.keeper.upstreams` draws the conclusions.
"""

from enum import StrEnum
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct
from yarl import URL

from nbgate.model.route import Upstream

PROBE_SECONDS = 5.0
_MAX_HEAD_LINE_BYTES = 8190


class Guard(StrEnum):
    """How an upstream answered a request without credentials."""

    GUARDED = "guarded"
    OPEN = "open"
    SILENT = "silent"  # it took the connection and said nothing: busy, perhaps
    DOWN = "down"


class Finding(Struct, frozen=True):
    """What one look at an upstream found; `status` is 0 when nothing answered."""

    guard: Guard
    status: int = 0


async def probe_guard(upstream: Upstream, base_url: str, *, seconds: float = PROBE_SECONDS) -> Finding:
    """Ask `GET BASE/api/contents` without credentials.

    401, 403 or a redirect to a login page is guarded; whatever else answers would answer every local user.
    """
    answer = await _get(upstream, f"{base_url}api/contents", {}, seconds)
    if isinstance(answer, Guard):
        return Finding(answer)
    guarded = answer.status in {401, 403} or _is_login_redirect(answer)
    return Finding(Guard.GUARDED if guarded else Guard.OPEN, answer.status)


async def probe_token(upstream: Upstream, base_url: str, token: str, *, seconds: float = PROBE_SECONDS) -> Finding:
    """Ask the same with `token`: OPEN means it opens. A large home folder is not listed for it (`content=0`)."""
    credential = {"Authorization": f"token {token}"}
    answer = await _get(upstream, f"{base_url}api/contents?content=0", credential, seconds)
    if isinstance(answer, Guard):
        return Finding(answer)
    return Finding(Guard.OPEN if answer.status == 200 else Guard.GUARDED, answer.status)


async def _get(
    upstream: Upstream, target: str, headers: dict[str, str], seconds: float
) -> aiohttp.ClientResponse | Guard:
    """Return the head of the answer, its connection closed, or why there is none."""
    connector: aiohttp.BaseConnector = (
        aiohttp.UnixConnector(upstream.path) if upstream.path else aiohttp.TCPConnector(force_close=True)
    )
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
        answer = await session.get(url, headers=headers, allow_redirects=False)
        answer.close()
    except TimeoutError:
        return Guard.SILENT
    except (aiohttp.ClientError, OSError):
        return Guard.DOWN  # refused, reset, or not HTTP: in each case there is no server to talk to
    finally:
        await session.close()
    return answer


def _is_login_redirect(answer: aiohttp.ClientResponse) -> bool:
    if answer.status not in {301, 302, 303, 307, 308}:
        return False
    return urlsplit(answer.headers.get("Location", "")).path.endswith("/login")
