"""User names have one spelling; accounts change in few ways; nothing secret is ever printed."""

import msgspec
import pytest

from nbgate.errors import InputRefused
from nbgate.model.account import (
    User,
    as_disabled,
    as_enabled,
    parse_user_name,
    with_new_password,
    with_recovery,
    with_rehash,
    with_role,
    with_totp,
    without_totp,
)
from nbgate.model.principal import Credentials, Principal
from nbgate.model.session import Role

CODES = (b"a" * 32, b"b" * 32)
ADA = User(name="ada", password_hash="$argon2id$secret", created_unix=1.0)
FULL = User(
    name="ada",
    password_hash="$argon2id$secret",
    created_unix=1.0,
    cred_epoch=5,
    role=Role.OWNER,
    totp="v1.sealed-secret",
    totp_step=9,
    recovery=CODES,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ada", "ada"),
        ("Ada.Lovelace", "ada.lovelace"),
        ("ADA@EXAMPLE.ORG", "ada@example.org"),
        ("0_-@.", "0_-@."),
        ("a" * 64, "a" * 64),
    ],
)
def test_letters_are_lowered_and_nothing_else_is_touched(text, name):
    assert name == parse_user_name(text)
    assert name == parse_user_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 65,
        " ada",
        "ada ",
        "ada\n",
        "a da",
        "a/b",
        "a\0",
        "ada\\",
        'ada"',
        "adà",
        "\u212aelvin",
        "\u017fam",
        "İ",
        "\ud800",
    ],
)
def test_what_is_no_name_is_refused_not_repaired(text):
    with pytest.raises(InputRefused) as caught:
        parse_user_name(text)
    assert 400 == caught.value.status
    assert "letters a-z" in caught.value.hint


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (with_new_password(FULL, "$new"), {"password_hash": "$new", "cred_epoch": 6}),
        (with_new_password(FULL, ""), {"password_hash": "", "cred_epoch": 6}),
        (with_rehash(FULL, "$new"), {"password_hash": "$new"}),
        (with_role(FULL, Role.VIEWER), {"role": Role.VIEWER, "cred_epoch": 6}),
        (
            with_totp(FULL, "v1.other", 10, CODES[:1]),
            {"totp": "v1.other", "totp_step": 10, "recovery": CODES[:1], "cred_epoch": 6},
        ),
        (without_totp(FULL), {"totp": "", "recovery": (), "cred_epoch": 6}),
        (with_recovery(FULL, CODES[1:]), {"recovery": CODES[1:]}),
        (as_disabled(FULL), {"disabled": True, "cred_epoch": 6}),
        (as_enabled(as_disabled(FULL)), {"cred_epoch": 6}),
    ],
)
def test_a_change_changes_what_it_says_and_moves_the_epoch_if_it_ends_sessions(changed, expected):
    assert msgspec.structs.replace(FULL, **expected) == changed


@pytest.mark.parametrize(("step", "last"), [(8, 9), (9, 9), (10, 10)])
def test_another_secret_brings_no_time_step_back(step, last):
    assert last == with_totp(FULL, "v1.other", step, ()).totp_step
    assert last == without_totp(with_totp(FULL, "v1.other", step, ())).totp_step


def test_nothing_secret_is_ever_printed():
    assert "User('ada', disabled=False, cred_epoch=1, hash=Secret(…))" == repr(ADA)
    assert not [secret for secret in ("argon2id", "sealed", "aaaa") if secret in repr(FULL)]
    assert "Credentials(Secret(…))" == repr(Credentials(username="ada", password="hush", code="123456"))


def test_a_principal_says_what_was_proven():
    principal = Principal(user="ada", factors=("password",), cred_epoch=3)
    assert ("ada", ("password",), 3) == (principal.user, principal.factors, principal.cred_epoch)
    assert (Role.EDITOR, None) == (principal.role, principal.spent)
