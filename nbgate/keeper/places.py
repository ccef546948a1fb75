"""Who is mounted where: places, who has a right to them, and what servers without a place of their own are called.

Pure: nothing here looks at a server, knows its state or speaks to a worker (`nbgate.keeper.mounts` does).
"""

import re
from bisect import insort
from collections.abc import Callable, Collection, Hashable, Iterable
from enum import StrEnum
from operator import itemgetter
from pathlib import PurePath
from typing import Final, Generic, TypeVar

from msgspec import structs

from nbgate.config.routes import OWN_SEGMENT, USER
from nbgate.model.route_spec import RouteSpec

OWN_PREFIX: Final = f"/{OWN_SEGMENT}/"
MAX_REMEMBERED: Final = 4096
MAX_NAME_CHARS: Final = 40
_UNNAMED: Final = "server"
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_MAX_HOST_CHARS: Final = 253
# First segments of the pages of servers at "/": a folder of one of these names must not hide them.
_PAGES: Final = frozenset({
    "", "_nbgate", "api", "assets", "auth", "consoles", "custom", "doc", "edit", "favicon.ico", "files", "hub",
    "kernelspecs", "lab", "login", "logout", "lsp", "metrics", "nbclassic", "nbconvert", "nbextensions", "notebooks",
    "proxy", "public", "robots.txt", "services", "static", "terminals", "tree", "user", "view", "voila",
})  # fmt: skip

Where = tuple[str, str]  # host, public prefix
Rank = tuple[bool, int, bool, int]
Holder = TypeVar("Holder", bound=Hashable)


class Source(StrEnum):
    """Who wants a server mounted, the one with the first right to a place first."""

    CONFIGURATION = "configuration"
    RUNTIME = "runtime"
    FOUND = "found"


_RIGHT: Final = {source: right for right, source in enumerate(Source)}


def rank_of(source: Source, order: int, *, is_guess: bool = False, is_expanded: bool = False) -> Rank:
    """Return what decides between two that want one place: the lower one has it.

    Args:
        source: Who wants it.
        order: Who came first; no two are alike.
        is_guess: The server's own base URL decides, and nobody knows it yet.
        is_expanded: It was made for one of many users; a place that somebody named stands before it.
    """
    return (is_guess, _RIGHT[source], is_expanded, order)


class Places(Generic[Holder]):
    """Everybody's wishes, and for each place the one whose wish counts. What a change costs is what it changes."""

    def __init__(self) -> None:
        self._wishes: dict[Where, list[tuple[Rank, Holder]]] = {}
        self._wanted: dict[Holder, tuple[Where, Rank]] = {}

    def enter(self, holder: Holder, where: Where, rank: Rank) -> set[Where]:
        """Note that `holder` wants to be at `where` and nowhere else; return the places it may concern."""
        if self._wanted.get(holder) == (where, rank):
            return {where}
        touched = self.leave(holder)
        insort(self._wishes.setdefault(where, []), (rank, holder), key=itemgetter(0))
        self._wanted[holder] = (where, rank)
        return touched | {where}

    def leave(self, holder: Holder) -> set[Where]:
        """Forget the wish of `holder`; return the place it was about."""
        if holder not in self._wanted:
            return set()
        where, rank = self._wanted.pop(holder)
        self._wishes[where].remove((rank, holder))
        if not self._wishes[where]:
            del self._wishes[where]
        return {where}

    def holder(self, where: Where) -> Holder | None:
        """Return who has this place."""
        wishes = self._wishes.get(where)
        return wishes[0][1] if wishes else None

    def wish(self, holder: Holder) -> Where | None:
        """Return where `holder` wants to be."""
        wanted = self._wanted.get(holder)
        return None if wanted is None else wanted[0]

    def place(self, holder: Holder) -> Where | None:
        """Return where `holder` is; None where another one has that place, or it wants none."""
        where = self.wish(holder)
        return where if where is not None and self.holder(where) == holder else None


def public_prefix(base: str, prefix: str) -> str:
    """Return the whole public path of a place: the gateway's own base URL comes first."""
    return base + prefix[1:]


def is_ours(prefix: str) -> bool:
    """Say whether a place within the gateway's base URL is one of our own pages'."""
    return prefix.startswith(OWN_PREFIX)


def expand(spec: RouteSpec, users: Iterable[str], taken: Collection[str]) -> dict[str, RouteSpec]:
    """Return what a spec for each user (`{user}.example.org/`) is for whom; for one without `{user}`: it, for "".

    Args:
        spec: What was wanted.
        users: Those who may log in. One whose name cannot stand in a host name has no server of this kind.
        taken: Names of hosts that nobody gets because of what they are called: people log in there.
    """
    if USER not in spec.host:
        return {"": spec}
    made = {}
    for user in users:
        host = spec.host.replace(USER, user)
        if _LABEL.fullmatch(user) and len(host) <= _MAX_HOST_CHARS and host not in taken:
            upstream = structs.replace(spec.upstream, path=spec.upstream.path.replace(USER, user))
            made[user] = structs.replace(spec, host=host, upstream=upstream, allowed=(user,))
    return made


def slug(root: str) -> str:
    """Return what a server is called after its root folder: the last part, in letters, digits and hyphens."""
    words = re.sub(r"[^a-z0-9]+", "-", PurePath(root).name.lower()).strip("-")
    return words[:MAX_NAME_CHARS].rstrip("-") or _UNNAMED


class FoundNames:
    """Where servers that are found go: who was found first keeps its base URL, the next ones get a name.

    A server that comes back gets the place it had, as long as it is remembered and nobody else is there.
    """

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], str] = {}

    def choose(self, root: str, address: str, base_url: str, is_free: Callable[[str], bool]) -> str:
        """Return the place, within the gateway's own base URL.

        Args:
            root: The server's root folder.
            address: Where it listens.
            base_url: What it was told.
            is_free: Says whether nobody is at a place.
        """
        before = self._before.pop((root, address), base_url)
        prefix = before if is_free(before) else self._name(slug(root), is_free)
        if len(self._before) >= MAX_REMEMBERED:
            del self._before[next(iter(self._before))]
        self._before[root, address] = prefix
        return prefix

    @staticmethod
    def _name(name: str, is_free: Callable[[str], bool]) -> str:
        number = 1
        while True:
            prefix = f"/{name}/" if number == 1 else f"/{name}-{number}/"
            if prefix.strip("/") not in _PAGES and is_free(prefix):
                return prefix
            number += 1
