"""Every seam of nbgate in one file: what a store, a sink and an authenticator promise.

Promises only: nothing is implemented here. Each sentence of a docstring is tested by `tests/contract/` against every
implementation. Stores are synchronous and used by one thread at a time (`nbgate.stores.thread`).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import ParamSpec, Protocol, TypeVar

from nbgate.model.account import StoredSession, User
from nbgate.model.principal import Principal

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
        """Store `new` where exactly `old` is stored, and end the account's sessions of any other epoch than `new` has.

        Returns:
            The ids of the sessions that ended; None, and nothing is changed, if anything else than `old` is stored.

        Raises:
            ValueError: `new` has another name or a lower epoch than `old`.
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
    session exists only as long as its account does, is not disabled and has the session's epoch. Errors: `StoreError`
    when the store cannot be read or written.
    """

    def create(self, session: StoredSession) -> None:
        """Store a new session.

        Raises:
            CredentialRejected: Its account is gone, disabled or of another epoch: what was proven is proven no more.
            StoreError: The id is taken.
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


class PasswordAuthenticator(Protocol):
    """Turns a name and a password into a principal.

    Ordering and atomicity: each call stands for itself. Errors: `CredentialRejected` for every cause that is theirs, at
    the same cost; `LoginBusy` when too many are asking, before anything was looked at; `StoreError`.
    """

    async def authenticate(self, username: str, password: str) -> Principal:
        """Return who has proven to be `username`."""
        ...
