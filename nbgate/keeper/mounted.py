"""What is mounted where just now: the routing table as the workers were told of it, and what each change makes of it.

A change costs what it changes, however many routes there are. Which servers are wanted is not decided here
(`nbgate.keeper.mounts`), nor what becomes of a change.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from nbgate.keeper.guarded import (
    HINT_WHEN_OURS,
    HINT_WHEN_SHARING,
    HINT_WHEN_TAKEN,
    Shown,
    route_name,
    show,
    state_of,
)
from nbgate.keeper.places import Places, Source, Where, is_ours, public_prefix, rank_of
from nbgate.keeper.watch import UpstreamWatch
from nbgate.model.route import Route, UpstreamState
from nbgate.model.route_spec import RouteSpec

ALL_DIGITS: Final = 64


class Mount:
    """One server that somebody wants at one place.

    Attributes:
        spec: What is wanted, for one host and one user.
        order: Who came first; no two are alike.
        is_expanded: It was made for one of many users.
        watch: The server's; whoever makes a mount sets it (`Watches.use`).
        generation: Of the last state that was told.
        is_apart: It may not share its host with what is mounted there.
    """

    __slots__ = ("generation", "is_apart", "is_expanded", "order", "source", "spec", "watch")

    watch: UpstreamWatch

    def __init__(self, spec: RouteSpec, source: Source, order: int, *, is_expanded: bool = False) -> None:
        self.spec = spec
        self.source = source
        self.order = order
        self.is_expanded = is_expanded
        self.generation = 0
        self.is_apart = False

    @property
    def prefix(self) -> str:
        """Return where it wants to be, within the gateway's own base URL: its own base URL, if nothing was said."""
        return self.spec.prefix or self.watch.base_url or "/"

    @property
    def at(self) -> str:
        """Return that with its host, as people write it."""
        return self.spec.host + self.prefix

    @property
    def address(self) -> str:
        """Return the server's address with its base URL, for people."""
        return f"{self.watch.watched.address}{self.watch.base_url or '/'}"

    @property
    def is_waiting(self) -> bool:
        """Say whether nobody has chosen a place for it yet: a server that was found."""
        return self.source is Source.FOUND and not self.spec.prefix


class Diff(Struct, frozen=True):
    """What workers are to be told; as in `Change`."""

    put: tuple[Route, ...] = ()
    gone: tuple[str, ...] = ()
    states: tuple[UpstreamState, ...] = ()


class Mounted:
    """The mounts, and the routes that come of them.

    Attributes:
        allow: Who may use what is mounted at a prefix, where its spec does not say; one that is not named: everybody.
    """

    def __init__(self, base: str) -> None:
        self.allow: Mapping[str, tuple[str, ...]] = {}
        self._base = base
        self._places: Places[Mount] = Places()
        self._routes: dict[str, Route] = {}
        self._holders: dict[str, Mount] = {}
        self._names: dict[Where, str] = {}
        self._used: set[str] = set()
        self._generation = 0

    def enter(self, mount: Mount) -> set[Where]:
        """Take a mount, or note that it wants to be elsewhere now; return the places it may concern."""
        if mount.is_waiting:
            return set()
        if is_ours(mount.prefix):
            return self._places.leave(mount)
        rank = rank_of(
            mount.source,
            mount.order,
            is_guess=not (mount.spec.prefix or mount.watch.base_url),
            is_expanded=mount.is_expanded,
        )
        return self._places.enter(mount, self._where(mount.spec.host, mount.prefix), rank)

    def leave(self, mount: Mount) -> set[Where]:
        """Let a mount go."""
        return self._places.leave(mount)

    def settle(self, touched: Iterable[Where], watch: UpstreamWatch | None = None) -> Diff:
        """Work out what is at the places `touched` now, and what workers must be told of it.

        `watch` found something new: the states of its routes are told even where the routes are the same.
        """
        put, gone, states = [], [], []
        for where in sorted(touched):
            mount = self._places.holder(where)
            if mount is None:
                name = self._forget(where)
                if self._routes.pop(name, None) is not None:
                    del self._holders[name]
                    gone.append(name)
                continue
            name = self._name(where)
            route = self._route(mount, name, where)
            if self._routes.get(name) != route:
                put.append(route)
            elif self._holders[name] is mount and mount.watch is not watch:
                continue
            self._routes[name] = route
            self._holders[name] = mount
            states.append(self._next_state(mount, name))
        return Diff(tuple(put), tuple(gone), tuple(states))

    def settle_all(self) -> Diff:
        """Work out everything anew: who may use what has changed."""
        return self.settle(tuple(self._names))

    # what is so

    def routes(self) -> tuple[Route, ...]:
        """Return all routes."""
        return tuple(self._routes.values())

    def states(self) -> tuple[UpstreamState, ...]:
        """Return the state of each."""
        return tuple(state_of(mount.watch, name, mount.generation) for name, mount in self._holders.items())

    def holders(self) -> Iterator[Mount]:
        """Return those who have a place."""
        return iter(self._holders.values())

    def holder(self, name: str) -> Mount | None:
        """Return whose route this is."""
        return self._holders.get(name)

    def rival(self, mount: Mount) -> Mount | None:
        """Return who has the place that `mount` wants; None where nobody else has it."""
        where = self._places.wish(mount)
        holder = None if where is None else self._places.holder(where)
        return None if holder is mount else holder

    def route_of(self, mount: Mount) -> Route | None:
        """Return the route of a mount; None where it has no place."""
        return self._routes[self._name(where)] if (where := self._places.place(mount)) is not None else None

    def is_free(self, mount: Mount, prefix: str) -> bool:
        """Say whether nobody else is at a prefix, which is not one of our own."""
        return not is_ours(prefix) and self._places.holder(self._where("", prefix)) in {None, mount}

    def may_join(self, prefix: str) -> bool:
        """Say whether those who may use what is at `prefix` may use all else that no host of its own has (T25)."""
        allowed = set(self.allow.get(prefix, ()))
        return all(set(route.allowed) == allowed for route in self._routes.values() if not route.host)

    def show(self, mount: Mount) -> Shown:
        """Return a mount as people see it."""
        hint = HINT_WHEN_OURS if is_ours(mount.prefix) else HINT_WHEN_SHARING if mount.is_apart else HINT_WHEN_TAKEN
        address = mount.watch.watched.address
        return show(mount.watch, mount.source, self.route_of(mount), mount.at, hint.format(address=address))

    def _where(self, host: str, prefix: str) -> Where:
        return host, public_prefix(self._base, prefix)

    def _name(self, where: Where) -> str:
        """Return the name of the route at a place; a longer one where another place has that name already."""
        if where not in self._names:
            host, prefix = where
            short = route_name(prefix, host)
            self._names[where] = route_name(prefix, host, ALL_DIGITS) if short in self._used else short
            self._used.add(self._names[where])
        return self._names[where]

    def _forget(self, where: Where) -> str:
        """Forget a place where nobody is any more; return the name that its route had."""
        name = self._name(where)
        del self._names[where]
        self._used.discard(name)
        return name

    def _route(self, mount: Mount, name: str, where: Where) -> Route:
        spec = mount.spec
        return Route(
            name=name,
            host=where[0],
            prefix=where[1],
            upstream=mount.watch.upstream,
            base_url=mount.watch.base_url or "/",
            allowed=spec.allowed or self.allow.get(mount.prefix, ()),
            disabled_rules=spec.disabled_rules,
        )

    def _next_state(self, mount: Mount, name: str) -> UpstreamState:
        self._generation += 1
        mount.generation = self._generation
        return state_of(mount.watch, name, mount.generation)
