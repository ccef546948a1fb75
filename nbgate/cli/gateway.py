"""Find the data folder that a command is about, and the gateway that holds it."""

from pathlib import Path
from typing import Any

from nbgate.cli.control import ask, maybe_connect
from nbgate.cli.parser import Where, source_of
from nbgate.config.document import Loaded
from nbgate.config_file import load_config
from nbgate.errors import StartError


def load_for(where: Where) -> Loaded:
    """Return the configuration as a command sees it: its `data_dir` says which gateway is meant.

    Raises:
        ConfigError: It is wrong.
    """
    return load_config(source_of(where, {}))


def ask_running(folder: Path, method: str, path: str) -> Any:
    """Return what the gateway of `folder` answers.

    Raises:
        StartError: None runs there, or it refused.
    """
    sock = maybe_connect(folder)
    if sock is None:
        raise StartError(
            f"no gateway runs with the data folder {folder}",
            hint="start it with nbgate, or name its folder with --data-dir",
        )
    return ask(folder, sock, method, path)
