"""Read and test everything an operator can get wrong: options, certificate and key, rules. At start and at each reload.

Uses nothing of what it read; blocks, so a running keeper calls it in a thread.
"""

from pathlib import Path
from typing import Final

import msgspec

from nbgate.config.addresses import parse_upstream
from nbgate.config.document import Source, require_upstream
from nbgate.config_file import load_config
from nbgate.keeper.certificates import fingerprint, load_material, self_signed
from nbgate.keeper.folder import prepare_folder
from nbgate.keeper.reload import Fresh
from nbgate.rules.tables import shipped_tables

_DECODER: Final = msgspec.json.Decoder(Source)


def load_fresh(source_json: str) -> Fresh:
    """Return the configuration as it stands now.

    Args:
        source_json: Where it comes from: `Source` as JSON.

    Raises:
        ConfigError: Options or rules are wrong; all problems at once.
        StartError: Certificate or key cannot be used.
    """
    loaded = load_config(_DECODER.decode(source_json))
    require_upstream(loaded)
    config = loaded.config
    upstream, base_url = parse_upstream(config.upstream)
    if config.cert:
        material = load_material(config.cert, config.key)
    else:
        prepare_folder(Path(config.data_dir))
        material, _ = self_signed(Path(config.data_dir), config.ip)
    return Fresh(
        config=config,
        upstream=upstream,
        base_url="" if base_url == "/" else base_url,  # "/" is what everybody types: the server knows better
        tables=shipped_tables(),
        material=material,
        fingerprint=fingerprint(material),
    )
