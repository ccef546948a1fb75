"""What is said about the notebook servers the gateway stands in front of: to workers, audit, status and people.

Values and words; nothing here looks at a server or gives it a place (`nbgate.keeper.mounts` does).
"""

from enum import Enum, auto
from hashlib import sha256
from typing import Final

from msgspec import Struct

from nbgate.keeper.probe import UNNAMED
from nbgate.keeper.upstreams import GOOD, UpstreamWatch
from nbgate.model.route import Condition, Upstream, UpstreamState

ROOT_ROUTE: Final = "main"
HINT_WHEN_TAKEN: Final = (
    "another server has this base URL; give this one its own, for example --ServerApp.base_url=/second/"
)
HINT_WHEN_PASSED_OVER: Final = "another server has this base URL; to guard this one, name it: --upstream {address}"


class Upstreams(Struct, frozen=True, kw_only=True):
    """Which notebook servers are guarded.

    Attributes:
        named: Address and base URL ("" where nobody said it) of each; empty: whatever runs is found.
        owners: Users one of whom must be listening at a server that is found; empty: whoever does.
    """

    named: tuple[tuple[Upstream, str], ...] = ()
    owners: tuple[int, ...] = ()


class What(Enum):
    """What happened to a notebook server."""

    APPEARED = auto()
    CHANGED = auto()
    DISAPPEARED = auto()


class Change(Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        route: Where it is mounted, "" where it is not.
        address: Of the server, with its base URL.
        condition: How it is now.
        state: What workers are to be told of it; None when it is not mounted.
        rerouted: The routing table is another one now.
    """

    what: What
    route: str
    address: str
    condition: Condition
    state: UpstreamState | None
    rerouted: bool


class Shown(Struct, frozen=True, kw_only=True):
    """One server for people to see: no secret in it; `prefix` and `route` are "" when it is not mounted."""

    route: str
    prefix: str
    product: str
    address: str
    base_url: str
    condition: Condition
    since_unix: float
    hint: str


def route_name(prefix: str) -> str:
    """Return the name of the route at `prefix`: the same at each start, because cookies carry it."""
    return ROOT_ROUTE if prefix == "/" else f"r{sha256(prefix.encode()).hexdigest()[:8]}"


def state_of(watch: UpstreamWatch, route: str, generation: int) -> UpstreamState:
    """Return what a worker needs to know of a mounted server."""
    found = watch.found
    return UpstreamState(
        route=route,
        condition=watch.condition,
        token="" if found is None else found.credential.token,
        cookie="" if found is None else found.credential.cookie,
        xsrf="" if found is None else found.credential.xsrf,
        since_unix=watch.since_unix,
        generation=generation,
    )


def show(watch: UpstreamWatch, prefix: str) -> Shown:
    """Return a watched server as people see it; `prefix` is "" where another one has its place."""
    found = watch.found
    return Shown(
        route=route_name(prefix) if prefix else "",
        prefix=prefix,
        product=UNNAMED if found is None else found.product,
        address=str(watch.watched.upstream),
        base_url=watch.watched.base_url if found is None else found.base_url,
        condition=watch.condition,
        since_unix=watch.since_unix,
        hint=("" if found is None else found.hint) if prefix else HINT_WHEN_TAKEN,
    )


def show_passed_over(upstream: Upstream, base_url: str, since_unix: float) -> Shown:
    """Return a server that is not guarded because another one has its base URL, as people see it."""
    return Shown(
        route="",
        prefix="",
        product=UNNAMED,
        address=str(upstream),
        base_url=base_url,
        condition=Condition.UNKNOWN,
        since_unix=since_unix,
        hint=HINT_WHEN_PASSED_OVER.format(address=upstream),
    )


def start_lines(shown: tuple[Shown, ...], *, discovers: bool) -> list[str]:
    """Return what an operator is told at the start: what is guarded, and what was found but is not."""
    lines = [f"guarding {each.product} at {_place(each)}" for each in shown if each.prefix and each.condition in GOOD]
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
    return f"{shown.address} (base URL {shown.base_url})"
