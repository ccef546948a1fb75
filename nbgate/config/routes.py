"""Where somebody wants a notebook server, and everything else that is said of one: from text to `RouteSpec`.

Pure. Each value is judged by itself; what goes together, and what does not, is `nbgate.config.mounting`'s to say.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import structs

from nbgate.config.addresses import AUTO, AddressError, is_base
from nbgate.config.allow import parse_names
from nbgate.config.names import is_host_name, parse_hosts
from nbgate.config.schema import Config, RouteOptions
from nbgate.config.upstreams import parse_address
from nbgate.model.route_spec import RouteSpec

OWN_SEGMENT: Final = "_nbgate"
USER: Final = "{user}"
_PIN_BYTES: Final = 32
_PIN: Final = re.compile(r"[0-9a-f]{64}")
_AT_HINT: Final = "write /prefix/, host/ or host/prefix/, for example /lab1/ or lab1.example.org/"


def parse_at(text: str) -> tuple[str, str]:
    """Return the host ("" for none) and the prefix of the place `text` names, within the gateway's own base URL.

    Raises:
        AddressError: It names none.
    """
    host, _, path = text.partition("/")
    if "://" in text:
        raise AddressError(f"{text!r} does not say where", _meant_at(text.partition("://")[2]))
    if not text.endswith("/"):
        raise AddressError(f"{text!r} does not say where", _meant_at(text))
    return _parse_at_host(host) if host else "", parse_prefix(f"/{path}", "a prefix")


def _meant_at(text: str) -> str:
    """A word alone is a prefix; a name with dots, a host."""
    guess = text if text.endswith("/") else f"{text}/" if "/" in text or "." in text else f"/{text}/"
    try:
        parse_at(guess)
    except AddressError:
        return _AT_HINT
    return f"did you mean {guess}?"


def _parse_at_host(host: str) -> str:
    name = host.removeprefix(f"{USER}.")
    if "{" in name or "}" in name:
        raise AddressError(
            f"{host!r} is not a name", f"{USER} stands for a whole first label, for example {USER}.example.org/"
        )
    (spelled,) = parse_hosts((name,))
    if ":" in spelled.rpartition("]")[2]:
        raise AddressError(f"{host!r} has a port", f"did you mean {spelled.rpartition(':')[0]}/?")
    if name == host:
        return spelled
    if not is_host_name(spelled):
        raise AddressError(
            f"{name!r} is an address, below which there are no names", f"for example {USER}.example.org/"
        )
    return f"{USER}.{spelled}"


def parse_place(text: str) -> str:
    """Return how a place is spelled where something is mounted: a host in lower case or none, and the public prefix.

    Raises:
        AddressError: Nothing can be mounted there.
    """
    host, slash, path = text.partition("/")
    if not slash or USER in host or not is_base(f"/{path}"):
        raise AddressError(
            f"{text!r} is no place of a notebook server", "for example /, /user/ada/, lab1.example.org/ or [::1]/lab1/"
        )
    return f"{_parse_at_host(host) if host else ''}/{path}"


def parse_prefix(text: str, what: str) -> str:
    """Return a public path below which something is to be; `what` it is.

    Raises:
        AddressError: It is no plain path between slashes, or belongs to nbgate's own pages.
    """
    if "{" in text or "}" in text:
        raise AddressError(
            f"{text!r} is not {what}", f"{USER} stands for the first label of a host alone: {USER}.example.org/"
        )
    if not is_base(text) or "%" in text:
        path = f"/{text.strip('/')}/" if text.strip("/") else "/"
        meant = f"did you mean {path}?" if is_base(path) and "%" not in path else "write a plain path between slashes"
        raise AddressError(f"{text!r} is not {what}", meant)
    if text.split("/")[1] == OWN_SEGMENT:
        raise AddressError(f"{text} is where nbgate's own pages are", "choose another one, for example /lab1/")
    return text


def parse_base_url(text: str) -> str:
    """Return the gateway's own base URL.

    Raises:
        AddressError: It is none.
    """
    return parse_prefix(text, "a base URL")


def parse_told_base(text: str) -> str:
    """Return what a server was told as its base URL; "" is not said.

    Raises:
        AddressError: No server can have been told that.
    """
    if text and not is_base(text):
        path = f"/{text.strip('/')}/"
        meant = (
            f"did you mean {path}?" if is_base(path) else "write what its c.ServerApp.base_url says, for example /x/"
        )
        raise AddressError(f"{text!r} is not a base URL", meant)
    return text


def parse_pin(text: str) -> str:
    """Return the SHA-256 of a certificate as 64 lower case hex digits; colons and upper case are accepted, "" too.

    Raises:
        AddressError: It is none.
    """
    pin = text.replace(":", "").lower()
    if pin and not _PIN.fullmatch(pin):
        raise AddressError(
            f"a pin has {2 * _PIN_BYTES} hex digits, and this has {len(pin)} characters"
            if len(pin) != 2 * _PIN_BYTES
            else "a pin has hex digits alone",
            "openssl x509 -in cert.pem -noout -fingerprint -sha256 says it, behind the =",
        )
    return pin


def parse_health(text: str) -> str:
    """Return a path below a server's base URL; "" for the usual one.

    Raises:
        AddressError: It is no plain relative path.
    """
    if text and not is_base(f"/{text.removesuffix('/')}/"):
        plain = text.strip("/")
        meant = f"did you mean {plain}?" if is_base(f"/{plain}/") else "for example api/status"
        raise AddressError(f"{text!r} is not a path below the server's base URL", meant)
    return text


def parse_item(text: str, *, may_be_remote: bool = False) -> RouteSpec:
    """Return the server that `AT=ADDRESS` mounts at a place, or `ADDRESS` at its own base URL.

    Raises:
        AddressError: It is neither.
    """
    at, address = _split_item(text)
    if not at:
        return parse_address(address, may_be_remote=may_be_remote)
    host, prefix = parse_at(at)
    return structs.replace(parse_address(address, may_be_remote=may_be_remote), host=host, prefix=prefix)


def _split_item(text: str) -> tuple[str, str]:
    """The address of a server may hold an equals sign too, in its base URL or a socket's path."""
    at, equals, address = (part.strip() for part in text.partition("="))
    if not equals or at.startswith("unix:") or "://" in at or (":" in at and not at.endswith("/")):
        return "", text
    if not at:
        raise AddressError(f"{text!r} does not say where", _AT_HINT)
    return at, address


def parse_items(texts: Sequence[str]) -> tuple[RouteSpec, ...]:
    """Return the servers that the option `upstream` names; none when the running ones are to be found.

    Whether a server may be on another machine is not judged here: another option says so.

    Raises:
        AddressError: One is no server, or `auto` does not stand alone.
    """
    if AUTO in texts and len(texts) > 1:
        raise AddressError("auto finds the running servers: it stands alone", "name all upstreams, or none")
    return tuple(parse_item(text, may_be_remote=True) for text in texts if text != AUTO)


def _unread(_option: str, _file: str) -> str:
    return ""


def specs_of(config: Config, authorities: Callable[[str, str], str] = _unread) -> tuple[RouteSpec, ...]:
    """Return all servers that the configuration names, those of `upstream` first.

    Args:
        config: Each of its values was judged.
        authorities: Returns what is in the file that an option names as an upstream's authority; "" where none does.
    """
    ca = authorities("upstream_ca_file", config.upstream_ca_file)
    named = (
        structs.replace(
            _trusting(spec, ca, config.upstream_pin),
            token_file=config.upstream_token_file,
            password_file=config.upstream_password_file,
        )
        for spec in parse_items(config.upstream)
    )
    routes = (
        structs.replace(
            _trusting(spec_of(route), authorities(f"route[{number}].ca_file", route.ca_file), route.pin),
            in_table=True,
        )
        for number, route in enumerate(config.route)
    )
    return (*named, *routes)


def _trusting(spec: RouteSpec, ca: str, pin: str) -> RouteSpec:
    """Return the same with who vouches for it, where it is reached by https."""
    if spec.upstream.tls is None:
        return spec
    tls = structs.replace(spec.upstream.tls, ca=ca, pin=pin)
    return structs.replace(spec, upstream=structs.replace(spec.upstream, tls=tls))


def spec_of(route: RouteOptions) -> RouteSpec:
    """Return what one [[route]] wants, each of whose values was judged; without who vouches for it.

    Raises:
        AddressError: Its address or its place is none.
    """
    host, prefix = parse_at(route.at)
    spec = parse_address(route.upstream, may_be_remote=True)
    return structs.replace(
        spec,
        host=host,
        prefix=prefix,
        base_url=route.base_url or spec.base_url,
        token_file=route.token_file,
        password_file=route.password_file,
        allowed=parse_names(route.allow, route.at) if route.allow else (),
        allow_open=route.allow_open,
        disabled_rules=route.disabled_rules,
        health=route.health,
    )
