"""Say whether a route may be beside those that are there: places, people of one origin, and nbgate's own doors.

Pure. What is configured has the right of way; who asks is not known here.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from msgspec import Struct

from nbgate.config.addresses import AddressError
from nbgate.config.allow import parse_allow
from nbgate.config.routes import OWN_SEGMENT, USER, specs_of
from nbgate.config.schema import Config
from nbgate.config.upstreams import require_local
from nbgate.errors import ExitCode, NbgateError
from nbgate.http.hosts import name_of
from nbgate.model.route import Upstream
from nbgate.model.route_spec import RouteSpec

_OTHERWISE = "or accept it: shared_origin = true"


class RouteError(NbgateError):
    """Theirs: this route cannot be added, or there is none to remove."""

    def __init__(self, status: int, public: str, hint: str) -> None:
        super().__init__(public, hint=hint)
        self.status = status
        self.exit_code = ExitCode.USAGE if status == 400 else ExitCode.FAILURE


class OwnDoors(Struct, frozen=True):
    """Where nbgate itself listens: paths of sockets, and ports on this machine."""

    sockets: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()


class Configured(Struct, frozen=True):
    """What the configuration says of routes.

    Attributes:
        specs: The servers it names; none: those that run are found.
        allow: Who may use the one at a prefix.
        hosts: Public names of the gateway, without ports.
        may_share: Routes of one host may have different people.
        may_be_remote: Servers of other machines are accepted.
    """

    specs: tuple[RouteSpec, ...]
    allow: Mapping[str, tuple[str, ...]]
    hosts: frozenset[str]
    may_share: bool
    may_be_remote: bool

    def people(self, spec: RouteSpec) -> frozenset[str]:
        """Return who may use it; empty: all."""
        return frozenset(spec.allowed or self.allow.get(_prefix_of(spec), ()))


def configured(config: Config) -> Configured:
    """Return what `config` says of routes."""
    return Configured(
        specs=specs_of(config),
        allow=parse_allow(config.allow),
        hosts=frozenset(map(name_of, config.hosts)),
        may_share=config.shared_origin,
        may_be_remote=config.allow_remote_upstream,
    )


Hosts = Mapping[str, Mapping[str, RouteSpec]]
"""Routes that were added, by host and prefix."""


def judge_route(spec: RouteSpec, of_config: Configured, added: Hosts, own: OwnDoors) -> RouteError | None:
    """Say why a route may not be in force; None means it may.

    Args:
        spec: The route.
        of_config: What is configured.
        added: The other routes that were added and are in force; one at the same place is replaced.
        own: Where nbgate itself listens.
    """
    return (
        _judge_upstream(spec, of_config, own)
        or _judge_place(spec, of_config)
        or (None if of_config.may_share else _judge_origin(spec, of_config, added))
    )


def _judge_upstream(spec: RouteSpec, of_config: Configured, own: OwnDoors) -> RouteError | None:
    if is_own(spec.upstream, own):
        return own_error(spec.upstream)
    if not of_config.may_be_remote:
        try:
            require_local(spec)
        except AddressError as error:
            return RouteError(400, str(error), error.hint)
    return None


def own_error(upstream: Upstream) -> RouteError:
    """Return the error of whoever would have nbgate forward to itself."""
    return RouteError(400, f"at {upstream} is nbgate itself", "name the notebook server's address")


def is_own(upstream: Upstream, own: OwnDoors) -> bool:
    """Say whether nbgate itself listens there, for any user whose name may stand in the path."""
    if not upstream.path:
        is_here = bool(upstream.host) and ip_address(upstream.host).is_loopback
        return is_here and upstream.port in own.ports
    pattern = re.compile("[^/]+".join(map(re.escape, upstream.path.split(USER))))
    return any(pattern.fullmatch(path) for path in own.sockets)


def _judge_place(spec: RouteSpec, of_config: Configured) -> RouteError | None:
    if spec.prefix.split("/")[1] == OWN_SEGMENT:
        return RouteError(400, f"{spec.at} is where nbgate's own pages are", "choose another place, for example /lab1/")
    for other in of_config.specs:
        if (other.host, _prefix_of(other)) == (spec.host, spec.prefix):
            hint = "change it there, or choose another place"
            return RouteError(409, f"the configuration mounts {other.upstream} at {spec.at}", hint)
    if spec.host in of_config.hosts and all(other.host != spec.host for other in of_config.specs):
        hint = "choose a prefix, for example /lab1/, or another name"
        return RouteError(409, f"{spec.host} is where the servers without a host are reached", hint)
    if spec.allowed and spec.prefix in of_config.allow:
        hint = "say it in one place: send no list, or take it out of the option allow"
        return RouteError(409, f"the configuration says who may use {spec.prefix}", hint)
    return None


def _judge_origin(spec: RouteSpec, of_config: Configured, added: Hosts) -> RouteError | None:
    """A browser tells hosts apart, not paths: a page of one server can act at all others of its host (T25)."""
    people = of_config.people(spec)
    if not spec.host and people and not of_config.specs:
        return _refused_origin(f"{spec.at} is for some people", "the servers that are found are for all")
    unknown = _maybe_unknown(spec, of_config)
    if unknown is not None:
        hint = f"say in the configuration where it is, for example --upstream /ada/={unknown.upstream}; {_OTHERWISE}"
        return RouteError(409, f"it is not known who may use {unknown.upstream}, on the same host", hint)
    for other in _neighbours(spec, of_config, added):
        if of_config.people(other) != people:
            return _refused_origin(
                f"different people may use {spec.at} and {other.at or other.base_url or other.upstream}",
                "a page of one can act at the other, because they share a host",
            )
    return _judge_each(spec, of_config, added)


def _maybe_unknown(spec: RouteSpec, of_config: Configured) -> RouteSpec | None:
    """Return a server of the same host whose people are not known, because only it knows where it will be."""
    if spec.host or of_config.allow.keys() <= {_prefix_of(other) for other in of_config.specs}:
        return None
    return next((other for other in of_config.specs if not other.host and not _prefix_of(other)), None)


def _neighbours(spec: RouteSpec, of_config: Configured, added: Hosts) -> Iterator[RouteSpec]:
    """Give the configured routes of the host, and one that was added: they all have the same people."""
    yield from (other for other in of_config.specs if other.host == spec.host)
    for prefix, other in added.get(spec.host, {}).items():
        if prefix != spec.prefix:
            yield other
            return


def _judge_each(spec: RouteSpec, of_config: Configured, added: Hosts) -> RouteError | None:
    """Judge a route of one user's host against the routes that each user has on such a host, or these against those."""
    label, _, domain = spec.host.partition(".")
    if not domain:
        return None
    if label != USER:
        names = {other.host for other in of_config.specs} | added.keys()
        if f"{USER}.{domain}" in names and of_config.people(spec) != {label}:
            what = f"{spec.at} would share a host with what {label} alone may use at {USER}.{domain}/"
            return RouteError(409, what, f"let {label} alone use it: allow {label}; {_OTHERWISE}")
        return None
    others = [*of_config.specs, *(other for routes in added.values() for other in routes.values())]
    for other in others:
        name, _, rest = other.host.partition(".")
        if rest == domain and name != USER and of_config.people(other) != {name}:
            what = f"{other.at} would share a host with what {name} alone may use at {spec.at}"
            return RouteError(409, what, f"choose another domain; {_OTHERWISE}")
    return None


def _refused_origin(what: str, why: str) -> RouteError:
    hint = f"give it a host of its own, for example lab1.example.org/; {_OTHERWISE}"
    return RouteError(409, f"{what}; {why}", hint)


def _prefix_of(spec: RouteSpec) -> str:
    return spec.prefix or spec.base_url
