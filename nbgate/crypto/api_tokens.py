"""The tokens that programs present: `nbgp_` and 32 random bytes.

Pure: random bytes are passed in. Says neither whom a token belongs to nor what it may do.
"""

import hashlib
from base64 import urlsafe_b64decode
from typing import Final

from nbgate.crypto.tokens import is_canonical_token, new_session_token

PREFIX: Final = "nbgp_"  # leaked ones can be searched for
_PURPOSE: Final = b"nbgate-token-v1\0"  # no cookie ever names a token, and no token a login


def new_api_token(random: bytes) -> str:
    """Return the text of a token: `nbgp_` and 43 characters of base64url.

    Raises:
        ValueError: `random` is not `crypto.tokens.TOKEN_BYTES` long.
    """
    return PREFIX + new_session_token(random)


def parse_api_token(text: str) -> bytes | None:
    """Return the session id that `text` names, None if it is not shaped like a token of ours."""
    body = text.removeprefix(PREFIX)
    if body == text or not is_canonical_token(body):
        return None
    return hashlib.sha256(_PURPOSE + urlsafe_b64decode(body + "=")).digest()
