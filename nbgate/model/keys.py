"""Key material as it travels from the keeper to the workers; never printed."""

from msgspec import Struct


class TlsMaterial(Struct, frozen=True, array_like=True, kw_only=True):
    """A certificate chain and its key, PEM, already tested by the keeper; and the profile to use them with.

    Attributes:
        groups: Take effect where Python's ssl can set them (3.15); "" leaves them to OpenSSL, as with `ciphers`.
        is_public: An authority that this machine trusts issued it, for public names alone.
    """

    chain_pem: bytes
    key_pem: bytes
    minimum: str = "1.2"
    ciphers: str = ""
    groups: str = ""
    is_public: bool = False

    def __repr__(self) -> str:
        return "TlsMaterial(Secret(…))"


class SealingKey(Struct, frozen=True, array_like=True, kw_only=True):
    """One key of a keyring: `id` 0..255 names it in sealed values, `secret` is 32 bytes."""

    id: int
    secret: bytes

    def __repr__(self) -> str:
        return f"SealingKey(id={self.id}, secret=Secret(…))"
