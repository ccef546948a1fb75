"""What is to be read about the options: the default file, an explanation of each, a JSON Schema, the reference page.

Pure: all of it is made from the schema, so that nothing is written twice.
"""

import textwrap
from collections.abc import Sequence
from typing import Any, get_type_hints

import msgspec

from nbgate.config.check import guess, option_types
from nbgate.config.options import WITHOUT_FLAG, Option, all_options, route_options
from nbgate.config.schema import Config, RouteOptions
from nbgate.config.tables import ROUTE

_WIDTH = 118
_EXAMPLE = {
    "at": '"/lab1/"',
    "upstream": '"localhost:8888"',
    "allow": '["ada", "bob"]',
    "allow_open": "false",
    "disabled_rules": "[]",
}
_HEAD = """\
# The configuration of nbgate: every option, what it is, and its default. Take away the # before an option to set it.
# `nbgate config check FILE` says what is wrong with it, `nbgate config show --origin` what is in force.
"""


def default_file() -> str:
    """Return a configuration file that sets nothing, and has every option with its documentation and default."""
    parts = [_HEAD]
    table = ""
    for option in all_options().values():
        parent, _, name = option.key.rpartition(".")
        if parent != table:
            parts.append(_comment(_text_of_table(parent)) + f"\n[{parent}]\n")
            table = parent
        ways = ", ".join(filter(None, (option.flag, option.variable)))
        parts.append(f"{_comment(option.text)}\n{_comment(f'{option.kind} ({ways})')}\n#{name} = {option.default}\n")
    parts.append(_comment(f"{RouteOptions.__doc__} Once for each server.") + f"\n#[[{ROUTE}]]\n")
    for option in route_options().values():
        name = option.key.rpartition(".")[2]
        shown = option.default or _EXAMPLE[name]
        parts.append(f"{_comment(option.text)}\n{_comment(option.kind)}\n#{name} = {shown}\n")
    return "\n".join(parts)


def find_options(name: str) -> list[Option]:
    """Return the option that is called `name`, by key, flag or variable; for a table's name, all options in it."""
    if not name:
        return []
    options = [*all_options().values(), *route_options().values()]
    exact = [option for option in options if name in {option.key, option.flag, option.variable}]
    return exact or [option for option in options if option.key.rpartition(".")[0] == name]


def guess_option(name: str) -> str:
    """Return the option that was probably meant by `name`, or ""."""
    return guess(name.removeprefix("--"))


def explained(option: Option, needs_restart: Sequence[str]) -> dict[str, str]:
    """Return all there is to say about an option, label by label."""
    waits = waits_for_restart(option.key, needs_restart)
    return {
        "option": option.key,
        "meaning": option.text,
        "values": option.kind,
        "default": option.default,
        "variable": option.variable,
        "flag": option.flag,
        "changes take effect": "after a restart" if waits else "at nbgate reload",
    }


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the configuration file."""
    schema = msgspec.json.schema(Config)
    tables_of_options: dict[str, Any] = schema["$defs"]
    properties: dict[str, Any] = tables_of_options["Config"]["properties"]
    listed = properties["upstream"]
    alone = {"anyOf": [{"type": "string"}, {"type": listed.pop("type"), "items": listed.pop("items")}]}
    properties["upstream"] = alone | listed
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "nbgate.toml", **schema}


def reference_page(needs_restart: Sequence[str]) -> str:
    """Return docs/reference/configuration.md."""
    names = _prose([f"`{name}`" for name in sorted(needs_restart)])
    restart = f"These options need a restart, and `nbgate reload` names those that differ: {names}."
    without_flag = ", ".join(f"`{name}`" for name in sorted(WITHOUT_FLAG))
    parts = [_PAGE.format(restart=textwrap.fill(restart, _WIDTH, break_on_hyphens=False), without_flag=without_flag)]
    for table in dict.fromkeys(key.rpartition(".")[0] for key in option_types()):
        options = [option for option in all_options().values() if option.key.rpartition(".")[0] == table]
        if table:
            parts.append(f"## {table}\n\n{_text_of_table(table)}\n")
        parts.append(_markdown_table(options))
    parts.append(f"## [[{ROUTE}]]\n\n{_OF_ROUTES}")
    parts.append(_markdown_table(list(route_options().values())))
    return "\n".join(parts)


def _markdown_table(options: Sequence[Option]) -> str:
    columns = {
        "option": [f"`{option.key}`" for option in options],
        "meaning": [_cell(option.text) for option in options],
        "values": [option.kind for option in options],
        "default": [_code(option.default) for option in options],
        "flag": [_code(option.flag) for option in options],
        "variable": [_code(option.variable) for option in options],
    }
    heads, filled = zip(*((head, cells) for head, cells in columns.items() if any(cells)), strict=True)
    rows = zip(*filled, strict=True)
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ("---",) * len(heads), *rows)) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.rstrip(".").replace("|", "\\|").replace("*", "\\*")


def _comment(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _text_of_table(table: str) -> str:
    return str(get_type_hints(Config)[table].__doc__)


def waits_for_restart(key: str, needs_restart: Sequence[str]) -> bool:
    """Say whether the option `key`, or its whole table, is among `needs_restart`."""
    return key in needs_restart or key.partition(".")[0] in needs_restart


def _prose(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}"


_OF_ROUTES = """\
One notebook server and where it is mounted, once for each server; in files alone. A profile that has any has them in
place of the file's. [Several servers](../howto/servers.md) says how they are used. `at` and `upstream` have no default;
`nbgate config explain route.at` explains an option.
"""
_PAGE = """\
# Configuration

Generated by `make docs`. `nbgate config explain OPTION` says the same of one option.

Every option can stand in a TOML file or, but for those of [[route]], in a variable of the environment; those outside
tables are flags too, but {without_flag}. What is said in several places counts in this order, the strongest first:

1. flags: `--data-dir`
2. variables: `NBGATE_DATA_DIR`, and `NBGATE_LIMITS__HEAD_BYTES` for `head_bytes` in the table `[limits]`; an empty one
   is one that is not set. Numbers are written as they are, true and false also as `yes`, `no`, `1`, `0`, a list with
   commas.
3. the profile of `--profile NAME` or `NBGATE_PROFILE`: the file `profiles/NAME.toml` beside the default file
4. the file of `--config FILE` or `NBGATE_CONFIG`; without one the default file, if it is there:
   `$XDG_CONFIG_HOME/nbgate/nbgate.toml` or `~/.config/nbgate/nbgate.toml`, for root `/etc/nbgate/nbgate.toml`
5. the default

`nbgate config default > nbgate.toml` writes a file with all options to begin with, `nbgate config edit` opens one in an
editor and saves nothing that is wrong, `nbgate config check` judges, `nbgate config show --origin` says what is in
force and why. [deploy/examples/laptop.toml](../../deploy/examples/laptop.toml) is a complete file; with
`#:schema nbgate.schema.json` as its first line, and [nbgate.schema.json](nbgate.schema.json) beside it
(`nbgate config schema` writes it), editors complete and check it.

A relative path begins at the folder of the file it stands in; that of a flag or variable, at the folder in which the
command was typed. Secrets are no options: where one is needed, an option names the file (mode 0600) that holds it.

A profile has a data folder of its own, `profiles/NAME` in the data folder that there would be without it, unless its
file, a variable or a flag names one: so several gateways run side by side, each with its own accounts and audit.

An unknown option or variable, a value of another type or out of its range is refused, all of them at once, each with
its place and a hint. `nbgate reload` reads files, certificate and key again.

{restart}

Sizes are bytes, times are seconds.

## Options outside tables
"""
