"""Change an account in the store while others may change it too, and end what ends with that, but for one login.

Whoever changes their own password or second factor stays signed in where they did it: that one login moves into the
account's new epoch. It says nothing to anybody, and records nothing.
"""

from collections.abc import Callable

from msgspec import Struct, structs

from nbgate.errors import CredentialRejected, ExitCode, NbgateError, StoreError
from nbgate.model.account import StoredSession, User
from nbgate.ports import SessionStore, StoreRunner, UserStore

ATTEMPTS = 5


class AccountError(NbgateError):
    """Theirs: there is no such account, or there is one already."""

    exit_code = ExitCode.FAILURE

    def __init__(self, status: int, public: str, hint: str) -> None:
        super().__init__(public, hint=hint)
        self.status = status


class Kept(Struct, frozen=True):
    """The login that lives on; `gains` is a factor that was proven meanwhile, `loses` those that are there no more."""

    id: bytes
    gains: str = ""
    loses: frozenset[str] = frozenset()


class Replaced(Struct, frozen=True):
    """An account as it is now, the sessions (ids) that ended with the change, the login that lived on; and before."""

    user: User
    ended: tuple[bytes, ...] = ()
    kept: StoredSession | None = None
    before: User | None = None


class AccountStore:
    """The accounts, to be changed.

    Args:
        users: Where they are.
        sessions: The logins beside them.
        in_store: Runs calls of both.
    """

    def __init__(self, users: UserStore, sessions: SessionStore, in_store: StoreRunner) -> None:
        self._users = users
        self._sessions = sessions
        self._in_store = in_store

    async def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        return await self._in_store(self._users.all)

    async def get(self, canonical: str) -> User | None:
        """Return the account, None if there is none."""
        return await self._in_store(self._users.get, canonical)

    async def require(self, canonical: str) -> User:
        """Return the account.

        Raises:
            AccountError: There is none.
        """
        user = await self.get(canonical)
        if user is None:
            raise unknown_account(canonical)
        return user

    async def add(self, make: Callable[[tuple[User, ...]], User]) -> bool:
        """Store what `make` makes in view of the accounts there are; False, and nothing is changed, if it is there."""

        def add() -> bool:
            return self._users.add(make(self._users.all()))

        return await self._in_store(add)

    async def remove(self, canonical: str) -> tuple[bytes, ...]:
        """Remove the account; return the ids of the sessions that ended.

        Raises:
            AccountError: There is none.
        """
        ended = await self._in_store(self._users.remove, canonical)
        if ended is None:
            raise unknown_account(canonical)
        return ended

    async def replace(self, canonical: str, change: Callable[[User], User], keep: Kept | None = None) -> Replaced:
        """Store what `change` makes of the account; all ends that the store ends then, but for `keep`.

        Raises:
            AccountError: There is no such account.
            StoreError: It keeps changing.
        """
        for _ in range(ATTEMPTS):
            user = await self.require(canonical)
            new = change(user)
            replaced = await self._in_store(self._replace, user, new, keep)
            if replaced is not None:
                return replaced  # None: somebody changed the account in between, look again
        raise StoreError(f"the account {canonical} keeps changing", hint="try again")

    async def put_back(self, replaced: Replaced) -> tuple[bytes, ...]:
        """Undo a change that could not be recorded; return the ids of the sessions that ended with that.

        Whoever changed the account again meanwhile has the last word. An epoch that grew grows once more: what ended
        stays ended, and what lived on ends too.
        """
        now, before = replaced.user, replaced.before
        if before is None or before == now:
            return ()
        epoch = now.cred_epoch + (now.cred_epoch != before.cred_epoch)
        again = structs.replace(before, cred_epoch=epoch, totp_step=now.totp_step)
        return await self._in_store(self._users.replace, now, again) or ()

    def _replace(self, old: User, new: User, keep: Kept | None) -> Replaced | None:
        """Run in the store, where nothing comes in between.

        The kept login ends with the others and begins again: should the machine fail right there, somebody must sign
        in again, and no login lives that should not.
        """
        stored = None if keep is None else self._sessions.get(keep.id)
        ended = self._users.replace(old, new)
        if ended is None:
            return None
        if keep is None or stored is None or keep.id not in ended:
            return Replaced(new, ended, before=old)
        kept = _moved(stored, new.cred_epoch, keep)
        try:
            self._sessions.create(kept)
        except (CredentialRejected, StoreError):  # barred from logging in; or over, as all the others are by now
            return Replaced(new, ended, before=old)
        return Replaced(new, tuple(session_id for session_id in ended if session_id != keep.id), kept, old)


def _moved(stored: StoredSession, epoch: int, keep: Kept) -> StoredSession:
    session = stored.session
    gained = {keep.gains} - {""} - set(session.factors)
    factors = tuple(factor for factor in (*session.factors, *gained) if factor not in keep.loses)
    changed = structs.replace(session, factors=factors, generation=session.generation + 1)
    return structs.replace(stored, cred_epoch=epoch, session=changed)


def unknown_account(name: str) -> AccountError:
    """Return the error of whoever names an account that does not exist."""
    return AccountError(404, f"there is no user {name}", "nbgate user list shows who there is")
