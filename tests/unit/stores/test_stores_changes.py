"""What the contract's suites cannot see: that the shared answers are pure, and total over what they are given."""

import msgspec
import pytest

from nbgate.errors import CredentialRejected
from nbgate.model.account import Spent, StoredSession, User
from nbgate.model.session import Role, Scope, Session
from nbgate.stores import changes

ADA = User(name="ada", password_hash="$", created_unix=1.0, totp_step=7, recovery=(b"a" * 32, b"b" * 32, b"a" * 32))


def row(number, seen=0.0, *, scope=Scope.LOGIN, epoch=1):
    session = Session(id=bytes([number]) * 32, user="ada", created_unix=1.0, absolute_unix=9.0, scope=scope)
    return StoredSession(session=session, last_seen_unix=seen, cred_epoch=epoch)


def numbers(ids):
    return [session_id[0] for session_id in ids]


@pytest.mark.parametrize(
    ("spent", "step", "left"),
    [
        (None, 7, 3),
        (Spent(), 7, 3),
        (Spent(totp_step=8), 8, 3),
        (Spent(totp_step=7), None, 0),
        (Spent(totp_step=-1), None, 0),
        (Spent(recovery=b"a" * 32), 7, 1),
        (Spent(recovery=b"b" * 32), 7, 2),
        (Spent(recovery=b"c" * 32), None, 0),
        (Spent(totp_step=9, recovery=b"b" * 32), 9, 2),
    ],
)
def test_what_a_login_leaves_of_the_account(spent, step, left):
    if step is None:
        with pytest.raises(CredentialRejected):
            changes.with_login(ADA, row(1), spent)
        return
    user = changes.with_login(ADA, row(1), spent)
    assert (step, left) == (user.totp_step, len(user.recovery))
    assert msgspec.structs.replace(ADA, totp_step=step, recovery=user.recovery) == user


@pytest.mark.parametrize(
    ("most", "new", "ended"),
    [
        (0, row(9), []),
        (1, row(9), [3, 1, 2]),
        (2, row(9), [3, 1]),
        (4, row(9), []),
        (99, row(9), []),
        (1, row(9, scope=Scope.ALL), [3, 1]),
        (3, row(9, scope=Scope.ALL), []),
    ],
)
def test_which_logins_are_too_many(most, new, ended):
    stored = [row(1, 20.0), row(2, 30.0), row(3, 10.0), row(4, 0.0, scope=Scope.READ)]
    assert ended == numbers(changes.displaced_by(new, most, stored))


@pytest.mark.parametrize(
    ("change", "ended"),
    [
        ({}, []),
        ({"cred_epoch": 2}, [1, 2]),
        ({"cred_epoch": 3}, [1, 2, 5]),
        ({"role": Role.OWNER}, [1, 2, 3, 4, 5]),
        ({"disabled": True}, [1, 2, 3, 4, 5]),
    ],
)
def test_what_ends_with_a_change_of_the_account(change, ended):
    stored = [row(2), row(1), row(3, scope=Scope.READ), row(4, scope=Scope.ALL, epoch=2), row(5, epoch=2)]
    if not change:
        stored = stored[:4]
    assert ended == numbers(changes.ended_by(ADA, msgspec.structs.replace(ADA, **change), stored))


def test_what_is_not_stored_is_not_changed():
    old = row(1)
    assert changes.with_change(None, old, old) is None
    assert changes.with_change(row(1, epoch=2), old, old) is None
