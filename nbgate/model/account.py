"""What is stored about a person and about a login: `User` and `StoredSession`, and how an account may change.

Pure values: this file reads no store, hashes no password, and decides nothing about requests.
"""

import re

import msgspec
from msgspec import Struct

from nbgate.errors import InputRefused
from nbgate.model.session import Role, Session

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


class User(Struct, frozen=True, kw_only=True):
    """An account.

    Attributes:
        name: Canonical name, as `parse_user_name` gives it.
        password_hash: The argon2id string, or a hash of Jupyter's until the first login; empty: TOTP alone opens.
        disabled: May not log in; has no sessions and no tokens.
        cred_epoch: Grows with every change that ends sessions; a session of another epoch is over.
        created_unix: Seconds since the epoch.
        role: What the person may do; another one ends sessions and tokens.
        totp: The sealed TOTP secret; empty: none is set up.
        totp_step: The last TOTP time step that was used; never goes back (T04).
        recovery: SHA-256 of each recovery code that is left.
    """

    name: str
    password_hash: str
    created_unix: float
    disabled: bool = False
    cred_epoch: int = 1
    role: Role = Role.EDITOR
    totp: str = ""
    totp_step: int = 0
    recovery: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"User({self.name!r}, disabled={self.disabled}, cred_epoch={self.cred_epoch}, hash=Secret(…))"


class Spent(Struct, frozen=True, gc=False):
    """What a login uses up, once and for all: a TOTP time step, or a recovery code (its SHA-256)."""

    totp_step: int = 0
    recovery: bytes = b""


class StoredSession(Struct, frozen=True, kw_only=True):
    """A session as the keeper stores it: what the workers know, and what only the keeper needs.

    Attributes:
        last_seen_unix: Of its last activity.
        cred_epoch: Of the account when it began; a login of another epoch is over, a token is not.
        retired: Digests of secrets that stood for it and are good no more: whoever comes with one has stolen it.
        label: What people call it: a token's name, or the browser and system of a login.
        client: The client's address when it began.
    """

    session: Session
    last_seen_unix: float
    cred_epoch: int
    retired: tuple[bytes, ...] = ()
    label: str = ""
    client: str = ""


def parse_user_name(text: str) -> str:
    """Return the canonical form of a user name: ASCII letters are lowered, nothing else is touched.

    Only ASCII, because `casefold` makes the Kelvin sign a `k` and the long s an `s`: two people would share an account.

    Raises:
        InputRefused: `text` is empty, longer than 64 characters or holds anything but letters, digits and `._@-`.
    """
    if not _NAME.fullmatch(text):
        raise InputRefused(
            "this is no user name", hint="use 1 to 64 of the letters a-z, digits, dot, underscore, hyphen and @"
        )
    return text.lower()


def with_new_password(user: User, password_hash: str) -> User:
    """Return `user` with another password; ends all sessions."""
    return msgspec.structs.replace(user, password_hash=password_hash, cred_epoch=user.cred_epoch + 1)


def with_rehash(user: User, password_hash: str) -> User:
    """Return `user` with the same password under newer parameters; sessions go on."""
    return msgspec.structs.replace(user, password_hash=password_hash)


def with_role(user: User, role: Role) -> User:
    """Return `user` with another role; ends all sessions and tokens."""
    return msgspec.structs.replace(user, role=role, cred_epoch=user.cred_epoch + 1)


def with_totp(user: User, totp: str, step: int, recovery: tuple[bytes, ...]) -> User:
    """Return `user` with this sealed TOTP secret, whose time step `step` is used up; ends all sessions."""
    return msgspec.structs.replace(
        user, totp=totp, totp_step=max(step, user.totp_step), recovery=recovery, cred_epoch=user.cred_epoch + 1
    )


def without_totp(user: User) -> User:
    """Return `user` without a second factor; ends all sessions. The last step stays: it never goes back."""
    return msgspec.structs.replace(user, totp="", recovery=(), cred_epoch=user.cred_epoch + 1)


def with_recovery(user: User, recovery: tuple[bytes, ...]) -> User:
    """Return `user` with these recovery codes and no others; sessions go on."""
    return msgspec.structs.replace(user, recovery=recovery)


def as_disabled(user: User) -> User:
    """Return `user` barred from logging in; ends all sessions."""
    return msgspec.structs.replace(user, disabled=True, cred_epoch=user.cred_epoch + 1)


def as_enabled(user: User) -> User:
    """Return `user` allowed to log in again; sessions that ended stay ended."""
    return msgspec.structs.replace(user, disabled=False)
