"""Ten codes, once each, however they are typed."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto.recovery import digest_recovery_code, find_recovery_code, make_recovery_codes
from nbgate.errors import CredentialRejected

RANDOM = hashlib.shake_256(b"recovery").digest(160)
CODES = make_recovery_codes(RANDOM)
LEFT = tuple(digest_recovery_code(code) for code in CODES)


def test_ten_codes_of_five_groups_of_five():
    assert 10 == len(set(CODES))
    for code in CODES:
        groups = code.split("-")
        assert [5] * 5 == [len(group) for group in groups]
        assert set("".join(groups)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def test_each_code_has_125_bits_of_its_own():
    """One flipped bit of the 125 makes another code; the last three of 128 are not used."""
    for bit in range(128):
        changed = bytearray(RANDOM)
        changed[16 + bit // 8] ^= 0x80 >> bit % 8
        codes = make_recovery_codes(bytes(changed))
        assert (bit < 125) is (codes[1] != CODES[1])
        assert (CODES[0], CODES[2:]) == (codes[0], codes[2:])


@pytest.mark.parametrize("length", [0, 159, 161])
def test_they_are_made_of_160_bytes(length):
    with pytest.raises(ValueError, match="160 random bytes"):
        make_recovery_codes(bytes(length))


def test_what_is_stored_is_the_hash_of_the_25_characters():
    assert hashlib.sha256(CODES[0].replace("-", "").encode()).digest() == digest_recovery_code(CODES[0])


@pytest.mark.parametrize(
    "typed",
    [
        CODES[3],
        CODES[3].lower(),
        CODES[3].replace("-", ""),
        CODES[3].replace("-", " "),
        f"  {CODES[3]} ",
        CODES[3].replace("-", " - "),
        "-".join(CODES[3].replace("-", "")),
    ],
)
def test_case_spaces_and_hyphens_do_not_count(typed):
    assert LEFT[3] == find_recovery_code(LEFT, typed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123456",
        CODES[0][:-1],
        CODES[0] + "A",
        "0" + CODES[0][1:],
        "1" + CODES[0][1:],
        "8" + CODES[0][1:],
        CODES[0] + "\n",
        CODES[0].replace("-", "\u2010"),
        "\u017f" + CODES[0][1:],  # upper() makes an S of it
        "\u0131" + CODES[0][1:],  # and of this one an I
        "\uff21" + CODES[0][1:],
        "-" * 40 + CODES[0],
        "-" * 1_000_000,
        "\ud800",
    ],
)
def test_what_can_be_no_code_is_none(text):
    assert digest_recovery_code(text) is None
    with pytest.raises(CredentialRejected):
        find_recovery_code(LEFT, text)


def test_a_code_that_is_not_left_is_rejected():
    assert digest_recovery_code("A" * 25) is not None
    for left, code in [(LEFT, "A" * 25), ((), CODES[0]), (LEFT[1:], CODES[0])]:
        with pytest.raises(CredentialRejected):
            find_recovery_code(left, code)


@given(st.text())
def test_any_text_is_a_digest_or_nothing(text):
    assert 32 == len(digest_recovery_code(text) or bytes(32))
