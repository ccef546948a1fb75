"""Routes as people are told of them: in words and values, without a secret. Nothing here adds, removes or looks."""

from typing import Final

from msgspec import Struct

from nbgate.keeper.guarded import Shown
from nbgate.keeper.places import Source
from nbgate.model.route import Condition
from nbgate.model.route_spec import RouteSpec

HINT_WHEN_UNREADABLE: Final = "its key in the data folder is another one now: remove it, and add it again"


class ListedRoute(Struct, frozen=True, kw_only=True):
    """One route for people to see.

    Attributes:
        at: Where it is, within the gateway's own base URL; "" where it is nowhere.
        base_url: What the server was told; "" where that is not known.
        since_unix: Since when the condition holds; 0 where nobody has looked.
        allow: Who may use it; none: all.
        hint: What to do, "" where all is well.
    """

    at: str
    upstream: str
    base_url: str
    source: Source
    product: str = ""
    condition: Condition = Condition.UNKNOWN
    since_unix: float = 0.0
    allow: tuple[str, ...] = ()
    hint: str = ""


def of_mount(shown: Shown) -> ListedRoute:
    """Return a server that is watched."""
    return ListedRoute(
        at=shown.at,
        upstream=shown.address,
        base_url=shown.base_url,
        source=shown.source,
        product=shown.product,
        condition=shown.condition,
        since_unix=shown.since_unix,
        allow=shown.allowed,
        hint=shown.hint,
    )


def of_spec(spec: RouteSpec, source: Source, hint: str = "") -> ListedRoute:
    """Return a route that nobody watches: one for each user, one that may not be, or all while no gateway runs."""
    return ListedRoute(
        at=spec.at or spec.base_url,
        upstream=address_of(spec),
        base_url=spec.base_url,
        source=source,
        allow=spec.allowed,
        hint=hint,
    )


def unreadable(at: str) -> ListedRoute:
    """Return a route that was added, and of which no more is known than that."""
    return ListedRoute(at=at, upstream="", base_url="", source=Source.RUNTIME, hint=HINT_WHEN_UNREADABLE)


def address_of(spec: RouteSpec) -> str:
    """Return the server's address as a person would type it."""
    upstream = spec.upstream
    return str(upstream) if upstream.tls is None else f"https://{upstream.authority}"
