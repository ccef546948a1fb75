# ruff: noqa: S608 - statements are put together of constants, here and nowhere else
"""Accounts and sessions as rows of the SQLite file. Begins no transaction, and decides nothing about what it stores."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from nbgate.model.account import StoredSession, User
from nbgate.model.session import Role, Scope, Session
from nbgate.stores.database import Database

Row = tuple[Any, ...]

DIGEST_BYTES: Final = 32

_USER: Final = "name, password_hash, created_unix, disabled, cred_epoch, role, totp, totp_step, recovery"
_SESSION: Final = (
    "id, user, created_unix, absolute_unix, factors, generation, key, former, rotate_unix, role, scope, routes,"
    " last_seen_unix, cred_epoch, retired, label, client"
)
_ALL_USERS: Final = f"SELECT {_USER} FROM users ORDER BY name"
_ONE_USER: Final = f"SELECT {_USER} FROM users WHERE name = ?"
_ADD_USER: Final = f"INSERT INTO users ({_USER}) VALUES (?{', ?' * 8}) ON CONFLICT DO NOTHING"
_CHANGE_USER: Final = f"UPDATE users SET ({_USER}) = (?{', ?' * 8}) WHERE name = ?"
_ALL_SESSIONS: Final = f"SELECT {_SESSION} FROM sessions ORDER BY created_unix, id"
_SESSIONS_OF_USER: Final = f"SELECT {_SESSION} FROM sessions WHERE user = ?"
_ONE_SESSION: Final = f"SELECT {_SESSION} FROM sessions WHERE id = ?"
_ADD_SESSION: Final = f"INSERT INTO sessions ({_SESSION}) VALUES (?{', ?' * 16}) ON CONFLICT DO NOTHING"
_CHANGE_SESSION: Final = f"UPDATE sessions SET ({_SESSION}) = (?{', ?' * 16}) WHERE id = ?"
_END_SESSION: Final = "DELETE FROM sessions WHERE id = ?"

_ROUTES: Final = msgspec.json.Decoder(tuple[str, ...])


def users(database: Database) -> tuple[User, ...]:
    """Return all accounts, sorted by name."""
    return tuple(_user(row) for row in database.rows(_ALL_USERS))


def user(database: Database, name: str) -> User | None:
    """Return the account, None if there is none."""
    rows = database.rows(_ONE_USER, (name,))
    return _user(rows[0]) if rows else None


def add_user(database: Database, new: User) -> bool:
    """Insert an account; False if the name is taken."""
    return database.change(_ADD_USER, _user_row(new)) == 1


def change_user(database: Database, new: User) -> None:
    """Write an account over the one of its name."""
    database.change(_CHANGE_USER, (*_user_row(new), new.name))


def sessions(database: Database) -> tuple[StoredSession, ...]:
    """Return all sessions, oldest login first."""
    return tuple(_session(row) for row in database.rows(_ALL_SESSIONS))


def sessions_of(database: Database, name: str) -> tuple[StoredSession, ...]:
    """Return the sessions of an account."""
    return tuple(_session(row) for row in database.rows(_SESSIONS_OF_USER, (name,)))


def session(database: Database, session_id: bytes) -> StoredSession | None:
    """Return the session, None if there is none."""
    rows = database.rows(_ONE_SESSION, (session_id,))
    return _session(rows[0]) if rows else None


def add_session(database: Database, new: StoredSession) -> bool:
    """Insert a session; False if the id is taken."""
    return database.change(_ADD_SESSION, _session_row(new)) == 1


def change_session(database: Database, new: StoredSession) -> None:
    """Write a session over the one of its id."""
    database.change(_CHANGE_SESSION, (*_session_row(new), new.session.id))


def end_sessions(database: Database, ids: Iterable[bytes]) -> tuple[bytes, ...]:
    """Delete sessions; returns the ids that were there, in the order given."""
    return tuple(session_id for session_id in ids if database.change(_END_SESSION, (session_id,)))


def _user_row(new: User) -> Row:
    return (
        new.name,
        new.password_hash,
        new.created_unix,
        new.disabled,
        new.cred_epoch,
        new.role,
        new.totp,
        new.totp_step,
        _joined(new.recovery),
    )


def _user(row: Row) -> User:
    name, password_hash, created_unix, disabled, cred_epoch, role, totp, totp_step, recovery = row
    return User(
        name=name,
        password_hash=password_hash,
        created_unix=created_unix,
        disabled=bool(disabled),
        cred_epoch=cred_epoch,
        role=Role(role),
        totp=totp,
        totp_step=totp_step,
        recovery=_split(recovery),
    )


def _session_row(new: StoredSession) -> Row:
    known = new.session
    return (
        known.id,
        known.user,
        known.created_unix,
        known.absolute_unix,
        " ".join(known.factors),
        known.generation,
        known.key,
        known.former,
        known.rotate_unix,
        known.role,
        known.scope,
        msgspec.json.encode(known.routes).decode(),
        new.last_seen_unix,
        new.cred_epoch,
        _joined(new.retired),
        new.label,
        new.client,
    )


def _session(row: Row) -> StoredSession:
    session_id, name, created_unix, absolute_unix, factors, generation, key, former, rotate_unix = row[:9]
    role, scope, routes, last_seen_unix, cred_epoch, retired, label, client = row[9:]
    return StoredSession(
        session=Session(
            id=session_id,
            user=name,
            created_unix=created_unix,
            absolute_unix=absolute_unix,
            factors=tuple(factors.split()),
            generation=generation,
            key=key,
            former=former,
            rotate_unix=rotate_unix,
            role=Role(role),
            scope=Scope(scope),
            routes=_ROUTES.decode(routes),
        ),
        last_seen_unix=last_seen_unix,
        cred_epoch=cred_epoch,
        retired=_split(retired),
        label=label,
        client=client,
    )


def _joined(digests: tuple[bytes, ...]) -> bytes:
    if any(len(digest) != DIGEST_BYTES for digest in digests):  # they would be read back as others
        raise ValueError("a digest has 32 bytes")
    return b"".join(digests)


def _split(column: bytes) -> tuple[bytes, ...]:
    return tuple(column[at : at + DIGEST_BYTES] for at in range(0, len(column), DIGEST_BYTES))
