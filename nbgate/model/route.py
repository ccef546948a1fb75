"""What a route is: where a (host, prefix) leads. Shared nouns, no verbs: matching is in `nbgate.routing`."""

from enum import StrEnum

from msgspec import Struct


class UpstreamTls(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """How an upstream that speaks HTTPS proves who it is: by an authority, or by its very certificate.

    Attributes:
        server_name: The name asked for (SNI), and the one an authority must have vouched for.
        ca: PEM text of the authorities that are believed, "" with a pin.
        pin: SHA-256 of the certificate (DER), 64 lower case hex digits; "" with `ca`.
    """

    server_name: str
    ca: str = ""
    pin: str = ""


class Upstream(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Address a route forwards to: TCP (`host`, `port`) or, when `path` is set, a Unix socket.

    Attributes:
        host: An IP address.
        owners: Users one of whom must be listening there before a byte is sent (T46); empty: whoever does.
        name: What it is called in the Host header, where that is not its address.
        tls: It speaks HTTPS.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    owners: tuple[int, ...] = ()
    name: str = ""
    tls: UpstreamTls | None = None

    @property
    def scheme(self) -> str:
        """Return the scheme of its addresses."""
        return "http" if self.tls is None else "https"

    @property
    def authority(self) -> str:
        """Return the value of the Host header this upstream expects."""
        if self.path:
            return "localhost"
        host = self.name or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else self.authority


class RouteKind(StrEnum):
    """What stands behind a route."""

    NOTEBOOK = "notebook"
    OWN = "own"  # nbgate's own pages, served by the keeper on its private socket


class Route(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """One entry of the routing table.

    Attributes:
        name: Short stable name, used in cookies (`nbg-NAME-...`) and audit records; `[a-z0-9]+`.
        prefix: Leading path, begins and ends with "/".
        base_url: Prefix the notebook server itself was told, begins and ends with "/".
        allowed: Users who may use it; empty: all.
        host: Public name it is reached by, lower case without a port; "" for any that no other route has.
        disabled_rules: Ids of rules that do not apply here.
    """

    name: str
    prefix: str
    upstream: Upstream
    base_url: str = "/"
    kind: RouteKind = RouteKind.NOTEBOOK
    allowed: tuple[str, ...] = ()
    host: str = ""
    disabled_rules: tuple[str, ...] = ()

    @property
    def is_moved(self) -> bool:
        """True where the server's own addresses are not the public ones: what it writes of them must be mapped."""
        return self.prefix != self.base_url and self.kind is RouteKind.NOTEBOOK


class Condition(StrEnum):
    """What the keeper last found out about an upstream."""

    UNKNOWN = "unknown"
    GUARDED = "guarded"  # asks for a credential, and we hold one
    OPEN_ALLOWED = "open-allowed"  # asks for none; --allow-open-upstream was given
    OPEN = "open"  # asks for none: any local user can execute code through it
    TOKEN_UNKNOWN = "token-unknown"  # asks for a credential that we do not hold
    FOREIGN = "foreign"  # whoever listens there is another user: it is sent nothing
    DOWN = "down"


class UpstreamState(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a worker needs to know of one route's upstream just now; a credential goes upstream and nowhere else.

    Attributes:
        token: Its token, "" where it has none.
        cookie: For a server with a password of its own: the Cookie pairs of our login there, instead of a token.
        xsrf: What is sent as X-XSRFToken beside that cookie.
        bearer: The token is sent as `Bearer`, not as `token`: marimo's way.
    """

    route: str
    condition: Condition = Condition.UNKNOWN
    token: str = ""
    since_unix: float = 0.0
    generation: int = 0
    cookie: str = ""
    xsrf: str = ""
    bearer: bool = False

    @property
    def has_credential(self) -> bool:
        """True when requests are sent with a credential of ours."""
        return bool(self.token or self.cookie)

    @property
    def secret(self) -> str:
        """Return what no answer may show: the token, or the longest value of our login's cookies but `_xsrf`.

        Pages of the server hold that one in forms, and alone it opens nothing.
        """
        if self.token or not self.cookie:
            return self.token
        pairs = (pair.partition("=") for pair in self.cookie.split("; "))
        return max((value.strip('"') for name, _, value in pairs if name != "_xsrf"), key=len, default="")

    def __repr__(self) -> str:
        return f"UpstreamState(route={self.route!r}, condition={self.condition!s}, token=Secret(…))"
