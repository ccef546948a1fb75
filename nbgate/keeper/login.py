"""One login from end to end: may it be tried, is it proven, store, record, and only then tell anybody.

The order is the point. Whether there is a turn for it is judged before a password costs anything (T01, T06), with what
was typed and nothing that was found out. A session is durable in the store before the audit names it, and in the audit,
durably, before a worker or the browser hears of it; whatever fails on the way leaves no session behind. Why a login
failed is told to the audit only, and nobody waits longer or shorter for it.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from nbgate.audit.events import AuthLogin
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.crypto.devices import DEVICE_ID_BYTES, LIFETIME_SECONDS, new_device_cookie, new_device_id
from nbgate.crypto.tokens import TOKEN_BYTES, new_session_token, parse_session_token
from nbgate.errors import (
    AuditError,
    CredentialRejected,
    InputRefused,
    LoginBusy,
    NbgateError,
    SecondFactorRejected,
    StoreError,
)
from nbgate.guard.throttle import Attempt
from nbgate.keeper.account_changes import AccountStore
from nbgate.keeper.audit import AuditLog, require_audit
from nbgate.keeper.browsers import browser_label
from nbgate.keeper.ended import EndSessions, record_ended
from nbgate.keeper.links import LINK_FACTOR, LoginLinks, is_fresh_from_link
from nbgate.keeper.lockdown import Lockdown
from nbgate.keeper.notices import RECOVERY_USED, WRONG_CODE, WRONG_IN_SESSION, Notices
from nbgate.keeper.penalties import KeeperPenalties
from nbgate.keeper.throttle import KeeperThrottle, netblock_of, network_of
from nbgate.keeper.turns import Turns, recorded_name
from nbgate.model.account import StoredSession, User, parse_user_name
from nbgate.model.principal import Credentials, Principal
from nbgate.model.session import Session
from nbgate.ports import Authenticator, SessionStore, StoreRunner
from nbgate.reasons import Reason
from nbgate.stores.changes import with_login

T = TypeVar("T")


class LoginAttempt(Struct, frozen=True, kw_only=True):
    """What somebody offers, and from where.

    Attributes:
        code: A TOTP code or a recovery code.
        client: The client's address in text.
        device: The browser's device cookie, as it came.
        user_agent: What the browser calls itself.
        replaces: The live session this browser had; it ends when the new one begins.
    """

    username: str
    password: str = ""
    code: str = ""
    client: str
    request_id: str
    device: str = ""
    user_agent: str = ""
    replaces: Session | None = None

    def __repr__(self) -> str:
        return f"LoginAttempt(client={self.client!r}, request_id={self.request_id!r}, password=Secret(…))"


class LoggedIn(Struct, frozen=True):
    """A session that began, and the texts of two cookies, which are kept nowhere."""

    session: Session
    token: str
    device_cookie: str

    def __repr__(self) -> str:
        return f"LoggedIn({self.session.label!r}, Secret(…))"


class Begun(Struct, frozen=True):
    """What `Login` made: the session as it is stored, and what the browser gets."""

    stored: StoredSession
    logged_in: LoggedIn


class LoginParts(Struct, frozen=True, kw_only=True):
    """What `Login` works with.

    Attributes:
        config: The configuration in force.
        device_key: Signs device cookies.
        end_sessions: Ends sessions everywhere that the store has ended.
        flush_activity: Has the store know who was active until now: it ends the login that is idle for longest (T17).
    """

    authenticator: Authenticator
    accounts: AccountStore
    sessions: SessionStore
    in_store: StoreRunner
    audit: AuditLog
    clock: Clock
    random_bytes: Callable[[int], bytes]
    config: Callable[[], Config]
    throttle: KeeperThrottle
    penalties: KeeperPenalties
    links: LoginLinks
    notices: Notices
    lockdown: Lockdown
    device_key: bytes
    end_sessions: EndSessions
    flush_activity: Callable[[], Awaitable[None]]


class _Trial(Struct, frozen=True, kw_only=True):
    """Credentials that may be looked at: who it would be, from where, how it is counted; `in_session`: who it is."""

    credentials: Credentials
    counted: Attempt
    client: str
    request_id: str
    user: User | None
    in_session: bool = False


class Login:
    """Turns credentials into sessions that are stored and recorded."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts
        self._turns = Turns(
            throttle=parts.throttle, penalties=parts.penalties, clock=parts.clock, device_key=parts.device_key
        )

    async def attempt(self, attempt: LoginAttempt) -> Begun:
        """Return the new session and what the browser gets.

        Raises:
            CredentialRejected: The credentials are no one's; every cause looks the same.
            LoginThrottled: Too many attempts; nothing of this one was looked at.
            LoginBusy: Too many passwords are being checked.
            LockedDown: Nobody may sign in.
            AuditError: The login could not be recorded: there is no session.
            StoreError: The store cannot be used.
        """
        require_audit(self._parts.audit)
        self._parts.lockdown.require_open()
        trial = await self._trial_of(attempt)
        return await self._in_turn(trial, lambda principal: self._begin(principal, attempt, trial.counted.device))

    async def by_link(self, token: str, attempt: LoginAttempt) -> Begun:
        """Return the new session of whom a link logs in, which then is void; no factor is asked for.

        Args:
            token: Of the link.
            attempt: From where; its credentials are ignored.

        Raises:
            AccountError: The link is over (410).
            CredentialRejected: The account is gone or disabled.
            LockedDown: Nobody may sign in.
            AuditError: The login could not be recorded: there is no session, and the link is good as before.
            StoreError: The store cannot be used; the link is good as before.
        """
        require_audit(self._parts.audit)
        self._parts.lockdown.require_open()
        name = self._parts.links.require(token)
        user = await self._parts.accounts.get(name)
        if user is None or user.disabled or not self._parts.links.is_for(user):
            raise CredentialRejected
        put_back = self._parts.links.take(token)
        try:
            principal = Principal(user=name, factors=(LINK_FACTOR,), cred_epoch=user.cred_epoch, role=user.role)
            counted = self._turns.count(name, user, attempt.client, attempt.device)
            begun = await self._begin(principal, attempt, counted.device)
        except (AuditError, StoreError):
            put_back()
            raise
        self._parts.throttle.succeeded(counted)
        return begun

    async def confirm(self, session: Session, password: str, code: str, client: str) -> None:
        """Return if whoever uses a session proves again who they are; what they prove with is used up.

        Who came by a link of the operator's has nothing to prove for as long as the link would have been good.

        Raises:
            CredentialRejected: They do not, or the session is over.
            LoginThrottled: Too many attempts in this session.
            LoginBusy: Too many passwords are being checked.
            AuditError: It could not be recorded.
            StoreError: The store cannot be used.
        """
        require_audit(self._parts.audit)
        if is_fresh_from_link(session, self._parts.clock.unix()):
            return
        user = await self._parts.accounts.get(session.user)
        if user is None:
            raise CredentialRejected
        trial = _Trial(
            credentials=Credentials(username=session.user, password=password, code=code),
            counted=self._turns.count_in_session(user, client, session.label),
            client=client,
            request_id="",
            user=user,
            in_session=True,
        )
        await self._in_turn(trial, lambda principal: self._spend(session, principal))

    def device_cookie(self, stored: StoredSession, device_id: str = "") -> str:
        """Return what says that the person of a session has logged in from its browser; "": one that had no name."""
        return new_device_cookie(
            self._parts.device_key,
            stored.session.user,
            device_id or new_device_id(self._parts.random_bytes(DEVICE_ID_BYTES)),
            self._parts.clock.unix() + LIFETIME_SECONDS,
            stored.cred_epoch,
        )

    async def _trial_of(self, attempt: LoginAttempt) -> _Trial:
        try:
            name, may_exist = parse_user_name(attempt.username), True
        except InputRefused:
            name, may_exist = attempt.username, False
        user = await self._parts.accounts.get(name) if may_exist else None
        return _Trial(
            credentials=Credentials(username=attempt.username, password=attempt.password, code=attempt.code),
            counted=self._turns.count(name, user, attempt.client, attempt.device, code_alone=not attempt.password),
            client=attempt.client,
            request_id=attempt.request_id,
            user=user,
        )

    async def _in_turn(self, trial: _Trial, then: Callable[[Principal], Awaitable[T]]) -> T:
        """Return what `then` makes of whom the credentials prove, if there is a turn for them."""
        throttle = self._parts.throttle
        self._turns.take(trial.counted, trial.client)
        try:
            principal = await self._parts.authenticator.authenticate(
                trial.credentials, first=bool(trial.counted.device)
            )
            made = await then(principal)
        except NbgateError as error:
            await self._refuse(trial, error)
            raise
        else:
            throttle.succeeded(trial.counted)
            return made
        finally:
            throttle.done(trial.counted)

    async def _begin(self, principal: Principal, attempt: LoginAttempt, device_id: str) -> Begun:
        stored, token = self._new_session(principal, attempt)
        device_cookie = self.device_cookie(stored, device_id)
        await self._parts.flush_activity()
        sessions, most = self._parts.sessions, self._most(principal, attempt)
        created: list[tuple[bytes, ...]] = []
        may_be_recorded = False

        def create() -> tuple[bytes, ...]:
            created.append(sessions.create(stored, spent=principal.spent, most=most))  # known, even if nobody waits
            return created[0]

        try:
            displaced = await self._parts.in_store(create)
            self._parts.lockdown.require_open()  # it may have begun since; what was in the store then is ended
            may_be_recorded = True  # as soon as it is begun, whoever waits for it or not
            await self._parts.audit.append_durable(self._success(attempt, stored.session))
            await self._end_displaced(principal.user, displaced)
        except BaseException:  # also when the client has gone: a session nobody was told of must not stay
            await self._undo(stored.session, created, may_be_recorded=may_be_recorded)
            raise
        self._notice(principal, attempt)
        return Begun(stored, LoggedIn(stored.session, token, device_cookie))

    async def _undo(self, session: Session, created: list[tuple[bytes, ...]], *, may_be_recorded: bool) -> None:
        """End a session that nobody was told of; whom it displaced has ended in the store and ends everywhere.

        The store does one thing after the other: a `create` that nobody waits for any more is done before this.
        """

        def end() -> None:
            if created:  # else the id is not ours
                self._parts.sessions.end((session.id,))

        try:
            await self._parts.in_store(end)
        finally:
            with contextlib.suppress(AuditError):  # what went wrong first is what is raised
                for displaced in created:
                    await self._end_displaced(session.user, displaced)
                if may_be_recorded:
                    await record_ended(self._parts.audit, session.user, (session.id,), Reason.SESSION_ENDED, "nbgate")

    async def _end_displaced(self, user: str, displaced: tuple[bytes, ...]) -> None:
        await self._parts.end_sessions(user, displaced, Reason.SESSION_DISPLACED, "nbgate")

    def _most(self, principal: Principal, attempt: LoginAttempt) -> int:
        """Return how many logins may be; the one that this replaces ends anyway, and no other for it."""
        replaces = attempt.replaces is not None and attempt.replaces.user == principal.user
        return self._parts.config().sessions.per_user + replaces

    def _new_session(self, principal: Principal, attempt: LoginAttempt) -> tuple[StoredSession, str]:
        token = new_session_token(self._parts.random_bytes(TOKEN_BYTES))
        session_id = parse_session_token(token)
        assert session_id is not None  # noqa: S101 - it was made one line above
        now, options = self._parts.clock.unix(), self._parts.config().sessions
        session = Session(
            id=session_id,
            user=principal.user,
            created_unix=now,
            absolute_unix=now + options.absolute_seconds,
            factors=principal.factors,
            rotate_unix=now + options.rotate_seconds,
            role=principal.role,
        )
        stored = StoredSession(
            session=session,
            last_seen_unix=now,
            cred_epoch=principal.cred_epoch,
            label=browser_label(attempt.user_agent),
            client=attempt.client,
        )
        return stored, token

    def _notice(self, principal: Principal, attempt: LoginAttempt) -> None:
        notices, client, request_id = self._parts.notices, attempt.client, attempt.request_id
        if principal.spent is not None and principal.spent.recovery:
            notices.note(principal.user, RECOVERY_USED, client, request_id)
        notices.logged_in(principal.user, network_of(netblock_of(client)), client, request_id)

    async def _spend(self, session: Session, principal: Principal) -> None:
        """Use up what was proven.

        Raises:
            CredentialRejected: Somebody else has used it, or the session or the password is good no more.
            StoreError: The store cannot be used, or the account keeps changing.
        """
        stored = await self._parts.in_store(self._parts.sessions.get, session.id)
        if stored is None or stored.cred_epoch != principal.cred_epoch:
            raise CredentialRejected
        if principal.spent is not None:
            await self._parts.accounts.replace(principal.user, lambda user: with_login(user, stored, principal.spent))

    async def _refuse(self, trial: _Trial, error: NbgateError) -> None:
        """Count and record a refusal; no cause takes longer than another."""
        throttle, audit = self._parts.throttle, self._parts.audit
        match error:
            case SecondFactorRejected():
                if trial.credentials.code:
                    throttle.wrong_code(trial.counted)
                else:  # forgotten, most likely: it guesses nothing, and must not use up what guesses may cost
                    throttle.failed(trial.counted)
                self._warn(trial, knows_password=True)
                await audit.append_durable(self._refusal(trial, Reason.LOGIN_FAILED))
            case CredentialRejected():
                throttle.failed(trial.counted)
                self._warn(trial, knows_password=False)
                await audit.append_durable(self._refusal(trial, Reason.LOGIN_FAILED))
            case LoginBusy():
                audit.append(self._refusal(trial, Reason.LOGIN_BUSY))
            case StoreError():
                audit.append(self._refusal(trial, Reason.STORE_UNAVAILABLE))
            case _:  # LockedDown; or an AuditError, which cannot be recorded
                pass

    def _warn(self, trial: _Trial, *, knows_password: bool) -> None:
        """Note what the owner should know: somebody knows the password, or guesses in a session that is theirs."""
        if trial.user is None:
            return
        if knows_password and trial.user.password_hash:  # else there is no password to be known
            self._parts.notices.note(trial.user.name, WRONG_CODE, trial.client, trial.request_id)
        elif trial.in_session:
            self._parts.notices.note(trial.user.name, WRONG_IN_SESSION, trial.client, trial.request_id)

    def _success(self, attempt: LoginAttempt, session: Session) -> AuthLogin:
        return AuthLogin(
            **self._parts.audit.stamp(),
            client_ip=attempt.client,
            user=session.user,
            request_id=attempt.request_id,
            session=session.label,
            factors=session.factors,
            user_role=session.role.value,
        )

    def _refusal(self, trial: _Trial, reason: Reason) -> AuthLogin:
        return AuthLogin(
            **self._parts.audit.stamp(),
            outcome="failure",
            client_ip=trial.client,
            user=recorded_name(trial.credentials.username),
            request_id=trial.request_id,
            reason=reason.value,
        )
