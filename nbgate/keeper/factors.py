"""Second factors: set up TOTP, confirm it with a code, make recovery codes, take all of it away again.

What is set up counts only once a code of it came; until then it is in memory and opens nothing. Secrets are stored
sealed, recovery codes as digests; both are shown once. Proving a factor at a login is elsewhere
(`nbgate.authenticators`).
"""

import contextlib
from collections.abc import Callable
from typing import Final

from msgspec import Struct, structs

from nbgate.audit.events import FactorChange
from nbgate.clock import Clock
from nbgate.config.schema import Config
from nbgate.crypto.recovery import RANDOM_BYTES, digest_recovery_code, make_recovery_codes
from nbgate.crypto.sealing import NONCE_BYTES, Keyring
from nbgate.crypto.totp import SECRET_BYTES, find_step, new_totp_secret, seal_totp_secret, totp_uri
from nbgate.errors import AuditError, InputRefused
from nbgate.keeper.account_changes import AccountError, AccountStore, Kept, Replaced
from nbgate.keeper.audit import AuditLog, require_audit
from nbgate.keeper.ended import EndSessions
from nbgate.model.account import StoredSession, User, parse_user_name, with_recovery, with_totp, without_totp
from nbgate.model.session import SECOND_FACTORS
from nbgate.reasons import Reason

ISSUER: Final = "nbgate"
PENDING_SECONDS: Final = 600.0


class Enrolment(Struct, frozen=True):
    """A TOTP secret that counts once a code of it came; `uri` is what an authenticator app reads from the QR code."""

    secret: str
    uri: str

    def __repr__(self) -> str:
        return "Enrolment(Secret(…))"


class FactorParts(Struct, frozen=True, kw_only=True):
    """What `Factors` works with.

    Attributes:
        end_sessions: See `EndSessions`.
        on_kept: Called with a login that lived on through a change of its account.
        config: The configuration in force.
    """

    accounts: AccountStore
    totp_keyring: Keyring
    random_bytes: Callable[[int], bytes]
    audit: AuditLog
    clock: Clock
    end_sessions: EndSessions
    on_kept: Callable[[StoredSession], object]
    config: Callable[[], Config]


class Factors:
    """The second factors of all accounts."""

    def __init__(self, parts: FactorParts) -> None:
        self._parts = parts
        self._pending: dict[str, tuple[Enrolment, float]] = {}

    def begin_totp(self, user: str, host: str = "") -> Enrolment:
        """Make a new secret for a person, in place of one that was not confirmed.

        Never one that was shown before: who began that one need not be who begins this one.

        Args:
            user: Whom it is for.
            host: Of this gateway, as the app shall show it; "": its first name in the configuration.

        Raises:
            InputRefused: This is no user name.
        """
        canonical, now = parse_user_name(user), self._parts.clock.monotonic()
        self._pending = {name: each for name, each in self._pending.items() if each[1] > now}
        secret = new_totp_secret(self._parts.random_bytes(SECRET_BYTES))
        where = host or next(iter(self._parts.config().hosts), "")
        account = f"{canonical}@{where}" if where else canonical
        enrolment = Enrolment(secret, totp_uri(secret, account, ISSUER))
        self._pending[canonical] = (enrolment, now + PENDING_SECONDS)
        return enrolment

    def pending(self, user: str) -> Enrolment | None:
        """Return what a person has begun to set up and not confirmed, to be shown again after a mistyped code."""
        enrolment, until = self._pending.get(user, (None, 0.0))
        return enrolment if self._parts.clock.monotonic() < until else None

    async def confirm_totp(self, user: str, code: str, actor: str, keep: bytes | None = None) -> tuple[str, ...]:
        """Put into force what was begun, and end the person's other logins; return the recovery codes, for once.

        Raises:
            CredentialRejected: The code is not one of the secret.
            AccountError: Nothing was begun, or too long ago (410); or there is no such account.
        """
        require_audit(self._parts.audit)
        canonical = parse_user_name(user)
        enrolment = self.pending(canonical)
        if enrolment is None:
            raise AccountError(
                410, "nothing was begun, or more than ten minutes ago", "begin again: it is a new QR code"
            )
        step = find_step(enrolment.secret, code, self._parts.clock.unix(), self._parts.config().totp_window)
        nonce = self._parts.random_bytes(NONCE_BYTES)
        sealed = seal_totp_secret(self._parts.totp_keyring, enrolment.secret, canonical, nonce)
        codes = make_recovery_codes(self._parts.random_bytes(RANDOM_BYTES))
        kept = None if keep is None else Kept(keep, gains="totp")
        replaced = await self._parts.accounts.replace(
            canonical, lambda account: with_totp(account, sealed, step, _digests(codes)), kept
        )
        self._pending.pop(canonical, None)
        await self._finish(replaced, "totp", "set up", actor)
        return codes

    async def remove_totp(self, user: str, actor: str, keep: bytes | None = None) -> None:
        """Take the second factor away and end the person's other logins.

        Raises:
            InputRefused: The person has nothing else to log in with.
            AccountError: There is no such account.
        """
        require_audit(self._parts.audit)
        kept = None if keep is None else Kept(keep, loses=SECOND_FACTORS)
        replaced = await self._parts.accounts.replace(parse_user_name(user), _without_totp, kept)
        await self._finish(replaced, "totp", "removed", actor)

    async def new_recovery_codes(self, user: str, actor: str) -> tuple[str, ...]:
        """Make recovery codes in place of those that are left, and return them, for once; logins go on.

        Raises:
            InputRefused: The person has no second factor for which they could stand.
            AccountError: There is no such account.
        """
        require_audit(self._parts.audit)
        codes = make_recovery_codes(self._parts.random_bytes(RANDOM_BYTES))
        replaced = await self._parts.accounts.replace(
            parse_user_name(user), lambda account: with_recovery(_require_totp(account), _digests(codes))
        )
        await self._finish(replaced, "recovery", "made", actor)
        return codes

    async def set_totp_alone(self, user: str, actor: str, keep: bytes | None = None) -> None:
        """Let the person log in with TOTP and no password, and end their other logins.

        Raises:
            InputRefused: TOTP is not set up.
            AccountError: There is no such account.
        """
        require_audit(self._parts.audit)
        kept = None if keep is None else Kept(keep)
        replaced = await self._parts.accounts.replace(parse_user_name(user), _without_password, kept)
        await self._finish(replaced, "password", "removed", actor)

    async def _finish(self, replaced: Replaced, factor: str, message: str, actor: str) -> None:
        if replaced.kept is not None:
            self._parts.on_kept(replaced.kept)
        name, ended = replaced.user.name, replaced.ended
        try:
            await self._parts.end_sessions(name, ended, Reason.FACTOR_CHANGED, actor)
            await self._parts.audit.append_durable(
                FactorChange(
                    **self._parts.audit.stamp(),
                    target_user=name,
                    factor=factor,
                    message=message,
                    actor=actor,
                    ended_sessions=len(ended),
                )
            )
        except AuditError:  # how somebody signs in is not changed unrecorded
            ended = await self._parts.accounts.put_back(replaced)
            with contextlib.suppress(AuditError):
                await self._parts.end_sessions(name, ended, Reason.FACTOR_CHANGED, actor)
            raise


def _digests(codes: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(digest for code in codes if (digest := digest_recovery_code(code)) is not None)


def _require_totp(user: User) -> User:
    if not user.totp:
        raise InputRefused(f"{user.name} has no second factor", hint="set up TOTP first")
    return user


def _without_totp(user: User) -> User:
    if not user.password_hash:
        raise InputRefused(f"{user.name} logs in with TOTP alone", hint="set a password first")
    return without_totp(_require_totp(user))


def _without_password(user: User) -> User:
    return structs.replace(_require_totp(user), password_hash="", cred_epoch=user.cred_epoch + 1)
