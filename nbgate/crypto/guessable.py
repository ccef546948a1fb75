"""Say whether a password is one that attackers try first: a common one, or a common word with the usual additions.

Pure. A list of a hundred thousand passwords says little about those of twelve characters and more: few of them are that
long, and people get there by adding 1234 to a word. So the words are listed, and what is added is a rule.
"""

import re
from typing import Final

from nbgate.crypto.common_passwords import COMMON_PASSWORDS, COMMON_WORDS

_DIGITS: Final = "0123456789" * 4
_SEQUENCES: Final = tuple(
    text
    for forward in (_DIGITS, "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiop", "azertyuiop")
    for text in (forward, forward[::-1])
)
_MIN_SEQUENCE_CHARS: Final = 3
_MAX_UNIT_CHARS: Final = 6
_MAX_CORE_CHARS: Final = 33  # three times the longest word
_WRITTEN_AS: Final = str.maketrans("@4301!$57", "aaeoiisst")
_ADDED: Final = re.compile(r"[^a-z0-9]{0,3}([0-9]*)[^a-z0-9]{0,3}", re.ASCII)
_MAX_FREE_DIGITS: Final = 4  # a year, the day of a birthday; more must be a sequence or one digit again and again


def is_common(password: str) -> bool:
    """Say whether `password` stands in every list of common passwords, or would after a moment's thought.

    Case and spaces do not count. One of these is common:

    - a listed password;
    - at most six characters again and again, or a run of the keyboard or the alphabet;
    - a listed word or such a run, once or more often, also with digits or signs for letters, between additions: signs,
      up to four digits, or a run of digits.
    """
    text = password.casefold()
    return _is_repeated(text) or any(_is_guessed(form) for form in {text, text.replace(" ", "")})


def _is_repeated(text: str) -> bool:
    sizes = range(1, min(_MAX_UNIT_CHARS, len(text) // 2) + 1)
    return any((text[:size] * len(text))[: len(text)] == text for size in sizes)


def _is_guessed(text: str) -> bool:
    if text in COMMON_PASSWORDS:
        return True
    digits = len(text) - len(text.lstrip("0123456789"))
    return any(_has_common_core(text, start) for start in {0, digits} if _is_added(text[:start]))


def _has_common_core(text: str, start: int) -> bool:
    """Say whether a common core begins at `start`, and the rest was added to it."""
    ends = range(start + _MIN_SEQUENCE_CHARS, min(len(text), start + _MAX_CORE_CHARS) + 1)
    return any(_is_added(text[end:]) and _is_core(text[start:end]) for end in ends)


def _is_core(core: str) -> bool:
    if any(core in sequence for sequence in _SEQUENCES):
        return True
    word = core.translate(_WRITTEN_AS)
    units = (word[: len(word) // times] for times in (1, 2, 3))
    return any(unit in COMMON_WORDS and word == unit * (len(word) // len(unit)) for unit in units)


def _is_added(text: str) -> bool:
    found = _ADDED.fullmatch(text)
    if found is None:
        return False
    digits = found[1]
    return len(digits) <= _MAX_FREE_DIGITS or _is_repeated(digits) or any(digits in run for run in _SEQUENCES[:2])
