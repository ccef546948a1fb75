"""The accounts while no gateway runs: straight to the store, and into the same audit.

Holds the data folder meanwhile, so that no keeper starts in between; ends no live session but in the store, because
there is no worker.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nbgate import __version__
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.clock import SystemClock
from nbgate.config.schema import Login
from nbgate.crypto.passwords import HashParameters
from nbgate.keeper.audit_start import open_audit
from nbgate.keeper.ended import record_ended
from nbgate.keeper.folder import held, prepare_folder
from nbgate.keeper.users import AccountParts, Accounts
from nbgate.reasons import Reason
from nbgate.stores.sqlite import open_state
from nbgate.stores.thread import StoreThread


@asynccontextmanager
async def offline_accounts(folder: Path, login: Login) -> AsyncIterator[Accounts]:
    """Give the accounts in the data folder `folder`.

    Args:
        folder: The data folder; made if it is missing.
        login: What a new hash costs.

    Raises:
        StartError: A gateway holds the folder (75): ask it instead. Or the folder cannot be used.
        StoreError: The store cannot be used.
        AuditError: The audit cannot be written.
    """
    prepare_folder(folder)
    clock = SystemClock()
    with held(folder, is_keeper=False):
        state = open_state(folder / "state.db")
        thread = StoreThread()
        hashes = HashQueue(at_once=1, waiting=1, wait_seconds=login.queue_seconds)
        try:
            audit = open_audit(
                folder / "audit",
                clock=clock,
                boot=secrets.token_hex(8),
                random=os.urandom(32),
                version=__version__,
                on_change=lambda _since: None,
            )

            async def end_sessions(user: str, ids: tuple[bytes, ...], reason: Reason, actor: str) -> None:
                await record_ended(audit, user, ids, reason, actor)

            try:
                yield Accounts(
                    AccountParts(
                        users=state.users,
                        in_store=thread.run,
                        hashes=hashes,
                        parameters=HashParameters(memory_kib=login.memory_kib, time_cost=login.time_cost),
                        random_bytes=os.urandom,
                        audit=audit,
                        clock=clock,
                        end_sessions=end_sessions,
                    )
                )
            finally:
                await audit.close()
        finally:
            hashes.close()
            thread.close()
            state.close()
