"""A word on how strong a new password is, for the person who chose it. It forbids nothing: `passwords` does that.

Pure. The estimate is zxcvbn's, which is imported by the first call: it costs more than most processes that import this.
"""

from typing import Final

from msgspec import Struct

MAX_CHARS: Final = 72  # zxcvbn reads no more, and takes long over more; what is longer is not weaker
WEAK: Final = 1
_ATTACK: Final = "offline_slow_hashing_1e4_per_second"  # argon2id as it is stored here
_WORDS: Final = ("weak", "weak", "fair", "good", "strong")


class Strength(Struct, frozen=True):
    """What a person is told.

    Attributes:
        word: weak, fair, good or strong.
        time: How long whoever has stolen its hash would guess, for example "3 hours".
    """

    word: str
    time: str

    @property
    def is_weak(self) -> bool:
        """True where the person should be asked whether they mean it."""
        return self.word == _WORDS[WEAK]


def estimate_strength(password: str, user: str) -> Strength:
    """Return how strong `password` is for the account `user` (its canonical name, or "").

    Takes milliseconds, and two seconds for one that was made to take long.
    """
    from zxcvbn import zxcvbn  # noqa: PLC0415 - see the docstring of this file

    # The name is no `user_inputs`: zxcvbn keeps those in a global of its own, for whoever comes next.
    has_name = bool(user) and user in password.casefold()
    rest = password.casefold().replace(user, "") if has_name else password
    found = zxcvbn(rest[:MAX_CHARS] or "a")
    return Strength(_WORDS[found["score"]], found["crack_times_display"][_ATTACK])
