"""What a session is: a principal is logged in, or a token is good. Values only: no cookie, no store."""

import math
from enum import StrEnum

from msgspec import Struct

LABEL_HEX = 12
SECOND_FACTORS = frozenset({"totp", "recovery"})


class Role(StrEnum):
    """What a person may do here at all; `nbgate.access` says what that means for a request."""

    OWNER = "owner"  # everything, and the admin page
    EDITOR = "editor"  # work with notebooks
    VIEWER = "viewer"  # read
    AUDITOR = "auditor"  # no notebooks, only the audit


class Scope(StrEnum):
    """What a session may be used for."""

    LOGIN = "login"  # a person's: whatever the role allows
    READ = "read"  # a token's: reads of notebook servers
    EXECUTE = "execute"  # a token's: all of notebook servers
    ROUTES_ADMIN = "routes-admin"  # a token's: the routes API
    ALL = "all"  # a token's: both


class Session(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """One login, or one token, as the workers know it.

    Attributes:
        id: SHA-256 of the first secret that stood for it (32 bytes); the same for as long as it lives.
        user: Canonical user name.
        created_unix: When the login happened, seconds since the epoch.
        absolute_unix: When it ends whatever happens, seconds since the epoch.
        factors: What was proven at login, for example `("password", "totp")`; empty for a token.
        generation: Grows with every change of this session; a lower one on a link is ignored.
        key: SHA-256 of the secret that stands for it now; empty: `id`.
        former: Of the secret before that, as long as it is still good; empty: none.
        rotate_unix: From this time on a person who goes to a page gets another secret.
        role: Of the user, when the session began: another role ends it.
        routes: Prefixes of the routes a token is good for; empty: all.
    """

    id: bytes
    user: str
    created_unix: float
    absolute_unix: float
    factors: tuple[str, ...] = ("password",)
    generation: int = 1
    key: bytes = b""
    former: bytes = b""
    rotate_unix: float = math.inf
    role: Role = Role.EDITOR
    scope: Scope = Scope.LOGIN
    routes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the twelve hex digits by which audit records and lists name this session."""
        return self.id.hex()[:LABEL_HEX]

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the digests that find it: the newest first."""
        newest = self.key or self.id
        return (newest, self.former) if self.former else (newest,)

    @property
    def is_token(self) -> bool:
        """True for a token, which a program presents in `Authorization`; False for a login, which a cookie names."""
        return self.scope is not Scope.LOGIN

    @property
    def has_second_factor(self) -> bool:
        """True when something beside the password was proven."""
        return not SECOND_FACTORS.isdisjoint(self.factors)
