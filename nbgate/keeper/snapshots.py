"""What the workers are told of the configuration in force, as one value each time it changes.

Pure but for what it is handed. It sends nothing.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from nbgate.config.schema import Config
from nbgate.http.headers import HeaderTables
from nbgate.keeper.mounts import Mounts
from nbgate.keeper.places import OWN_PREFIX, public_prefix
from nbgate.link.messages import Snapshot
from nbgate.model.account import User
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey, TlsMaterial
from nbgate.model.penalty import Penalty
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.model.rule import Rules
from nbgate.model.session import Role, Session

OWN_ROUTE: Final = "own"
MAX_NAMED: Final = 5


class InForce(Struct, frozen=True):
    """A configuration that was read and tested as a whole, and is in force."""

    config: Config
    material: TlsMaterial
    tables: HeaderTables
    rules: Rules


class Now(Struct, frozen=True, kw_only=True):
    """What changes without a configuration."""

    version: int
    sessions: tuple[Session, ...]
    penalties: tuple[Penalty, ...]
    audit_failing_since_unix: float
    owners: tuple[str, ...]


class Snapshots:
    """Makes the snapshot of each worker."""

    def __init__(self, mounts: Mounts, sealing_keys: tuple[SealingKey, ...], own_socket: str) -> None:
        self._mounts = mounts
        self._sealing_keys = sealing_keys
        self._own_socket = own_socket

    def make(self, worker_id: int, in_force: InForce, now: Now) -> Snapshot:
        """Return all that worker `worker_id` needs to know now."""
        config, material = in_force.config, in_force.material
        return Snapshot(
            worker=worker_id,
            limits=config.limits,
            tables=in_force.tables,
            tls=material,
            routes=self.routes(),
            upstreams=self._mounts.states(),
            sessions=now.sessions,
            sealing_keys=self._sealing_keys,
            audit_failing_since_unix=now.audit_failing_since_unix,
            version=now.version,
            banner=config.banner,
            rules=in_force.rules,
            penalties=now.penalties,
            exposure=Exposure(
                hosts=config.hosts,
                trusted_hops=config.trusted_proxies,
                proxy_protocol=config.proxy_protocol,
                hsts=material.is_public if config.hsts == "auto" else config.hsts,
            ),
            second_factor_roles=second_factor_roles(config),
            contact=config.contact or _in_words(now.owners),
            base_url=self._mounts.base_url,
        )

    def routes(self) -> tuple[Route, ...]:
        """Return the routing table: each notebook server where it is mounted, and the own pages."""
        return (
            *self._mounts.routes(),
            Route(
                name=OWN_ROUTE,
                prefix=public_prefix(self._mounts.base_url, OWN_PREFIX),
                upstream=Upstream(path=self._own_socket),
                base_url=OWN_PREFIX,
                kind=RouteKind.OWN,
            ),
        )


def second_factor_roles(config: Config) -> tuple[str, ...]:
    """Return the roles whose people need a second factor."""
    wanted = config.require_second_factor
    return tuple(role.value for role in Role if "all" in wanted or role.value in wanted)


def owners_of(users: Iterable[User]) -> tuple[str, ...]:
    """Return the names of those who own the gateway and can log in."""
    return tuple(user.name for user in users if user.role is Role.OWNER and not user.disabled)


def _in_words(owners: tuple[str, ...]) -> str:
    """Return whom to ask where the configuration names nobody; "" where there is nobody."""
    if not owners:
        return ""
    named = ", ".join(owners[:MAX_NAMED])
    return f"the owner: {named}" if len(owners) == 1 else f"the owners: {named}"
