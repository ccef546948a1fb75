"""The notebook servers the gateway stands in front of: the named ones, or whatever runs; and where each is mounted.

Each is watched (`nbgate.keeper.upstreams`); its place is its own base URL, and no place is given twice. What changes is
told to one listener, with a generation that only grows, whichever server it is about. It speaks to no worker, writes
no record and opens no file.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from msgspec import structs

from nbgate.clock import Clock
from nbgate.config.schema import Probe
from nbgate.errors import ExitCode, StartError
from nbgate.jupyter.runtime_files import choose_newest
from nbgate.keeper.guarded import Change, Shown, Upstreams, What, route_name, show, show_passed_over, state_of
from nbgate.keeper.upstreams import GOOD, Eyes, UpstreamWatch, Watched
from nbgate.model.route import Condition, Route, Upstream, UpstreamState

SCAN_SECONDS: Final = 1.0
OWN_PREFIX: Final = "/_nbgate/"

_log = structlog.get_logger("nbgate.keeper")


class _Mount:
    """A watched server; `base_url` is "" until it is known, `pid` 0 where it was named."""

    __slots__ = ("base_url", "generation", "pid", "task", "watch")

    def __init__(self, watch: UpstreamWatch, pid: int = 0) -> None:
        self.watch = watch
        self.base_url = watch.watched.base_url
        self.generation = 0
        self.pid = pid
        self.task: asyncio.Task[None] | None = None

    @property
    def upstream(self) -> Upstream:
        return self.watch.watched.upstream

    @property
    def address(self) -> str:
        return f"{self.upstream}{self.base_url or '/'}"

    def learn(self) -> None:
        """Take the base URL from what was found; that nothing answers at "/" says nothing about it."""
        found = self.watch.found
        if found is not None and (found.base_url != "/" or found.condition is not Condition.DOWN):
            self.base_url = found.base_url


class Mounts:
    """All watched servers.

    Args of the constructor:
        upstreams: Which.
        eyes: How they are looked at.
        allow_open: A server that asks for no credential is accepted.
        probe: How often each is looked at.
        clock: Where time is read.
        on_change: Called with each change.

    Attributes:
        allow: Who may use what is mounted at a prefix; one that is not named here: everybody.
        discovers: No server was named: those that run are found, now and later.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        eyes: Eyes,
        *,
        allow_open: bool,
        probe: Probe,
        clock: Clock,
        on_change: Callable[[Change], None],
    ) -> None:
        self._owners = upstreams.owners
        self._eyes = eyes
        self._allow_open = allow_open
        self._probe = probe
        self._clock = clock
        self._on_change = on_change
        self._generation = 0
        self.allow: Mapping[str, tuple[str, ...]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._passed_over: tuple[tuple[Upstream, str], ...] = ()
        self.discovers = not upstreams.named
        self._mounts = [_Mount(self._make_watch(upstream, base_url)) for upstream, base_url in upstreams.named]
        self._placed = self._place()

    # what is so

    def routes(self) -> tuple[Route, ...]:
        """Return the route of each mounted server."""
        return tuple(
            Route(
                name=route_name(prefix),
                prefix=prefix,
                upstream=mount.upstream,
                base_url=prefix,
                allowed=self.allow.get(prefix, ()),
            )
            for prefix, mount in self._placed.items()
        )

    def allow_unused(self) -> tuple[str, ...]:
        """Return the prefixes that an allow list names and where nothing is mounted: mistyped, or not running yet."""
        return tuple(sorted(set(self.allow) - set(self._placed)))

    def states(self) -> tuple[UpstreamState, ...]:
        """Return the state of each mounted server."""
        return tuple(
            state_of(mount.watch, route_name(prefix), mount.generation) for prefix, mount in self._placed.items()
        )

    def shown(self) -> tuple[Shown, ...]:
        """Return every server that is known, the mounted ones by their place, the others after them."""
        mounted = [show(self._placed[prefix].watch, prefix) for prefix in sorted(self._placed)]
        others = [show(mount.watch, "") for mount in self._mounts if not self._route_of(mount)]
        return (*mounted, *others, *(show_passed_over(*found, self._clock.unix()) for found in self._passed_over))

    def has_good(self) -> bool:
        """Say whether there is a server somebody could work with."""
        return any(mount.watch.condition in GOOD for mount in self._placed.values())

    def require_apart(self) -> None:
        """Check that no two named servers turned out to have the same base URL.

        Raises:
            StartError: Two have (78).
        """
        for mount in self._mounts:
            taken_by = self._placed.get(mount.base_url, mount)
            if taken_by is not mount:
                raise StartError(
                    f"{taken_by.upstream} and {mount.upstream} have the same base URL {mount.base_url}",
                    hint="give one of the two its own, for example --ServerApp.base_url=/second/",
                    exit_code=ExitCode.CONFIGURATION,
                )

    # what happens

    def suspect(self, route: str) -> None:
        """Look again soon at the server of this route: a worker saw something that does not fit."""
        for mount in self._mounts:
            if self._route_of(mount) == route:
                mount.watch.suspect()

    async def look_once(self) -> None:
        """Find what runs, where that is wanted, and look at every server now.

        Raises:
            NbgateError: The first that a look raised.
        """
        if self.discovers:
            await self.scan_once()
        looks = [mount.watch.look_once() for mount in self._mounts]
        for outcome in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def scan_once(self) -> None:
        """See which servers run: new ones are watched from now on, those that are gone no longer."""
        held = frozenset(
            (structs.replace(mount.upstream, owners=()), mount.watch.watched.base_url) for mount in self._mounts
        )
        chosen, self._passed_over = choose_newest(await self._eyes.running(), held)
        wanted = {
            (structs.replace(upstream, owners=self._owners), base_url): file.pid
            for base_url, (upstream, file) in chosen.items()
        }
        known = {(mount.upstream, mount.watch.watched.base_url): mount for mount in self._mounts}
        for gone in known.keys() - wanted.keys():
            self._drop(known[gone])
        for place, pid in wanted.items():
            mount = known.get(place)
            if mount is None:
                self._add(_Mount(self._make_watch(*place), pid))
            elif mount.pid != pid:  # restarted: it has another token
                mount.pid = pid
                mount.watch.suspect()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for mount in self._mounts:
                mount.task = group.create_task(mount.watch.run())
            while self.discovers:
                await asyncio.sleep(SCAN_SECONDS)
                try:
                    await self.scan_once()
                except OSError as error:  # no descriptor left: nothing changes, and the next scan may do better
                    _log.warning("running servers cannot be found", error=str(error))

    def _add(self, mount: _Mount) -> None:
        self._mounts.append(mount)
        if self._group is not None:  # before, at the start, it is said in other words
            mount.task = self._group.create_task(mount.watch.run())
            _log.info("notebook server found", address=mount.address)
        self._tell(What.APPEARED, mount, rerouted=self._replace())

    def _drop(self, mount: _Mount) -> None:
        if mount.task is not None:
            mount.task.cancel()
        route = self._route_of(mount)
        self._mounts.remove(mount)
        _log.info("notebook server gone", address=mount.address)
        self._on_change(
            Change(
                what=What.DISAPPEARED,
                route=route,
                address=mount.address,
                condition=Condition.DOWN,
                state=None,
                rerouted=self._replace(),
            )
        )

    def _make_watch(self, upstream: Upstream, base_url: str) -> UpstreamWatch:
        watched = Watched(upstream=upstream, base_url=base_url, allow_open=self._allow_open)
        return UpstreamWatch(watched, self._eyes, probe=self._probe, clock=self._clock, on_change=self._watch_changed)

    def _watch_changed(self, watch: UpstreamWatch) -> None:
        for mount in self._mounts:  # one that was dropped while it was looked at is not among them
            if mount.watch is watch:
                mount.learn()
                self._tell(What.CHANGED, mount, rerouted=self._replace())

    def _tell(self, what: What, mount: _Mount, *, rerouted: bool) -> None:
        self._generation += 1
        mount.generation = self._generation
        route = self._route_of(mount)
        self._on_change(
            Change(
                what=what,
                route=route,
                address=mount.address,
                condition=mount.watch.condition,
                state=state_of(mount.watch, route, mount.generation) if route else None,
                rerouted=rerouted,
            )
        )

    # places

    def _route_of(self, mount: _Mount) -> str:
        return next((route_name(prefix) for prefix, placed in self._placed.items() if placed is mount), "")

    def _replace(self) -> bool:
        """Give out the places anew; say whether that changed anything."""
        before, self._placed = self._placed, self._place()
        return before != self._placed

    def _place(self) -> dict[str, _Mount]:
        """Return who is mounted where: who is named first keeps the place; a base URL that is known beats a guess."""
        placed: dict[str, _Mount] = {}
        for mount in sorted(self._mounts, key=lambda mount: not mount.base_url):
            prefix = mount.base_url or "/"
            if not prefix.startswith(OWN_PREFIX):
                placed.setdefault(prefix, mount)
        return placed
