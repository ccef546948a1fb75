"""One login from end to end: prove, store, record, and only then tell anybody.

The order is the point. A session is durable in the store before the audit names it, and in the audit, durably, before a
worker or the browser hears of it; whatever fails on the way leaves no session behind. Why a login failed is told to the
audit only.
"""

from collections.abc import Callable

from msgspec import Struct

from nbgate.audit.events import AuthLogin
from nbgate.clock import Clock
from nbgate.crypto.tokens import TOKEN_BYTES, new_session_token, parse_session_token
from nbgate.errors import AuditError, CredentialRejected, InputRefused, LoginBusy, StoreError
from nbgate.keeper.audit import AuditLog
from nbgate.model.account import StoredSession, parse_user_name
from nbgate.model.client import make_client
from nbgate.model.principal import Principal
from nbgate.model.session import Session
from nbgate.ports import PasswordAuthenticator, SessionStore, StoreRunner
from nbgate.reasons import Reason


class LoginAttempt(Struct, frozen=True, kw_only=True):
    """What somebody offers, and from where.

    Attributes:
        client: The client's address in text.
        replaces: The live session this browser had; it ends when the new one begins.
    """

    username: str
    password: str
    client: str
    request_id: str
    replaces: Session | None = None

    def __repr__(self) -> str:
        return f"LoginAttempt(client={self.client!r}, request_id={self.request_id!r}, password=Secret(…))"


class LoginParts(Struct, frozen=True, kw_only=True):
    """What `Login` works with.

    Attributes:
        absolute_seconds: How long a session that begins now lives at most.
        netblock_attempts: How many logins of one netblock are tried at once.
    """

    authenticator: PasswordAuthenticator
    sessions: SessionStore
    in_store: StoreRunner
    audit: AuditLog
    clock: Clock
    random_bytes: Callable[[int], bytes]
    absolute_seconds: Callable[[], float]
    netblock_attempts: Callable[[], int]


class Login:
    """Turns credentials into sessions that are stored and recorded."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts
        self._under_way: dict[str, int] = {}

    async def attempt(self, attempt: LoginAttempt) -> tuple[StoredSession, str]:
        """Return the new session and the text of its token, which is kept nowhere.

        Raises:
            CredentialRejected: The credentials are no one's; every cause looks the same.
            LoginBusy: Too many passwords are being checked, of all together or of this client's netblock.
            AuditError: The login could not be recorded: there is no session.
            StoreError: The store cannot be used.
        """
        if self._parts.audit.failing_since_unix:
            raise AuditError("the audit cannot be written")
        try:
            principal = await self._authenticate(attempt)
            stored, token = self._new_session(principal)
            await self._parts.in_store(self._parts.sessions.create, stored)
        except CredentialRejected:
            await self._parts.audit.append_durable(self._refusal(attempt, Reason.LOGIN_FAILED))
            raise
        except LoginBusy:
            self._parts.audit.append(self._refusal(attempt, Reason.LOGIN_BUSY))
            raise
        except StoreError:
            self._parts.audit.append(self._refusal(attempt, Reason.STORE_UNAVAILABLE))
            raise
        try:
            await self._parts.audit.append_durable(self._success(attempt, stored.session))
        except BaseException:  # also when the client has gone: a session nobody was told of must not stay
            await self._parts.in_store(self._parts.sessions.end, (stored.session.id,))
            raise
        return stored, token

    async def _authenticate(self, attempt: LoginAttempt) -> Principal:
        """Check the password, but not of a netblock that has enough under way: the queue is for everybody."""
        netblock = _netblock_of(attempt.client)
        before = self._under_way.get(netblock, 0)
        if before >= self._parts.netblock_attempts():
            raise LoginBusy
        self._under_way[netblock] = before + 1
        try:
            return await self._parts.authenticator.authenticate(attempt.username, attempt.password)
        finally:
            self._under_way[netblock] -= 1
            if not self._under_way[netblock]:
                del self._under_way[netblock]

    def _new_session(self, principal: Principal) -> tuple[StoredSession, str]:
        token = new_session_token(self._parts.random_bytes(TOKEN_BYTES))
        session_id = parse_session_token(token)
        assert session_id is not None  # noqa: S101 - it was made one line above
        now = self._parts.clock.unix()
        session = Session(
            id=session_id,
            user=principal.user,
            created_unix=now,
            absolute_unix=now + self._parts.absolute_seconds(),
            factors=principal.factors,
        )
        return StoredSession(session=session, last_seen_unix=now, cred_epoch=principal.cred_epoch), token

    def _success(self, attempt: LoginAttempt, session: Session) -> AuthLogin:
        return AuthLogin(
            **self._parts.audit.stamp(),
            client_ip=attempt.client,
            user=session.user,
            request_id=attempt.request_id,
            session=session.label,
            factors=session.factors,
        )

    def _refusal(self, attempt: LoginAttempt, reason: Reason) -> AuthLogin:
        return AuthLogin(
            **self._parts.audit.stamp(),
            outcome="failure",
            client_ip=attempt.client,
            user=recorded_name(attempt.username),
            request_id=attempt.request_id,
            reason=reason.value,
        )


def _netblock_of(client: str) -> str:
    """Return whom an attempt counts for; who names no address is a program on the private socket, and one crowd."""
    try:
        return make_client(client, 0).netblock
    except ValueError:
        return ""


def recorded_name(username: str) -> str:
    """Return what may be recorded of a name that somebody typed.

    A name that can be nobody's is recorded as its length only: it may be a password typed into the wrong field, or a
    megabyte of noise (CVE-2026-54338).
    """
    try:
        return parse_user_name(username)
    except InputRefused:
        return f"[{len(username)} chars]"
