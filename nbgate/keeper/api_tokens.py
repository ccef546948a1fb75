"""Tokens for programs: make one, take it back. They are sessions that no cookie names and nobody logs in for.

The text of a token is given out once and kept nowhere. What a token may do is judged by the workers; it never may do
more than its owner, whose role it carries.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from nbgate.audit.events import TokenChange
from nbgate.clock import Clock
from nbgate.config.addresses import AddressError
from nbgate.config.routes import parse_place
from nbgate.crypto.api_tokens import new_api_token, parse_api_token
from nbgate.crypto.tokens import TOKEN_BYTES
from nbgate.errors import CredentialRejected, InputRefused
from nbgate.keeper.account_changes import AccountError, AccountStore
from nbgate.keeper.audit import AuditLog, require_audit
from nbgate.keeper.ending import Ending
from nbgate.keeper.sessions import LiveSessions
from nbgate.model.account import StoredSession, User, parse_user_name
from nbgate.model.session import Scope, Session
from nbgate.ports import SessionStore, StoreRunner
from nbgate.reasons import Reason

DAY_SECONDS: Final = 86400.0
MAX_DAYS: Final = 90
LONGEST_SECONDS: Final = MAX_DAYS * DAY_SECONDS
MAX_NAME_CHARS: Final = 64
MAX_ROUTES: Final = 32
MAX_OF_USER: Final = 100


class TokenParts(Struct, frozen=True, kw_only=True):
    """What `ApiTokens` works with.

    Attributes:
        put: Puts a session into force everywhere; False when it has ended since it was made.
        require_open: Raises while nobody may get in.
    """

    accounts: AccountStore
    sessions: SessionStore
    in_store: StoreRunner
    random_bytes: Callable[[int], bytes]
    audit: AuditLog
    clock: Clock
    ending: Ending
    live: LiveSessions
    put: Callable[[StoredSession], bool]
    require_open: Callable[[], None]


class ApiTokens:
    """The tokens of all accounts."""

    def __init__(self, parts: TokenParts) -> None:
        self._parts = parts

    async def add(
        self, user: str, name: str, scope: Scope, routes: tuple[str, ...], expires_unix: float, actor: str
    ) -> tuple[StoredSession, str]:
        """Make a token; return it and its text, for once.

        Args:
            user: Whose it is.
            name: What people call it.
            scope: What it may be used for.
            routes: Public places of the notebook servers it is good for, `/prefix/` or `host/prefix/`; none: all.
            expires_unix: When it ends, at most `LONGEST_SECONDS` from now.
            actor: Who wants it.

        Raises:
            InputRefused: One of these cannot be accepted.
            AccountError: There is no such account, or it is disabled.
            LockedDown: Nobody gets in for now.
            AuditError: It could not be recorded; there is no such token.
        """
        require_audit(self._parts.audit)
        self._parts.require_open()
        account = await self._parts.accounts.require(parse_user_name(user))
        self._require_fit(account, name, scope, expires_unix)
        text = new_api_token(self._parts.random_bytes(TOKEN_BYTES))
        stored = self._new(account, text, name, scope, _parse_routes(routes), expires_unix)
        try:
            await self._parts.in_store(self._parts.sessions.create, stored)
        except CredentialRejected:
            raise AccountError(409, f"{account.name} is disabled or was just changed", "try again") from None
        try:
            await self._record(stored, "added", actor)
            self._parts.require_open()  # again: whoever ends everything meanwhile has not seen this one
        except BaseException:  # also when whoever asked has gone: a token nobody was told of must not stay
            await self._parts.in_store(self._parts.sessions.end, (stored.session.id,))
            raise
        if not self._parts.put(stored):
            raise AccountError(409, f"{account.name} was just changed", "try again")
        return stored, text

    async def revoke(self, label: str, actor: str) -> StoredSession:
        """End the token whose label begins so; returns when nothing hangs on it any more.

        Raises:
            SessionNotFoundError: There is none, or more than one (404).
        """
        stored = self._parts.ending.require(label, is_token=True)
        await self._parts.ending.revoke((stored.session,), Reason.SESSION_REVOKED, actor)
        await self._record(stored, "revoked", actor)
        return stored

    def _require_fit(self, account: User, name: str, scope: Scope, expires_unix: float) -> None:
        if not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and name.strip() == name):
            raise InputRefused("a token needs a name", hint=f"1 to {MAX_NAME_CHARS} printable characters")
        if scope is Scope.LOGIN:
            raise InputRefused("a token cannot be a login", hint="its scope is read, execute, routes-admin or all")
        now = self._parts.clock.unix()
        if not now < expires_unix <= now + LONGEST_SECONDS:
            raise InputRefused(f"a token lasts {MAX_DAYS} days at most", hint="name a time between now and then")
        tokens = [row for row in self._parts.live.rows(account.name) if row.session.is_token]
        if len(tokens) >= MAX_OF_USER:
            raise InputRefused(f"{account.name} has {MAX_OF_USER} tokens", hint="revoke those that nobody needs")

    def _new(
        self, account: User, text: str, name: str, scope: Scope, routes: tuple[str, ...], expires_unix: float
    ) -> StoredSession:
        token_id = parse_api_token(text)
        assert token_id is not None  # noqa: S101 - it was made one line above the call
        now = self._parts.clock.unix()
        session = Session(
            id=token_id,
            user=account.name,
            created_unix=now,
            absolute_unix=expires_unix,
            factors=(),
            role=account.role,
            scope=scope,
            routes=routes,
        )
        return StoredSession(session=session, last_seen_unix=now, cred_epoch=account.cred_epoch, label=name)

    async def _record(self, stored: StoredSession, message: str, actor: str) -> None:
        await self._parts.audit.append_durable(
            TokenChange(
                **self._parts.audit.stamp(),
                target_user=stored.session.user,
                token=stored.label,
                scope=stored.session.scope,
                session=stored.session.label,
                message=message,
                actor=actor,
            )
        )


def _parse_routes(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > MAX_ROUTES:
        raise InputRefused(f"a token names {MAX_ROUTES} notebook servers at most", hint="name none: it is good for all")
    try:
        return tuple(dict.fromkeys(map(parse_place, texts)))
    except AddressError as error:
        raise InputRefused(str(error), hint=error.hint) from None
