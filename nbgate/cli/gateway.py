"""Find the data folder that a command is about, and the gateway that holds it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbgate.cli.control import ask, maybe_connect
from nbgate.cli.parser import Where, source_of
from nbgate.config.document import Loaded
from nbgate.config_file import load_config
from nbgate.errors import ExitCode, StartError


def load_for(where: Where) -> Loaded:
    """Return the configuration as a command sees it: its `data_dir` says which gateway is meant.

    Raises:
        ConfigError: It is wrong.
    """
    return load_config(source_of(where, {}))


def ask_running(folder: Path, method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Return what the gateway of `folder` answers.

    Raises:
        StartError: None runs there (69), or it refused.
    """
    sock = maybe_connect(folder)
    if sock is None:
        raise StartError(
            f"no gateway runs with the data folder {folder}",
            hint="start nbgate first, or name its folder with --data-dir",
            exit_code=ExitCode.UNAVAILABLE,
        )
    return ask(folder, sock, method, path, body)


def ask_about(where: Where, method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Return what the gateway that is meant answers; see `ask_running`."""
    return ask_running(Path(load_for(where).config.data_dir), method, path, body)


def ask_or_do(
    loaded: Loaded,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    offline: Callable[[], Coroutine[Any, Any, Any]],
) -> Any:
    """Ask the gateway; where none runs, work on the store; where one has just started, ask it after all.

    Args:
        loaded: Says which gateway.
        method: Of the call, as are the next two.
        path: What is asked for.
        body: With which fields.
        offline: Does the same in the store; raises that somebody holds it (75).
    """
    folder = Path(loaded.config.data_dir)
    sock = maybe_connect(folder)
    if sock is None:
        try:
            return asyncio.run(offline())
        except StartError as error:
            if error.exit_code != ExitCode.TRY_AGAIN or (sock := maybe_connect(folder)) is None:
                raise
    return ask(folder, sock, method, path, body)


def user_path(name: str) -> str:
    """Return the path that stands for an account, whatever the name holds."""
    return f"/users/{quote(name, safe='')}"


def query_of(user: str | None) -> str:
    """Return the query that asks for one user's only, "" for everybody's."""
    return "" if user is None else f"?user={quote(user, safe='')}"
