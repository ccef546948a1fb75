"""Open what a keeper owns in its data folder, and make the keeper of it; close all of it afterwards, in order.

Names the concrete store, audit and authenticator. It serves nothing and speaks to no other process.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from nbgate import __version__
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.authenticators.local import LocalAuthenticator
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.crypto.passwords import SALT_BYTES, HashParameters, decoy_hash
from nbgate.jupyter.runtime_files import RuntimeFile
from nbgate.keeper.audit_start import open_audit
from nbgate.keeper.audit_writer import AuditWriter
from nbgate.keeper.discovery import find_servers, load_password, load_token, running_servers, runtime_folders
from nbgate.keeper.folder import (
    PAGES_SOCKET,
    held,
    load_key,
    load_route_keyring,
    load_totp_keyring,
    own_sockets,
    prepare_folder,
)
from nbgate.keeper.keeper import Keeper
from nbgate.keeper.parts import KeeperParts
from nbgate.keeper.password_login import PatientLogin, log_in
from nbgate.keeper.probe import probe_credential, probe_guard, probe_product
from nbgate.keeper.reload import Fresh
from nbgate.keeper.upstreams import Eyes
from nbgate.model.keys import SealingKey
from nbgate.model.route import Upstream
from nbgate.reasons import Reason
from nbgate.stores.sqlite import open_state
from nbgate.stores.thread import StoreThread

_DECOY_BYTES: Final = SALT_BYTES + 32


class Opened(Struct, frozen=True):
    """A keeper that owns its folder; `replaces` says that it takes the place of one that died."""

    keeper: Keeper
    audit: AuditWriter
    replaces: bool


@asynccontextmanager
async def opened(fresh: Fresh, clock: Clock, kill: Callable[[int, int, Reason], None]) -> AsyncIterator[Opened]:
    """Give a started keeper for this configuration.

    Args:
        fresh: The configuration, read and tested.
        clock: Where time is read.
        kill: Has a worker replaced: `kill(worker_id, pid, reason)`.

    Raises:
        StartError: The data folder is held by another process or cannot be used.
        StoreError: The state is damaged.
        AuditError: The audit is damaged or cannot be written.
    """
    config, folder = fresh.config, Path(fresh.config.data_dir)
    prepare_folder(folder)
    async with AsyncExitStack() as stack:
        replaces = stack.enter_context(held(folder))
        parameters = HashParameters(memory_kib=config.login.memory_kib, time_cost=config.login.time_cost)
        decoy = asyncio.ensure_future(asyncio.to_thread(decoy_hash, os.urandom(_DECOY_BYTES), parameters))
        state = open_state(folder / "state.db")
        stack.callback(state.close)
        store = StoreThread()
        stack.callback(store.close)
        hashes = HashQueue(
            at_once=config.login.hashes_at_once, waiting=config.login.queue, wait_seconds=config.login.queue_seconds
        )
        stack.callback(hashes.close)
        audit, listeners = _open_audit(folder, clock)
        stack.push_async_callback(audit.close)
        totp_keyring = load_totp_keyring(folder, os.urandom)
        authenticator = LocalAuthenticator(
            users=state.users,
            in_store=store.run,
            hashes=hashes,
            parameters=parameters,
            decoy=await decoy,
            random_bytes=os.urandom,
            totp_keys=totp_keyring,
            clock=clock,
            totp_window=lambda: keeper.config.totp_window,
        )
        keeper = Keeper(
            KeeperParts(
                state=state,
                in_store=store.run,
                authenticator=authenticator,
                hashes=hashes,
                parameters=parameters,
                audit=audit,
                clock=clock,
                random_bytes=os.urandom,
                eyes=real_eyes(lambda: keeper.config, clock, config.probe.interval_seconds),
                kill=kill,
                config=config,
                upstreams=fresh.upstreams,
                tables=fresh.tables,
                rules=fresh.rules,
                material=fresh.material,
                sealing_keys=(SealingKey(id=0, secret=load_key(folder, "cookies", os.urandom)),),
                form_key=load_key(folder, "forms", os.urandom),
                totp_keyring=totp_keyring,
                device_key=load_key(folder, "devices", os.urandom),
                route_keyring=load_route_keyring(folder, os.urandom),
                own_socket=str(folder / PAGES_SOCKET),
                sockets=own_sockets(folder),
            )
        )
        listeners.append(keeper.audit_changed)
        stack.callback(keeper.workers.close)
        await keeper.start()
        yield Opened(keeper, audit, replaces)


def _open_audit(folder: Path, clock: Clock) -> tuple[AuditWriter, list[Callable[[float], None]]]:
    """Return the audit and who hears of its failures: nobody, until there is a keeper."""
    listeners: list[Callable[[float], None]] = []

    def changed(failing_since_unix: float) -> None:
        for listener in listeners:
            listener(failing_since_unix)

    audit = open_audit(
        folder / "audit",
        clock=clock,
        boot=secrets.token_hex(8),
        random=os.urandom(32),
        version=__version__,
        on_change=changed,
    )
    return audit, listeners


def real_eyes(config: Callable[[], Config], clock: Clock, patience_seconds: float) -> Eyes:
    """Return eyes that look at this machine: its files, its sockets.

    Args:
        config: Returns the configuration in force.
        clock: Where time is read.
        patience_seconds: How long nobody logs in again with a password that was refused.
    """
    folders = runtime_folders(os.environ, Path.home())

    async def running() -> tuple[RuntimeFile, ...]:
        return await asyncio.to_thread(running_servers, folders)

    async def servers(upstream: Upstream) -> tuple[RuntimeFile, ...]:
        return await asyncio.to_thread(find_servers, upstream, folders)

    async def named_token() -> str:
        file = config().upstream_token_file
        return await asyncio.to_thread(load_token, Path(file)) if file else ""

    async def named_password() -> str:
        file = config().upstream_password_file
        return await asyncio.to_thread(load_password, Path(file)) if file else ""

    return Eyes(
        running=running,
        servers=servers,
        guard=probe_guard,
        opens=probe_credential,
        product=probe_product,
        log_in=PatientLogin(log_in, clock, patience_seconds),
        named_token=named_token,
        named_password=named_password,
    )
