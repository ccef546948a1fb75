"""Every seam of nbgate in one file: what a store, a sink and an authenticator promise.

Promises only: nothing is implemented here. Each sentence of a docstring is tested by `tests/contract/` against every
implementation. Stores are synchronous and used by one thread at a time (`nbgate.stores.thread`).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import ParamSpec, Protocol, TypeVar

from nbgate.model.account import Spent, StoredSession, User
from nbgate.model.principal import Credentials, Principal

P = ParamSpec("P")
T = TypeVar("T")


class UserStore(Protocol):
    """Accounts, by canonical name.

    Ordering: calls take effect one after the other, in the order they were made. Atomicity: each call happens wholly or
    not at all, together with the sessions it ends; what it returned is durable. Expiry: none. Errors: `StoreError` when
    the store cannot be read or written; a store that is damaged is never taken for an empty one.
    """

    def get(self, name: str) -> User | None:
        """Return the account, None if there is none."""
        ...

    def all(self) -> tuple[User, ...]:
        """Return all accounts, sorted by name."""
        ...

    def add(self, user: User) -> bool:
        """Store a new account; False, and nothing is changed, if the name is taken."""
        ...

    def replace(self, old: User, new: User) -> tuple[bytes, ...] | None:
        """Store `new` where exactly `old` is stored, and end the account's logins of any other epoch than `new` has.

        Tokens end only where `new` is disabled or has another role: programs outlive a new password.

        Returns:
            The ids of the sessions that ended; None, and nothing is changed, if anything else than `old` is stored.

        Raises:
            ValueError: `new` has another name, a lower epoch or a lower TOTP step than `old`.
        """
        ...

    def remove(self, name: str) -> tuple[bytes, ...] | None:
        """Remove an account and end its sessions.

        Returns:
            The ids of the sessions that ended; None if there is no such account.
        """
        ...


class SessionStore(Protocol):
    """Logins, by session id.

    Ordering: calls take effect one after the other, in the order they were made. Atomicity: each call happens wholly or
    not at all; a session that was created or ended is so durably, `touch` may be lost with the machine's power. Expiry:
    none of its own, the store reads no clock: a session stays until it is ended (`nbgate.sessions.judge` says when). A
    session exists only as long as its account does and is not disabled, a login only while its account has its epoch.
    Errors: `StoreError` when the store cannot be read or written.
    """

    def create(self, session: StoredSession, *, spent: Spent | None = None, most: int = 0) -> tuple[bytes, ...]:
        """Store a new session, and use up what its proof uses up.

        Args:
            session: The session.
            spent: A TOTP step, which the account's last step must be below and becomes; or a recovery code, which the
                account must still have and has no more.
            most: How many logins the account may have with this one; the ones idle for longest end. 0: any number.

        Returns:
            The ids of the logins that ended.

        Raises:
            CredentialRejected: Its account is gone, disabled or of another epoch, or what it spends is spent already:
                what was proven is proven no more. Nothing is changed.
            StoreError: The id is taken.
        """
        ...

    def replace(self, old: StoredSession, new: StoredSession) -> bool:
        """Store `new` where `old` is stored, whenever it was last seen; False, and nothing is changed, if it is not.

        Raises:
            ValueError: `new` is of another id, user or epoch, or not of a higher generation than `old`.
        """
        ...

    def get(self, session_id: bytes) -> StoredSession | None:
        """Return the session, None if there is none."""
        ...

    def all(self) -> tuple[StoredSession, ...]:
        """Return all sessions, oldest login first."""
        ...

    def end(self, ids: Iterable[bytes]) -> tuple[bytes, ...]:
        """End sessions; returns the ids that were there, in the order given. Unknown ids are ignored."""
        ...

    def touch(self, last_seen_unix: Mapping[bytes, float]) -> None:
        """Move the time of the last activity forward, never back. Unknown ids are ignored."""
        ...


class ValueStore(Protocol):
    """Small values by name: what a keeper remembers beside accounts and sessions.

    Ordering: calls take effect one after the other, in the order they were made. Atomicity: each call happens wholly or
    not at all; what it returned is durable. Expiry: none. Errors: `StoreError` when the store cannot be used.
    """

    def get(self, name: str) -> bytes | None:
        """Return the value, None if there is none."""
        ...

    def put(self, name: str, value: bytes) -> None:
        """Store a value in place of the one before."""
        ...

    def remove(self, name: str) -> bool:
        """Remove a value; False if there was none."""
        ...


class RouteStore(Protocol):
    """Routes that were added while the gateway runs, by where they are.

    Ordering: calls take effect one after the other, in the order they were made. Atomicity: each call happens wholly or
    not at all; what it returned is durable. Expiry: none. Errors: `StoreError` when the store cannot be used.
    """

    def all(self) -> tuple[tuple[str, bytes], ...]:
        """Return (where, value) of each, sorted."""
        ...

    def put(self, at: str, value: bytes) -> None:
        """Store a route in place of the one that is there."""
        ...

    def remove(self, at: str) -> bool:
        """Remove a route; False if there was none."""
        ...


class State(Protocol):
    """One engine's stores, which keep promises to each other."""

    @property
    def users(self) -> UserStore:
        """The accounts."""
        ...

    @property
    def sessions(self) -> SessionStore:
        """The logins."""
        ...

    @property
    def values(self) -> ValueStore:
        """Everything else."""
        ...

    @property
    def routes(self) -> RouteStore:
        """The routes that were added while the gateway runs."""
        ...

    def close(self) -> None:
        """Let go of the engine; nothing may be called afterwards."""
        ...


class StoreRunner(Protocol):
    """Runs calls of a store where it is used, one after the other, in the order they were made; gives their outcome."""

    def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Return what `call` returns or raises."""
        ...


class RecordSink(Protocol):
    """Where audit records are written: the truth, append-only.

    Ordering: lines stand in the order they were appended. Atomicity: `append` writes all of its lines or none, and
    leaves no part of a line behind. Durability: what was appended before `sync` was called survives the machine once
    `sync` has returned. Expiry: none. Errors: `OSError`; after one from `append` or `sync` the caller calls `begin`.
    """

    @property
    def size_bytes(self) -> int:
        """How long the segment in use is."""
        ...

    @property
    def segment(self) -> str:
        """The name of the segment in use."""
        ...

    def begin(self, first_seq: int) -> None:
        """Leave the segment in use as it is and go on in a new, empty one, whose first record will be `first_seq`."""
        ...

    def append(self, lines: bytes) -> None:
        """Write whole lines at the end."""
        ...

    def sync(self) -> None:
        """Make all that was appended durable. May be called from another thread than `append`."""
        ...

    def close(self) -> None:
        """Let go of the files; what was not synced is not made durable."""
        ...


class Authenticator(Protocol):
    """Turns what somebody offers into a principal.

    Ordering and atomicity: each call stands for itself, and uses nothing up: the session's creation does. Errors:
    `CredentialRejected` for every cause that is theirs, at the same cost; `SecondFactorRejected`, which is one, where
    the code alone was wrong; `LoginBusy` when too many are asking, before anything was looked at; `StoreError`.
    """

    async def authenticate(self, offered: Credentials, *, first: bool = False) -> Principal:
        """Return who has proven to be `offered.username`; `first`: before all others who wait for their turn."""
        ...
