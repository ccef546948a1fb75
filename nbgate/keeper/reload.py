"""Put a changed configuration into force, or say what is wrong with it and change nothing.

Everything is read and tested before anything is used: options, certificate and key, rules. What cannot change while
sockets are open and the store is held is named, not half applied.
"""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from nbgate.audit.events import ConfigLoaded
from nbgate.config.changes import Change, changes
from nbgate.config.schema import Config
from nbgate.errors import NbgateError
from nbgate.http.headers import HeaderTables
from nbgate.keeper.audit import AuditLog
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.keeper import Keeper
from nbgate.model.keys import TlsMaterial
from nbgate.model.rule import Rules

NEEDS_RESTART: Final = (
    "allow_open_upstream",
    "base_url",
    "browser",
    "data_dir",
    "http_port",
    "ip",
    "limits.drain_seconds",
    "log_level",
    "login",
    "port",
    "port_retries",
    "probe",
    "upstream_user",
    "workers",
)


class Fresh(Struct, frozen=True, kw_only=True):
    """A configuration that was read and tested as a whole; `fingerprint` is the certificate's SHA-256."""

    config: Config
    upstreams: Upstreams
    tables: HeaderTables
    rules: Rules
    material: TlsMaterial
    fingerprint: str


class Reloader:
    """Loads the configuration anew when somebody asks.

    Args:
        keeper: Whose configuration it is.
        load: Reads and tests everything; raises a `NbgateError` that says what is wrong.
        audit: Where it is recorded, whoever asked and however it ended.
        fingerprint: SHA-256 of the certificate in force now; whoever puts another one into force sets it.
        on_loaded: Called with what is in force now.
    """

    def __init__(
        self,
        keeper: Keeper,
        load: Callable[[], Fresh],
        audit: AuditLog,
        *,
        fingerprint: str,
        on_loaded: Callable[[Fresh], None],
    ) -> None:
        self._keeper = keeper
        self._load = load
        self._audit = audit
        self.fingerprint = fingerprint
        self._on_loaded = on_loaded
        self._one_at_a_time = asyncio.Lock()

    async def reload(self, actor: str) -> dict[str, Any]:
        """Load and apply; return what an operator wants to know.

        Raises:
            NbgateError: Something is wrong with the new configuration; the old one stays in force.
        """
        async with self._one_at_a_time:
            try:
                fresh = await asyncio.to_thread(self._load)
            except NbgateError as error:
                await self._record(f"refused: {error.public}", actor, outcome="failure")
                raise
            waiting = [name for name in NEEDS_RESTART if _differs(name, self._keeper.config, fresh.config)]
            changed = [*changes(self._keeper.config, fresh.config)]
            if fresh.fingerprint != self.fingerprint:
                changed.append(Change("certificate", self.fingerprint, fresh.fingerprint))
            in_force = _with_older(fresh.config, self._keeper.config, waiting)
            self._keeper.mounts.use(fresh.upstreams)
            version = self._keeper.apply(in_force, fresh.material, fresh.tables, fresh.rules)
            self.fingerprint = fresh.fingerprint
            self._on_loaded(fresh)
            await self._record(f"version {version} in force", actor, sha256_hex=config_sha256(in_force))
            return {"version": version, "needs_restart": waiting, "changed": msgspec.to_builtins(changed)}

    async def _record(self, message: str, actor: str, *, outcome: str = "success", sha256_hex: str = "") -> None:
        await self._audit.append_durable(
            ConfigLoaded(
                **self._audit.stamp(),
                outcome=outcome,
                message=message,
                config_sha256=sha256_hex or UNSET,
                actor=actor,
            )
        )


def config_sha256(config: Config) -> str:
    """Return what names this configuration in the audit."""
    return sha256(msgspec.json.encode(config, order="sorted")).hexdigest()


def _differs(name: str, old: Config, new: Config) -> bool:
    value_of = attrgetter(name)
    return bool(value_of(old) != value_of(new))


def _with_older(new: Config, old: Config, names: list[str]) -> Config:
    """Return `new` with the values of `old` for the options `names`."""
    for name in names:
        table, _, option = name.rpartition(".")
        if table:
            tables = getattr(new, table), getattr(old, table)
            value = msgspec.structs.replace(tables[0], **{option: getattr(tables[1], option)})
            new = msgspec.structs.replace(new, **{table: value})
        else:
            new = msgspec.structs.replace(new, **{option: getattr(old, option)})
    return new
