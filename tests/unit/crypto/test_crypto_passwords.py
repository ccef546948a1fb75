"""Passwords are taken exactly as received, cost what the parameters say, and are return-or-raise."""

import unicodedata

import pytest
from argon2 import low_level
from argon2.exceptions import VerificationError

from nbgate.crypto.passwords import (
    HashParameters,
    PasswordFault,
    decoy_hash,
    hash_new_password,
    hash_password,
    judge_new_password,
    needs_rehash,
    parse_prepared_hash,
    verify_password,
)
from nbgate.errors import CredentialRejected, InputRefused, StoreError

CHEAP = HashParameters(memory_kib=8, time_cost=1)
SALT = b"0123456789abcdef"
GOOD = "a good long password"


def stored(password=GOOD):
    return hash_password(password, salt=SALT, parameters=CHEAP)


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("", PasswordFault.TOO_SHORT),
        ("elevenchars", PasswordFault.TOO_SHORT),
        ("twelve chars", None),
        ("ééééée", PasswordFault.TOO_SHORT),
        ("éèàùçâ", None),
        ("éééééé", PasswordFault.COMMON),
        ("Sunshine2026!", PasswordFault.COMMON),
        ("x" * 1023 + "y", None),
        ("x" * 1024 + "y", PasswordFault.TOO_LONG),
        ("nul in\0the middle", PasswordFault.NUL),
        ("lone surrogate \ud800", PasswordFault.NOT_TEXT),
        ("password1234", PasswordFault.COMMON),
        ("PassWord1234", PasswordFault.COMMON),
        ("  spaces at both ends  ", None),
        ("        \t   ", None),
    ],
)
def test_what_may_be_set(password, fault):
    assert fault is judge_new_password(password)


def test_a_fault_is_told_with_a_hint():
    with pytest.raises(InputRefused) as caught:
        hash_new_password("short", salt=SALT, parameters=CHEAP)
    assert ("this password cannot be set", "use at least 12 characters") == (caught.value.public, caught.value.hint)


def test_a_hash_is_argon2id_with_the_given_parameters():
    text = hash_new_password(GOOD, salt=SALT, parameters=CHEAP)
    assert text.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert text == stored()
    assert verify_password(text, GOOD) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pass word pass", "pass word pass "),
        ("pass word pass", "Pass word pass"),
        (unicodedata.normalize("NFC", "café au lait 123"), unicodedata.normalize("NFD", "café au lait 123")),
        *(("x" * (length - 1) + "a", "x" * (length - 1) + "b") for length in (72, 73, 200, 1024)),
        ("nul\0one-long-enough", "nul\0two-long-enough"),
    ],
)
def test_two_spellings_are_two_passwords(one, other):
    text = stored(one)
    assert verify_password(text, one) is None
    with pytest.raises(CredentialRejected):
        verify_password(text, other)


@pytest.mark.parametrize("offered", ["", "x" * 1025, "é" * 513, "\ud800"])
def test_what_no_password_can_be_is_rejected(offered):
    with pytest.raises(CredentialRejected):
        verify_password(stored(), offered)


def test_what_is_too_long_is_rejected_before_any_hashing(monkeypatch):
    monkeypatch.setattr(low_level, "verify_secret", lambda *_: pytest.fail("hashed"))
    with pytest.raises(CredentialRejected):
        verify_password(stored(), "x" * 1025)


BROKEN = {
    "empty": "",
    "text": "hello",
    "cut": "$argon2id$v=19$m=8,t=1,p=1$c29t",
    "number": "$argon2id$v=19$m=a,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43,
    "argon2i": low_level.hash_secret(b"x" * 12, SALT, 1, 8, 1, 32, low_level.Type.I).decode(),
    "greedy": "$argon2id$v=19$m=1048577,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43,
    "not ascii": "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "é" * 43,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_hash_we_could_not_have_made_is_ours_to_answer_for(text):
    with pytest.raises(StoreError, match="stored password hash is damaged"):
        verify_password(text, GOOD)
    with pytest.raises(StoreError):
        needs_rehash(text, CHEAP)


def test_a_check_that_could_not_be_made_is_not_a_wrong_password(monkeypatch):
    def fail(*_):
        raise VerificationError("Memory allocation error")

    monkeypatch.setattr(low_level, "verify_secret", fail)
    with pytest.raises(StoreError, match="could not be checked"):
        verify_password(stored(), GOOD)


@pytest.mark.parametrize(
    ("parameters", "needed"),
    [
        (CHEAP, False),
        (HashParameters(memory_kib=16, time_cost=1), True),
        (HashParameters(memory_kib=8, time_cost=2), True),
        (HashParameters(memory_kib=8, time_cost=1, lanes=2), True),
    ],
)
def test_other_parameters_ask_for_a_new_hash(parameters, needed):
    assert needed is needs_rehash(stored(), parameters)


def test_the_decoy_costs_what_a_new_hash_costs_and_is_nobodys():
    decoy = decoy_hash(bytes(range(48)), CHEAP)
    assert needs_rehash(decoy, CHEAP) is False
    with pytest.raises(CredentialRejected):
        verify_password(decoy, GOOD)


def test_new_hashes_are_as_strong_as_the_reference_asks():
    default = HashParameters()
    assert (65536, 3, 1) == (default.memory_kib, default.time_cost, default.lanes)


BODY = "$c29tZXNhbHQ$" + "A" * 43
OF_JUPYTER = "$argon2id$v=19$m=10240,t=10,p=8$6jGrxfX4I6LHOFtjAwtbPQ$mlzFY7nUgpVqYiAmxii3wN8l7rr8pzK4bqRFqw0brIg"


@pytest.mark.parametrize(
    "text",
    [
        stored(),
        OF_JUPYTER,
        f"$argon2id$v=19$m=262144,t=8,p=1{BODY}",
        f"$argon2id$v=19$m=128,t=1,p=16{BODY}",
        f"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ${'A' * 86}",
    ],
)
def test_a_hash_made_elsewhere_is_taken_as_it_is_with_or_without_jupyters_word(text):
    assert {text} == {parse_prepared_hash(form) for form in (text, f"argon2:{text}", f"{text}\n", f" argon2:{text}\n")}


def test_a_prepared_hash_is_one_that_verifies():
    verify_password(parse_prepared_hash(f"argon2:{OF_JUPYTER}"), "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no argon2id hash"),
        ("hunter2hunter2", "no argon2id hash"),
        ("sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a", "no argon2id hash"),
        ("$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "no argon2id hash"),
        (f"$argon2i$v=19$m=8,t=1,p=1{BODY}", "no argon2id hash"),
        (f"$argon2id$v=16$m=8,t=1,p=1{BODY}", "no argon2id hash"),
        (f"$argon2id$m=8,t=1,p=1{BODY}", "no argon2id hash"),
        (f"$argon2id$v=19$t=1,m=8,p=1{BODY}", "no argon2id hash"),
        (f"$argon2id$v=19$m=8,t=0,p=1{BODY}", "no argon2id hash"),
        (f"$argon2id$v=19$m=-8,t=1,p=1{BODY}", "no argon2id hash"),
        (f"$argon2id$v=19$m=08,t=1,p=1{BODY}", "no argon2id hash"),
        (f"$argon2id$v=19$m=8,t=1,p=1,keyid=x{BODY}", "no argon2id hash"),
        (f"$argon2id$v=19$m=\u0668,t=1,p=1{BODY}", "no argon2id hash"),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ=$" + "A" * 43, "no argon2id hash"),
        ("$argon2id$v=19$m=8,t=1,p=1$c2hvcnQ$" + "A" * 43, "no argon2id hash"),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA", "no argon2id hash"),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$" + "A" * 42 + "B", "no argon2id hash"),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$" + "A" * 41, "no argon2id hash"),
        (f"{OF_JUPYTER}\nanother line", "no argon2id hash"),
        (f"argon2:argon2:{OF_JUPYTER}", "no argon2id hash"),
        (f"$argon2id$v=19$m=262145,t=1,p=1{BODY}", "costs too much to check: 262145 KiB, 1 times"),
        (f"$argon2id$v=19$m=9999999999,t=1,p=1{BODY}", "costs too much to check"),
        (f"$argon2id$v=19$m=262144,t=9,p=1{BODY}", "costs too much to check"),
        (f"$argon2id$v=19$m=8,t=9999999999,p=1{BODY}", "costs too much to check"),
        (f"$argon2id$v=19$m=65536,t=1,p=17{BODY}", "17 lanes in 65536 KiB"),
        (f"$argon2id$v=19$m=8,t=1,p=2{BODY}", "2 lanes in 8 KiB"),
    ],
)
def test_what_could_not_be_checked_or_only_at_too_high_a_price_is_refused(text, said):
    with pytest.raises(InputRefused, match=said) as caught:
        parse_prepared_hash(text)
    assert "" != caught.value.hint
    assert "hunter2" not in caught.value.public + caught.value.hint
