"""`nbgate config ...`: look at the configuration, and change it without breaking it.

What is right and wrong is `nbgate.config`'s to say; here it is read, shown and written.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import structs, to_builtins

from nbgate.cli.editing import edit_file
from nbgate.cli.output import print_json, print_table
from nbgate.cli.parser import Format, Where, source_of
from nbgate.config.document import File, Source, build_config
from nbgate.config.folders import default_config
from nbgate.config.options import all_options, value_in, written
from nbgate.config.reference import default_file, explained, find_options, guess_option, json_schema
from nbgate.config.tables import ROUTE
from nbgate.config_file import load_config, profile_path, read_files
from nbgate.errors import ExitCode, StartError
from nbgate.terminal import say

NOT_JUDGED = "not looked at: whether the files it names can be read, and whether its addresses can be used"


def print_default() -> int:
    """Write the default configuration file."""
    print(default_file(), end="")
    return ExitCode.DONE


def check_config(
    file: Annotated[Path | None, Parameter(help="Configuration file; the same as --config.")] = None,
    /,
    *,
    where: Where = Where(),
) -> int:
    """Judge the configuration; problems are raised, all of them."""
    if file is not None and where.config is not None:
        raise StartError("the file is named twice", hint="name it once", exit_code=ExitCode.USAGE)
    loaded = load_config(source_of(replace(where, config=file or where.config), {}))
    files = " and ".join(loaded.files) or "no file, the defaults alone"
    say(f"nbgate: nothing is wrong with the configuration ({files})")
    say(f"  {NOT_JUDGED}")
    return ExitCode.DONE


def show_config(
    *,
    origin: Annotated[bool, Parameter(negative=(), help="Say where each value comes from.")] = False,
    format: Format = "table",  # noqa: A002 - the flag's name
    where: Where = Where(),
) -> int:
    """Show every value in force."""
    loaded = load_config(source_of(where, {}))
    values = {key: value_in(loaded.config, key) for key in all_options()}
    if format == "json":
        values[ROUTE] = to_builtins(loaded.config.route)
        print_json(
            {key: {"value": value, "origin": loaded.origins[key]} if origin else value for key, value in values.items()}
        )
        return ExitCode.DONE
    values |= {f"{ROUTE}[{number}]": route for number, route in enumerate(loaded.config.route)}
    rows = [(key, written(value), *((loaded.origins[key],) if origin else ())) for key, value in values.items()]
    print_table(("option", "value", *(("origin",) if origin else ())), rows)
    return ExitCode.DONE


def explain_option(
    key: Annotated[str, Parameter(help="Option, its flag or its variable; or a table.", allow_leading_hyphen=True)],
    /,
    *,
    format: Format = "table",  # noqa: A002 - the flag's name
) -> int:
    """Say what an option is."""
    from nbgate.keeper.reload import NEEDS_RESTART

    options = find_options(key)
    if not options:
        guess = guess_option(key)
        raise StartError(
            f"there is no option {key}",
            hint=f"did you mean {guess}?" if guess else "nbgate config default lists all options",
            exit_code=ExitCode.USAGE,
        )
    texts = [explained(option, NEEDS_RESTART) for option in options]
    if format == "json":
        print_json(texts if len(texts) > 1 else texts[0])
    elif len(texts) > 1:
        print_table(("option", "meaning"), [(text["option"], text["meaning"]) for text in texts])
    else:
        heads, *rows = texts[0].items()
        print_table(heads, rows)
    return ExitCode.DONE


def edit_config(*, where: Where = Where()) -> int:
    """Edit the configuration file in force, or the profile's."""
    source = source_of(where, {})
    path = Path(source.folder, _file_in_force(source))

    below = read_files(structs.replace(source, profile="")) if source.profile else ()

    def judge(text: str) -> None:
        build_config(source, *below, File(path=str(path), text=text, is_profile=bool(source.profile)))

    if edit_file(path, default_file(), judge, os.environ):
        say("  hint: nbgate reload puts it into force")
    else:
        say(f"nbgate: {path} is as it was")
    return ExitCode.DONE


def _file_in_force(source: Source) -> str:
    if source.profile:
        return str(profile_path(source))
    return source.config or default_config(source.environ, is_root=source.is_root)


def print_schema() -> int:
    """Write the JSON Schema."""
    print_json(json_schema())
    return ExitCode.DONE
