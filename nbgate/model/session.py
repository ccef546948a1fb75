"""What a session is: the record that a principal is logged in. Knows neither cookies nor stores."""

from msgspec import Struct

LABEL_HEX = 12


class Session(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """One login as the workers know it.

    Attributes:
        id: SHA-256 of the cookie's 32 random bytes (32 bytes); the cookie itself is nowhere on our side.
        user: Canonical user name.
        created_unix: When the login happened, seconds since the epoch.
        absolute_unix: When it ends whatever happens, seconds since the epoch.
        factors: What was proven at login, for example `("password",)`.
        generation: Grows with every change of this session; a lower one on a link is ignored.
    """

    id: bytes
    user: str
    created_unix: float
    absolute_unix: float
    factors: tuple[str, ...] = ("password",)
    generation: int = 1

    @property
    def label(self) -> str:
        """Return the twelve hex digits by which audit records and lists name this session."""
        return self.id.hex()[:LABEL_HEX]
