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
from nbgate.keeper.certificates import fingerprint, load_material, self_signed
from nbgate.keeper.discovery import load_password, load_token
from nbgate.keeper.folder import prepare_folder
from nbgate.keeper.guarded import Upstreams
from nbgate.keeper.reload import Fresh
from nbgate.rules.tables import shipped_tables

EVERYBODY: Final = "*"
_DECODER: Final = msgspec.json.Decoder(Source)


def load_fresh(source_json: str) -> Fresh:
    """Return the configuration as it stands now.

    Args:
        source_json: Where it comes from: `Source` as JSON.

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
    if config.cert:
        material = load_material(config.cert, config.key)
    else:
        prepare_folder(Path(config.data_dir))
        material, _ = self_signed(Path(config.data_dir), config.ip)
    return Fresh(
        config=config,
        upstreams=_upstreams(loaded),
        tables=shipped_tables(),
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
