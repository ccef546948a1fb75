"""Find the data folder that a command is about, and the gateway that holds it."""

import os
from pathlib import Path
from typing import Any

from nbgate.cli.control import ask, maybe_connect
from nbgate.config.document import Loaded
from nbgate.config_file import load_config, make_source
from nbgate.errors import StartError


def load_for(data_dir: str | None, config: str | None) -> Loaded:
    """Return the configuration as a command sees it: its `data_dir` says which gateway is meant.

    Raises:
        ConfigError: It is wrong.
    """
    return load_config(make_source(config or "", {"data_dir": data_dir}, os.environ))


def ask_running(folder: Path, method: str, path: str) -> Any:
    """Return what the gateway of `folder` answers.

    Raises:
        StartError: None runs there, or it refused.
    """
    sock = maybe_connect(folder)
    if sock is None:
        raise StartError(
            f"no gateway runs with the data folder {folder}",
            hint="start it with nbgate --upstream localhost:8888, or name its folder with --data-dir",
        )
    return ask(folder, sock, method, path)
