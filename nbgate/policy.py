"""The immutable snapshot by which a worker judges requests: compiled once from what the keeper sent.

A request keeps the policy it began with; a reload makes a new one. Nothing here changes after it is made.
"""

import msgspec
from msgspec import Struct

from nbgate.access.paths import OWN
from nbgate.config.schema import Limits
from nbgate.crypto.sealing import Keyring
from nbgate.http.forwarded import Networks, parse_networks
from nbgate.http.head import HeadLimits
from nbgate.http.headers import HeaderTables
from nbgate.http.hosts import is_public
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, UpstreamState
from nbgate.model.rule import Rules
from nbgate.places import Places
from nbgate.rewrite.cookies import PURPOSE as COOKIE_PURPOSE
from nbgate.rewrite.html import banner_script
from nbgate.routing.table import RouteTable
from nbgate.rules.match import RuleTable
from nbgate.websocket.frames import FrameLimits

# A year, and this host alone: other hosts of a home or a faculty below the same domain may have no certificate (T42).
STRICT_TRANSPORT = b"Strict-Transport-Security: max-age=31536000\r\n"


class Policy(Struct, frozen=True):
    """What a worker may decide by.

    Attributes:
        places: What each path means, by the routing table and the rules.
        upstreams: State of each route's upstream, by route name.
        home: The path below which everything of this gateway lies, `/` or `/.../`.
        own: The path of our own pages, without a slash at its end.
        banner: Our script is added to notebook pages.
        exposure: How the gateway is reached.
        trusted_hops: Its networks.
        always_headers: Header lines, each with its CRLF, that every answer over TLS carries.
        second_factor_roles: Roles that get no further than their account page without a second factor.
        contact: Whom a person who is refused can ask; "" for nobody.
        audit_failing_since_unix: 0 while records can be written.
    """

    version: int
    limits: Limits
    head_limits: HeadLimits
    frame_limits: FrameLimits
    tables: HeaderTables
    places: Places
    upstreams: dict[str, UpstreamState]
    cookie_keys: Keyring
    own_route: Route
    own_state: UpstreamState
    home: str = "/"
    own: str = f"/{OWN}"
    banner: bool = False
    exposure: Exposure = Exposure()
    trusted_hops: Networks = ()
    always_headers: bytes = b""
    second_factor_roles: frozenset[str] = frozenset()
    contact: str = ""
    audit_failing_since_unix: float = 0.0

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names that are ours, lower case, with a port where one was named; empty: any."""
        named = self.exposure.hosts
        return named and (*named, *(host for host in self.places.routes.hosts if host not in named))

    @property
    def banner_script(self) -> bytes:
        """Return the element that brings our script into a page."""
        return banner_script(self.own)

    def is_ours(self, host: str) -> bool:
        """Say whether a Host is one of our names."""
        named = self.exposure.hosts
        return not named or is_public(host, named) or bool(self.places.routes.host_of(host))

    def front(self, host: str) -> str:
        """Return where `home` leads on a host: the only server, else the list of them; "" where there is none at all.

        Args:
            host: Host of the request, as in `Fields`. A server that is mounted there itself has been found before.
        """
        routes = self.places.routes
        host = routes.host_of(host)
        only = routes.only(host)
        if only is not None:
            return only.prefix
        return f"{self.own}/servers" if routes.count(host) else ""

    def with_routes(
        self, put: tuple[Route, ...] = (), states: tuple[UpstreamState, ...] = (), gone: tuple[str, ...] = ()
    ) -> "Policy":
        """Return this policy with other routes; what was found out about places is found out anew.

        Args:
            put: Routes that are new, or take the place of those of their name.
            states: Of their upstreams. Of one that nobody sent a state for, or that is another one now, nothing is
                known.
            gone: Names of those that go.

        Raises:
            ConfigError: They do not fit together; this policy stays as it is.
        """
        places = self.places.with_changes(put, gone)
        upstreams = dict(self.upstreams)
        for name in gone:
            upstreams.pop(name, None)
        for route in put:
            before = self.places.routes.get(route.name)
            if route.name not in upstreams or before is None or before.upstream != route.upstream:
                upstreams[route.name] = UpstreamState(route=route.name)  # another one must not get this one's token
        for state in states:
            if (known := upstreams.get(state.route)) is not None and known.generation <= state.generation:
                upstreams[state.route] = state
        return msgspec.structs.replace(self, places=places, upstreams=upstreams)

    def with_upstream(self, state: UpstreamState) -> "Policy":
        """Return this policy with a newer state of one upstream; an older generation changes nothing."""
        known = self.upstreams.get(state.route)
        if known is None or known.generation > state.generation:
            return self
        return msgspec.structs.replace(self, upstreams={**self.upstreams, state.route: state})

    def with_audit(self, failing_since_unix: float) -> "Policy":
        """Return this policy with another state of the audit."""
        return msgspec.structs.replace(self, audit_failing_since_unix=failing_since_unix)


def compile_policy(
    *,
    version: int,
    limits: Limits,
    tables: HeaderTables,
    routes: tuple[Route, ...],
    upstreams: tuple[UpstreamState, ...],
    sealing_keys: tuple[SealingKey, ...],
    audit_failing_since_unix: float,
    banner: bool = False,
    exposure: Exposure = Exposure(),
    rules: Rules = Rules(),
    second_factor_roles: tuple[str, ...] = (),
    contact: str = "",
    base_url: str = "/",
) -> Policy:
    """Return the snapshot for these parts; `routes` holds exactly one of kind OWN, at `base_url` + `_nbgate/`."""
    own = next(route for route in routes if route.kind is RouteKind.OWN)
    states = {route.name: UpstreamState(route=route.name) for route in routes if route.kind is not RouteKind.OWN}
    states.update((state.route, state) for state in upstreams)
    return Policy(
        version=version,
        limits=limits,
        head_limits=HeadLimits(head_bytes=limits.head_bytes, line_bytes=limits.line_bytes, headers=limits.headers),
        frame_limits=_frame_limits(limits),
        tables=tables,
        places=Places(
            RouteTable(routes),
            RuleTable(rules, {route.upstream.port for route in routes}),
            tuple(base_url.strip("/").split("/")) if base_url != "/" else (),
        ),
        upstreams=states,
        cookie_keys=Keyring(sealing_keys, purpose=COOKIE_PURPOSE),
        own_route=own,
        own_state=UpstreamState(route=own.name, condition=Condition.GUARDED),
        home=base_url,
        own=f"{base_url}{OWN}",
        banner=banner,
        exposure=exposure,
        trusted_hops=parse_networks(exposure.trusted_hops),
        always_headers=STRICT_TRANSPORT if exposure.hsts else b"",
        second_factor_roles=frozenset(second_factor_roles),
        contact=contact,
        audit_failing_since_unix=audit_failing_since_unix,
    )


def _frame_limits(limits: Limits) -> FrameLimits:
    """Return what a client may send on a websocket."""
    return FrameLimits(
        message_bytes=limits.websocket_message_bytes,
        fragments=limits.websocket_fragments,
        data_per_second=limits.websocket_messages_per_second,
        data_burst=limits.websocket_message_burst,
        controls_per_second=limits.websocket_controls_per_second,
        control_burst=limits.websocket_control_burst,
    )
