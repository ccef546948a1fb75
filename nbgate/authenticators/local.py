"""Users with a password in our own store.

Whatever is wrong — the name, the password, an account that is disabled — costs one hash and ends in the same
`CredentialRejected`. Makes no session: the store does, if the account still has the epoch that was proven here.
"""

import contextlib
from collections.abc import Callable
from typing import Final

from nbgate.authenticators.hash_queue import HashQueue
from nbgate.crypto.passwords import (
    MAX_PASSWORD_BYTES,
    SALT_BYTES,
    HashParameters,
    hash_password,
    needs_rehash,
    verify_password,
)
from nbgate.errors import CredentialRejected, InputRefused, LoginBusy
from nbgate.model.account import User, parse_user_name, with_rehash
from nbgate.model.principal import Principal
from nbgate.ports import StoreRunner, UserStore

FACTOR: Final = "password"


class LocalAuthenticator:
    """A `nbgate.ports.PasswordAuthenticator` over a `UserStore`.

    Args:
        users: The accounts.
        in_store: Runs a call of `users` where the store is used.
        hashes: Runs the hashes.
        parameters: What a new hash costs; an account with others gets a new hash at its next login.
        decoy: `crypto.passwords.decoy_hash` of `parameters`, spent on names that no one has.
        random_bytes: Gives as many random bytes as it is asked for.
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
    ) -> None:
        self._users = users
        self._in_store = in_store
        self._hashes = hashes
        self._parameters = parameters
        self._decoy = decoy
        self._random_bytes = random_bytes

    async def authenticate(self, username: str, password: str) -> Principal:
        """Return the principal whose name and password these are.

        Raises:
            CredentialRejected: They are no one's, or the account is disabled.
            LoginBusy: Too many are asking.
            StoreError: The accounts cannot be read.
        """
        if len(password) > MAX_PASSWORD_BYTES:  # before a turn is taken: it can be nobody's
            raise CredentialRejected
        user = await self._find(username)
        await self._hashes.run(verify_password, self._decoy if user is None else user.password_hash, password)
        if user is None:  # the decoy's own password: nobody knows it, and it opens nothing
            raise CredentialRejected
        await self._renew_hash(user, password)
        return Principal(user=user.name, factors=(FACTOR,), cred_epoch=user.cred_epoch)

    async def _find(self, username: str) -> User | None:
        try:
            name = parse_user_name(username)
        except InputRefused:
            return None
        user = await self._in_store(self._users.get, name)
        return None if user is None or user.disabled else user

    async def _renew_hash(self, user: User, password: str) -> None:
        if not needs_rehash(user.password_hash, self._parameters):
            return
        with contextlib.suppress(LoginBusy):  # the login is good; the next one renews the hash
            salt = self._random_bytes(SALT_BYTES)
            renewed = await self._hashes.run(hash_password, password, salt=salt, parameters=self._parameters)
            await self._in_store(self._users.replace, user, with_rehash(user, renewed))
