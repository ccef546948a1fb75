"""Read what a configuration is made of: its files, and the variables of the environment that matter.

Shared by the command line and the keeper, which load the same `Source`; it judges nothing (`nbgate.config` does).
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from nbgate.config.document import File, Loaded, Source, build_config
from nbgate.config.folders import default_config, is_profile_name, profile_config
from nbgate.config.options import ENVIRONMENT_PREFIX, all_options
from nbgate.errors import ConfigError, Problem

FOLDER_VARIABLES = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
NO_OPTIONS = ("NBGATE_CONFIG", "NBGATE_PROFILE")
TEST_PREFIX = "NBGATE_TEST_"
MAX_FILE_BYTES = 1 << 20


def make_source(
    config: str | None,
    profile: str | None,
    flags: Mapping[str, str | int | bool | list[str] | None],
    environ: Mapping[str, str],
) -> Source:
    """Return where the configuration of this process comes from.

    Args:
        config: The `--config` flag; None when it was not given.
        profile: The `--profile` flag; None when it was not given.
        flags: The other flags by the names of their options; None means it was not given.
        environ: The whole environment; only what matters is kept.
    """
    return Source(
        config=config or environ.get("NBGATE_CONFIG", ""),
        named_by="--config" if config else "NBGATE_CONFIG",
        profile=profile or environ.get("NBGATE_PROFILE", ""),
        flags={name: value for name, value in flags.items() if value is not None},
        environ=_what_matters(environ),
        folder=str(Path.cwd()),
        is_root=os.geteuid() == 0,
    )


def _what_matters(environ: Mapping[str, str]) -> dict[str, str]:
    """The values of variables that are no options are left out: a source is seen in the list of processes."""
    known = {option.variable for option in all_options().values()} | set(FOLDER_VARIABLES)
    return {
        name: value if name in known else ""
        for name, value in environ.items()
        if name in known
        or (name.startswith(ENVIRONMENT_PREFIX) and name not in NO_OPTIONS and not name.startswith(TEST_PREFIX))
    }


def load_config(source: Source) -> Loaded:
    """Read the files there are, and return the configuration.

    Raises:
        ConfigError: A file cannot be read, or something is wrong with what is said in it or elsewhere.
    """
    return build_config(source, *read_files(source))


def read_files(source: Source) -> tuple[File, ...]:
    """Return the configuration files that `source` leads to, the strongest last.

    Raises:
        ConfigError: One that was named is not there or cannot be read.
    """
    files = []
    default = default_config(source.environ, is_root=source.is_root)
    if source.config:
        files.append(_read(source, source.config, f"{source.named_by} names it"))
    elif os.path.lexists(default):
        files.append(_read(source, default, "without --config it is read by itself"))
    if source.profile:
        path = str(find_profile(source))
        files.append(_read(source, path, f"it is the profile {source.profile}", is_profile=True))
    return tuple(files)


def profile_path(source: Source) -> Path:
    """Return the file of the profile that `source` names; it may not be there.

    Raises:
        ConfigError: No profile can have this name.
    """
    if not is_profile_name(source.profile):
        hint = "up to 32 letters, digits, hyphens and underscores, the first one a letter or digit"
        raise ConfigError((Problem("", f"no profile can be called {source.profile!r}", hint),))
    return Path(profile_config(source.profile, source.environ, is_root=source.is_root))


def find_profile(source: Source) -> Path:
    """Return the file of the profile that `source` names.

    Raises:
        ConfigError: There is none, or no profile can have this name.
    """
    path = profile_path(source)
    if not os.path.lexists(path):
        close = get_close_matches(source.profile, profile_names(source), n=1)
        hint = f"did you mean {close[0]}?" if close else f"make it: nbgate profile create {source.profile}"
        raise ConfigError((Problem("", f"there is no profile {source.profile}", hint),))
    return path


def profile_names(source: Source) -> list[str]:
    """Return the names of the profiles there are."""
    folder = Path(profile_config("", source.environ, is_root=source.is_root))
    return sorted(path.stem for path in folder.glob("*.toml") if is_profile_name(path.stem))


def _read(source: Source, name: str, why: str, *, is_profile: bool = False) -> File:
    path = Path(source.folder, name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise _unreadable(name, "is too large to be a configuration", "is it the right file?")
        return File(path=name, text=data.decode("utf-8"), is_profile=is_profile)
    except FileNotFoundError:
        raise _unreadable(name, "does not exist", why) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _unreadable(name, f"is not UTF-8 text (line {line})", "save it as UTF-8") from error
    except OSError as error:
        raise _unreadable(name, f"cannot be read: {(error.strerror or str(error)).lower()}", why) from error


def _unreadable(name: str, text: str, hint: str) -> ConfigError:
    return ConfigError((Problem("", f"the configuration {name} {text}", hint),))
