"""User names have one spelling; accounts change in four ways; nothing secret is ever printed."""

import pytest

from nbgate.errors import InputRefused
from nbgate.model.account import User, as_disabled, as_enabled, parse_user_name, with_new_password, with_rehash
from nbgate.model.principal import Principal

ADA = User(name="ada", password_hash="$argon2id$secret", created_unix=1.0)


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
    ("changed", "hash_", "disabled", "epoch"),
    [
        (with_new_password(ADA, "$new"), "$new", False, 2),
        (with_rehash(ADA, "$new"), "$new", False, 1),
        (as_disabled(ADA), "$argon2id$secret", True, 2),
        (as_enabled(as_disabled(ADA)), "$argon2id$secret", False, 2),
    ],
)
def test_only_changes_that_end_sessions_move_the_epoch(changed, hash_, disabled, epoch):
    assert (hash_, disabled, epoch) == (changed.password_hash, changed.disabled, changed.cred_epoch)
    assert ("ada", 1.0) == (changed.name, changed.created_unix)


def test_a_hash_is_never_printed():
    assert "User('ada', disabled=False, cred_epoch=1, hash=Secret(…))" == repr(ADA)


def test_a_principal_says_what_was_proven():
    principal = Principal(user="ada", factors=("password",), cred_epoch=3)
    assert ("ada", ("password",), 3) == (principal.user, principal.factors, principal.cred_epoch)
