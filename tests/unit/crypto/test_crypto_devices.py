"""A device cookie is good for one account, one browser, one time and one epoch, in one spelling."""

from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto.devices import (
    is_shaped_as_device_cookie,
    new_device_cookie,
    new_device_id,
    verify_device_cookie,
)
from nbgate.errors import CredentialRejected

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEY = b"k" * 32
DEVICE = new_device_id(bytes(range(16)))
EXPIRY = 1_807_776_000.75
COOKIE = new_device_cookie(KEY, "ada", DEVICE, EXPIRY, 3)
NOW = 1_800_000_000.0


def refused(offered, *, key=KEY, user="ada", now=NOW, epoch=3):
    with pytest.raises(CredentialRejected):
        verify_device_cookie(key, user, offered, now, epoch)
    return True


def test_it_names_the_browser():
    assert DEVICE == verify_device_cookie(KEY, "ada", COOKIE, NOW, 3)
    assert bytes(range(16)) == urlsafe_b64decode(DEVICE + "==")


def test_the_form_is_stable():
    """Cookies out there must survive an update."""
    assert "v1.AAECAwQFBgcICQoLDA0ODw.1807776000.ZvvLXbA7hNhSno_NWeEH5UYYqPHbag6TeKGXSKNpWYI" == COOKIE


def test_it_is_nobody_elses_and_of_no_other_epoch():
    assert refused(COOKIE, user="eve")
    assert refused(COOKIE, epoch=4)
    assert refused(COOKIE, epoch=2)
    assert refused(COOKIE, key=b"K" * 32)


@pytest.mark.parametrize(
    ("now", "good"), [(NOW, True), (1_807_775_999.9, True), (1_807_776_000.0, False), (1e11, False), (0.0, True)]
)
def test_it_expires(now, good):
    if good:
        assert DEVICE == verify_device_cookie(KEY, "ada", COOKIE, now, 3)
    else:
        assert refused(COOKIE, now=now)


def test_no_field_can_be_moved_into_another():
    """The fields are told apart: no two different rows make one message."""
    seen = set()
    for user in ("a", "ab", "a1"):
        for expiry in (1, 11, 111):
            for epoch in (1, 11):
                seen.add(new_device_cookie(KEY, user, DEVICE, expiry, epoch).rpartition(".")[2])
    assert 18 == len(seen)


def test_one_changed_character_breaks_it():
    for place in range(len(COOKIE)):
        for letter in ALPHABET + ".=":
            changed = COOKIE[:place] + letter + COOKIE[place + 1 :]
            if changed != COOKIE:
                assert refused(changed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1...",
        COOKIE[:-1],
        COOKIE + "A",
        COOKIE + "\n",
        " " + COOKIE,
        f'"{COOKIE}"',
        COOKIE.replace("v1.", "v2."),
        COOKIE.replace(".1807776000.", ".01807776000."),
        COOKIE.replace(".1807776000.", ".-1807776000."),
        COOKIE.replace(".1807776000.", ".0."),
        COOKIE.replace(".1807776000.", ".1807776000.0."),
        COOKIE.replace(".1807776000.", ".1807776000000."),
        COOKIE.replace(".1807776000.", ".\u0661807776000."),
        COOKIE.replace("ODw.", "ODx."),
        COOKIE[:-1] + "B",
        "\ud800",
    ],
)
def test_what_is_not_shaped_like_one_is_told_before_the_keeper_is_asked(text):
    assert is_shaped_as_device_cookie(text) is False
    assert refused(text)


def test_a_stranger_can_make_the_shape_and_no_more():
    made_up = f"v1.{'A' * 22}.9999999999.{'A' * 43}"
    assert is_shaped_as_device_cookie(made_up)
    assert is_shaped_as_device_cookie(COOKIE)
    assert refused(made_up)


@given(
    st.binary(min_size=16, max_size=16), st.text("abc.-_@0", min_size=1), st.integers(1, 999999999999), st.integers(1)
)
def test_what_was_made_is_good_until_it_expires(random, user, expiry, epoch):
    device = new_device_id(random)
    cookie = new_device_cookie(KEY, user, device, expiry, epoch)
    assert is_shaped_as_device_cookie(cookie)
    assert device == verify_device_cookie(KEY, user, cookie, expiry - 1, epoch)
    assert refused(cookie, user=user, now=expiry, epoch=epoch)


@given(st.text(max_size=120))
def test_any_text_is_a_device_or_rejected(text):
    assert refused(text)


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_device_id_is_made_of_16_bytes(length):
    with pytest.raises(ValueError, match="16 random bytes"):
        new_device_id(bytes(length))
