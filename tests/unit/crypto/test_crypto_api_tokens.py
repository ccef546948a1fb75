"""A token has one spelling, and never the id of a login."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto.api_tokens import new_api_token, parse_api_token
from nbgate.crypto.tokens import new_session_token, parse_session_token

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.binary(min_size=32, max_size=32))
def test_its_id_is_a_hash_of_its_bytes_and_its_purpose(random):
    token = new_api_token(random)
    assert ("nbgp_", 48) == (token[:5], len(token))
    assert hashlib.sha256(b"nbgate-token-v1\0" + random).digest() == parse_api_token(token)


@given(st.binary(min_size=32, max_size=32))
def test_a_cookie_never_names_a_token_nor_a_token_a_login(random):
    cookie, token = new_session_token(random), new_api_token(random)
    assert (None, None) == (parse_session_token(token), parse_api_token(cookie))
    assert parse_session_token(token[5:]) == parse_session_token(cookie) != parse_api_token(token)


@given(st.binary(min_size=32, max_size=32), st.integers(5, 47), st.sampled_from(ALPHABET))
def test_no_other_spelling_names_the_same_token(random, place, letter):
    token = new_api_token(random)
    other = token[:place] + letter + token[place + 1 :]
    assert (other == token) is (parse_api_token(other) == parse_api_token(token))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nbgp_",
        "nbgp_" + "A" * 42,
        "nbgp_" + "A" * 44,
        "nbgp_" + "A" * 42 + "B",
        "NBGP_" + "A" * 43,
        "nbgp-" + "A" * 43,
        "nbgp_nbgp_" + "A" * 43,
        " nbgp_" + "A" * 43,
        "nbgp_" + "A" * 43 + "\n",
        "nbgp_" + "A" * 43 + "=",
        "A" * 43,
        "ghp_" + "A" * 43,
        "\ud800",
    ],
)
def test_what_is_not_shaped_like_one_names_none(text):
    assert parse_api_token(text) is None


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_token_is_made_of_32_bytes(length):
    with pytest.raises(ValueError, match="32 random bytes"):
        new_api_token(bytes(length))
