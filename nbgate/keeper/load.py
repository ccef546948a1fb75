"""Read and test everything an operator can get wrong: options, certificate and key, rules. At start and at each reload.

Uses nothing of what it read; blocks, so a running keeper calls it in a thread.
"""

import os
import pwd
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from nbgate.config.document import Loaded, Source
from nbgate.config.routes import specs_of
from nbgate.config.tables import ROUTE
from nbgate.config_file import load_config
from nbgate.errors import ConfigError, Problem, StartError
from nbgate.keeper.authorities import load_authorities
from nbgate.keeper.certificates import load_certificate
from nbgate.keeper.discovery import load_password, load_token
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.pem import fingerprint
from nbgate.keeper.reload import Fresh
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.rules.tables import shipped_tables

EVERYBODY: Final = "*"
_DECODER: Final = msgspec.json.Decoder(Source)


def load_fresh(source_json: str, *, may_have_ended: bool = False) -> Fresh:
    """Return the configuration as it stands now.

    Args:
        source_json: Where it comes from: `Source` as JSON.
        may_have_ended: A certificate whose time is over is taken too.

    Raises:
        ConfigError: Options or rules are wrong; all problems at once.
        StartError: Certificate, key, or a file with a notebook server's token, password or authority cannot be used.
    """
    loaded = load_config(_DECODER.decode(source_json))
    config = loaded.config
    _test_credentials(loaded)
    material = load_certificate(config, may_have_ended=may_have_ended)
    return Fresh(
        config=config,
        upstreams=_upstreams(loaded),
        tables=shipped_tables(),
        rules=in_force(shipped_pack(), disabled=config.disabled_rules, server_proxy_ports=config.server_proxy_ports),
        material=material,
        fingerprint=fingerprint(material),
    )


def _test_credentials(loaded: Loaded) -> None:
    """They are read when they are used; here it is seen that they can be."""
    config = loaded.config
    files: list[tuple[str, Callable[[Path], str], str]] = [
        ("upstream_token_file", load_token, config.upstream_token_file),
        ("upstream_password_file", load_password, config.upstream_password_file),
    ]
    for number, route in enumerate(config.route):
        for key, read, file in (
            ("token_file", load_token, route.token_file),
            ("password_file", load_password, route.password_file),
        ):
            files.append((f"route[{number}].{key}", partial(read, named_by=key), file))
    for option, load, file in files:
        if file:
            _load(loaded, option, load, file)


def _load(loaded: Loaded, option: str, load: Callable[[Path], str], file: str) -> str:
    """Return what `load` makes of a file; what is wrong with one that a [[route]] names is told with its place."""
    try:
        return load(Path(file))
    except StartError as error:
        if not option.startswith(ROUTE):
            raise
        raise ConfigError((Problem(loaded.origins[option], error.public, error.hint),)) from error


def _upstreams(loaded: Loaded) -> Upstreams:
    config = loaded.config

    def authorities(option: str, file: str) -> str:
        return _load(loaded, option, load_authorities, file) if file else ""

    return Upstreams(
        named=specs_of(config, authorities),
        owners=_owners(loaded),
        base_url=config.base_url,
        hosts=config.hosts,
        shared_origin=config.shared_origin,
    )


def _owners(loaded: Loaded) -> tuple[int, ...]:
    """Return whose sockets may be a notebook server's: ours, root's, the named user's; () for everybody's."""
    name = loaded.config.upstream_user
    if name == EVERYBODY:
        return ()
    owners = {0, os.geteuid()}
    if name:
        try:
            owners.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            where = loaded.origins["upstream_user"]
            hint = "name a user of this machine, or '*' for any"
            raise ConfigError((Problem(where, f"there is no user {name!r} on this machine", hint),)) from None
    return tuple(sorted(owners))
