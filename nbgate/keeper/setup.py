"""The first account of a gateway that nobody sits in front of: a link that makes it, once, within 15 minutes.

The link lies 0600 in the data folder, for whoever may read there; only its digest is kept here, and it is said nowhere.
Once there is an account, however it came to be, no link makes another.
"""

import asyncio
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nbgate.clock import Clock
from nbgate.crypto.tokens import TOKEN_BYTES, new_session_token, parse_session_token
from nbgate.errors import ExitCode, StartError
from nbgate.files import write_private
from nbgate.keeper.account_changes import AccountError
from nbgate.keeper.users import Accounts, Changed

LINK_FILE: Final = "setup-link"
SETUP_PATH: Final = "/_nbgate/setup/"
LIFE_SECONDS: Final = 900.0
ACTOR: Final = "setup link"
_NO_DIGEST: Final = b""


class Setup:
    """The setup link of one gateway.

    Args:
        folder: The data folder.
        accounts: Where the account is made.
        clock: Its monotonic time decides how old a link is.
        random_bytes: Returns that many random bytes.
    """

    def __init__(self, *, folder: Path, accounts: Accounts, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._file = folder / LINK_FILE
        self._accounts = accounts
        self._clock = clock
        self._random = random_bytes
        self._digest = _NO_DIGEST
        self._until_monotonic = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def offer(self, url: str) -> Path | None:
        """Write a new link, which takes the place of an older one; return its file, None if there is an account.

        Args:
            url: Where the gateway is reached from this machine, with a slash at the end.

        Raises:
            StartError: The file cannot be written (73).
        """
        async with self._one_at_a_time:
            if await self._accounts.all():
                await self._forget()
                return None
            token = new_session_token(self._random(TOKEN_BYTES))
            link = f"{url}{SETUP_PATH.removeprefix('/')}{token}\n"
            self._digest = parse_session_token(token) or _NO_DIGEST
            self._until_monotonic = self._clock.monotonic() + LIFE_SECONDS
            try:
                await asyncio.to_thread(write_private, self._file, link.encode())
            except OSError as error:
                self._digest = _NO_DIGEST
                raise StartError(
                    f"cannot write the link for the first account: {error}",
                    hint="make the account with nbgate user add NAME",
                    exit_code=ExitCode.CANNOT_CREATE,
                ) from error
            return self._file

    def require(self, token: str) -> None:
        """Return if `token` makes an account now.

        Raises:
            AccountError: It does not (410): used, too old, or never made; which of them is nobody's business.
        """
        offered = parse_session_token(token)
        known = self._digest != _NO_DIGEST and self._clock.monotonic() < self._until_monotonic
        if offered is None or not known or not hmac.compare_digest(offered, self._digest):
            raise _over()

    async def make_account(self, token: str, name: str, password: str) -> Changed:
        """Make the first account, and make the link void; a name or password that is refused leaves it as it was.

        Raises:
            AccountError: The link is over (410).
            InputRefused: The name or the password cannot be accepted.
            LoginBusy: Too many passwords are being hashed.
            AuditError: It could not be recorded; there is no such account.
        """
        async with self._one_at_a_time:
            self.require(token)
            try:
                changed = await self._accounts.add_first(name, password, ACTOR)
            except AccountError as error:  # another was first, maybe while this password was hashed
                await self._forget()
                raise _over() from error
            await self._forget()
            return changed

    async def withdraw(self) -> None:
        """Make the link void: there is an account."""
        async with self._one_at_a_time:
            await self._forget()

    async def _forget(self) -> None:
        self._digest = _NO_DIGEST
        await asyncio.to_thread(self._file.unlink, missing_ok=True)


def _over() -> AccountError:
    return AccountError(
        410,
        "this link makes the first account, once and for 15 minutes, and is over",
        "on the gateway's machine type nbgate user add NAME, or nbgate reload for a new link",
    )
