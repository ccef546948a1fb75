"""`nbgate profile ...`: make, list and find profiles.

Each is one more configuration file, and a data folder of its own; that one is made by the profile's gateway, not here.
"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import structs

from nbgate.cli.output import print_json, print_table
from nbgate.cli.parser import Format, Where, source_of
from nbgate.config.document import PATHS, File, Source, build_config
from nbgate.config.options import written
from nbgate.config.reference import default_file
from nbgate.config_file import find_profile, profile_names, profile_path, read_files
from nbgate.errors import ExitCode, StartError
from nbgate.terminal import clean, say

Name = Annotated[str, Parameter(help="Name of the profile: letters, digits, hyphen, underscore.")]


def create_profile(
    name: Name,
    /,
    *,
    from_: Annotated[
        Path | None, Parameter(name="--from", metavar="FILE", help="Begin with a copy of this file.")
    ] = None,
) -> int:
    """Make a profile."""
    source = _source(name)
    path = profile_path(source)
    text = default_file() if from_ is None else _copied(source, from_, path)
    _write_new(path, text)
    say(f"nbgate: made {path}")
    say(f"  hint: nbgate config edit --profile {name} changes it, nbgate --profile {name} serves with it")
    return ExitCode.DONE


def list_profiles(*, format: Format = "table") -> int:  # noqa: A002 - the flag's name
    """List the profiles."""
    profiles = [(name, str(profile_path(_source(name)))) for name in profile_names(_source(""))]
    if format == "json":
        print_json([{"name": name, "file": path} for name, path in profiles])
    else:
        print_table(("name", "file"), profiles)
    return ExitCode.DONE


def locate_profile(name: Name, /) -> int:
    """Write the path of a profile's file."""
    print(clean(str(find_profile(_source(name)))))
    return ExitCode.DONE


def _source(name: str) -> Source:
    return source_of(Where(profile=name or None), {})


def _copied(source: Source, file: Path, path: Path) -> str:
    """Return the text of `file`, which is to mean the same in `path`."""
    (read,) = read_files(structs.replace(source, config=str(file), named_by="--from", profile=""))
    here, there = (
        build_config(source, File(path=place, text=read.text, is_profile=True)).config
        for place in (read.path, str(path))
    )
    moved = [key for key in PATHS if getattr(here, key) != getattr(there, key)]
    if moved:
        raise StartError(
            f"{file}: a relative path begins at the file's own folder, and means another file in a copy: {moved[0]}",
            hint=f"write it whole: {moved[0]} = {written(getattr(here, moved[0]))}",
            exit_code=ExitCode.CONFIGURATION,
        )
    return read.text


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise StartError(
            f"there is a profile {path.stem} already",
            hint=f"nbgate config edit --profile {path.stem} changes it",
            exit_code=ExitCode.CANNOT_CREATE,
        ) from None
    except OSError as error:
        raise StartError(
            f"cannot make {path}: {(error.strerror or str(error)).lower()}",
            hint="the folder must be writable for the user that runs nbgate",
            exit_code=ExitCode.CANNOT_CREATE,
        ) from error
