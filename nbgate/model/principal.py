"""Who somebody has proven to be. Knows neither passwords nor sessions."""

from msgspec import Struct


class Principal(Struct, frozen=True, gc=False, kw_only=True):
    """An authenticated identity; only authenticators build one.

    Attributes:
        user: Canonical user name.
        factors: What was proven, for example `("password",)`.
        cred_epoch: The epoch of the credential that was checked. A session is created only while the account still
            has it: a password changed during the check wins.
    """

    user: str
    factors: tuple[str, ...]
    cred_epoch: int
