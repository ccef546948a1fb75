"""Log in at a notebook server that has a password of its own, as a browser would, and keep what proves it.

The server's form wants its `_xsrf` cookie back, so a login is two requests (PREFIX 2). A password that was refused is
not tried again at the same place until it is another one, or a time has passed: nobody is locked out by us. It says
nothing about whether the server should be trusted, and stores nothing beyond this process.
"""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

import aiohttp
from msgspec import Struct

from nbgate.clock import Clock
from nbgate.keeper.probe import Credential, Finding, Guard, fetch
from nbgate.model.route import Upstream
from nbgate.rewrite.cookies import XSRF, is_login_cookie

MAX_REMEMBERED: Final = 256
_VALUE: Final = re.compile(r"[!-+\--:<-\[\]-~]+")  # what can stand in a Cookie header as it is

Place = tuple[Upstream, str]


class LoginAnswer(Struct, frozen=True):
    """How a login ended: OPEN with the credential it gave, GUARDED when the password was refused, else why not."""

    guard: Guard
    credential: Credential = Credential()


LogIn = Callable[[Upstream, str, str], Awaitable[LoginAnswer]]


async def log_in(upstream: Upstream, base_url: str, password: str) -> LoginAnswer:
    """Log in once at `BASE/login`."""
    target = f"{base_url}login"
    form = await fetch(upstream, "GET", target, {})
    if isinstance(form, Finding):
        return LoginAnswer(form.guard)
    xsrf = _cookies(form).get(XSRF, "")
    body = urlencode({"password": password, XSRF: xsrf}).encode("ascii")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"{XSRF}={xsrf}"}
    answer = await fetch(upstream, "POST", target, headers, body=body)
    if isinstance(answer, Finding):
        return LoginAnswer(answer.guard)
    given = _cookies(answer)
    if answer.status not in {302, 303} or not set(given) - {XSRF}:
        return LoginAnswer(Guard.GUARDED)
    pairs = {XSRF: xsrf} | given
    cookie = "; ".join(f"{name}={value}" for name, value in pairs.items())
    return LoginAnswer(Guard.OPEN, Credential(cookie=cookie, xsrf=pairs[XSRF]))


def _cookies(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the cookies of a login that `answer` sets, as the server spelled them."""
    given = {}
    for line in answer.headers.getall("Set-Cookie", []):
        name, _, value = (part.strip(" \t") for part in line.partition(";")[0].partition("="))
        if is_login_cookie(name) and _VALUE.fullmatch(value) is not None:
            given[name] = value
    return given


class PatientLogin:
    """Logs in by `attempt`, but not with a password that was refused at that place less than `wait_seconds` ago."""

    def __init__(self, attempt: LogIn, clock: Clock, wait_seconds: float) -> None:
        self._attempt = attempt
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._refused: dict[Place, tuple[bytes, float]] = {}

    async def __call__(self, upstream: Upstream, base_url: str, password: str) -> LoginAnswer:
        """Log in, or say at once that it was refused."""
        place = (upstream, base_url)
        digest = sha256(password.encode()).digest()
        refused, until = self._refused.get(place, (b"", 0.0))
        if refused == digest and self._clock.monotonic() < until:
            return LoginAnswer(Guard.GUARDED)
        answer = await self._attempt(upstream, base_url, password)
        self._refused.pop(place, None)
        if answer.guard is Guard.GUARDED:
            if len(self._refused) >= MAX_REMEMBERED:  # servers come and go: the oldest memory goes first
                del self._refused[next(iter(self._refused))]
            self._refused[place] = (digest, self._clock.monotonic() + self._wait_seconds)
        return answer
