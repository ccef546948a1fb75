"""Watch one upstream: is it there, does it guard itself, which token opens it.

It looks on a beat, and at once when a worker finds something odd, but never more than once a second. What it found is
said only when it changed. A token is never logged, recorded or shown; it leaves here in an `UpstreamState` alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from msgspec import Struct, structs

from nbgate.clock import Clock
from nbgate.config.schema import Probe
from nbgate.errors import NbgateError
from nbgate.jupyter.runtime_files import RuntimeFile
from nbgate.keeper.probe import Finding, Guard
from nbgate.model.route import Condition, Upstream, UpstreamState

MIN_SECONDS_BETWEEN: Final = 1.0
GOOD: Final = frozenset({Condition.GUARDED, Condition.OPEN_ALLOWED})
HINT_WHEN_OPEN: Final = (
    "any local user could execute code through it: give it a token, or accept it with --allow-open-upstream"
)
HINT_WHEN_UNKNOWN: Final = (
    "write the notebook server's token into a file (mode 0600) and name it with --upstream-token-file"
)

_log = structlog.get_logger("nbgate.keeper")


class Look(Struct, frozen=True, kw_only=True):
    """What one look found; `base_url` is the one the server itself was told, as far as that can be known."""

    condition: Condition
    base_url: str
    token: str = ""
    hint: str = ""

    def __repr__(self) -> str:
        return f"Look(condition={self.condition!s}, base_url={self.base_url!r}, token=Secret(…))"


class Eyes(Struct, frozen=True):
    """How an upstream is looked at; a test brings its own.

    Attributes:
        servers: Returns the runtime files of servers there.
        guard: Asks `(upstream, base_url)` without credentials.
        token: Asks `(upstream, base_url, token)`.
        named_token: Reads the file the operator named; None when none was.
    """

    servers: Callable[[Upstream], Awaitable[tuple[RuntimeFile, ...]]]
    guard: Callable[[Upstream, str], Awaitable[Finding]]
    token: Callable[[Upstream, str, str], Awaitable[Finding]]
    named_token: Callable[[], Awaitable[str]] | None = None


class Watched(Struct, frozen=True, kw_only=True):
    """What is watched and what is allowed; `base_url` is "" where the operator named none."""

    route: str
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
    named = None if eyes.named_token is None else await eyes.named_token()
    fallback = before.base_url if before is not None else "/"
    bases = [server.base_url for server in servers] or [fallback]
    base_url = watched.base_url or bases[0]
    finding = await eyes.guard(watched.upstream, base_url)
    if finding.guard is Guard.GUARDED:
        tokens = [named] if named is not None else [server.token for server in servers if server.token]
        return await _try_tokens(watched, eyes, base_url, tokens, before)
    match finding.guard:
        case Guard.DOWN:
            return Look(condition=Condition.DOWN, base_url=base_url)
        case Guard.SILENT:
            return before if before is not None and before.condition in GOOD else _down(base_url)
        case Guard.OPEN if watched.allow_open:
            return Look(condition=Condition.OPEN_ALLOWED, base_url=base_url)
        case Guard.OPEN:
            return Look(condition=Condition.OPEN, base_url=base_url, hint=_open_hint(finding))


async def _try_tokens(watched: Watched, eyes: Eyes, base_url: str, tokens: list[str], before: Look | None) -> Look:
    for token in dict.fromkeys(tokens):
        answer = await eyes.token(watched.upstream, base_url, token)
        if answer.guard is Guard.OPEN:
            return Look(condition=Condition.GUARDED, base_url=base_url, token=token)
        if answer.guard is Guard.SILENT and before is not None and before.token == token:
            return before
    return Look(condition=Condition.TOKEN_UNKNOWN, base_url=base_url, hint=HINT_WHEN_UNKNOWN)


def _down(base_url: str) -> Look:
    return Look(condition=Condition.DOWN, base_url=base_url)


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
        on_change: Called as `(state, look)` when the condition, the token or the base URL has changed.
    """

    def __init__(
        self,
        watched: Watched,
        eyes: Eyes,
        *,
        probe: Probe,
        clock: Clock,
        on_change: Callable[[UpstreamState, Look], None],
    ) -> None:
        self.watched = watched
        self.state = UpstreamState(route=watched.route, since_unix=clock.unix())
        self.found: Look | None = None
        self._eyes = eyes
        self._probe = probe
        self._clock = clock
        self._on_change = on_change
        self._wake = asyncio.Event()
        self._looked_monotonic = clock.monotonic()
        self._one_at_a_time = asyncio.Lock()

    @property
    def is_suspected(self) -> bool:
        """True from a suspicion until the look that it caused."""
        return self._wake.is_set()

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
                self._change(found)
            return found

    async def run(self) -> None:
        """Look again and again, until cancelled; the first look is the caller's, before anything is served."""
        while True:
            await self._rest()
            try:
                await self.look_once()
            except (NbgateError, OSError) as error:  # an unreadable token file, no descriptor left: nothing changes
                _log.warning("upstream cannot be looked at", route=self.watched.route, error=str(error))

    async def _rest(self) -> None:
        good = self.state.condition in GOOD
        seconds = self._probe.interval_seconds if good else self._probe.retry_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        await asyncio.sleep(max(0.0, self._looked_monotonic + MIN_SECONDS_BETWEEN - self._clock.monotonic()))

    def _change(self, found: Look) -> None:
        self.state = structs.replace(
            self.state,
            condition=found.condition,
            token=found.token,
            since_unix=self._clock.unix(),
            generation=self.state.generation + 1,
        )
        self._on_change(self.state, found)
