"""The dialogue for the first account; `tests/e2e/test_first_run.py` has it on a real terminal."""

import io
import os
import signal
import sys

import pytest

from nbgate.cli import first_run
from nbgate.cli.first_run import ask_for_first_user
from nbgate.config.document import Source
from nbgate.config_file import load_config
from nbgate.errors import ExitCode, StartError

GOOD = "a parrot on the third shelf"
WEAK = "passwordpassword12"


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
