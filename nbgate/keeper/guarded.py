"""What is said about the notebook servers the gateway stands in front of: to workers, audit, status and people.

Values and words; nothing here looks at a server or gives it a place (`nbgate.keeper.mounts` does).
"""

from enum import Enum, auto
from hashlib import sha256
from typing import Final

from msgspec import UNSET, Struct

from nbgate.audit.events import Event, UpstreamAppear, UpstreamChange, UpstreamDisappear
from nbgate.keeper.audit_writer import Stamp
from nbgate.keeper.places import Source
from nbgate.keeper.probe import UNNAMED
from nbgate.keeper.upstreams import GOOD
from nbgate.keeper.watch import UpstreamWatch
from nbgate.model.route import Condition, Route, UpstreamState
from nbgate.model.route_spec import RouteSpec

ROOT_ROUTE: Final = "main"
NAME_DIGITS: Final = 8
MAX_LINES: Final = 20
HINT_WHEN_TAKEN: Final = (
    "another server is there: say where this one is to be, for example --upstream /second/={address}"
)
HINT_WHEN_OURS: Final = (
    "nbgate's own pages are there: say where this one is to be, for example --upstream /second/={address}"
)
HINT_WHEN_SHARING: Final = (
    "other people may use what else is on this host, where pages of one act at the others: name the servers, each with "
    "a host of its own, or accept it with shared_origin = true"
)


class Upstreams(Struct, frozen=True, kw_only=True):
    """Which notebook servers are guarded.

    Attributes:
        named: What the configuration names; empty: whatever runs is found.
        owners: Users one of whom must be listening at a server of this machine; empty: whoever does.
        base_url: The gateway's own, which stands before every place.
        hosts: Its public names, with or without a port: none of them becomes a user's.
        shared_origin: Servers that different people may use may share a host.
    """

    named: tuple[RouteSpec, ...] = ()
    owners: tuple[int, ...] = ()
    base_url: str = "/"
    hosts: tuple[str, ...] = ()
    shared_origin: bool = False


class What(Enum):
    """What happened to a notebook server."""

    APPEARED = auto()
    CHANGED = auto()
    DISAPPEARED = auto()


class Change(Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        route: Where the server is mounted, "" where it is not; one of its places where it has several.
        address: Of the server, with its base URL.
        condition: How it is now.
        put: Routes that are there from now on, or are other ones than before.
        gone: Names of routes that are there no more.
        states: Of every route in `put`, and of every other that this concerns: what workers are to be told.
    """

    what: What
    route: str
    address: str
    condition: Condition
    put: tuple[Route, ...] = ()
    gone: tuple[str, ...] = ()
    states: tuple[UpstreamState, ...] = ()

    @property
    def state(self) -> UpstreamState | None:
        """Return the state of `route`; None where the server is not mounted."""
        return next((state for state in self.states if state.route == self.route), None)

    @property
    def is_rerouted(self) -> bool:
        """Say whether workers need another routing table."""
        return bool(self.put or self.gone)


class Shown(Struct, frozen=True, kw_only=True):
    """One server for people to see: no secret in it; `prefix`, `route` and `at` are "" when it is not mounted.

    Attributes:
        prefix: The public path.
        at: Host and path within the gateway's own base URL, as people write it: `/lab1/` or `lab1.example.org/`.
        host: The public name it is reached by, "" for any.
        allowed: Users who may use it; empty: all.
        since_unix: Since when it is in this condition.
        last_seen: When it last answered as it should; 0.0 where it never did.
    """

    route: str
    prefix: str
    product: str
    address: str
    base_url: str
    condition: Condition
    since_unix: float
    hint: str
    at: str = ""
    host: str = ""
    source: Source = Source.CONFIGURATION
    allowed: tuple[str, ...] = ()
    last_seen: float = 0.0


def route_name(prefix: str, host: str = "", digits: int = NAME_DIGITS) -> str:
    """Return the name of the route at a public place: the same at each start, because cookies carry it."""
    if prefix == "/" and not host:
        return ROOT_ROUTE
    return f"r{sha256(f'{host}{prefix}'.encode()).hexdigest()[:digits]}"


def state_of(watch: UpstreamWatch, route: str, generation: int) -> UpstreamState:
    """Return what a worker needs to know of a mounted server.

    One that is down and was not seen since this keeper began is so since 0: when it last answered, nobody knows.
    """
    found = watch.found
    was_never_seen = watch.condition is Condition.DOWN and not watch.seen_unix
    return UpstreamState(
        route=route,
        condition=watch.condition,
        token="" if found is None else found.credential.token,
        cookie="" if found is None else found.credential.cookie,
        xsrf="" if found is None else found.credential.xsrf,
        bearer=found is not None and found.credential.bearer,
        since_unix=0.0 if was_never_seen else watch.since_unix,
        generation=generation,
    )


def show(watch: UpstreamWatch, source: Source, route: Route | None, at: str, hint: str) -> Shown:
    """Return a watched server as people see it.

    Args:
        watch: Its watch.
        source: Who wanted it.
        route: Its route; None where it has no place.
        at: Where that is.
        hint: What to do where it has none.
    """
    found = watch.found
    return Shown(
        route="" if route is None else route.name,
        prefix="" if route is None else route.prefix,
        at="" if route is None else at,
        host="" if route is None else route.host,
        allowed=() if route is None else route.allowed,
        source=source,
        product=UNNAMED if found is None else found.product,
        address=watch.watched.address,
        base_url=watch.watched.base_url if found is None else found.base_url,
        condition=watch.condition,
        since_unix=watch.since_unix,
        last_seen=watch.seen_unix,
        hint=("" if found is None else found.hint) if route is not None else hint,
    )


def start_lines(shown: tuple[Shown, ...], *, discovers: bool) -> list[str]:
    """Return what an operator is told at the start: what is guarded, and what was found but is not."""
    lines = [f"guarding {each.product} at {_place(each)}" for each in shown if each.prefix and each.condition in GOOD]
    if len(lines) > MAX_LINES:
        lines[MAX_LINES:] = [f"guarding {len(lines) - MAX_LINES} more: nbgate status names them"]
    if not discovers:
        return lines
    for each in shown:
        if not each.prefix:
            lines.append(f"not guarded: {each.product} at {_place(each)}: {each.hint}")
        elif each.condition not in GOOD:
            hint = f": {each.hint}" if each.hint else ""
            lines.append(f"{each.product} at {_place(each)} is {each.condition.value}{hint}")
    return lines or ["no notebook server is running; one that starts is found and guarded by itself"]


def _place(shown: Shown) -> str:
    """Say where a server is, and where it is mounted, unless that is its own base URL."""
    elsewhere = "" if shown.at in {"", shown.base_url} else f", mounted at {shown.at}"
    return f"{shown.address} (base URL {shown.base_url}{elsewhere})"


def event_of(change: Change, stamp: Stamp) -> Event:
    """Return the record of what happened."""
    name = change.route or UNSET
    match change.what:
        case What.APPEARED:
            return UpstreamAppear(**stamp, upstream=name, message=change.address)
        case What.CHANGED:
            condition = change.condition.value
            return UpstreamChange(**stamp, upstream=name, condition=condition, message=change.address)
        case What.DISAPPEARED:
            return UpstreamDisappear(**stamp, upstream=name, message=change.address)
