"""Read what a configuration is made of: the file, and the variables of the environment that matter.

Shared by the command line and the keeper, which load the same `Source`; it judges nothing (`nbgate.config` does).
"""

import os
from collections.abc import Mapping
from pathlib import Path

from nbgate.config.document import Loaded, Source, build_config
from nbgate.errors import ConfigError, Problem

VARIABLES = ("NBGATE_DATA_DIR", "HOME", "XDG_STATE_HOME")
MAX_FILE_BYTES = 1 << 20


def make_source(config: str, flags: Mapping[str, str | int | bool | None], environ: Mapping[str, str]) -> Source:
    """Return where the configuration of this process comes from.

    Args:
        config: The `--config` flag, "" when it was not given.
        flags: The other flags; None means it was not given.
        environ: The whole environment; only `VARIABLES` and `NBGATE_CONFIG` are kept.
    """
    return Source(
        config=config or environ.get("NBGATE_CONFIG", ""),
        named_by="--config" if config else "NBGATE_CONFIG",
        flags={name: value for name, value in flags.items() if value is not None},
        environ={name: environ[name] for name in VARIABLES if name in environ},
        folder=str(Path.cwd()),
        is_root=os.geteuid() == 0,
    )


def load_config(source: Source) -> Loaded:
    """Read the file, if there is one, and return the configuration.

    Raises:
        ConfigError: The file cannot be read, or something is wrong with what is said in it or elsewhere.
    """
    return build_config(source, _read(source) if source.config else "")


def _read(source: Source) -> str:
    path = Path(source.folder, source.config)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise _unreadable(source, "is too large to be a configuration", "is it the right file?")
        return data.decode("utf-8")
    except FileNotFoundError:
        raise _unreadable(source, "does not exist", f"{source.named_by} names it") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _unreadable(source, f"is not UTF-8 text (line {line})", "save it as UTF-8") from error
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise _unreadable(source, f"cannot be read: {said}", f"{source.named_by} names it") from error


def _unreadable(source: Source, text: str, hint: str) -> ConfigError:
    return ConfigError((Problem("", f"the configuration {source.config} {text}", hint),))
