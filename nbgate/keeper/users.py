"""Add, change and remove accounts, and end the sessions of whom it concerns.

The one door for both ways an operator comes: through the running gateway, or straight to the store while none runs.
Every change is in the audit, durably, before it is reported as done; while the audit fails nothing is changed.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from nbgate.audit.events import UserChange
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.clock import Clock
from nbgate.crypto.passwords import SALT_BYTES, HashParameters, hash_new_password, parse_prepared_hash
from nbgate.errors import AuditError, ExitCode, NbgateError, StoreError
from nbgate.keeper.audit import AuditLog
from nbgate.model.account import User, as_disabled, as_enabled, parse_user_name, with_new_password
from nbgate.ports import StoreRunner, UserStore
from nbgate.reasons import Reason

EndSessions = Callable[[str, tuple[bytes, ...], Reason, str], Awaitable[None]]
"""Called as `(user, ids, reason, actor)` for sessions the store has ended; returns when no worker serves them."""

ATTEMPTS: Final = 5


class AccountError(NbgateError):
    """Theirs: there is no such account, or there is one already."""

    exit_code = ExitCode.FAILURE

    def __init__(self, status: int, public: str, hint: str) -> None:
        super().__init__(public, hint=hint)
        self.status = status


class Changed(Struct, frozen=True):
    """What a change did."""

    user: str
    message: str
    ended_sessions: int = 0


class AccountParts(Struct, frozen=True, kw_only=True):
    """What `Accounts` works with.

    Attributes:
        end_sessions: See `EndSessions`; where no gateway runs there is nobody to tell.
    """

    users: UserStore
    in_store: StoreRunner
    hashes: HashQueue
    parameters: HashParameters
    random_bytes: Callable[[int], bytes]
    audit: AuditLog
    clock: Clock
    end_sessions: EndSessions


class Accounts:
    """The accounts of this gateway.

    Attributes:
        on_added: Called when an account was made, before whoever made it hears of it.
    """

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts
        self.on_added: Callable[[], None] = lambda: None

    async def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        return await self._parts.in_store(self._parts.users.all)

    async def add(self, name: str, password: str, actor: str) -> Changed:
        """Make an account.

        Raises:
            InputRefused: The name or the password cannot be accepted.
            AccountError: The name is taken.
            AuditError: It could not be recorded; there is no such account.
        """
        self._require_audit()
        canonical = parse_user_name(name)
        return await self._add(canonical, await self._hash(password), actor)

    async def add_prepared(self, name: str, password_hash: str, actor: str) -> Changed:
        """Make an account whose password was hashed elsewhere; see `parse_prepared_hash`.

        Raises:
            InputRefused: The name or the hash cannot be accepted.
            AccountError: The name is taken.
            AuditError: It could not be recorded; there is no such account.
        """
        self._require_audit()
        return await self._add(parse_user_name(name), parse_prepared_hash(password_hash), actor)

    async def _add(self, canonical: str, password_hash: str, actor: str) -> Changed:
        user = User(name=canonical, password_hash=password_hash, created_unix=self._parts.clock.unix())
        if not await self._parts.in_store(self._parts.users.add, user):
            raise AccountError(409, f"there is a user {canonical} already", "nbgate user passwd sets a new password")
        try:
            changed = await self._record(Changed(canonical, "added"), actor)
        except AuditError:
            await self._parts.in_store(self._parts.users.remove, canonical)
            raise
        self.on_added()
        return changed

    async def set_password(self, name: str, password: str, actor: str) -> Changed:
        """Set a new password and end the person's sessions.

        Raises:
            InputRefused: The password cannot be accepted.
            AccountError: There is no such account.
        """
        self._require_audit()
        canonical = parse_user_name(name)
        password_hash = await self._hash(password)
        ended = await self._replace(canonical, lambda user: with_new_password(user, password_hash))
        return await self._finish(canonical, "password set", ended, Reason.PASSWORD_CHANGED, actor)

    async def disable(self, name: str, actor: str) -> Changed:
        """Bar the person from logging in and end their sessions.

        Raises:
            AccountError: There is no such account.
        """
        self._require_audit()
        canonical = parse_user_name(name)
        ended = await self._replace(canonical, as_disabled)
        return await self._finish(canonical, "disabled", ended, Reason.USER_DISABLED, actor)

    async def enable(self, name: str, actor: str) -> Changed:
        """Let the person log in again.

        Raises:
            AccountError: There is no such account.
            AuditError: It could not be recorded; the account is disabled as before.
        """
        self._require_audit()
        canonical = parse_user_name(name)
        await self._replace(canonical, as_enabled)
        try:
            return await self._record(Changed(canonical, "enabled"), actor)
        except AuditError:
            await self._replace(canonical, as_disabled)
            raise

    async def remove(self, name: str, actor: str) -> Changed:
        """Remove the account and end its sessions.

        Raises:
            AccountError: There is no such account.
        """
        self._require_audit()
        canonical = parse_user_name(name)
        ended = await self._parts.in_store(self._parts.users.remove, canonical)
        if ended is None:
            raise _unknown(canonical)
        return await self._finish(canonical, "removed", ended, Reason.USER_REMOVED, actor)

    async def _replace(self, canonical: str, change: Callable[[User], User]) -> tuple[bytes, ...]:
        for _ in range(ATTEMPTS):
            user = await self._parts.in_store(self._parts.users.get, canonical)
            if user is None:
                raise _unknown(canonical)
            ended = await self._parts.in_store(self._parts.users.replace, user, change(user))
            if ended is not None:
                return ended  # None: somebody changed the account in between, look again
        raise StoreError(f"the account {canonical} keeps changing", hint="try again")

    async def _finish(
        self, canonical: str, message: str, ended: tuple[bytes, ...], reason: Reason, actor: str
    ) -> Changed:
        await self._parts.end_sessions(canonical, ended, reason, actor)
        return await self._record(Changed(canonical, message, len(ended)), actor)

    async def _record(self, changed: Changed, actor: str) -> Changed:
        await self._parts.audit.append_durable(
            UserChange(
                **self._parts.audit.stamp(),
                target_user=changed.user,
                message=changed.message,
                actor=actor,
                ended_sessions=changed.ended_sessions,
            )
        )
        return changed

    async def _hash(self, password: str) -> str:
        salt = self._parts.random_bytes(SALT_BYTES)
        return await self._parts.hashes.run(hash_new_password, password, salt=salt, parameters=self._parts.parameters)

    def _require_audit(self) -> None:
        if self._parts.audit.failing_since_unix:
            raise AuditError(
                "the audit cannot be written", hint="see nbgate status; accounts are not changed meanwhile"
            )


def _unknown(name: str) -> AccountError:
    return AccountError(404, f"there is no user {name}", "nbgate user list shows who there is")
