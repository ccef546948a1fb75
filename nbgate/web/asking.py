"""Who asks, as the worker says it in headers that no client can send, and the cookies an answer sets or takes away.

Reads and writes headers only: whether a session lives, the keeper says.
"""

from typing import Final

from aiohttp import web

from nbgate.crypto.devices import LIFETIME_SECONDS
from nbgate.guard.next_url import safe_next
from nbgate.http.cookies import device_cookie_name, session_cookie_name
from nbgate.keeper.login import LoginAttempt
from nbgate.keeper.server import request_id
from nbgate.model.session import Session

CLIENT: Final = "X-Nbgate-Client"
DEVICE: Final = "X-Nbgate-Device"
NAVIGATION: Final = "X-Nbgate-Navigation"
SESSION: Final = "X-Nbgate-Session"
SESSION_KEY: Final = "X-Nbgate-Session-Key"

HOME: Final = "/_nbgate/account"
OWN_LANDINGS: Final = frozenset(
    {
        HOME,
        "/_nbgate/account/codes",
        "/_nbgate/account/password",
        "/_nbgate/account/tokens",
        "/_nbgate/account/totp",
        "/_nbgate/admin",
        "/_nbgate/diagnose",
        "/_nbgate/servers",
    }
)
"""Own pages that only show something: a login may end there. `safe_next` lets none of ours pass."""

_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"


def host_of(request: web.Request) -> str:
    """Return the Host the request named, which the worker has judged."""
    return request.headers.get("Host", "")


def client_of(request: web.Request) -> str:
    """Return the client's address in text."""
    return request.headers.get(CLIENT, "")


def is_navigation(request: web.Request) -> bool:
    """Say whether a person goes to a page; else a program reads the answer."""
    return request.headers.get(NAVIGATION) == "1"


def session_id_of(request: web.Request) -> bytes:
    """Return the id of the session the worker found; empty: none."""
    return _from_hex(request.headers.get(SESSION, ""))


def session_key_of(request: web.Request) -> bytes:
    """Return the digest of the secret that the browser showed; empty: none."""
    return _from_hex(request.headers.get(SESSION_KEY, ""))


def attempt_of(
    request: web.Request, *, username: str = "", password: str = "", code: str = "", replaces: Session | None = None
) -> LoginAttempt:
    """Return what somebody offers, and from where."""
    return LoginAttempt(
        username=username,
        password=password,
        code=code,
        client=client_of(request),
        request_id=request_id(request),
        device=request.headers.get(DEVICE, ""),
        user_agent=request.headers.get("User-Agent", ""),
        replaces=replaces,
    )


def landing_of(values: list[str], home: str) -> str | None:
    """Return where a login leads to; two of them are nobody's honest link: neither is followed.

    Args:
        values: The public paths that were asked for.
        home: The path below which the gateway is reached. What lies elsewhere on this host is not ours to lead to; and
            a redirect of ours to `/_nbgate/` would be mapped, past all that is judged here.
    """
    if len(values) != 1 or not values[0].startswith(home):
        return None
    below = values[0].removeprefix(home)
    return values[0] if f"/{below}" in OWN_LANDINGS else safe_next(values[0], own_prefix=f"{home}_nbgate/")


def set_session(request: web.Request, answer: web.Response, token: str) -> None:
    """Have the browser keep the secret of a session, until it is closed."""
    answer.headers.add("Set-Cookie", f"{session_cookie_name(host_of(request))}={token}; {_ATTRIBUTES}")


def set_device(request: web.Request, answer: web.Response, text: str) -> None:
    """Have the browser keep what says that it has logged in before."""
    name = device_cookie_name(host_of(request))
    answer.headers.add("Set-Cookie", f"{name}={text}; {_ATTRIBUTES}; Max-Age={LIFETIME_SECONDS}")


def clear_session(request: web.Request, answer: web.Response) -> None:
    """Have the browser forget the secret of its session."""
    answer.headers.add("Set-Cookie", f"{session_cookie_name(host_of(request))}=; {_ATTRIBUTES}; Max-Age=0")


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
