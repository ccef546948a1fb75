"""What is stored about a person and about a login: `User` and `StoredSession`, and how an account may change.

Pure values: this file reads no store, hashes no password, and decides nothing about requests.
"""

import re

import msgspec
from msgspec import Struct

from nbgate.errors import InputRefused
from nbgate.model.session import Session

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


class User(Struct, frozen=True, kw_only=True):
    """An account.

    Attributes:
        name: Canonical name, as `parse_user_name` gives it.
        password_hash: The argon2id string.
        disabled: May not log in; has no sessions.
        cred_epoch: Grows with every change that ends sessions; a session of another epoch is over.
        created_unix: Seconds since the epoch.
    """

    name: str
    password_hash: str
    created_unix: float
    disabled: bool = False
    cred_epoch: int = 1

    def __repr__(self) -> str:
        return f"User({self.name!r}, disabled={self.disabled}, cred_epoch={self.cred_epoch}, hash=Secret(…))"


class StoredSession(Struct, frozen=True, kw_only=True):
    """A session as the keeper stores it: what the workers know, and what only the keeper needs."""

    session: Session
    last_seen_unix: float
    cred_epoch: int


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


def as_disabled(user: User) -> User:
    """Return `user` barred from logging in; ends all sessions."""
    return msgspec.structs.replace(user, disabled=True, cred_epoch=user.cred_epoch + 1)


def as_enabled(user: User) -> User:
    """Return `user` allowed to log in again; sessions that ended stay ended."""
    return msgspec.structs.replace(user, disabled=False)
