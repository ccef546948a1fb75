"""A word on a password; zxcvbn is imported by the first call only."""

import subprocess
import sys

import pytest

from nbgate.crypto.strength import estimate_strength


@pytest.mark.parametrize(
    ("password", "user", "word"),
    [
        ("passwordpassword12", "ada", "weak"),
        ("qwertyuiop" * 20, "ada", "weak"),
        ("aaaaaaaaaaaaaaaa", "", "weak"),
        ("Ada-ada-ADA-ada-", "ada", "weak"),
        ("ada", "ada", "weak"),
        ("correct horse battery", "ada", "strong"),
        ("a parrot on the third shelf", "", "strong"),
        ("x" * 1024, "ada", "weak"),
        ("käse und brot im garten", "ada", "strong"),
    ],
)
def test_a_password_gets_a_word_that_fits(password, user, word):
    found = estimate_strength(password, user)

    assert (word, word == "weak") == (found.word, found.is_weak)
    assert "" != found.time


def test_the_name_makes_a_password_weaker_and_is_not_remembered_for_the_next_person():
    without = estimate_strength("zebrafarmer-x9", "bob")
    assert estimate_strength("zebrafarmer-x9", "zebrafarmer").is_weak
    assert without == estimate_strength("zebrafarmer-x9", "bob")


def test_zxcvbn_is_loaded_by_the_first_estimate():
    script = "import sys, nbgate.crypto.strength as s; a = 'zxcvbn' in sys.modules; s.estimate_strength('x', ''); print(a, 'zxcvbn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ("False True\n", "") == (done.stdout, done.stderr)
