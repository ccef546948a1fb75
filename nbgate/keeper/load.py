"""Read and test everything an operator can get wrong: options, certificate and key, rules. At start and at each reload.

Uses nothing of what it read; blocks, so a running keeper calls it in a thread.
"""

import os
import pwd
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from nbgate.config.addresses import parse_upstreams
from nbgate.config.document import Loaded, Source
from nbgate.config_file import load_config
from nbgate.errors import ConfigError, Problem
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
        StartError: Certificate, key, or a file with the notebook server's token or password cannot be used.
    """
    loaded = load_config(_DECODER.decode(source_json))
    config = loaded.config
    if config.upstream_token_file:
        load_token(Path(config.upstream_token_file))
    if config.upstream_password_file:
        load_password(Path(config.upstream_password_file))
    material = load_certificate(config, may_have_ended=may_have_ended)
    return Fresh(
        config=config,
        upstreams=_upstreams(loaded),
        tables=shipped_tables(),
        rules=in_force(shipped_pack(), disabled=config.disabled_rules, server_proxy_ports=config.server_proxy_ports),
        material=material,
        fingerprint=fingerprint(material),
    )


def _upstreams(loaded: Loaded) -> Upstreams:
    owners = _owners(loaded)
    named = tuple(
        (structs.replace(upstream, owners=owners), "" if base_url == "/" else base_url)
        for upstream, base_url in parse_upstreams(loaded.config.upstream)
    )  # "/" is what everybody types: the server knows better
    return Upstreams(named=named, owners=owners)


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
