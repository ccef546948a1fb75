"""Judge which notebook servers are named, where each is to be mounted, and who may use which.

Pure; each value is right by itself already (`nbgate.config.routes`). What servers turn out to be, and those that are
found or added while the gateway runs, are not known here. Each problem is a key, a text and a hint.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from nbgate.config.addresses import AddressError
from nbgate.config.allow import parse_allow
from nbgate.config.routes import USER, parse_items, spec_of
from nbgate.config.rules import judge_ids
from nbgate.config.schema import Config, RouteOptions
from nbgate.config.upstreams import require_local
from nbgate.model.route_spec import RouteSpec

Problem = tuple[str, str, str]
_OTHERWISE = "or accept it: shared_origin = true"


class _Named(Struct, frozen=True):
    """A server that the configuration names, and where it does: `upstream`, or `route[0]`."""

    key: str
    spec: RouteSpec

    @property
    def place(self) -> str:
        """Where it is to be; "" where only the server itself knows."""
        return self.spec.at or self.spec.base_url

    def __str__(self) -> str:
        return self.place or str(self.spec.upstream)


def judge_mounting(config: Config) -> Iterator[Problem]:
    """Say what is wrong with the named servers, taken together."""
    items = [_Named("upstream", spec) for spec in parse_items(config.upstream)]
    routes = [_Named(f"route[{number}]", spec_of(route)) for number, route in enumerate(config.route)]
    allow = parse_allow(config.allow)
    named = [*items, *routes]
    yield from _judge_items(config, items)
    for one, options in zip(routes, config.route, strict=True):
        yield from _judge_route(one, options, allow)
    for one in named:
        yield from _judge_user(one, allow)
        if not config.allow_remote_upstream:
            yield from _judge_reach(one)
    yield from _judge_places(named)
    if not config.shared_origin:
        yield from _judge_origins(named, allow)


def _key(one: _Named, option: str) -> str:
    """Return the key to which a problem of an option belongs: an item of `upstream` has no options of its own."""
    return one.key if one.key == "upstream" else f"{one.key}.{option}"


def _judge_items(config: Config, items: list[_Named]) -> Iterator[Problem]:
    has_tls = any(one.spec.upstream.tls for one in items)
    if config.upstream_ca_file and config.upstream_pin:
        yield "upstream_pin", "the upstream has an authority already", "name upstream_ca_file or upstream_pin, not both"
    for key in ("upstream_ca_file", "upstream_pin"):
        if getattr(config, key) and not has_tls:
            yield key, "no upstream is reached by https", "write https:// before its address, or take this away"
    if has_tls and not (config.upstream_ca_file or config.upstream_pin):
        yield (
            "upstream",
            "nobody vouches for an upstream that is reached by https",
            "name the authority with upstream_ca_file (--upstream-ca-file), or its certificate with upstream_pin",
        )


def _judge_route(one: _Named, options: RouteOptions, allow: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    yield from _judge_vouching(one, options)
    if options.base_url and (told := _base_of_address(options)) and told != options.base_url:
        yield (
            f"{one.key}.base_url",
            f"the address in upstream says {told}",
            "say it once: there, or here",
        )
    if options.token_file and options.password_file:
        yield f"{one.key}.password_file", "it has a token already", "name token_file or password_file, not both"
    if options.allow and one.spec.prefix in allow:
        yield (
            f"{one.key}.allow",
            f"the option allow says who may use {one.spec.prefix} too",
            "say it once: here, or there",
        )
    for text, hint in judge_ids(options.disabled_rules):
        yield f"{one.key}.disabled_rules", text, hint


def _base_of_address(options: RouteOptions) -> str:
    (spec,) = parse_items((options.upstream,))
    return spec.base_url


def _judge_vouching(one: _Named, options: RouteOptions) -> Iterator[Problem]:
    if one.spec.upstream.tls is None:
        for name in ("ca_file", "pin"):
            if getattr(options, name):
                yield (
                    f"{one.key}.{name}",
                    "the server is not reached by https",
                    "write https:// in upstream, or take this away",
                )
    elif options.ca_file and options.pin:
        yield f"{one.key}.pin", "it has an authority already", "name ca_file or pin, not both"
    elif not (options.ca_file or options.pin):
        yield (
            f"{one.key}.upstream",
            "nobody vouches for a server that is reached by https",
            "name its authority with ca_file, or its certificate with pin",
        )


def _judge_user(one: _Named, allow: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    is_for_each = one.spec.host.startswith(USER)
    if USER in one.spec.upstream.path and not is_for_each:
        yield (
            _key(one, "upstream"),
            f"{USER} in a path needs {USER} in the host it is mounted at",
            f"for example at {USER}.example.org/",
        )
    if is_for_each and (one.spec.allowed or one.spec.prefix in allow):
        yield (
            f"{one.key}.allow" if one.spec.allowed else "allow",
            f"{USER} says who may use it: each user their own",
            "take it away; nbgate user disable keeps somebody out",
        )


def _judge_reach(one: _Named) -> Iterator[Problem]:
    try:
        require_local(one.spec)
    except AddressError as error:
        yield _key(one, "upstream"), str(error), error.hint


def _judge_places(named: list[_Named]) -> Iterator[Problem]:
    taken: dict[str, _Named] = {}
    for one in named:
        place = one.place or f"={one.spec.upstream}"  # not known, but each server once
        if place not in taken:
            taken[place] = one
        elif one.place:
            yield (
                _key(one, "at"),
                f"{one.place} is taken: {taken[place].spec.upstream} is there already",
                "give each server a place of its own, for example /lab2/=localhost:8889",
            )
        else:
            yield one.key, f"{one.spec.upstream} is named twice", "name each notebook server once"


def _judge_origins(named: list[_Named], allow: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    """A browser tells hosts apart, not paths (T25)."""
    if allow and not named:
        yield (
            "allow",
            "servers that are found share a host, and a page of one that bob may use can act at one that only ada may",
            f"name one upstream, or say where each is: --upstream lab1.example.org/=localhost:8888; {_OTHERWISE}",
        )
    by_host: dict[str, list[_Named]] = {}
    for one in named:
        by_host.setdefault(one.spec.host, []).append(one)
    for sharing in by_host.values():
        yield from _judge_origin(sharing, allow)
    yield from _judge_each(named, allow)


def _judge_origin(sharing: list[_Named], allow: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    places = {one.place for one in sharing}
    if len(sharing) > 1 and "" in places and not allow.keys() <= places:
        yield (
            "allow",
            f"where {next(str(one) for one in sharing if not one.place)} will be is not known, nor who may use it",
            "say where it is to be, for example --upstream /ada/=localhost:8888",
        )
        return
    first = sharing[0]
    for other in sharing[1:]:
        if set(_allowed(first, allow)) != set(_allowed(other, allow)):
            own = next((one for one in (other, first) if one.spec.allowed), None)
            yield (
                "allow" if own is None else f"{own.key}.allow",
                f"different people may use {first} and {other}, which share a host: a page of one can act at the other",
                f'give each a host of its own, for example at = "lab1.example.org/"; {_OTHERWISE}',
            )
            return


def _judge_each(named: list[_Named], allow: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    """Judge hosts that are named against those that each user has: who will have an account is not known here."""
    of_users = {one.spec.host.partition(".")[2]: one for one in named if one.spec.host.startswith(USER)}
    for one in named:
        label, _, domain = one.spec.host.partition(".")
        if label != USER and domain in of_users and set(_allowed(one, allow)) != {label}:
            yield (
                f"{one.key}.allow" if one.spec.allowed else "allow" if one.spec.prefix in allow else _key(one, "at"),
                f"{one} would share a host with what {label} alone may use at {of_users[domain]}",
                f"let {label} alone use it, or choose another domain; {_OTHERWISE}",
            )


def _allowed(one: _Named, allow: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return one.spec.allowed or allow.get(one.spec.prefix or one.spec.base_url, ())
