"""A notebook server as somebody wants it mounted: in the configuration, by a flag, or while the gateway runs.

What becomes of it, a `Route` with an address and a base URL that are known, is the keeper's to find out.
"""

from msgspec import Struct

from nbgate.model.route import Upstream


class RouteSpec(Struct, frozen=True, kw_only=True):
    """One server that is to be mounted.

    Attributes:
        upstream: Where it is.
        host: As in `Route`.
        prefix: Where it is to be, within the gateway's own base URL; "" for its own base URL, whatever that is.
        base_url: What the server itself was told; "" where nobody said it.
        resolve: The name behind `upstream.host`, which is then "" until somebody has looked it up; "" for none.
        token_file: File (0600) with its token; "" for its runtime file.
        password_file: File (0600) with its password.
        token: Its token, where it came with the route; kept sealed.
        allowed: Users who may use it; empty: all.
        allow_open: It is accepted although it asks for no credential; None: as the option says for all.
        disabled_rules: Ids of rules that do not apply there.
        health: Path below its base URL that is asked to see whether it lives; "" for the usual one.
        in_table: It is a [[route]] of the configuration, and what helps it is said in the keys of that table.
    """

    upstream: Upstream
    host: str = ""
    prefix: str = ""
    base_url: str = ""
    resolve: str = ""
    token_file: str = ""
    password_file: str = ""
    token: str = ""
    allowed: tuple[str, ...] = ()
    allow_open: bool | None = None
    disabled_rules: tuple[str, ...] = ()
    health: str = ""
    in_table: bool = False

    @property
    def at(self) -> str:
        """Return where it is to be, as people write it: `/lab1/` or `lab1.example.org/`."""
        return f"{self.host}{self.prefix}"

    def __repr__(self) -> str:
        return f"RouteSpec({self.at!r}, {str(self.upstream)!r}, token=Secret(…))"
