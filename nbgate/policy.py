"""The immutable snapshot by which a worker judges requests: compiled once from what the keeper sent.

A request keeps the policy it began with; a reload makes a new one. Nothing here changes after it is made.
"""

import msgspec
from msgspec import Struct

from nbgate.config.schema import Limits
from nbgate.crypto.sealing import Keyring
from nbgate.http.forwarded import Networks, parse_networks
from nbgate.http.head import HeadLimits
from nbgate.http.headers import HeaderTables
from nbgate.model.exposure import Exposure
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, UpstreamState
from nbgate.model.rule import Rules
from nbgate.places import Places
from nbgate.rewrite.cookies import PURPOSE as COOKIE_PURPOSE
from nbgate.routing.table import RouteTable
from nbgate.rules.match import RuleTable
from nbgate.websocket.frames import FrameLimits

SERVERS_PAGE = "/_nbgate/servers"
# A year, and this host alone: other hosts of a home or a faculty below the same domain may have no certificate (T42).
STRICT_TRANSPORT = b"Strict-Transport-Security: max-age=31536000\r\n"


class Policy(Struct, frozen=True):
    """What a worker may decide by.

    Attributes:
        places: What each path means, by the routing table and the rules.
        upstreams: State of each route's upstream, by route name.
        banner: Our script is added to notebook pages.
        front: Where `/` leads: a mount there, the only mount, else the list of them; "" where there is none at all.
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
    banner: bool = False
    front: str = ""
    exposure: Exposure = Exposure()
    trusted_hops: Networks = ()
    always_headers: bytes = b""
    second_factor_roles: frozenset[str] = frozenset()
    contact: str = ""
    audit_failing_since_unix: float = 0.0

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
) -> Policy:
    """Return the snapshot for these parts; `routes` holds exactly one of kind OWN."""
    own = next(route for route in routes if route.kind is RouteKind.OWN)
    prefixes = [route.prefix for route in routes if route.kind is not RouteKind.OWN]
    states = {route.name: UpstreamState(route=route.name) for route in routes if route.kind is not RouteKind.OWN}
    states.update((state.route, state) for state in upstreams)
    return Policy(
        version=version,
        limits=limits,
        head_limits=HeadLimits(head_bytes=limits.head_bytes, line_bytes=limits.line_bytes, headers=limits.headers),
        frame_limits=_frame_limits(limits),
        tables=tables,
        places=Places(RouteTable(routes), RuleTable(rules, {route.upstream.port for route in routes})),
        upstreams=states,
        cookie_keys=Keyring(sealing_keys, purpose=COOKIE_PURPOSE),
        own_route=own,
        own_state=UpstreamState(route=own.name, condition=Condition.GUARDED),
        banner=banner,
        front=_front(prefixes),
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


def _front(prefixes: list[str]) -> str:
    if "/" in prefixes:
        return "/"
    return SERVERS_PAGE if len(prefixes) > 1 else "".join(prefixes)
