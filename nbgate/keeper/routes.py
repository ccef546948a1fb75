"""The routes that are added while the gateway runs: kept over restarts, in force beside those of the configuration.

Every change is in the store and in the audit, durably, before a worker or whoever asked hears of it; people who change
routes at once wait for each other. A route that does not go with the configuration any more is kept and leads nowhere
until it does. What people send is parsed elsewhere (`nbgate.keeper.route_request`), servers are looked at elsewhere
(`nbgate.keeper.mounts`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec
import structlog
from msgspec import Struct

from nbgate.audit.events import RouteChange
from nbgate.config.routes import USER
from nbgate.config.schema import Config
from nbgate.crypto.sealing import NONCE_BYTES, Keyring
from nbgate.errors import CredentialRejected
from nbgate.keeper.audit import AuditLog, require_audit
from nbgate.keeper.guarded import Shown, route_name
from nbgate.keeper.places import Source, public_prefix
from nbgate.keeper.route_list import ListedRoute, address_of, of_mount, of_spec, unreadable
from nbgate.keeper.route_rules import Configured, OwnDoors, RouteError, configured, judge_route, own_error
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec
from nbgate.ports import RouteStore, StoreRunner

HTTPS_PORT: Final = 443
MAX_ROUTES: Final = 20_000
MAX_TOTAL_BYTES: Final = 8 << 20  # about as much goes to each worker at once, whose queue has a bound
HINT_WHEN_TAKEN: Final = "not mounted: another server is there; remove this one, or add it at another place"
MAX_FOR_EACH: Final = 16  # routes for each user: they are as many as there are users, each
_DECODER: Final = msgspec.json.Decoder(RouteSpec)

_log = structlog.get_logger("nbgate.keeper")


class Placing(Protocol):
    """Where routes are put into force (`nbgate.keeper.mounts.Mounts`)."""

    def restore(self, specs: Iterable[RouteSpec]) -> None:
        """Mount what was added before; nobody is told."""
        ...

    def put(self, spec: RouteSpec) -> None:
        """Mount a server, in place of the one that was put at the same place before."""
        ...

    def drop(self, host: str, prefix: str) -> bool:
        """Mount what was put there no longer; False if nothing was."""
        ...

    def shown(self) -> tuple[Shown, ...]:
        """Return every server that is known."""
        ...


class RouteParts(Struct, frozen=True, kw_only=True):
    """What `RouteBook` works with.

    Attributes:
        routes: Where they are kept.
        in_store: Runs its calls.
        keyring: Seals what is kept: it may hold tokens.
        config: Returns the configuration in force.
        sockets: Paths of nbgate's own sockets.
        mounts: Where routes are put into force.
        is_offline: No gateway runs: nothing is mounted anywhere.
    """

    routes: RouteStore
    in_store: StoreRunner
    keyring: Keyring
    random_bytes: Callable[[int], bytes]
    audit: AuditLog
    config: Callable[[], Config]
    sockets: frozenset[str]
    mounts: Placing
    is_offline: bool = False


class RouteBook:
    """All routes, and those that were added."""

    def __init__(self, parts: RouteParts) -> None:
        self._parts = parts
        self._specs: dict[str, RouteSpec] = {}
        self._bytes: dict[str, int] = {}
        self._used_bytes = 0
        self._unread: dict[str, bytes] = {}
        self._in_force: dict[str, dict[str, RouteSpec]] = {}
        self._refused: dict[str, RouteError] = {}
        self._ports: frozenset[int] = frozenset()
        self._known: tuple[Config, Configured] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Put into force what was added before. Call it before anybody is let in."""
        for at, value in await self._parts.in_store(self._parts.routes.all):
            try:
                sealed = self._parts.keyring.unseal(value.decode("ascii"), at.encode())
                self._note(_DECODER.decode(sealed), at, len(value))
            except (CredentialRejected, UnicodeDecodeError, msgspec.MsgspecError):  # its key is another one now
                _log.warning("a route that was added cannot be read", at=at, hint="remove it and add it again")
                self._unread[at] = value
        self._judge_all()
        self._parts.mounts.restore(self._mounted().values())

    def settle(self) -> None:
        """See which of the added routes go with the configuration in force: these and no others are mounted."""
        before = self._mounted()
        self._judge_all()
        after = self._mounted()
        for at in before.keys() - after.keys():
            self._parts.mounts.drop(before[at].host, before[at].prefix)
        for at in after.keys() - before.keys():
            self._parts.mounts.put(after[at])

    def _judge_all(self) -> None:
        known = self._refused
        self._in_force, self._refused = {}, {}
        for at, spec in self._specs.items():
            refused = self._judge(spec)
            if refused is None:
                self._in_force.setdefault(spec.host, {})[spec.prefix] = spec
                continue
            self._refused[at] = refused
            if at not in known:
                _log.warning("an added route is not mounted", at=at, problem=refused.public, hint=refused.hint)

    def _mounted(self) -> dict[str, RouteSpec]:
        return {spec.at: spec for routes in self._in_force.values() for spec in routes.values()}

    def listens(self, urls: Iterable[str]) -> None:
        """Learn where the gateway listens: no route leads there."""
        self._ports = frozenset(urlsplit(url).port or HTTPS_PORT for url in urls)
        self.settle()

    # what is so

    def all(self) -> tuple[ListedRoute, ...]:
        """Return every route: of the configuration, added, and found; those that lead nowhere say why."""
        watched = self._parts.mounts.shown()
        mounted = [of_mount(shown) for shown in watched if shown.at or shown.source is not Source.RUNTIME]
        there = {each.at for each in mounted if each.source is Source.RUNTIME}
        named = self._configured().specs if self._parts.is_offline else ()
        return (
            *mounted,
            *(of_spec(spec, Source.CONFIGURATION) for spec in named),
            *(of_spec(spec, Source.RUNTIME, self._why_not(at)) for at, spec in self._specs.items() if at not in there),
            *map(unreadable, self._unread),
        )

    def _why_not(self, at: str) -> str:
        """Say why an added route is not mounted where it should be."""
        refused = self._refused.get(at)
        if refused is not None:
            return f"not mounted: {refused.public}; {refused.hint}"
        return "" if self._parts.is_offline or USER in at else HINT_WHEN_TAKEN

    # what changes

    async def add(self, spec: RouteSpec, actor: str) -> bool:
        """Add a route; True if it takes the place of one that was added before.

        Raises:
            RouteError: It cannot be: it leads to nbgate itself or to another machine (400); its place is taken, other
                people use its host, there are too many (409).
            AuditError: It could not be recorded; nothing is changed.
        """
        async with self._one_at_a_time:
            if spec.upstream.path:
                await self._require_other(spec.upstream)
            refused = self._judge(spec)
            if refused is not None:
                raise refused
            value = self._seal(spec)
            self._require_room(spec, len(value))
            is_other = spec.at in self._specs or spec.at in self._unread
            await self._write(spec, value, "changed" if is_other else "added", actor)
            self._note(spec, spec.at, len(value))
            if self._judge(spec) is None:
                self._in_force.setdefault(spec.host, {})[spec.prefix] = spec
                self._parts.mounts.put(spec)
            else:  # another configuration came into force meanwhile
                self.settle()
            return is_other

    async def remove(self, host: str, prefix: str, actor: str) -> None:
        """Remove a route that was added.

        Raises:
            RouteError: There is none (404), or it was not added (409).
            AuditError: It could not be recorded; nothing is changed.
        """
        async with self._one_at_a_time:
            at = f"{host}{prefix}"
            if at not in self._specs and at not in self._unread:
                raise self._not_added(at)
            spec = self._specs.get(at) or RouteSpec(upstream=Upstream(), host=host, prefix=prefix)
            await self._write(spec, None, "removed", actor)
            self._note(None, at, 0)
            routes = self._in_force.get(host, {})
            if routes.pop(prefix, None) is not None:
                self._parts.mounts.drop(host, prefix)
            if not routes:
                self._in_force.pop(host, None)

    async def _write(self, spec: RouteSpec, value: bytes | None, message: str, actor: str) -> None:
        """Keep a route, or keep it no longer, and record it: both or neither."""
        require_audit(self._parts.audit)
        before = self._stored(spec.at)
        await self._keep(spec.at, value)
        try:
            await self._parts.audit.append_durable(
                RouteChange(
                    **self._parts.audit.stamp(),
                    route=route_name(public_prefix(self._parts.config().base_url, spec.prefix), spec.host),
                    message=message,
                    at=spec.at,
                    upstream=address_of(spec),
                    actor=actor,
                )
            )
        except BaseException:  # also when whoever asked has gone: what is not on record is not done
            await self._keep(spec.at, before)
            raise

    async def _keep(self, at: str, value: bytes | None) -> None:
        routes = self._parts.routes
        await (
            self._parts.in_store(routes.remove, at) if value is None else self._parts.in_store(routes.put, at, value)
        )

    def _stored(self, at: str) -> bytes | None:
        spec = self._specs.get(at)
        return self._unread.get(at) if spec is None else self._seal(spec)

    def _seal(self, spec: RouteSpec) -> bytes:
        nonce = self._parts.random_bytes(NONCE_BYTES)
        return self._parts.keyring.seal(msgspec.json.encode(spec), spec.at.encode(), nonce).encode("ascii")

    # what may be

    def _judge(self, spec: RouteSpec) -> RouteError | None:
        return judge_route(spec, self._configured(), self._in_force, self._doors())

    def _doors(self) -> OwnDoors:
        return OwnDoors(self._parts.sockets, self._ports | ({self._parts.config().http_port} - {0}))

    def _configured(self) -> Configured:
        config = self._parts.config()
        if self._known is None or self._known[0] is not config:
            self._known = config, configured(config)
        return self._known[1]

    async def _require_other(self, upstream: Upstream) -> None:
        """Check that a socket is none of ours under another name; in a thread, because a file system may be slow."""
        if await asyncio.to_thread(_is_one_of, upstream.path, self._parts.sockets):
            raise own_error(upstream)

    def _require_room(self, spec: RouteSpec, size: int) -> None:
        at, hint = spec.at, "remove those that nobody needs: nbgate routes list"
        others = len(self._specs) + len(self._unread) - (at in self._specs or at in self._unread)
        if others >= MAX_ROUTES or self._used_bytes - self._bytes.get(at, 0) + size > MAX_TOTAL_BYTES:
            raise RouteError(409, f"there are {others} routes already, and that is too many", hint)
        if USER in spec.host and sum(USER in other for other in self._specs if other != at) >= MAX_FOR_EACH:
            raise RouteError(409, f"there are {MAX_FOR_EACH} routes for each user already", hint)

    def _note(self, spec: RouteSpec | None, at: str, size: int) -> None:
        """Remember what is stored at a place now, and nothing else that was known of it."""
        self._used_bytes += size - self._bytes.pop(at, 0)
        self._unread.pop(at, None)
        self._refused.pop(at, None)
        self._specs.pop(at, None)
        if spec is not None:
            self._specs[at], self._bytes[at] = spec, size

    def _not_added(self, at: str) -> RouteError:
        hint = "nbgate routes list shows which there are"
        for each in self.all():
            if each.at == at and each.source is Source.CONFIGURATION:
                return RouteError(409, f"the configuration mounts a server at {at}", "take it out there")
            if each.at == at:
                return RouteError(409, f"the server at {at} was found by itself", "it goes when the server ends")
        return RouteError(404, f"there is no route at {at}", hint)


def _is_one_of(path: str, sockets: Iterable[str]) -> bool:
    """Say whether a path leads to one of these files, whatever links are on the way."""
    for own in sockets:
        with contextlib.suppress(OSError):  # one that is not there is not the other
            if Path(path).samefile(own):
                return True
    return False
