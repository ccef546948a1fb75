"""Where configuration, profiles and data are when nobody says where: XDG folders for a person, the system's for root.

Pure: it makes paths out of the environment's values and touches none of them.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath

SYSTEM_CONFIG_DIR = "/etc/nbgate"
SYSTEM_DATA_DIR = "/var/lib/nbgate"
PROFILES = "profiles"
# Short, because its data folder holds sockets, whose paths have at most 107 bytes.
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def default_config(environ: Mapping[str, str], *, is_root: bool) -> str:
    """Return the configuration file that is read when none is named."""
    return str(_config_dir(environ, is_root=is_root) / "nbgate.toml")


def profile_config(name: str, environ: Mapping[str, str], *, is_root: bool) -> str:
    """Return the file of the profile `name`; of "" the folder that holds all profiles."""
    folder = _config_dir(environ, is_root=is_root) / PROFILES
    return str(folder / f"{name}.toml") if name else str(folder)


def is_profile_name(name: str) -> bool:
    """Say whether a profile can be called `name`: it becomes part of paths."""
    return _PROFILE.fullmatch(name) is not None


def default_data_dir(environ: Mapping[str, str], *, is_root: bool) -> str:
    """Return the folder for everything nbgate writes."""
    if is_root:
        return SYSTEM_DATA_DIR
    return str(_xdg(environ, "XDG_STATE_HOME", ".local/state") / "nbgate")


def profile_data_dir(data_dir: str, name: str) -> str:
    """Return the data folder of the profile `name` beside that of no profile: two gateways never share one."""
    return str(PurePath(data_dir, PROFILES, name))


def absolute(path: str, folder: str, environ: Mapping[str, str]) -> str:
    """Return `path` as seen from the absolute `folder`; `~` is the person's own."""
    home = environ.get("HOME", "")
    if home and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    return str(PurePath(folder, path))


def _config_dir(environ: Mapping[str, str], *, is_root: bool) -> PurePath:
    return PurePath(SYSTEM_CONFIG_DIR) if is_root else _xdg(environ, "XDG_CONFIG_HOME", ".config") / "nbgate"


def _xdg(environ: Mapping[str, str], variable: str, default: str) -> PurePath:
    path = environ.get(variable, "")
    if path.startswith("/"):  # the XDG specification: relative ones are to be ignored
        return PurePath(path)
    return PurePath(environ.get("HOME", ""), default)
