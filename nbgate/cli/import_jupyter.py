"""`nbgate user import-jupyter`: make an account of the password that a notebook server had.

Looks where Jupyter looks, and only into its JSON files: the Python ones would have to be run. Takes the hash, never a
password, and leaves the files as they are.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from msgspec import Struct

from nbgate.cli.gateway import load_for
from nbgate.cli.parser import Where
from nbgate.cli.user import Name, RoleFlag, add_with
from nbgate.errors import ExitCode, StartError
from nbgate.terminal import say

MAX_FILE_BYTES = 1 << 20
FILES = ("jupyter_server_config.json", "jupyter_notebook_config.json")
KEYS = (
    ("IdentityProvider", "hashed_password"),
    ("PasswordIdentityProvider", "hashed_password"),
    ("ServerApp", "password"),
    ("NotebookApp", "password"),
)
_SYSTEM_FOLDERS = ("/etc/jupyter", "/usr/local/etc/jupyter")
_BY_HAND = "nbgate user add NAME --hash-stdin takes a hash from anywhere"


class Found(Struct, frozen=True, kw_only=True):
    """A password's hash, and where it stands."""

    file: Path
    key: str
    hash: str

    def __repr__(self) -> str:
        return f"Found({str(self.file)!r}, {self.key!r}, hash=Secret(…))"


def import_user(
    name: Name,
    /,
    *,
    file: Annotated[Path | None, Parameter(name="--from", metavar="FILE", help="Read this JSON file alone.")] = None,
    role: RoleFlag = None,
    where: Where = Where(),
) -> int:
    """Make an account of a notebook server's password."""
    loaded = load_for(where)
    found = read_hash(file) if file is not None else find_hash(jupyter_folders(os.environ, Path(sys.prefix)))
    say(f"nbgate: the password is {found.key} in {found.file}")
    return add_with(loaded, name, role, "imported_hash", found.hash)


def jupyter_folders(environ: Mapping[str, str], prefix: Path) -> list[Path]:
    """Return the folders in which Jupyter looks for its configuration, the strongest first.

    Args:
        environ: `JUPYTER_CONFIG_DIR` stands for the person's own folder.
        prefix: Where this Python is installed: a notebook server often is too.
    """
    own = [Path(environ["JUPYTER_CONFIG_DIR"])] if environ.get("JUPYTER_CONFIG_DIR") else []
    folders = [*own, Path(environ.get("HOME", "~")).expanduser() / ".jupyter", prefix / "etc" / "jupyter"]
    return list(dict.fromkeys([*folders, *map(Path, _SYSTEM_FOLDERS)]))


def find_hash(folders: Sequence[Path]) -> Found:
    """Return the first hash there is.

    Raises:
        StartError: There is none, or a file cannot be read.
    """
    for path in (folder / name for folder in folders for name in FILES):
        if path.is_file() and (found := _maybe_found(path)) is not None:
            return found
    scripts = [str(folder / name) for folder in folders for name in _script_names() if (folder / name).is_file()]
    raise StartError(
        "no notebook server's password was found",
        hint=f"{scripts[0]} is not read, being a program: {_BY_HAND}"
        if scripts
        else f"name the file: --from; {_BY_HAND}",
    )


def read_hash(path: Path) -> Found:
    """Return the hash in one file.

    Raises:
        StartError: There is none, or it cannot be read.
    """
    found = _maybe_found(path)
    if found is None:
        keys = ", ".join(".".join(key) for key in KEYS)
        raise StartError(f"there is no password in {path}", hint=f"it would be one of {keys}")
    return found


def _maybe_found(path: Path) -> Found | None:
    table = _read_json(path)
    for key in KEYS:
        value: Any = table
        for part in key:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return Found(file=path, key=".".join(key), hash=value)
    return None


def _read_json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(MAX_FILE_BYTES))
    except OSError as error:
        raise StartError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}",
            hint="run it as the user whose file it is, or name another one with --from",
            exit_code=ExitCode.PERMISSION if isinstance(error, PermissionError) else ExitCode.FAILURE,
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise StartError(f"{path} is not JSON", hint=f"Jupyter's own are {' and '.join(FILES)}; {_BY_HAND}") from error


def _script_names() -> list[str]:
    return [name.replace(".json", ".py") for name in FILES]
