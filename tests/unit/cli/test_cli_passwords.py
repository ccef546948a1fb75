"""Where a new password may come from."""

import subprocess
import sys

import pytest

import nbgate
from nbgate.cli import passwords
from nbgate.cli.passwords import passwd, read_hash, read_password
from nbgate.crypto.passwords import parse_prepared_hash, verify_password
from nbgate.errors import ExitCode, InputRefused, StartError


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


@pytest.mark.parametrize(("data", "expected"), [(b"$argon2id$x\n", "$argon2id$x"), (b"a\nb\r\n", "a\nb")])
def test_a_hash_is_read_as_it_is(typed, data, expected):
    typed(data)

    assert expected == read_hash()


def test_without_a_hash_there_is_an_example(typed):
    typed(b"\n")
    with pytest.raises(StartError, match="there is no hash on standard input") as caught:
        read_hash()

    assert (ExitCode.USAGE, "for example: nbgate user add NAME --hash-stdin < FILE") == (
        caught.value.exit_code,
        caught.value.hint,
    )


GOOD = "a parrot on the third shelf"


@pytest.fixture
def answers(monkeypatch):
    """What is typed at the prompts."""
    typed = []
    monkeypatch.setattr(passwords.getpass, "getpass", lambda prompt: typed.pop(0))
    return typed


def test_passwd_hashes_what_it_is_given():
    made = passwd(GOOD)

    assert made == parse_prepared_hash(made)
    verify_password(made, GOOD)
    assert made != passwd(GOOD)


def test_passwd_is_part_of_the_package_and_costs_nothing_before():
    script = "import sys, nbgate; a = 'argon2' in sys.modules; from nbgate import passwd; print(a, callable(passwd), passwd.__module__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ("False True nbgate.cli.passwords\n", "") == (done.stdout, done.stderr)


def test_the_package_has_no_other_hidden_names():
    with pytest.raises(AttributeError, match="module 'nbgate' has no attribute 'password'"):
        nbgate.password  # noqa: B018


@pytest.mark.parametrize(
    "typed_in",
    [[GOOD, GOOD], ["short", GOOD, GOOD], [GOOD, "other", GOOD, GOOD], ["short", GOOD, "other", GOOD, GOOD]],
)
def test_passwd_asks_twice_and_again_up_to_three_times(answers, typed_in):
    answers += typed_in

    verify_password(passwd(), GOOD)
    assert [] == answers


def test_passwd_gives_up_after_three_tries(answers, capsys):
    answers += ["short", GOOD, "other", "", "not asked for"]
    with pytest.raises(InputRefused, match="no password after three tries"):
        passwd()

    assert ["not asked for"] == answers
    said = capsys.readouterr().err.splitlines()
    assert ["this password cannot be set: use at least 12 characters", "the two passwords differ"] == said[:2]


@pytest.mark.parametrize("passphrase", ["", "short", "passwordpassword"])
def test_passwd_refuses_what_cannot_be_a_password_here(passphrase):
    with pytest.raises(InputRefused):
        passwd(passphrase)
