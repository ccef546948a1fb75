"""Session tokens, form tokens and the control key: short strings that prove something.

Pure: random bytes are passed in. Nothing here knows a cookie, a page or a store, and nothing answers with a bool.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from nbgate.errors import CredentialRejected

TOKEN_BYTES: Final = 32
KEY_BYTES: Final = 32

# 43 characters hold 258 bits: the last one may only be one whose two spare bits are zero, or four cookies would
# name one session.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)


def new_session_token(random: bytes) -> str:
    """Return the text of a session token: 43 characters of base64url.

    Raises:
        ValueError: `random` is not `TOKEN_BYTES` long.
    """
    if len(random) != TOKEN_BYTES:
        raise ValueError("a session token is made of 32 random bytes")
    return urlsafe_b64encode(random).decode().rstrip("=")


def parse_session_token(text: str) -> bytes | None:
    """Return the session id (SHA-256 of the token's 32 bytes) that `text` names, None if it is no session token."""
    if not is_canonical_token(text):
        return None
    return hashlib.sha256(urlsafe_b64decode(text + "=")).digest()


def is_canonical_token(text: str) -> bool:
    """Say whether `text` is the base64url of 32 bytes, without padding and in its one spelling."""
    return _TOKEN.fullmatch(text) is not None


def new_form_token(key: bytes, purpose: str, session_id: bytes) -> str:
    """Return the token of a form that acts for a session: HMAC-SHA-256, base64url, 43 characters.

    Args:
        key: `KEY_BYTES` bytes of the form keyring.
        purpose: What the form does, for example "logout": a token is good for nothing else.
        session_id: The 32 bytes of the session's id.
    """
    mac = hmac.digest(key, b"nbgate-form-v1\0" + purpose.encode() + b"\0" + session_id, "sha256")
    return urlsafe_b64encode(mac).decode().rstrip("=")


def verify_form_token(key: bytes, purpose: str, session_id: bytes, offered: str) -> None:
    """Return if `offered` is the form token of this purpose and session.

    Raises:
        CredentialRejected: It is not.
    """
    _require_equal(new_form_token(key, purpose, session_id), offered)


def new_control_key(random: bytes) -> str:
    """Return the text of a control key: 64 hexadecimal digits.

    Raises:
        ValueError: `random` is not `KEY_BYTES` long.
    """
    if len(random) != KEY_BYTES:
        raise ValueError("a control key is made of 32 random bytes")
    return random.hex()


def verify_control_key(expected: str, offered: str) -> None:
    """Return if `offered` is the control key.

    Raises:
        CredentialRejected: It is not.
    """
    _require_equal(expected, offered)


def _require_equal(expected: str, offered: str) -> None:
    if not hmac.compare_digest(expected.encode(), offered.encode(errors="replace")):
        raise CredentialRejected
