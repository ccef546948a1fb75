"""What an operator is told."""

import pytest

from nbgate.errors import ConfigError, Problem, StartError
from nbgate.terminal import clean, print_error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\nline é", "plain\nline é"),
        ("a\x1b]0;owned\x07b", r"a\x1b]0;owned\x07b"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\tc", r"a\rb\tc"),
        ("right\u202eto left", r"right\u202eto left"),
        ("half\udcff", r"half\udcff"),
    ],
)
def test_nothing_can_command_the_terminal(text, expected):
    assert expected == clean(text)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StartError("it failed"), "nbgate: it failed\n"),
        (StartError("it failed", hint="do this"), "nbgate: it failed\n  hint: do this\n"),
        (
            ConfigError((Problem("a:1", "wrong", "right"), Problem("", "more"))),
            "nbgate: a:1: wrong\n  hint: right\nnbgate: more\n",
        ),
    ],
)
def test_every_problem_has_its_line_and_its_hint(error, expected, capsys):
    print_error(error)

    assert ("", expected) == tuple(capsys.readouterr())
