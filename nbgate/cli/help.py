"""What there is to type, as pages: for `--help`, the manual and the reference, all from the one table of commands.

Reads the commands' signatures; it runs no command, and renders plain text without any colour.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

from cyclopts import App, Group
from cyclopts.argument import Argument

from nbgate.cli.commands import command_of, commands_below

HELP_FLAGS = frozenset({"--help", "-h"})
_LABEL_WIDTH = 26
_LEAST_WIDTH, _MOST_WIDTH = 50, 100


class Entry(NamedTuple):
    """A command, an argument or a flag, and what it does."""

    label: str
    text: str


class Page(NamedTuple):
    """What there is to know about one command.

    Attributes:
        words: The command, for example `nbgate user add`.
        usage: How it is typed.
        text: What it does, in paragraphs; an indented line is an example.
        panels: Its commands, arguments and flags, by the titles they stand under.
    """

    words: str
    usage: str
    text: str
    panels: dict[str, list[Entry]]


def maybe_help(app: App, words: Sequence[str]) -> Page | None:
    """Return the page that `words` ask for, as a command without the one that has to follow does; else None."""
    ours = list(words[: words.index("--")] if "--" in words else words)
    command = command_of(ours)
    if HELP_FLAGS & set(ours) or (command and not command.function and ours == command.words.split()):
        return page_of(app, command.words if command else "")
    return None


def page_of(app: App, named: str) -> Page:
    """Return the page of the command `named`, "" for nbgate itself."""
    command = app
    for name in named.split():
        command = command[name]
    below = commands_below(named)
    arguments = [argument for argument in _arguments(command) if argument.show]
    panels: dict[str, list[Entry]] = {}
    for one in below:
        entry = Entry(one.words.rpartition(" ")[2], one.text.partition("\n")[0])
        panels.setdefault(one.group, []).append(entry)
    for argument in sorted(arguments, key=_sort_key):
        entry = Entry(_label(argument), argument.parameter.help or "")
        panels.setdefault(_title(argument), []).append(entry)
    if not named:
        panels.setdefault("Other", []).append(Entry("--version", "Say which version this is."))
    panels.setdefault("Other", []).append(Entry("-h, --help", "Show this page, or that of the command before it."))
    words = f"nbgate {named}".rstrip()
    return Page(words, _usage(words, arguments, takes_command=bool(below)), command.help, panels)


def render(page: Page, width: int) -> str:
    """Return the page as plain text of at most `width` columns."""
    width = min(max(width, _LEAST_WIDTH), _MOST_WIDTH)
    lines = [f"Usage: {page.usage}", ""]
    for paragraph in page.text.strip().split("\n\n"):
        lines += paragraph.split("\n") if paragraph.startswith(" ") else textwrap.wrap(paragraph, width)
        lines.append("")
    for title, entries in page.panels.items():
        lines.append(f"{title}:")
        lines += _rendered(entries, width)
        lines.append("")
    return "\n".join(lines).rstrip()


def _arguments(command: App) -> list[Argument]:
    return list(command.assemble_argument_collection()) if command.default_command else []


def _groups(argument: Argument) -> list[Group]:
    """Cyclopts calls what has no group of its own a parameter."""
    groups = argument.parameter.group
    return (
        [one for one in groups if isinstance(one, Group) and one.name != "Parameters"]
        if isinstance(groups, tuple)
        else []
    )


def _title(argument: Argument) -> str:
    return next((group.name for group in _groups(argument)), "Flags")


def _sort_key(argument: Argument) -> int:
    return next((group.sort_key for group in _groups(argument) if isinstance(group.sort_key, int)), 0)


def _label(argument: Argument) -> str:
    if not argument.names[0].startswith("-"):
        return _placeholder(argument)
    names = ", ".join(argument.names)
    return names if bool in {argument.hint, *get_args(argument.hint)} else f"{names} {_placeholder(argument)}"


def _placeholder(argument: Argument) -> str:
    """Return what stands for the value, for example FILE or table|json."""
    choices = argument.get_choices(force=True)
    name = argument.parameter.metavar or ("|".join(choices) if choices else argument.names[0].lstrip("-").upper())
    return f"{name}..." if argument.is_var_positional() else name


def _usage(words: str, arguments: list[Argument], *, takes_command: bool) -> str:
    positional = [_usage_of(argument) for argument in arguments if not argument.names[0].startswith("-")]
    flags = ["[FLAGS]"] if len(positional) < len(arguments) else []
    commands = [] if not takes_command else ["[COMMAND]"] if flags else ["COMMAND"]
    return " ".join([words, *commands, *flags, *positional])


def _usage_of(argument: Argument) -> str:
    if argument.is_var_positional():
        return f"[-- {_placeholder(argument)}]"
    return _placeholder(argument) if argument.required else f"[{_placeholder(argument)}]"


def _rendered(entries: list[Entry], width: int) -> Iterator[str]:
    column = 4 + max(len(entry.label) for entry in entries if len(entry.label) <= _LABEL_WIDTH)
    for label, text in entries:
        lines = textwrap.wrap(text, width, initial_indent=" " * column, subsequent_indent=" " * column) or [""]
        if 4 + len(label) > column:
            yield f"  {label}"
        else:
            lines[0] = f"  {label}".ljust(column) + lines[0].lstrip()
        yield from (line.rstrip() for line in lines)
