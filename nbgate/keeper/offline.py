"""Accounts, their second factors and added routes while no gateway runs: straight to the store, into the same audit.

Holds the data folder meanwhile, so that no keeper starts in between; ends no live session but in the store, because
there is no worker.
"""

import os
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from nbgate import __version__
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.clock import Clock, SystemClock
from nbgate.config.schema import Config
from nbgate.crypto.passwords import HashParameters
from nbgate.keeper.account_changes import AccountStore
from nbgate.keeper.audit import AuditLog
from nbgate.keeper.audit_start import open_audit
from nbgate.keeper.ended import record_ended
from nbgate.keeper.factors import FactorParts, Factors
from nbgate.keeper.folder import held, load_route_keyring, load_totp_keyring, own_sockets, prepare_folder
from nbgate.keeper.guarded import Shown
from nbgate.keeper.routes import RouteBook, RouteParts
from nbgate.keeper.users import AccountParts, Accounts
from nbgate.model.route_spec import RouteSpec
from nbgate.ports import RouteStore, StoreRunner
from nbgate.reasons import Reason
from nbgate.stores.sqlite import open_state
from nbgate.stores.thread import StoreThread


class _Held(Struct, frozen=True):
    """What a data folder holds, open."""

    accounts: AccountStore
    routes: RouteStore
    in_store: StoreRunner
    audit: AuditLog
    clock: Clock

    async def record_ended(self, user: str, ids: tuple[bytes, ...], reason: Reason, actor: str) -> None:
        await record_ended(self.audit, user, ids, reason, actor)


@asynccontextmanager
async def offline_accounts(config: Config) -> AsyncIterator[Accounts]:
    """Give the accounts in the data folder of `config`, which is made if it is missing.

    Raises:
        StartError: A gateway holds the folder (75): ask it instead. Or the folder cannot be used.
        StoreError: The store cannot be used.
        AuditError: The audit cannot be written.
    """
    login = config.login
    async with _opened(Path(config.data_dir)) as held_folder:
        hashes = HashQueue(at_once=1, waiting=1, wait_seconds=login.queue_seconds)
        try:
            yield Accounts(
                AccountParts(
                    accounts=held_folder.accounts,
                    hashes=hashes,
                    parameters=HashParameters(memory_kib=login.memory_kib, time_cost=login.time_cost),
                    random_bytes=os.urandom,
                    audit=held_folder.audit,
                    clock=held_folder.clock,
                    end_sessions=held_folder.record_ended,
                )
            )
        finally:
            hashes.close()


@asynccontextmanager
async def offline_factors(config: Config) -> AsyncIterator[Factors]:
    """Give the second factors of these accounts; what is raised is as with `offline_accounts`."""
    folder = Path(config.data_dir)
    async with _opened(folder) as held_folder:
        yield Factors(
            FactorParts(
                accounts=held_folder.accounts,
                totp_keyring=load_totp_keyring(folder, os.urandom),
                random_bytes=os.urandom,
                audit=held_folder.audit,
                clock=held_folder.clock,
                end_sessions=held_folder.record_ended,
                on_kept=lambda _stored: None,
                config=lambda: config,
            )
        )


class _Nowhere:
    """Where routes are mounted while no gateway runs."""

    def restore(self, specs: Iterable[RouteSpec]) -> None:
        """Mount nothing."""

    def put(self, spec: RouteSpec) -> None:
        """Mount nothing."""

    def drop(self, host: str, prefix: str) -> bool:  # noqa: ARG002 - nothing is there
        return False

    def shown(self) -> tuple[Shown, ...]:
        return ()


@asynccontextmanager
async def offline_routes(config: Config) -> AsyncIterator[RouteBook]:
    """Give the routes that were added, beside those of `config`; what is raised is as with `offline_accounts`."""
    folder = Path(config.data_dir)
    async with _opened(folder) as held_folder:
        book = RouteBook(
            RouteParts(
                routes=held_folder.routes,
                in_store=held_folder.in_store,
                keyring=load_route_keyring(folder, os.urandom),
                random_bytes=os.urandom,
                audit=held_folder.audit,
                config=lambda: config,
                sockets=own_sockets(folder),
                mounts=_Nowhere(),
                is_offline=True,
            )
        )
        await book.load()
        yield book


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[_Held]:
    prepare_folder(folder)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(held(folder, is_keeper=False))
        state = open_state(folder / "state.db")
        stack.callback(state.close)
        store = StoreThread()
        stack.callback(store.close)
        audit = open_audit(
            folder / "audit",
            clock=clock,
            boot=secrets.token_hex(8),
            random=os.urandom(32),
            version=__version__,
            on_change=lambda _since: None,
        )
        stack.push_async_callback(audit.close)
        accounts = AccountStore(state.users, state.sessions, store.run)
        yield _Held(accounts, state.routes, store.run, audit, clock)
