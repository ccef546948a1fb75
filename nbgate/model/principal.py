"""What somebody offers, and who they have proven to be. Checks nothing, and knows no session."""

from msgspec import Struct

from nbgate.model.account import Spent
from nbgate.model.session import Role


class Credentials(Struct, frozen=True, kw_only=True):
    """What somebody offers, as received; "" is what was not offered. `code` is a TOTP code or a recovery code."""

    username: str
    password: str = ""
    code: str = ""

    def __repr__(self) -> str:
        return "Credentials(Secret(…))"


class Principal(Struct, frozen=True, gc=False, kw_only=True):
    """An authenticated identity; only authenticators build one.

    Attributes:
        user: Canonical user name.
        factors: What was proven, for example `("password",)`.
        cred_epoch: The epoch of the credential that was checked. A session is created only while the account still
            has it: a password changed during the check wins.
        role: Of the account that was checked.
        spent: What the proof uses up; the session is created only if nobody else used it up meanwhile.
    """

    user: str
    factors: tuple[str, ...]
    cred_epoch: int
    role: Role = Role.EDITOR
    spent: Spent | None = None
