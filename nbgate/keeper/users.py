"""Add, change and remove accounts, and end the sessions of whom it concerns.

The one door for both ways an operator comes: through the running gateway, or straight to the store while none runs.
Every change is in the audit, durably, before it is reported as done; while the audit fails nothing is changed.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from nbgate.audit.events import UserChange
from nbgate.authenticators.hash_queue import HashQueue
from nbgate.clock import Clock
from nbgate.crypto.foreign_hashes import parse_imported_hash
from nbgate.crypto.passwords import SALT_BYTES, HashParameters, hash_new_password, parse_prepared_hash
from nbgate.errors import AuditError
from nbgate.keeper.account_changes import AccountError, AccountStore, Kept, Replaced
from nbgate.keeper.audit import AuditLog, require_audit
from nbgate.keeper.ended import EndSessions
from nbgate.model.account import (
    StoredSession,
    User,
    as_disabled,
    as_enabled,
    parse_user_name,
    with_new_password,
    with_role,
)
from nbgate.model.session import Role
from nbgate.reasons import Reason

EPOCH_BYTES: Final = 5


class Changed(Struct, frozen=True):
    """What a change did."""

    user: str
    message: str
    ended_sessions: int = 0


async def _nothing() -> None:
    """Tell nobody: no gateway runs."""


class AccountParts(Struct, frozen=True, kw_only=True):
    """What `Accounts` works with.

    Attributes:
        end_sessions: See `EndSessions`; where no gateway runs there is nobody to tell.
        on_kept: Called with a login that lived on through a change of its account.
        on_changed: Called when there are other people, or they have another role.
    """

    accounts: AccountStore
    hashes: HashQueue
    parameters: HashParameters
    random_bytes: Callable[[int], bytes]
    audit: AuditLog
    clock: Clock
    end_sessions: EndSessions
    on_kept: Callable[[StoredSession], object] = lambda _stored: None
    on_changed: Callable[[], Awaitable[None]] = _nothing


class Accounts:
    """The accounts of this gateway.

    Attributes:
        on_added: Called when an account was made, before whoever made it hears of it.
    """

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts
        self._store = parts.accounts
        self.on_added: Callable[[], None] = lambda: None

    async def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        return await self._store.all()

    async def get(self, name: str) -> User | None:
        """Return the account, None if there is none.

        Raises:
            InputRefused: This is no user name.
        """
        return await self._store.get(parse_user_name(name))

    async def add(self, name: str, password: str, actor: str, role: Role | None = None) -> Changed:
        """Make an account.

        Args:
            name: What it is called.
            password: With which the person logs in.
            actor: Who wants it.
            role: What the person may do; None: the first one owns the gateway, the others work with notebooks.

        Raises:
            InputRefused: The name or the password cannot be accepted.
            AccountError: The name is taken.
            AuditError: It could not be recorded; there is no such account.
        """
        require_audit(self._parts.audit)
        canonical = parse_user_name(name)
        return await self._add(canonical, await self._hash(password), actor, role)

    async def add_first(self, name: str, password: str, actor: str) -> Changed:
        """Make an account if there is no other yet, which is judged in the moment it is stored.

        Raises:
            InputRefused: The name or the password cannot be accepted.
            AccountError: There is one (410).
            AuditError: It could not be recorded; there is no such account.
        """
        require_audit(self._parts.audit)
        canonical = parse_user_name(name)
        return await self._add(canonical, await self._hash(password), actor, None, is_first=True)

    async def add_prepared(self, name: str, password_hash: str, actor: str, role: Role | None = None) -> Changed:
        """Make an account whose password was hashed elsewhere; see `parse_prepared_hash`.

        Raises:
            InputRefused: The name or the hash cannot be accepted.
            AccountError: The name is taken.
            AuditError: It could not be recorded; there is no such account.
        """
        require_audit(self._parts.audit)
        return await self._add(parse_user_name(name), parse_prepared_hash(password_hash), actor, role)

    async def import_hash(self, name: str, password_hash: str, actor: str, role: Role | None = None) -> Changed:
        """Make an account with the password of a notebook server; see `parse_imported_hash`.

        Raises:
            InputRefused: The name or the hash cannot be accepted.
            AccountError: The name is taken.
            AuditError: It could not be recorded; there is no such account.
        """
        require_audit(self._parts.audit)
        return await self._add(parse_user_name(name), parse_imported_hash(password_hash), actor, role)

    async def _add(
        self, canonical: str, password_hash: str, actor: str, role: Role | None, *, is_first: bool = False
    ) -> Changed:
        def make(others: tuple[User, ...]) -> User:
            if is_first and others:
                raise AccountError(410, "there is an account already", "nbgate user list shows who there is")
            return User(
                name=canonical,
                password_hash=password_hash,
                created_unix=self._parts.clock.unix(),
                cred_epoch=1 + int.from_bytes(self._parts.random_bytes(EPOCH_BYTES)),  # of no account before it
                role=role or (Role.EDITOR if others else Role.OWNER),
            )

        if not await self._store.add(make):
            raise AccountError(409, f"there is a user {canonical} already", "nbgate user passwd sets a new password")
        try:
            changed = await self._record(Changed(canonical, "added"), actor)
        except AuditError:
            await self._store.remove(canonical)
            raise
        self.on_added()
        await self._parts.on_changed()
        return changed

    async def set_password(self, name: str, password: str, actor: str, keep: bytes | None = None) -> Changed:
        """Set a new password and end the person's logins, but for the session `keep`.

        Raises:
            InputRefused: The password cannot be accepted.
            AccountError: There is no such account.
            AuditError: It could not be recorded; the password is as before.
        """
        require_audit(self._parts.audit)
        canonical = parse_user_name(name)
        password_hash = await self._hash(password)
        kept = None if keep is None else Kept(keep)
        replaced = await self._store.replace(canonical, lambda user: with_new_password(user, password_hash), kept)
        return await self._finish_or_undo(replaced, "password set", Reason.PASSWORD_CHANGED, actor)

    async def set_role(self, name: str, role: Role, actor: str) -> Changed:
        """Let the person do more, or less; another role than before ends their sessions and tokens.

        Raises:
            AccountError: There is no such account.
            AuditError: It could not be recorded; the role is as before.
        """
        require_audit(self._parts.audit)
        replaced = await self._store.replace(
            parse_user_name(name), lambda user: user if user.role is role else with_role(user, role)
        )
        return await self._finish_or_undo(replaced, f"role {role}", Reason.ROLE_CHANGED, actor)

    async def disable(self, name: str, actor: str) -> Changed:
        """Bar the person from logging in and end their sessions.

        Raises:
            AccountError: There is no such account.
        """
        require_audit(self._parts.audit)
        replaced = await self._store.replace(parse_user_name(name), as_disabled)
        return await self._finish(replaced, "disabled", Reason.USER_DISABLED, actor)

    async def enable(self, name: str, actor: str) -> Changed:
        """Let the person log in again.

        Raises:
            AccountError: There is no such account.
            AuditError: It could not be recorded; the account is disabled as before.
        """
        require_audit(self._parts.audit)
        canonical = parse_user_name(name)
        await self._store.replace(canonical, as_enabled)
        try:
            changed = await self._record(Changed(canonical, "enabled"), actor)
        except AuditError:
            await self._store.replace(canonical, as_disabled)
            raise
        await self._parts.on_changed()
        return changed

    async def remove(self, name: str, actor: str) -> Changed:
        """Remove the account and end its sessions.

        Raises:
            AccountError: There is no such account.
        """
        require_audit(self._parts.audit)
        user = await self._store.require(parse_user_name(name))
        ended = await self._store.remove(user.name)
        return await self._finish(Replaced(user, ended), "removed", Reason.USER_REMOVED, actor)

    async def _finish_or_undo(self, replaced: Replaced, message: str, reason: Reason, actor: str) -> Changed:
        """Finish what opens more to somebody: nobody becomes an owner, and no password is another, unrecorded."""
        try:
            return await self._finish(replaced, message, reason, actor)
        except AuditError:
            ended = await self._store.put_back(replaced)
            with contextlib.suppress(AuditError):
                await self._parts.end_sessions(replaced.user.name, ended, reason, actor)
            await self._parts.on_changed()
            raise

    async def _finish(self, replaced: Replaced, message: str, reason: Reason, actor: str) -> Changed:
        if replaced.kept is not None:
            self._parts.on_kept(replaced.kept)
        name, ended = replaced.user.name, replaced.ended
        try:
            await self._parts.end_sessions(name, ended, reason, actor)
            return await self._record(Changed(name, message, len(ended)), actor)
        finally:  # it has happened, on record or not
            await self._parts.on_changed()

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
