"""The dialogue for the first account; `tests/e2e/test_first_run.py` has it on a real terminal."""

import io
import os
import signal
import sys

import pyotp
import pytest

from nbgate.cli import dialogue, enrolment, first_run
from nbgate.cli.first_run import ask_for_first_user
from nbgate.config.document import Source
from nbgate.config_file import load_config
from nbgate.errors import ExitCode, StartError

GOOD = "a parrot on the third shelf"
WEAK = "monkeydragon12"


@pytest.fixture
def loaded(folder, tmp_path):
    return load_config(Source(config=str(tmp_path / "cheap.toml"), flags={"data_dir": str(folder)}))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def answer(monkeypatch):
    """Answer the questions of the dialogue: lines, and passwords."""

    def answering(lines: list[str], passwords: list[str]):
        monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))

        def getpass(prompt):
            if not passwords:
                raise EOFError
            return passwords.pop(0)

        monkeypatch.setattr(first_run.getpass, "getpass", getpass)
        monkeypatch.setattr(first_run.getpass, "getuser", lambda: "ada")

    return answering


@pytest.mark.parametrize(
    ("lines", "passwords", "made", "said"),
    [
        ([""], [GOOD, GOOD], "ada", ["strength: strong; whoever steals its hash would guess for: centuries"]),
        (["Bob"], [GOOD, GOOD], "bob", ["user bob: added"]),
        (["b o b", "bob"], [GOOD, GOOD], "bob", ["this is no user name", "hint: use 1 to 64"]),
        ([""], ["short", GOOD, GOOD], "ada", ["this password cannot be set", "hint: use at least 12 characters"]),
        ([""], [GOOD, GOOD + "!", GOOD, GOOD], "ada", ["the two passwords differ", "hint: type both once more"]),
        (["", "y"], [WEAK, WEAK], "ada", ["strength: weak", "all the same? [y/N]"]),
        (["", "", ""], [WEAK, WEAK, GOOD, GOOD], "ada", ["strength: weak", "strength: strong"]),
    ],
)
def test_the_dialogue_goes_on_until_there_is_an_account(run, loaded, answer, capsys, lines, passwords, made, said):
    answer(lines, passwords)
    first_run.first_user(loaded)
    found = capsys.readouterr()

    assert [] == [text for text in said if text not in found.err]
    assert "" == found.out
    assert [] == [password for password in (GOOD, WEAK) if password in found.err]
    assert [made] == [line.split()[0] for line in run("user", "list")[1].splitlines()[1:]]


def test_a_second_factor_is_set_up_for_who_wants_one(run, loaded, answer, capsys, monkeypatch):
    answer(["", "y", "000000"], [GOOD, GOOD])
    shown, asked = [], []

    def read(prompt):
        """Answer as a person, and the second time as the app."""
        asked.append(prompt)
        return pyotp.TOTP(shown[0]).now() if len(asked) == 2 else dialogue.read_line(prompt)

    def show(secret, uri):
        shown.append(secret)
        show_secret(secret, uri)

    show_secret = enrolment.show_secret
    monkeypatch.setattr(enrolment, "read_line", read)
    monkeypatch.setattr(enrolment, "show_secret", show)
    first_run.first_user(loaded)
    found = capsys.readouterr()

    assert 10 == len(found.out.split())
    assert found.err.index("this code is not right") < found.err.index("a code is asked for beside the password")
    assert ["password", "+", "totp"] == run("user", "list")[1].splitlines()[1].split()[3:6]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["", "n"], []),
        (["", ""], []),
        (["", "y"], ["no code was typed: nothing was changed", "nbgate totp enroll ada adds a code later"]),
        (["", "y", "1", "2", "3"], ["3 codes were wrong: nothing was changed", "nbgate totp enroll ada"]),
    ],
)
def test_who_wants_none_or_gives_up_goes_on_without(run, loaded, answer, capsys, lines, said):
    answer(lines, [GOOD, GOOD])
    first_run.first_user(loaded)

    err = capsys.readouterr().err
    assert [] == [text for text in said if text not in err]
    assert "totp" not in run("user", "list")[1]


@pytest.mark.parametrize(("lines", "passwords"), [([], []), ([""], []), ([""], [GOOD]), ([""], [WEAK, WEAK])])
def test_who_ends_the_dialogue_has_no_account_and_is_told_so(loaded, folder, answer, lines, passwords):
    answer(lines, passwords)
    with pytest.raises(StartError, match="no account was made") as caught:
        first_run.first_user(loaded)

    assert ("nbgate user add NAME" in caught.value.hint, folder.exists()) == (True, False)


def test_a_name_that_cannot_be_one_here_is_not_offered(loaded, answer, monkeypatch, capsys):
    answer(["ada"], [GOOD, GOOD])
    monkeypatch.setattr(first_run.getpass, "getuser", lambda: "å b")
    first_run.first_user(loaded)

    assert "User name: " in capsys.readouterr().err


def test_nobody_is_asked_where_there_is_an_account(loaded, answer, typed, run):
    typed(f"{GOOD}\n".encode())
    run("user", "add", "ada", "--password-stdin", "--config", "cheap.toml")
    answer([], [])

    first_run.first_user(loaded)


def test_nobody_is_asked_where_a_gateway_runs(gateway, loaded, answer):
    answer([], [])

    first_run.first_user(loaded)


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


@pytest.mark.parametrize("missing", ["stdin", "stderr"])
def test_without_a_terminal_nobody_is_asked(loaded, terminal, monkeypatch, missing):
    monkeypatch.setattr(getattr(sys, missing), "isatty", lambda: False)
    monkeypatch.setattr(first_run.os, "fork", None)

    assert ExitCode.DONE == ask_for_first_user(loaded)


def fails(error):
    def call(loaded):
        raise error

    return call


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda loaded: None, 0),
        (fails(StartError("no")), 1),
        (fails(StartError("held", exit_code=ExitCode.TRY_AGAIN)), 75),
        (fails(KeyboardInterrupt()), 130),
        (fails(ZeroDivisionError()), 1),
        (lambda loaded: os.kill(os.getpid(), signal.SIGKILL), 1),
    ],
)
def test_how_the_dialogue_ended_is_the_exit_code(loaded, terminal, monkeypatch, call, code):
    monkeypatch.setattr(first_run, "first_user", call)
    former = signal.getsignal(signal.SIGINT)

    assert code == ask_for_first_user(loaded)
    assert former is signal.getsignal(signal.SIGINT)
