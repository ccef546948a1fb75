"""Key material as it travels from the keeper to the workers; never printed."""

from msgspec import Struct


class TlsMaterial(Struct, frozen=True, array_like=True, kw_only=True):
    """A certificate chain and its key, PEM, already tested by the keeper; and the profile to use them with."""

    chain_pem: bytes
    key_pem: bytes
    minimum: str = "1.2"
    ciphers: str = ""

    def __repr__(self) -> str:
        return "TlsMaterial(Secret(…))"


class SealingKey(Struct, frozen=True, array_like=True, kw_only=True):
    """One key of a keyring: `id` 0..255 names it in sealed values, `secret` is 32 bytes."""

    id: int
    secret: bytes

    def __repr__(self) -> str:
        return f"SealingKey(id={self.id}, secret=Secret(…))"
