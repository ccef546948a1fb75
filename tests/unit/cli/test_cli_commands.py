"""The table of commands."""

from importlib import import_module

import pytest

from nbgate.cli.commands import COMMANDS, command_of, commands_below


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_command_has_a_function_or_commands_below_it(command):
    below = [other.words for other in commands_below(command.words)]
    if below:
        assert ("", True) == (command.function, all(words.startswith(f"{command.words} ") for words in below))
    else:
        module, _, name = command.function.partition(":")
        assert callable(getattr(import_module(f"nbgate.cli.{module}"), name))


def test_every_command_says_in_a_line_what_it_does():
    for command in COMMANDS:
        first, _, rest = command.text.partition("\n")
        assert first.endswith("."), command.words
        assert rest == "" or rest.startswith("\n"), command.words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["--port", "1"], None),
        (["status"], "status"),
        (["user"], "user"),
        (["user", "add", "ada"], "user add"),
        (["user", "ad"], "user"),
        (["launch", "--", "user", "add"], "launch"),
        (["stauts"], None),
    ],
)
def test_which_command_is_called(words, expected):
    command = command_of(words)

    assert expected == (command and command.words)
