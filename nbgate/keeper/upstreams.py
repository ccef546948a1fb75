"""Watch one upstream: is it there, is it whose it should be, does it guard itself, which credential opens it.

It looks on a beat, and at once when a worker finds something odd, but never more than once a second. What it found is
said only when it changed. A credential is never logged, recorded or shown; it leaves here in a `Look` alone. Where an
upstream is mounted is not known here.
"""

import asyncio
import pwd
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from msgspec import Struct, structs

from nbgate.clock import Clock
from nbgate.config.schema import Probe
from nbgate.errors import NbgateError
from nbgate.jupyter.runtime_files import RuntimeFile
from nbgate.keeper.password_login import LogIn
from nbgate.keeper.probe import UNNAMED, Credential, Finding, Guard
from nbgate.model.route import Condition, Upstream

MIN_SECONDS_BETWEEN: Final = 1.0
GOOD: Final = frozenset({Condition.GUARDED, Condition.OPEN_ALLOWED})
_GONE: Final = frozenset({Condition.DOWN, Condition.FOREIGN})
HINT_WHEN_OPEN: Final = (
    "any local user could execute code through it: give it a token, or accept it with --allow-open-upstream"
)
HINT_WHEN_UNKNOWN: Final = (
    "write the notebook server's token into a file (mode 0600) and name it with --upstream-token-file"
)
HINT_WHEN_LOGIN: Final = (
    "it tells no token, so it has a password of its own: write that into a file (mode 0600) and name it with "
    "--upstream-password-file"
)
HINT_WHEN_REFUSED: Final = (
    "the notebook server did not take the password: correct the file named with --upstream-password-file"
)

_log = structlog.get_logger("nbgate.keeper")


class Look(Struct, frozen=True, kw_only=True):
    """What one look found; `base_url` is the one the server itself was told, as far as that can be known.

    Attributes:
        product: What a person calls the server, for example JupyterLab.
    """

    condition: Condition
    base_url: str
    credential: Credential = Credential()
    hint: str = ""
    product: str = UNNAMED


class Eyes(Struct, frozen=True, kw_only=True):
    """How upstreams are looked at; a test brings its own.

    Attributes:
        running: Returns the runtime files of all servers of this user that run, the newest first.
        servers: Returns the runtime files of servers at one upstream.
        guard: Asks `(upstream, base_url)` without credentials.
        opens: Asks `(upstream, base_url, credential)`.
        product: Asks `(upstream, base_url)` what it is.
        log_in: Logs in with a password at `(upstream, base_url)`.
        named_token: Reads the token file the operator named; None when none was.
        named_password: The same for the password file.
    """

    running: Callable[[], Awaitable[tuple[RuntimeFile, ...]]]
    servers: Callable[[Upstream], Awaitable[tuple[RuntimeFile, ...]]]
    guard: Callable[[Upstream, str], Awaitable[Finding]]
    opens: Callable[[Upstream, str, Credential], Awaitable[Finding]]
    product: Callable[[Upstream, str], Awaitable[str]]
    log_in: LogIn
    named_token: Callable[[], Awaitable[str]] | None = None
    named_password: Callable[[], Awaitable[str]] | None = None


class Watched(Struct, frozen=True, kw_only=True):
    """What is watched and what is allowed; `base_url` is "" where nobody said it."""

    upstream: Upstream
    base_url: str
    allow_open: bool


async def look(watched: Watched, eyes: Eyes, before: Look | None) -> Look:
    """Look at an upstream once.

    Args:
        watched: The upstream.
        eyes: How to look.
        before: What was found last time: a server that is only slow to answer stays what it was.
    """
    servers = await eyes.servers(watched.upstream)
    fallback = before.base_url if before is not None else "/"
    bases = [server.base_url for server in servers] or [fallback]
    base_url = watched.base_url or bases[0]
    finding = await eyes.guard(watched.upstream, base_url)
    match finding.guard:
        case Guard.DOWN:
            return _down(base_url)
        case Guard.FOREIGN:
            return _foreign(finding.uid, base_url)
        case Guard.SILENT:
            return before if before is not None and before.condition in GOOD else _down(base_url)
        case Guard.OPEN if not watched.allow_open:
            return Look(condition=Condition.OPEN, base_url=base_url, hint=_open_hint(finding))
    if before is not None and before.condition not in _GONE and before.base_url == base_url:
        product = before.product
    else:
        product = await eyes.product(watched.upstream, base_url)
    if finding.guard is Guard.OPEN:
        return Look(condition=Condition.OPEN_ALLOWED, base_url=base_url, product=product)
    opened = await _find_credential(watched.upstream, base_url, servers, eyes, before)
    return structs.replace(opened, product=product)


async def _find_credential(
    upstream: Upstream, base_url: str, servers: tuple[RuntimeFile, ...], eyes: Eyes, before: Look | None
) -> Look:
    """Try what could open the server: the tokens that are known, the login we have, a new login."""
    credentials = [Credential(token=server.token) for server in servers if server.token]
    if eyes.named_token is not None:
        credentials.insert(0, Credential(token=await eyes.named_token()))
    known = before.credential if before is not None else Credential()
    if known.cookie:
        credentials.append(known)
    for credential in dict.fromkeys(credentials):
        answer = await eyes.opens(upstream, base_url, credential)
        if answer.guard is Guard.OPEN:
            return Look(condition=Condition.GUARDED, base_url=base_url, credential=credential)
        if answer.guard is Guard.FOREIGN:
            return _foreign(answer.uid, base_url)
        if answer.guard is Guard.SILENT and before is not None and known == credential:
            return before
    if eyes.named_password is None:
        hint = HINT_WHEN_LOGIN if servers and not servers[0].token else HINT_WHEN_UNKNOWN
        return Look(condition=Condition.TOKEN_UNKNOWN, base_url=base_url, hint=hint)
    return await _log_in(upstream, base_url, eyes, await eyes.named_password())


async def _log_in(upstream: Upstream, base_url: str, eyes: Eyes, password: str) -> Look:
    answer = await eyes.log_in(upstream, base_url, password)
    match answer.guard:
        case Guard.OPEN:
            return Look(condition=Condition.GUARDED, base_url=base_url, credential=answer.credential)
        case Guard.GUARDED:
            return Look(condition=Condition.TOKEN_UNKNOWN, base_url=base_url, hint=HINT_WHEN_REFUSED)
        case Guard.FOREIGN:
            return _foreign(-1, base_url)
        case _:
            return _down(base_url)


def _down(base_url: str) -> Look:
    return Look(condition=Condition.DOWN, base_url=base_url)


def _foreign(uid: int, base_url: str) -> Look:
    user = _user_name(uid)
    whose = f"{user} (uid {uid})" if user else f"uid {uid}"
    said = (
        "whose socket answers there cannot be found out" if uid < 0 else f"the socket that answers belongs to {whose}"
    )
    meant = user or "'*'"
    hint = f"{said}, so it is sent nothing; if that is meant: --upstream-user {meant}"
    return Look(condition=Condition.FOREIGN, base_url=base_url, hint=hint)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return ""


def _open_hint(finding: Finding) -> str:
    if finding.status == 404:
        return f"{HINT_WHEN_OPEN}; or, if it has a base URL, name it: --upstream http://HOST:PORT/BASE/"
    return HINT_WHEN_OPEN


class UpstreamWatch:
    """One upstream's watch.

    Args:
        watched: The upstream.
        eyes: How to look.
        probe: How often.
        clock: Where time is read.
        on_change: Called when `found` has changed.

    Attributes:
        found: What the last look found; None before the first.
        since_unix: Since when that is so.
    """

    def __init__(
        self, watched: Watched, eyes: Eyes, *, probe: Probe, clock: Clock, on_change: Callable[["UpstreamWatch"], None]
    ) -> None:
        self.watched = watched
        self.found: Look | None = None
        self.since_unix = clock.unix()
        self._eyes = eyes
        self._probe = probe
        self._clock = clock
        self._on_change = on_change
        self._wake = asyncio.Event()
        self._looked_monotonic = clock.monotonic()
        self._one_at_a_time = asyncio.Lock()

    @property
    def condition(self) -> Condition:
        """Return how the upstream is."""
        return Condition.UNKNOWN if self.found is None else self.found.condition

    def suspect(self) -> None:
        """Look again soon: a worker saw something that does not fit."""
        self._wake.set()

    async def look_once(self) -> Look:
        """Look now, and say so if anything changed."""
        async with self._one_at_a_time:
            self._looked_monotonic = self._clock.monotonic()
            found = await look(self.watched, self._eyes, self.found)
            if found != self.found:
                self.found = found
                self.since_unix = self._clock.unix()
                self._on_change(self)
            return found

    async def run(self) -> None:
        """Look again and again, until cancelled; at once where nobody has looked yet."""
        if self.found is not None:
            await self._rest()
        while True:
            try:
                await self.look_once()
            except (NbgateError, OSError) as error:  # an unreadable token file, no descriptor left: nothing changes
                _log.warning("upstream cannot be looked at", upstream=str(self.watched.upstream), error=str(error))
            await self._rest()

    async def _rest(self) -> None:
        seconds = self._probe.interval_seconds if self.condition in GOOD else self._probe.retry_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        await asyncio.sleep(max(0.0, self._looked_monotonic + MIN_SECONDS_BETWEEN - self._clock.monotonic()))
