"""RFC 6238, and what it leaves to us: which steps count, once each, and whose secret it is."""

from base64 import b32decode, b32encode
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto.sealing import Keyring
from nbgate.crypto.totp import (
    PURPOSE,
    find_step,
    new_totp_secret,
    seal_totp_secret,
    totp_uri,
    unseal_totp_secret,
)
from nbgate.errors import CredentialRejected, StoreError
from nbgate.model.keys import SealingKey

SECRET = b32encode(b"12345678901234567890").decode()  # RFC 6238 appendix B
WINDOW = (-1, 0)
KEYS = Keyring((SealingKey(id=0, secret=bytes(32)),), purpose=PURPOSE)
NONCE = bytes(range(12))
NOW, STEP, CODE = 1111111109, 37037036, "081804"


@pytest.mark.parametrize(
    ("now", "eight_digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238(now, eight_digits):
    assert now // 30 == find_step(SECRET, eight_digits[2:], now, (0,))


@pytest.mark.parametrize(
    ("late_seconds", "window", "step"),
    [
        (0, WINDOW, STEP),
        (0.9, WINDOW, STEP),
        (1, WINDOW, STEP),  # 1111111110: the next step
        (30.9, WINDOW, STEP),
        (31, WINDOW, None),
        (-29, WINDOW, STEP),
        (-30, WINDOW, None),
        (-30, (-1, 0, 1), STEP),
        (31, (-2, -1, 0), STEP),
        (1, (0,), None),
        (0, (), None),
        (-600, WINDOW, None),
    ],
)
def test_which_steps_count(late_seconds, window, step):
    if step is None:
        with pytest.raises(CredentialRejected):
            find_step(SECRET, CODE, NOW + late_seconds, window)
    else:
        assert step == find_step(SECRET, CODE, NOW + late_seconds, window)


@pytest.mark.parametrize(("after", "good"), [(0, True), (STEP - 1, True), (STEP, False), (STEP + 1, False)])
def test_a_step_that_was_used_and_those_before_it_count_no_more(after, good):
    if good:
        assert STEP == find_step(SECRET, CODE, NOW, WINDOW, after=after)
        return
    with pytest.raises(CredentialRejected):
        find_step(SECRET, CODE, NOW, WINDOW, after=after)


def test_of_two_steps_with_one_code_the_later_is_used_up(monkeypatch):
    monkeypatch.setattr("pyotp.TOTP.generate_otp", lambda _self, _step: CODE)
    for window in ((-1, 0), (0, -1)):
        assert STEP == find_step(SECRET, CODE, NOW, window)
    assert STEP == find_step(SECRET, CODE, NOW, WINDOW, after=STEP - 1)


def test_every_step_is_compared_whether_or_not_one_was_found(monkeypatch):
    asked = []
    monkeypatch.setattr("pyotp.TOTP.generate_otp", lambda _self, step: asked.append(step) or CODE)
    find_step(SECRET, CODE, NOW, (-1, 0, 1))
    assert [STEP - 1, STEP, STEP + 1] == asked


@pytest.mark.parametrize("now", [0, 29, -1, -1e9])
def test_a_clock_that_stands_at_the_epoch_lets_nobody_in(now):
    with pytest.raises(CredentialRejected):
        find_step(SECRET, "755224", now, WINDOW)  # 755224 is the code of step 0


@pytest.mark.parametrize(
    "code",
    [
        "",
        "81804",
        "0818040",
        "081804\n",
        " 081804",
        "081 804",
        "0x1804",
        "081805",
        "\uff10\uff18\uff11\uff18\uff10\uff14",  # full-width digits, which NFKC makes ASCII
        "\u0660\u0668\u0661\u0668\u0660\u0664",
        "1" * 100000,
        "\ud800" * 6,
    ],
)
def test_six_ascii_digits_and_nothing_else_are_a_code(code):
    with pytest.raises(CredentialRejected):
        find_step(SECRET, code, NOW, WINDOW)


@given(st.text(max_size=8))
def test_any_other_text_is_rejected(code):
    if code != CODE:
        with pytest.raises(CredentialRejected):
            find_step(SECRET, code, NOW, (0,))


def test_a_secret_has_160_bits():
    secret = new_totp_secret(bytes(range(20)))
    assert (32, bytes(range(20))) == (len(secret), b32decode(secret))
    for length in (0, 19, 21):
        with pytest.raises(ValueError, match="20 random bytes"):
            new_totp_secret(bytes(length))


def test_an_app_reads_the_uri():
    uri = urlsplit(totp_uri(SECRET, "ada@gate.example:8443", "nbgate"))
    assert ("otpauth", "totp", "/nbgate:ada@gate.example:8443") == (uri.scheme, uri.netloc, unquote(uri.path))
    assert {"secret": [SECRET], "issuer": ["nbgate"]} == parse_qs(uri.query)


def test_a_sealed_secret_is_its_owners_and_opens_with_the_same_keys_only():
    sealed = seal_totp_secret(KEYS, SECRET, "ada", NONCE)
    assert SECRET == unseal_totp_secret(KEYS, sealed, "ada")
    assert SECRET not in sealed
    others = Keyring((SealingKey(id=0, secret=b"k" * 32),), purpose=PURPOSE)
    cookies = Keyring((SealingKey(id=0, secret=bytes(32)),), purpose="cookie")
    for keys, text, user in [
        (KEYS, sealed, "eve"),
        (others, sealed, "ada"),
        (cookies, sealed, "ada"),
        (KEYS, sealed[:-1], "ada"),
        (KEYS, "", "ada"),
    ]:
        with pytest.raises(StoreError, match="TOTP secret cannot be read") as caught:
            unseal_totp_secret(keys, text, user)
        assert (None, True) == (caught.value.__cause__, caught.value.__suppress_context__)
