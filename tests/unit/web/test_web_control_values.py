"""What the command line is told."""

import pytest

from nbgate.model.account import StoredSession, User
from nbgate.model.penalty import Penalty
from nbgate.model.session import Role, Scope, Session
from nbgate.web.control_values import penalty_value, session_value, token_value, user_value

NOON = "2027-01-15T12:00:00.000000Z"
NOON_UNIX = 1800014400.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"disabled": True, "role": Role.OWNER}, {"disabled": True, "role": "owner"}),
        (
            {"totp": "sealed", "recovery": (b"1", b"2")},
            {"factors": ["password", "totp"], "recovery_codes": 2},
        ),
        ({"totp": "sealed", "password_hash": ""}, {"factors": ["totp"]}),
    ],
)
def test_an_account(changes, expected):
    user = User(**({"name": "ada", "password_hash": "$argon2id$", "created_unix": NOON_UNIX} | changes))
    usual = {"name": "ada", "disabled": False, "role": "editor", "factors": ["password"], "recovery_codes": 0}

    assert usual | {"created": NOON} | expected == user_value(user)


def stored(**changes) -> StoredSession:
    session = {"id": b"\xab" * 32, "user": "ada", "created_unix": NOON_UNIX, "absolute_unix": NOON_UNIX + 60}
    return StoredSession(
        session=Session(**(session | changes)),
        last_seen_unix=NOON_UNIX + 1,
        cred_epoch=1,
        label="laptop",
        client="192.0.2.7",
    )


def test_a_login():
    assert {
        "id": "abababababab",
        "user": "ada",
        "role": "editor",
        "factors": ["password"],
        "browser": "laptop",
        "address": "192.0.2.7",
        "created": NOON,
        "last_activity": NOON.replace("00.0", "01.0"),
        "ends": NOON.replace("12:00", "12:01"),
        "channels": 3,
    } == session_value(stored(), 3)


def test_a_token():
    assert {
        "id": "abababababab",
        "user": "ada",
        "name": "laptop",
        "scope": "read",
        "routes": ["/ada/"],
        "created": NOON,
        "last_activity": NOON.replace("00.0", "01.0"),
        "ends": NOON.replace("12:00", "12:01"),
    } == token_value(stored(scope=Scope.READ, routes=("/ada/",), factors=()))


@pytest.mark.parametrize(("until", "seconds"), [(10.2, 11), (1.0, 1), (0.0, 0), (-5.0, 0)])
def test_a_penalty(until, seconds):
    assert {"netblock": "192.0.2.7/32", "seconds": seconds} == penalty_value(Penalty("192.0.2.7/32", 100 + until), 100)
