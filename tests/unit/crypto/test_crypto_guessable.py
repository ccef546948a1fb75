"""What attackers try first is refused, and what a person thought of is not."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.crypto import common_passwords
from nbgate.crypto.common_passwords import COMMON_PASSWORDS, COMMON_WORDS
from nbgate.crypto.guessable import is_common


@pytest.mark.parametrize(
    "password",
    [
        # listed
        "1qaz2wsx3edc",
        "correct horse battery staple",
        "LetMeInPlease",
        # a word and what people add to it
        "password1234",
        "Password1234!",
        "password!1234",
        "password2026",
        "password@2026",
        "password!!!!",
        "sunshine!!!!!!",
        "christopher1",
        "christopher73",
        "sunshine123456789",
        "sunshine98765",
        "sunshine000000",
        "sunshine121212",
        "jupyterlab2026",
        "Summer-2026!",
        "pass word 1234",
        # and puts before it
        "123password123",
        "2026password",
        "1234qwerasdf",
        # more than once
        "passwordpassword",
        "adminadmin99",
        "monkeymonkeymonkey",
        # written with other characters
        "P@ssw0rd1234",
        "p455w0rd1234!",
        "$un$h1ne2026",
        # runs and repetitions
        "abcdefghijkl",
        "zyxwvutsrqpo",
        "qwertyuiopas",
        "poiuytrewq12",
        "abcdefgh1234",
        "123456789012",
        "098765432109",
        "876543210987",
        "aaaaaaaaaaaa",
        "éééééééééééé",
        "abcabcabcabc",
        "a1!a1!a1!a1!a1",
        "123456123456",
        "password" + "1" * 1016,
    ],
)
def test_common(password):
    assert is_common(password)
    assert is_common(password.upper())


@pytest.mark.parametrize(
    "password",
    [
        "a good long password",
        "correct horse battery",
        "zebrafarmer-x9",
        "letmein-42-please",
        "tr0ub4dor&3xyz",
        "monkeybanana",
        "sunshine837261",
        "sunshine!!!!!!!",
        "sunshine2026x",
        "x-sunshine-2026",
        "1234567x-sunshine",
        "8372615sunshine",
        "abcdefgabcdefg",
        "qwertasdfgzxcvbnm12",
        "        \t   ",
        "käse und brot im garten",
        "éèàùçâêîôû",
        "x" * 1023 + "y",
        "password" * 127 + "passwor1",
    ],
)
def test_not_common(password):
    assert not is_common(password)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=26, max_size=40))
def test_letters_by_chance_are_seldom_common(letters):
    assert not is_common(f"{letters[:20]}|{letters[20:]}")


def test_the_lists_are_as_they_are_compared():
    assert [] == [row for row in COMMON_PASSWORDS if len(row) < 12]
    assert [] == [row for row in COMMON_PASSWORDS | COMMON_WORDS if row != row.casefold() or not row.isascii()]
    assert [] == [row for row in COMMON_WORDS if not row.isalpha() or not 4 <= len(row) <= 13]
    assert [] == [row for row in COMMON_PASSWORDS if not is_common(row)]


def test_every_long_word_is_refused_by_itself():
    assert [] == [row for row in COMMON_WORDS if not is_common(row)]


def test_the_lists_take_less_than_a_megabyte():
    code = compile(Path(common_passwords.__file__).read_text(encoding="utf-8"), "common", "exec")
    tracemalloc.start()
    exec(code, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 1_000_000 > peak
