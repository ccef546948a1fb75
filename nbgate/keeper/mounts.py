"""The notebook servers the gateway stands in front of, and where each is mounted: named, added, or found.

Each is watched (`nbgate.keeper.watches`), and no place is given twice (`nbgate.keeper.mounted`). What changes is told
to one listener, with a generation that only grows, whichever server it is about. It speaks to no worker, writes no
record and opens no file.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Final

import structlog
from msgspec import structs

from nbgate.clock import Clock
from nbgate.config.routes import USER
from nbgate.config.schema import Probe
from nbgate.errors import ExitCode, StartError
from nbgate.http.hosts import name_of
from nbgate.jupyter.runtime_files import RuntimeFile, running_once
from nbgate.keeper.guarded import Change, Shown, Upstreams, What
from nbgate.keeper.hints import BY_FLAGS, BY_REQUEST, BY_TABLE
from nbgate.keeper.mounted import Mount, Mounted
from nbgate.keeper.places import FoundNames, Source, Where, expand
from nbgate.keeper.upstreams import GOOD, Eyes, Watched
from nbgate.keeper.watch import UpstreamWatch
from nbgate.keeper.watches import Watches
from nbgate.model.route import Condition, Route, Upstream, UpstreamState
from nbgate.model.route_spec import RouteSpec

SCAN_SECONDS: Final = 1.0

_log = structlog.get_logger("nbgate.keeper")


class _Wanted:
    """A server that is named or was added, and its mounts: one by "", or one for each user by their name."""

    __slots__ = ("mounts", "order", "source", "spec")

    def __init__(self, spec: RouteSpec, source: Source, order: int) -> None:
        self.spec = spec
        self.source = source
        self.order = order
        self.mounts: dict[str, Mount] = {}


class _Found:
    """A server that was found; `file` is the newest of those it left on disk."""

    __slots__ = ("file", "mount")

    def __init__(self, mount: Mount, file: RuntimeFile) -> None:
        self.mount = mount
        self.file = file


class Mounts:
    """All watched servers.

    Args of the constructor:
        upstreams: Which.
        eyes: How they are looked at.
        allow_open: A server that asks for no credential is accepted, where its spec does not say.
        probe: How often each is looked at.
        clock: Where time is read.
        on_change: Called with each change.

    Attributes:
        base_url: The gateway's own, which stands before every place.
        discovers: Servers that run are found, now and later.
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
        self.base_url = upstreams.base_url
        self._owners = upstreams.owners
        self._eyes = eyes
        self._allow_open = allow_open
        self._on_change = on_change
        self._watches = Watches(eyes, probe=probe, clock=clock, on_change=self._watch_changed)
        self._mounted = Mounted(upstreams.base_url)
        self._orders = count()
        self._users: tuple[str, ...] | None = None
        self._named: list[_Wanted] = []
        self._for_users: list[_Wanted] = []
        self._added: dict[tuple[str, str], _Wanted] = {}
        self._found: dict[tuple[Upstream, str], _Found] = {}
        self._names = FoundNames()
        self.use(upstreams)

    # what is so

    def routes(self) -> tuple[Route, ...]:
        """Return the route of each mounted server."""
        return self._mounted.routes()

    def states(self) -> tuple[UpstreamState, ...]:
        """Return the state of each mounted server."""
        return self._mounted.states()

    def shown(self) -> tuple[Shown, ...]:
        """Return every server that is known, the mounted ones by their place, the others after them."""
        shown = [self._mounted.show(mount) for mount in self._all()]
        return tuple(sorted(shown, key=lambda each: (not each.prefix, each.host, each.prefix)))

    def has_good(self) -> bool:
        """Say whether there is a server somebody could work with."""
        return any(mount.watch.condition in GOOD for mount in self._mounted.holders())

    @property
    def allow(self) -> Mapping[str, tuple[str, ...]]:
        """Who may use what is mounted at a prefix, where its spec does not say; one not named here: everybody."""
        return self._mounted.allow

    @allow.setter
    def allow(self, allow: Mapping[str, tuple[str, ...]]) -> None:
        self._mounted.allow = allow
        self._mounted.settle_all()

    def allow_unused(self) -> tuple[str, ...]:
        """Return the prefixes that an allow list names and where nothing is mounted: mistyped, or not running yet."""
        return tuple(sorted(set(self.allow) - {mount.prefix for mount in self._mounted.holders()}))

    def require_apart(self) -> None:
        """Check that no two named servers turned out to have the same base URL.

        Raises:
            StartError: Two have (78).
        """
        for mount in self._mounts_of(self._named):
            rival = self._mounted.rival(mount)
            if rival is not None and rival.source is Source.CONFIGURATION and mount.watch.base_url:
                address = mount.watch.watched.address
                raise StartError(
                    f"{rival.watch.watched.address} and {address} have the same base URL {mount.prefix}",
                    hint=f"say where one of the two is to be, for example --upstream /second/={address}",
                    exit_code=ExitCode.CONFIGURATION,
                )

    # what is wanted

    def use(self, upstreams: Upstreams) -> None:
        """Take what the configuration names in place of what it named before; nobody is told, but by a snapshot."""
        before = self._named
        self._hosts = frozenset(map(name_of, upstreams.hosts))
        self._may_share = upstreams.shared_origin
        self.discovers = not upstreams.named
        self._named = [_Wanted(spec, Source.CONFIGURATION, next(self._orders)) for spec in upstreams.named]
        self._wants_changed()
        touched = {where for wanted in self._named for where in self._expand(wanted)}
        touched |= self._expand_users()
        for mount in self._mounts_of(before):
            touched |= self._let_go(mount)
        for key, found in tuple(self._found.items()):
            if self.discovers:
                found.mount.watch.suspect()  # another token may have been named for all
            else:
                touched |= self._let_go(self._found.pop(key).mount)
        self._mounted.settle(touched)

    def restore(self, specs: Iterable[RouteSpec]) -> None:
        """Add the servers that were added before this keeper began; nobody is told, but by a snapshot."""
        added = [_Wanted(spec, Source.RUNTIME, next(self._orders)) for spec in specs]
        self._added |= {(wanted.spec.host, wanted.spec.prefix): wanted for wanted in added}
        self._wants_changed()
        touched = {where for wanted in added for where in self._expand(wanted)}
        self._mounted.settle(touched | self._expand_users())

    def put(self, spec: RouteSpec) -> None:
        """Add a server, or put it in the place of the one that was added there before."""
        before = self._added.get((spec.host, spec.prefix))
        wanted = self._added[spec.host, spec.prefix] = _Wanted(spec, Source.RUNTIME, next(self._orders))
        self._wants_changed(spec)
        touched = self._expand(wanted) | self._expand_users() | self._let_found_go()
        mounts = tuple(wanted.mounts.values())
        if before is not None:
            mounts += tuple(before.mounts.values())
            touched |= {where for mount in before.mounts.values() for where in self._let_go(mount)}
        self._tell(What.APPEARED if before is None else What.CHANGED, mounts, touched)

    def drop(self, host: str, prefix: str) -> bool:
        """Let go of a server that was added; False where none was added at this place."""
        wanted = self._added.pop((host, prefix), None)
        if wanted is None:
            return False
        self._wants_changed(wanted.spec)
        mounts = tuple(wanted.mounts.values())
        route = self._name_of(mounts)
        touched = {where for mount in mounts for where in self._let_go(mount)}
        self._tell(What.DISAPPEARED, mounts, touched | self._expand_users(), route=route)
        return True

    def accounts_changed(self, names: Iterable[str]) -> None:
        """Note who may log in: each of them has a server of their own where `{user}` was named.

        The first call tells nobody: what comes of it is in every snapshot.
        """
        before, self._users = self._users, tuple(sorted(names))
        if before == self._users:
            return
        had = self._mounts_of(self._for_users)
        touched = self._expand_users()
        have = self._mounts_of(self._for_users)
        if before is None:
            self._mounted.settle(touched)
        elif touched:
            come = tuple(mount for mount in have if mount not in had)
            self._tell(What.APPEARED if come else What.DISAPPEARED, come or tuple(had), touched)

    def _wants_changed(self, spec: RouteSpec | None = None) -> None:
        """Note that `spec`, or anything at all, was named or is named no longer."""
        if spec is None or USER in spec.host:
            self._for_users = [each for each in (*self._named, *self._added.values()) if USER in each.spec.host]

    def _expand(self, wanted: _Wanted, taken: frozenset[str] = frozenset()) -> set[Where]:
        """Make the mounts that are wanted and not there, let go of those that are wanted no more."""
        touched: set[Where] = set()
        is_expanded = USER in wanted.spec.host
        specs = expand(wanted.spec, self._users or (), taken)
        for user in sorted(wanted.mounts.keys() - specs.keys()):
            touched |= self._let_go(wanted.mounts.pop(user))
        for user in sorted(specs.keys() - wanted.mounts.keys()):
            mount = wanted.mounts[user] = Mount(specs[user], wanted.source, wanted.order, is_expanded=is_expanded)
            touched |= self._take(mount)
        return touched

    def _expand_users(self) -> set[Where]:
        """Expand what is there for each user; a host that somebody named is nobody's, whatever they are called."""
        if not self._for_users:
            return set()
        taken = self._hosts | {each.spec.host for each in (*self._named, *self._added.values())}
        return {where for wanted in self._for_users for where in self._expand(wanted, taken)}

    def _take(self, mount: Mount) -> set[Where]:
        spec, is_added = mount.spec, mount.source is Source.RUNTIME
        watched = Watched(
            upstream=structs.replace(spec.upstream, owners=self._owners),
            base_url=spec.base_url,
            allow_open=self._allow_open if spec.allow_open is None else spec.allow_open,
            resolve=spec.resolve,
            health=spec.health,
            token_file=spec.token_file,
            password_file=spec.password_file,
            token=spec.token,
            may_use_named=mount.source is Source.FOUND,  # `load` has said of each that is named whose they are
            must_be_known=is_added,  # else they could reach whatever listens on this machine
            hints=BY_REQUEST if is_added else BY_TABLE if spec.in_table else BY_FLAGS,
        )
        self._watches.use(watched, mount)
        return self._mounted.enter(mount)

    def _let_go(self, mount: Mount) -> set[Where]:
        self._watches.release(mount)
        return self._mounted.leave(mount)

    # what happens

    def suspect(self, route: str) -> None:
        """Look again soon at the server of this route: a worker saw something that does not fit."""
        mount = self._mounted.holder(route)
        if mount is not None:
            mount.watch.suspect()

    async def look_once(self) -> None:
        """Find what runs, where that is wanted, and look at every server now.

        Raises:
            NbgateError: The first that a look raised.
        """
        if self.discovers:
            await self.scan_once()
        await self._watches.look_once()

    async def scan_once(self) -> None:
        """See which servers run: new ones are watched from now on, those that are gone no longer.

        One that was added is where it was added, and nowhere else: who may use it there may be said there.
        """
        running = running_once(await self._eyes.running())
        added = self._added_addresses() if running else frozenset()
        wanted = {(upstream, file.base_url): file for upstream, file in running if upstream not in added}
        for key in self._found.keys() - wanted.keys():
            mount = self._found.pop(key).mount
            _log.info("notebook server gone", address=mount.address)
            route = self._name_of((mount,))
            self._tell(What.DISAPPEARED, (mount,), self._let_go(mount), route=route)
        for (upstream, base_url), file in wanted.items():
            found = self._found.get((upstream, base_url))
            if found is None:
                self._add_found(upstream, file)
            elif found.file.pid != file.pid:  # restarted: it has another token
                found.file = file
                found.mount.watch.suspect()
        for found in self._found.values():
            if self._mounted.route_of(found.mount) is None and (touched := self._choose_place(found)):
                self._tell(What.CHANGED, (found.mount,), touched)

    def _added_addresses(self) -> frozenset[Upstream]:
        added = self._mounts_of(self._added.values())
        return frozenset(Upstream(host=to.host, port=to.port, path=to.path) for to in (m.spec.upstream for m in added))

    def _let_found_go(self) -> set[Where]:
        """Let go of those that were found and are added now."""
        added = self._added_addresses() if self._found else frozenset()
        gone = [key for key in self._found if key[0] in added]
        return {where for key in gone for where in self._let_go(self._found.pop(key).mount)}

    def _add_found(self, upstream: Upstream, file: RuntimeFile) -> None:
        mount = Mount(RouteSpec(upstream=upstream, base_url=file.base_url), Source.FOUND, next(self._orders))
        found = self._found[upstream, file.base_url] = _Found(mount, file)
        self._take(mount)
        if self._watches.is_running:  # before, at the start, it is said in other words
            _log.info("notebook server found", address=mount.address)
        self._tell(What.APPEARED, (mount,), self._choose_place(found))

    def _choose_place(self, found: _Found) -> set[Where]:
        mount, file = found.mount, found.file
        prefix = self._names.choose(
            file.root, str(mount.spec.upstream), file.base_url, lambda prefix: self._mounted.is_free(mount, prefix)
        )
        mount.is_apart = not (self._may_share or self._mounted.may_join(prefix))
        mount.spec = structs.replace(mount.spec, prefix="" if mount.is_apart else prefix)
        return self._mounted.leave(mount) if mount.is_apart else self._mounted.enter(mount)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._watches.begin(group)
            while True:
                await asyncio.sleep(SCAN_SECONDS)
                try:
                    if self.discovers:
                        await self.scan_once()
                except OSError as error:  # no descriptor left: nothing changes, and the next scan may do better
                    _log.warning("running servers cannot be found", error=str(error))

    def _watch_changed(self, watch: UpstreamWatch) -> None:
        mounts = self._watches.users(watch)
        if mounts:
            touched = {where for mount in mounts for where in self._mounted.enter(mount)}
            self._tell(What.CHANGED, mounts, touched, watch=watch)

    def _tell(
        self,
        what: What,
        mounts: tuple[Mount, ...],
        touched: set[Where],
        *,
        watch: UpstreamWatch | None = None,
        route: str = "",
    ) -> None:
        """Tell what happened to a server, which is the first of `mounts` that has a place, and what comes of it."""
        diff = self._mounted.settle(touched, watch)
        if not mounts:  # a server for each user, and no user yet
            return
        mount = next((mount for mount in mounts if self._mounted.route_of(mount) is not None), mounts[0])
        self._on_change(
            Change(
                what=what,
                route=route or self._name_of(mounts),
                address=mount.address,
                condition=Condition.DOWN if what is What.DISAPPEARED else mount.watch.condition,
                put=diff.put,
                gone=diff.gone,
                states=diff.states,
            )
        )

    def _name_of(self, mounts: Iterable[Mount]) -> str:
        """Return the name of the first route that one of `mounts` has; "" where none has a place."""
        return next((route.name for mount in mounts if (route := self._mounted.route_of(mount)) is not None), "")

    def _all(self) -> list[Mount]:
        added = self._mounts_of(self._added.values())
        return [*self._mounts_of(self._named), *added, *(found.mount for found in self._found.values())]

    @staticmethod
    def _mounts_of(wanted: Iterable[_Wanted]) -> list[Mount]:
        return [mount for each in wanted for mount in each.mounts.values()]
