"""What somebody asks for who wants a route while the gateway runs: from the object they sent to a `RouteSpec`.

Pure. It takes secrets and certificates themselves, never the name of a file: whoever may change routes need not be one
who may read files here. Whether the route goes with the others is not judged here (`nbgate.keeper.route_rules`).
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from nbgate.config.addresses import AddressError
from nbgate.config.mounting import judge_mounting
from nbgate.config.routes import USER, parse_at, parse_health, parse_pin, parse_told_base, spec_of
from nbgate.config.schema import Config, RouteOptions
from nbgate.errors import InputRefused
from nbgate.files import MAX_SOCKET_PATH_BYTES
from nbgate.jupyter.runtime_files import is_plain_token
from nbgate.keeper.authorities import parse_authorities
from nbgate.keeper.upstreams import is_of_the_cloud
from nbgate.model.route_spec import RouteSpec

MAX_ALLOWED: Final = 256
_KEY: Final = "route[0]."


class RouteRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One route as it is asked for.

    Attributes:
        at: Where: `/lab1/`, `lab1.example.org/` or `{user}.example.org/`.
        upstream: Its address, as in the configuration.
        base_url: What the server was told; "": found out.
        token: Its token; "": the one in its runtime file.
        allow: Users who may use it; none: all.
        allow_open: It is accepted although it asks for no credential; None: as the option says for all.
        health: Path below its base URL that is asked to see whether it lives; "" for the usual one.
        disabled_rules: Ids of rules that do not apply there.
        pin: SHA-256 of its certificate.
        ca: PEM text of the authority that vouches for it, in place of `pin`.
    """

    at: str
    upstream: str
    base_url: str = ""
    token: str = ""
    allow: tuple[str, ...] = ()
    allow_open: bool | None = None
    health: str = ""
    disabled_rules: tuple[str, ...] = ()
    pin: str = ""
    ca: str = ""

    def __repr__(self) -> str:
        return f"RouteRequest({self.at!r}, {self.upstream!r}, token=Secret(…))"


def parse_request(value: Mapping[str, Any], config: Config) -> RouteSpec:
    """Return the route that an object asks for.

    Args:
        value: What was sent, from JSON.
        config: Says what is accepted.

    Raises:
        InputRefused: It is none, with the name of what is wrong.
    """
    asked = _typed(value)
    try:
        return _spec(asked, config)
    except AddressError as error:
        raise InputRefused(str(error), hint=error.hint) from error


def parse_place(text: str) -> tuple[str, str]:
    """Return host and prefix of the place that is called `text`.

    Raises:
        InputRefused: There can be none.
    """
    try:
        return parse_at(text)
    except AddressError as error:
        raise InputRefused(str(error), hint=error.hint) from error


def _typed(value: Mapping[str, Any]) -> RouteRequest:
    known = RouteRequest.__struct_fields__
    for name in value:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise InputRefused(f"a route has nothing called {name!r}", hint=hint)
    for name in ("at", "upstream"):
        if not value.get(name):
            raise InputRefused(
                f"the route lacks {name!r}", hint='for example {"at": "/lab1/", "upstream": "localhost:8888"}'
            )
    try:
        return msgspec.convert(value, RouteRequest)
    except msgspec.ValidationError as error:
        raise InputRefused(
            f"a value of the route is of another type: {error}",
            hint="allow and disabled_rules are lists of texts, allow_open is true or false, all others are texts",
        ) from None


def _spec(asked: RouteRequest, config: Config) -> RouteSpec:
    options = RouteOptions(
        at=asked.at,
        upstream=asked.upstream,
        base_url=parse_told_base(asked.base_url),
        ca_file=asked.ca and "ca",  # only whether there is one is judged
        pin=parse_pin(asked.pin),
        allow=asked.allow,
        allow_open=asked.allow_open,
        disabled_rules=asked.disabled_rules,
        health=parse_health(asked.health),
    )
    spec = spec_of(options)
    _require_fit(asked, spec)
    alone = Config(route=(options,), allow_remote_upstream=config.allow_remote_upstream)
    for key, text, hint in judge_mounting(alone):
        raise InputRefused(
            f"{key.removeprefix(_KEY).removesuffix('_file')}: {text}", hint=hint.replace("ca_file", "ca")
        )
    upstream = spec.upstream
    if upstream.tls is not None:
        ca = _certificates(asked.ca) if asked.ca else ""
        upstream = structs.replace(upstream, tls=structs.replace(upstream.tls, ca=ca, pin=options.pin))
    return structs.replace(spec, upstream=upstream, token=asked.token)


def _require_fit(asked: RouteRequest, spec: RouteSpec) -> None:
    """Check what no option of the configuration has, or what matters only to who does not own this machine."""
    path = spec.upstream.path
    if not path.isprintable() or len(path.encode()) > MAX_SOCKET_PATH_BYTES or "{" in path.replace(USER, ""):
        raise InputRefused(
            "this is no path of a socket",
            hint=f"a whole path of at most {MAX_SOCKET_PATH_BYTES} bytes, for example unix:/run/jupyter/lab.sock",
        )
    if not is_plain_token(asked.token):
        raise InputRefused("this is no token of a notebook server", hint="send it as the server prints it, on one line")
    if asked.ca and USER in spec.host:  # each user's route would carry it to each worker
        raise InputRefused("a route for each user has no authority", hint="send the certificate's pin in place of ca")
    if len(asked.allow) > MAX_ALLOWED:
        raise InputRefused(f"a route has a list of at most {MAX_ALLOWED} users", hint="without a list all users may")
    if spec.upstream.host and is_of_the_cloud(spec.upstream.host):
        raise InputRefused(
            f"{spec.upstream.host} is no address of a notebook server",
            hint="at such addresses machines of a cloud get their secrets: nothing there is passed on",
        )


def _certificates(text: str) -> str:
    try:
        return parse_authorities(text.encode("ascii"))
    except ValueError:  # UnicodeEncodeError is one
        raise InputRefused(
            "ca holds no certificate", hint="send the PEM text of the authority, from -----BEGIN CERTIFICATE----- on"
        ) from None
