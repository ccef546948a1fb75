"""Asking a person on the terminal."""

import io

import pytest

from nbgate.cli.dialogue import has_terminal, is_yes, read_line, require_terminal
from nbgate.errors import ExitCode, StartError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Put a terminal in place of standard input and standard error; return what types into it, and brings the latter.

    Not before the test runs: pytest puts its own in place when it begins.
    """

    def typing(text: str) -> Terminal:
        said = Terminal()
        monkeypatch.setattr("sys.stderr", said)
        monkeypatch.setattr("sys.stdin", Terminal(text))
        return said

    return typing


def test_the_question_stands_on_standard_error(terminal, capsys):
    said = terminal("ada\nbob\n")

    assert ("ada", "bob") == (read_line("Who? "), read_line("Who else? "))
    assert ("Who? Who else? ", "") == (said.getvalue(), capsys.readouterr().out)


def test_who_types_nothing_more_has_ended_the_dialogue(terminal):
    terminal("")
    with pytest.raises(EOFError):
        read_line("Who? ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [("y\n", True), ("Yes\n", True), (" Y \n", True), ("\n", False), ("n\n", False), ("yep\n", False)],
)
def test_only_yes_is_yes(terminal, line, expected):
    terminal(line)
    assert expected is is_yes("Sure? [y/N] ")


def test_a_terminal_is_one_that_can_be_read_and_written(terminal, monkeypatch):
    terminal("")
    assert has_terminal()
    require_terminal("ask on", "hint")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert not has_terminal()


def test_without_a_terminal_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(StartError, match="there is no terminal to show it on") as caught:
        require_terminal("show it on", "type it on one")

    assert ("type it on one", ExitCode.USAGE) == (caught.value.hint, caught.value.exit_code)
