"""Where a new password may come from."""

import sys

import pytest

from nbgate.cli import passwords
from nbgate.cli.passwords import read_password
from nbgate.errors import ExitCode, StartError


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b" two \n\n", " two \n"),
        ("pässword\n".encode(), "pässword"),
    ],
)
def test_from_standard_input_it_is_taken_as_it_is_without_the_last_line_end(typed, data, expected):
    typed(data)

    assert expected == read_password(from_stdin=True)


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", "there is no password"), (b"\n", "there is no password"), (b"\xff\n", "is not UTF-8 text")],
)
def test_what_is_no_password_is_a_usage_error(typed, data, text):
    typed(data)
    with pytest.raises(StartError, match=text) as caught:
        read_password(from_stdin=True)

    assert ExitCode.USAGE == caught.value.exit_code


def test_without_a_terminal_nobody_is_asked(typed):
    typed(b"secret\n")
    with pytest.raises(StartError, match="no terminal") as caught:
        read_password(from_stdin=False)

    assert ExitCode.USAGE == caught.value.exit_code
    assert "--password-stdin" in caught.value.hint


@pytest.mark.parametrize(("second", "expected"), [("one", "one"), ("two", None)])
def test_on_a_terminal_it_is_asked_for_twice(typed, monkeypatch, second, expected):
    answers = ["one", second]
    typed(b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(passwords.getpass, "getpass", lambda prompt: answers.pop(0))
    if expected is None:
        with pytest.raises(StartError, match="the two passwords differ"):
            read_password(from_stdin=False)
    else:
        assert expected == read_password(from_stdin=False)
    assert [] == answers
