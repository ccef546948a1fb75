"""Seal short values for the outside world: AES-256-GCM under a keyring, one purpose per `Keyring`.

Pure: the caller passes the nonce. It stores no key, knows no cookie, and never says why a sealed value was refused.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nbgate.errors import CredentialRejected

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class Key(Protocol):
    """What a keyring needs to know of a key."""

    @property
    def id(self) -> int:
        """Return the number, 0..255, that names the key in sealed values."""
        ...

    @property
    def secret(self) -> bytes:
        """Return the 32 secret bytes."""
        ...


class Keyring:
    """Keys oldest to newest, for one purpose; the newest seals, all of them unseal.

    Each key is derived anew for `purpose` (HKDF-SHA256), so that what was sealed for one purpose is noise for every
    other one, whatever the callers forget. Random nonces are safe for 2**32 values per key (NIST SP 800-38D 8.3).

    Raises:
        ValueError: no key, two keys of one id, a secret that is not 32 bytes, an empty purpose.
    """

    def __init__(self, keys: Sequence[Key], *, purpose: str) -> None:
        if not keys or not purpose:
            raise ValueError("a keyring needs a key and a purpose")
        if len({key.id for key in keys}) != len(keys) or not all(0 <= key.id <= 255 for key in keys):
            raise ValueError("key ids must be different and fit into one byte")
        if any(len(key.secret) != KEY_BYTES for key in keys):
            raise ValueError("a key is 32 bytes")
        self._purpose = purpose
        self._ciphers = {key.id: AESGCM(_derive(key.secret, purpose)) for key in keys}
        self._newest = keys[-1].id

    def __repr__(self) -> str:
        return f"Keyring(purpose={self._purpose!r}, keys={list(self._ciphers)}, Secret(…))"

    def seal(self, value: bytes, context: bytes, nonce: bytes) -> str:
        """Return `value` sealed for `context`, as base64url text without padding.

        Args:
            value: What nobody outside may read or change.
            context: Where it belongs; needed again, equal to the byte, to unseal.
            nonce: 12 bytes, never used twice.
        """
        if len(nonce) != NONCE_BYTES:
            raise ValueError("a nonce is 12 bytes")
        name = bytes((self._newest,))
        box = self._ciphers[self._newest].encrypt(nonce, value, name + context)
        return urlsafe_b64encode(name + nonce + box).rstrip(b"=").decode("ascii")

    def unseal(self, text: str, context: bytes) -> bytes:
        """Return the value sealed in `text` for `context`.

        Raises:
            CredentialRejected: it was not sealed by this keyring for this purpose and context, or was changed since.
        """
        box = _decode(text)
        cipher = self._ciphers.get(box[0]) if len(box) >= OVERHEAD_BYTES else None
        if cipher is None:
            raise CredentialRejected
        try:
            return cipher.decrypt(box[1 : 1 + NONCE_BYTES], box[1 + NONCE_BYTES :], box[:1] + context)
        except InvalidTag:
            raise CredentialRejected from None


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"nbgate seal " + purpose.encode()).derive(secret)


def _decode(text: str) -> bytes:
    """Decode base64url, in its one canonical spelling only: a sealed value cannot be varied without breaking it."""
    if len(text) % 4 == 1 or not _ALPHABET.issuperset(text):
        raise CredentialRejected
    box = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(box).rstrip(b"=").decode("ascii") != text:
        raise CredentialRejected
    return box
