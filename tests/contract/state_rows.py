"""Accounts and sessions that the suites store."""

import msgspec

from nbgate.model.account import StoredSession, User, with_totp
from nbgate.model.session import Role, Scope, Session
from nbgate.ports import State

ADA = User(name="ada", password_hash="$hash-of-ada", created_unix=1_800_000_000.25)
BOB = User(name="bob", password_hash="$hash-of-bob", created_unix=1_800_000_001.5)
CODES = tuple(bytes([number]) * 32 for number in range(1, 11))
FULL = with_totp(msgspec.structs.replace(ADA, role=Role.OWNER), "v1.sealed", 58_000_000, CODES)


def login(number: int, user: User = ADA, *, created: float = 1000.0, factors: tuple[str, ...] = ("password",)):
    session = Session(
        id=bytes([number]) * 32,
        user=user.name,
        created_unix=created,
        absolute_unix=created + 604800.125,
        factors=factors,
        generation=number,
    )
    return StoredSession(session=session, last_seen_unix=created + 0.5, cred_epoch=user.cred_epoch)


def token(number: int, user: User = ADA, *, scope: Scope = Scope.READ, seen: float = 1000.0):
    row = login(number, user, factors=())
    session = msgspec.structs.replace(row.session, scope=scope, routes=("/lab a/", "/\n/"))
    return msgspec.structs.replace(row, session=session, last_seen_unix=seen, label="nightly run")


def with_seen(row: StoredSession, seen: float) -> StoredSession:
    return msgspec.structs.replace(row, last_seen_unix=seen)


def rotated(row: StoredSession, number: int, **changes) -> StoredSession:
    session = msgspec.structs.replace(
        row.session,
        generation=row.session.generation + 1,
        key=bytes([number]) * 32,
        former=row.session.key or row.session.id,
        rotate_unix=row.session.rotate_unix + 900.0,
    )
    return msgspec.structs.replace(row, session=session, retired=(*row.retired, bytes([number + 1]) * 32), **changes)


def found(state: State) -> tuple[object, ...]:
    """Return all accounts and sessions, to compare them."""
    return state.users.all(), state.sessions.all()


def ids(*numbers: int) -> tuple[bytes, ...]:
    return tuple(bytes([number]) * 32 for number in numbers)
