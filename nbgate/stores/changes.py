"""How accounts and sessions may change, and what ends with a change: the same answers for every engine.

Pure: an engine hands in what it has stored and stores what it is given back. Knows no table and no transaction.
"""

from collections.abc import Iterable

import msgspec

from nbgate.errors import CredentialRejected
from nbgate.model.account import Spent, StoredSession, User


def require_account_grows(old: User, new: User) -> None:
    """Check that `new` may follow `old`.

    Raises:
        ValueError: It has another name, a lower epoch or a lower TOTP step.
    """
    if new.name != old.name or new.cred_epoch < old.cred_epoch or new.totp_step < old.totp_step:
        raise ValueError("an account keeps its name, and its epoch only grows, and so does its TOTP step")


def require_session_grows(old: StoredSession, new: StoredSession) -> None:
    """Check that `new` may follow `old`.

    Raises:
        ValueError: It is of another id, user or epoch, or not of a higher generation.
    """
    before, after = old.session, new.session
    if (before.id, before.user, old.cred_epoch) != (after.id, after.user, new.cred_epoch):
        raise ValueError("a session keeps its id, its user and its epoch")
    if after.generation <= before.generation:
        raise ValueError("the generation of a session only grows")


def ended_by(old: User, new: User, sessions: Iterable[StoredSession]) -> tuple[bytes, ...]:
    """Return the ids of those of the account's `sessions` that end when `new` takes the place of `old`, sorted.

    Another role ends everything, even if the epoch stays: what a session carries is the role it began with.
    """
    if new.disabled or new.role is not old.role:
        return sorted_ids(sessions)
    return sorted_ids(row for row in sessions if not row.session.is_token and row.cred_epoch != new.cred_epoch)


def sorted_ids(sessions: Iterable[StoredSession]) -> tuple[bytes, ...]:
    """Return the ids of `sessions`, sorted."""
    return tuple(sorted(row.session.id for row in sessions))


def with_login(user: User | None, session: StoredSession, spent: Spent | None) -> User:
    """Return the account as it is once `session` has begun and `spent` is used up.

    Raises:
        CredentialRejected: What was proven is proven no more.
    """
    if user is None or user.disabled or user.cred_epoch != session.cred_epoch:
        raise CredentialRejected
    if spent is not None and spent.totp_step:
        if spent.totp_step <= user.totp_step:
            raise CredentialRejected
        user = msgspec.structs.replace(user, totp_step=spent.totp_step)
    if spent is not None and spent.recovery:
        if spent.recovery not in user.recovery:
            raise CredentialRejected
        left = tuple(digest for digest in user.recovery if digest != spent.recovery)
        user = msgspec.structs.replace(user, recovery=left)
    return user


def displaced_by(new: StoredSession, most: int, sessions: Iterable[StoredSession]) -> tuple[bytes, ...]:
    """Return the ids of those of the account's other `sessions` that are too many beside `new`, idle longest first."""
    if not most:
        return ()
    logins = sorted(
        (row for row in sessions if not row.session.is_token),
        key=lambda row: (row.last_seen_unix, row.session.created_unix, row.session.id),
    )
    kept = most if new.session.is_token else most - 1
    return tuple(row.session.id for row in logins[: max(0, len(logins) - kept)])


def with_change(stored: StoredSession | None, old: StoredSession, new: StoredSession) -> StoredSession | None:
    """Return what to store when `new` shall follow `old`; None if something else than `old` is stored.

    Activity is told all the time and by others: it makes no difference to what is stored, and never goes back.
    """
    if stored is None or msgspec.structs.replace(old, last_seen_unix=stored.last_seen_unix) != stored:
        return None
    return msgspec.structs.replace(new, last_seen_unix=max(stored.last_seen_unix, new.last_seen_unix))
