"""Users with a password, a TOTP code or both in our own store.

Whatever is wrong — the name, the password, the code, an account that is disabled — costs one hash and looks the same
from outside. Makes no session and uses nothing up: the store does, if the account still has the epoch that was proven
here and nobody else used the code meanwhile.
"""

import contextlib
from collections.abc import Callable
from typing import Final

from nbgate.authenticators.hash_queue import HashQueue
from nbgate.clock import Clock
from nbgate.crypto.foreign_hashes import is_foreign, verify_at_equal_cost
from nbgate.crypto.passwords import MAX_PASSWORD_BYTES, SALT_BYTES, HashParameters, hash_password, needs_rehash
from nbgate.crypto.recovery import digest_recovery_code, find_recovery_code
from nbgate.crypto.sealing import Keyring
from nbgate.crypto.totp import find_step, unseal_totp_secret
from nbgate.errors import CredentialRejected, InputRefused, LoginBusy, SecondFactorRejected
from nbgate.model.account import Spent, User, parse_user_name, with_rehash
from nbgate.model.principal import Credentials, Principal
from nbgate.ports import StoreRunner, UserStore

PASSWORD: Final = "password"  # noqa: S105 - the name of a factor
TOTP: Final = "totp"
RECOVERY: Final = "recovery"

_NOBODY: Final = User(name="", password_hash="", created_unix=0.0)  # no password and no code opens it


class LocalAuthenticator:
    """A `nbgate.ports.Authenticator` over a `UserStore`.

    Args:
        users: The accounts.
        in_store: Runs a call of `users` where the store is used.
        hashes: Runs the hashes.
        parameters: What a new hash costs; an account with others gets a new hash at its next login.
        decoy: `crypto.passwords.decoy_hash` of `parameters`, spent on names that no one has.
        random_bytes: Gives as many random bytes as it is asked for.
        totp_keys: A keyring of the purpose `crypto.totp.PURPOSE`.
        clock: Tells which TOTP code is the present one.
        totp_window: Gives the steps that count, relative to the present one.
    """

    def __init__(
        self,
        *,
        users: UserStore,
        in_store: StoreRunner,
        hashes: HashQueue,
        parameters: HashParameters,
        decoy: str,
        random_bytes: Callable[[int], bytes],
        totp_keys: Keyring,
        clock: Clock,
        totp_window: Callable[[], tuple[int, ...]],
    ) -> None:
        self._users = users
        self._in_store = in_store
        self._hashes = hashes
        self._parameters = parameters
        self._decoy = decoy
        self._random_bytes = random_bytes
        self._totp_keys = totp_keys
        self._clock = clock
        self._totp_window = totp_window

    async def authenticate(self, offered: Credentials, *, first: bool = False) -> Principal:
        """Return who has proven to be `offered.username`.

        An account with TOTP needs a code, one without ignores it; an account without a password needs the code alone.

        Args:
            offered: As received. A recovery code stands in for a TOTP code.
            first: This comes from a browser that the person logged in from before.

        Raises:
            CredentialRejected: They are no one's, or the account is disabled.
            SecondFactorRejected: The code alone is wrong, or missing.
            LoginBusy: Too many are asking.
            StoreError: The accounts cannot be read.
        """
        if len(offered.password) > MAX_PASSWORD_BYTES:  # before a turn is taken: it can be nobody's
            raise CredentialRejected
        user = await self._find(offered.username)
        factors = await self._check_password(user, offered.password, first=first)
        principal = self._check_code(user, offered.code, factors)
        if self._is_outdated(user.password_hash):
            # After the code: who has the password alone must not be told so by the time that this takes.
            await self._renew_hash(user, offered.password)
        return principal

    async def _find(self, username: str) -> User:
        try:
            name = parse_user_name(username)
        except InputRefused:
            return _NOBODY
        user = await self._in_store(self._users.get, name)
        return _NOBODY if user is None or user.disabled else user

    async def _check_password(self, user: User, password: str, *, first: bool) -> tuple[str, ...]:
        """Return what the password proves: nothing, of an account that has none but TOTP, where none was offered.

        The rest of such an account's proof is its code; a wrong one counts against its second factor, which bounds
        guessing far below what passwords need.
        """
        run = self._hashes.run_first if first else self._hashes.run
        try:
            await run(verify_at_equal_cost, user.password_hash, password, self._decoy)
        except CredentialRejected:
            if user.password_hash or not user.totp or password:
                raise
            return ()
        return (PASSWORD,)

    def _check_code(self, user: User, code: str, factors: tuple[str, ...]) -> Principal:
        spent: Spent | None = None
        if user.totp:
            spent = self._find_spent(user, code)
            factors = (*factors, RECOVERY if spent.recovery else TOTP)
        return Principal(user=user.name, factors=factors, cred_epoch=user.cred_epoch, role=user.role, spent=spent)

    def _find_spent(self, user: User, code: str) -> Spent:
        try:
            if digest_recovery_code(code) is not None:
                return Spent(recovery=find_recovery_code(user.recovery, code))
            secret = unseal_totp_secret(self._totp_keys, user.totp, user.name)
            step = find_step(secret, code, self._clock.unix(), self._totp_window(), after=user.totp_step)
        except CredentialRejected:
            raise SecondFactorRejected from None
        return Spent(totp_step=step)

    def _is_outdated(self, stored: str) -> bool:
        return bool(stored) and (is_foreign(stored) or needs_rehash(stored, self._parameters))

    async def _renew_hash(self, user: User, password: str) -> None:
        with contextlib.suppress(LoginBusy):  # the login is good; the next one renews the hash
            salt = self._random_bytes(SALT_BYTES)
            renewed = await self._hashes.run(hash_password, password, salt=salt, parameters=self._parameters)
            await self._in_store(self._users.replace, user, with_rehash(user, renewed))
