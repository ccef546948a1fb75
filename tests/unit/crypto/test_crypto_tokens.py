"""A token has one spelling, one purpose and no bool."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto.tokens import (
    new_control_key,
    new_form_token,
    new_session_token,
    parse_session_token,
    verify_control_key,
    verify_form_token,
)
from nbgate.errors import CredentialRejected

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEY, ID = b"k" * 32, b"s" * 32


@given(st.binary(min_size=32, max_size=32))
def test_the_id_of_a_token_is_the_hash_of_its_bytes(random):
    token = new_session_token(random)
    assert 43 == len(token)
    assert hashlib.sha256(random).digest() == parse_session_token(token)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 42), st.sampled_from(ALPHABET))
def test_no_other_spelling_names_the_same_session(random, place, letter):
    token = new_session_token(random)
    other = token[:place] + letter + token[place + 1 :]
    assert (other == token) is (parse_session_token(other) == parse_session_token(token))


@pytest.mark.parametrize(
    "text",
    ["", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "=", "A" * 43 + "=", "A" * 42 + "\n", " " + "A" * 42]
    + ["A" * 20 + bad + "A" * 22 for bad in "+/= \0é٣"],
)
def test_what_is_no_token_names_no_session(text):
    assert parse_session_token(text) is None


def test_the_all_zero_token_is_a_token():
    assert hashlib.sha256(bytes(32)).digest() == parse_session_token("A" * 43)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_tokens_and_keys_are_made_of_32_bytes(length):
    for make in (new_session_token, new_control_key):
        with pytest.raises(ValueError, match="32 random bytes"):
            make(bytes(length))


def test_a_form_token_is_good_for_its_purpose_and_session():
    token = new_form_token(KEY, "logout", ID)
    assert 43 == len(token)
    assert verify_form_token(KEY, "logout", ID, token) is None


@pytest.mark.parametrize(
    ("key", "purpose", "session_id"),
    [(b"K" * 32, "logout", ID), (KEY, "account", ID), (KEY, "logout", b"t" * 32), (KEY, "logout\0" + "s", ID[1:])],
)
def test_a_form_token_is_good_for_nothing_else(key, purpose, session_id):
    token = new_form_token(KEY, "logout", ID)
    with pytest.raises(CredentialRejected):
        verify_form_token(key, purpose, session_id, token)


@pytest.mark.parametrize("offered", ["", "A" * 43, "é", "\ud800"])
def test_a_made_up_form_token_is_rejected(offered):
    with pytest.raises(CredentialRejected):
        verify_form_token(KEY, "logout", ID, offered)


def test_the_control_key_opens_to_itself_alone():
    key = new_control_key(bytes(range(32)))
    assert 64 == len(key)
    assert verify_control_key(key, key) is None
    for offered in ("", key.upper(), key[:-1], key + "0"):
        with pytest.raises(CredentialRejected):
            verify_control_key(key, offered)
