"""What somebody can do about a notebook server that is not opened, in the words of how it was named.

Values alone: which of them fits is said where the server is looked at (`nbgate.keeper.upstreams`).
"""

from typing import Final

from msgspec import Struct

_RISK: Final = "any local user could execute code through it: give it a token, or accept it"
_NAME_IT: Final = "write the notebook server's token into a file (mode 0600) and name it with"
_IT_HAS_ONE: Final = (
    "it tells no token, so it has a password of its own: write that into a file (mode 0600) and name it with"
)
_REFUSED: Final = "the notebook server did not take the password: correct the file named with"
_IN_TABLE: Final = "in its [[route]]"


class Hints(Struct, frozen=True, kw_only=True):
    """What helps.

    Attributes:
        open: It asks for no credential.
        lost: It asks for none and has no such page: perhaps that is not its base URL.
        unknown: Nobody named a credential that opens it.
        password: The same, and it has a password.
        refused: It did not take the password that was named.
    """

    open: str
    lost: str
    unknown: str
    password: str
    refused: str


BY_FLAGS: Final = Hints(
    open=f"{_RISK} with --allow-open-upstream",
    lost=f"{_RISK} with --allow-open-upstream; or, if it has a base URL, name it: --upstream http://HOST:PORT/BASE/",
    unknown=f"{_NAME_IT} --upstream-token-file",
    password=f"{_IT_HAS_ONE} --upstream-password-file",
    refused=f"{_REFUSED} --upstream-password-file",
)

BY_TABLE: Final = Hints(
    open=f"{_RISK} with allow_open = true {_IN_TABLE}",
    lost=f'{_RISK} with allow_open = true {_IN_TABLE}; or, if it has a base URL, name it there: base_url = "/BASE/"',
    unknown=f"{_NAME_IT} token_file {_IN_TABLE}",
    password=f"{_IT_HAS_ONE} password_file {_IN_TABLE}",
    refused=f"{_REFUSED} password_file {_IN_TABLE}",
)

_ADD_OPEN: Final = f"{_RISK}: nbgate routes add ... --allow-open"
_ADD_AGAIN: Final = "add it again with the notebook server's token: nbgate routes add AT ADDRESS --token-file FILE"
# A route that was added has no password of its own, so nothing can be said of one that was refused.
BY_REQUEST: Final = Hints(open=_ADD_OPEN, lost=_ADD_OPEN, unknown=_ADD_AGAIN, password=_ADD_AGAIN, refused=_ADD_AGAIN)
