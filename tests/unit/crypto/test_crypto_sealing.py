from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto.sealing import OVERHEAD_BYTES, Keyring
from nbgate.errors import CredentialRejected
from nbgate.model.keys import SealingKey

OLD = SealingKey(id=3, secret=bytes(range(32)))
NEW = SealingKey(id=4, secret=bytes(range(32, 64)))
NONCE = bytes(range(12))
RING = Keyring((OLD, NEW), purpose="test")
SEALED = RING.seal(b"value", b"context", NONCE)


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@given(st.binary(max_size=200), st.binary(max_size=50), st.binary(min_size=12, max_size=12))
def test_unseal_undoes_seal(value: bytes, context: bytes, nonce: bytes) -> None:
    text = RING.seal(value, context, nonce)
    assert value == RING.unseal(text, context)
    assert len(value) + OVERHEAD_BYTES == len(raw(text))


def test_the_form_is_stable() -> None:
    """Key id, nonce, ciphertext with tag: cookies out there must survive an update."""
    assert bytes((4,)) + NONCE == raw(SEALED)[:13]
    assert "=" not in SEALED
    assert SEALED == "BAABAgMEBQYHCAkKC7-xzZJ_u6F3SbDW2eyx4enKnwTpZg"


def test_the_newest_key_seals_and_older_ones_still_unseal() -> None:
    old = Keyring((OLD,), purpose="test").seal(b"value", b"context", NONCE)
    assert raw(old)[0] == 3
    assert raw(SEALED)[0] == 4
    assert RING.unseal(old, b"context") == b"value"
    with pytest.raises(CredentialRejected):
        Keyring((OLD,), purpose="test").unseal(SEALED, b"context")


def test_one_purpose_cannot_read_another() -> None:
    with pytest.raises(CredentialRejected):
        Keyring((OLD, NEW), purpose="tests").unseal(SEALED, b"context")


@pytest.mark.parametrize("context", [b"", b"contex", b"context\0", b"Context"])
def test_one_context_cannot_read_another(context: bytes) -> None:
    with pytest.raises(CredentialRejected):
        RING.unseal(SEALED, context)


def test_a_key_id_cannot_be_exchanged_even_for_the_same_secret() -> None:
    twin = Keyring((SealingKey(id=9, secret=NEW.secret), NEW), purpose="test")
    forged = urlsafe_b64encode(b"\x09" + raw(SEALED)[1:]).rstrip(b"=").decode()
    assert twin.unseal(SEALED, b"context") == b"value"
    with pytest.raises(CredentialRejected):
        twin.unseal(forged, b"context")


def test_one_flipped_bit_breaks_it() -> None:
    box = raw(SEALED)
    for index in range(len(box) * 8):
        changed = bytearray(box)
        changed[index // 8] ^= 1 << index % 8
        with pytest.raises(CredentialRejected):
            RING.unseal(urlsafe_b64encode(changed).rstrip(b"=").decode(), b"context")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "AA",
        SEALED[:-1],
        SEALED[:37],
        SEALED + "A",
        SEALED + "AAAA",
        SEALED + "=",
        SEALED + "==",
        SEALED + "\n",
        " " + SEALED,
        SEALED[:5] + " " + SEALED[6:],
        SEALED[:5] + "+" + SEALED[6:],
        SEALED[:5] + "\u00e9" + SEALED[6:],
        '"' + SEALED + '"',
    ],
)
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(CredentialRejected):
        RING.unseal(text, b"context")


def test_only_one_spelling_of_the_same_bytes_is_taken() -> None:
    """Base64 leaves bits of the last character unused; they must be zero."""
    text = RING.seal(b"", b"context", NONCE)  # 29 bytes: two unused bits
    assert len(text) % 4 == 3
    variants = [text[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    accepted = []
    for variant in variants:
        try:
            RING.unseal(variant, b"context")
        except CredentialRejected:
            continue
        accepted.append(variant)
    assert [text] == accepted


@given(st.text(max_size=120))
def test_any_text_is_a_value_or_rejected(text: str) -> None:
    with pytest.raises(CredentialRejected):
        RING.unseal(text, b"context")


@pytest.mark.parametrize(
    ("keys", "purpose"),
    [
        ((), "test"),
        ((OLD,), ""),
        ((OLD, SealingKey(id=3, secret=NEW.secret)), "test"),
        ((SealingKey(id=256, secret=OLD.secret),), "test"),
        ((SealingKey(id=-1, secret=OLD.secret),), "test"),
        ((SealingKey(id=1, secret=b"short"),), "test"),
    ],
)
def test_a_bad_keyring_is_not_made(keys: tuple[SealingKey, ...], purpose: str) -> None:
    with pytest.raises(ValueError, match=r"key|purpose"):
        Keyring(keys, purpose=purpose)


@pytest.mark.parametrize("size", [0, 11, 13, 16])
def test_a_nonce_has_twelve_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        RING.seal(b"value", b"context", bytes(size))


def test_it_does_not_show_its_keys() -> None:
    assert repr(RING) == "Keyring(purpose='test', keys=[3, 4], Secret(…))"
