"""Recovery codes: ten strings on paper, each good once in place of a TOTP code.

Pure: random bytes are passed in. It stores nothing and knows no account. A code has 125 random bits, so that its plain
SHA-256 may be stored (ASVS 6.5.2).
"""

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Sequence
from typing import Final

from nbgate.errors import CredentialRejected

CODES: Final = 10
CODE_CHARS: Final = 25
GROUP_CHARS: Final = 5
RANDOM_BYTES: Final = CODES * 16  # 128 bits each, of which 125 are used
_MAX_TYPED_CHARS: Final = 64
_CODE: Final = re.compile(rf"[A-Z2-7]{{{CODE_CHARS}}}", re.ASCII)
_IGNORED: Final = str.maketrans("", "", " -")


def make_recovery_codes(random: bytes) -> tuple[str, ...]:
    """Return ten codes as a person writes them down: five groups of five base32 characters, with hyphens.

    Raises:
        ValueError: `random` is not `RANDOM_BYTES` long.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError("recovery codes are made of 160 random bytes")
    return tuple(_make_code(random[start : start + 16]) for start in range(0, RANDOM_BYTES, 16))


def _make_code(random: bytes) -> str:
    text = b32encode(random).decode("ascii")[:CODE_CHARS]
    return "-".join(text[start : start + GROUP_CHARS] for start in range(0, CODE_CHARS, GROUP_CHARS))


def digest_recovery_code(text: str) -> bytes | None:
    """Return what is stored of a code: the SHA-256 of its 25 characters; None if `text` can be none.

    Case, spaces and hyphens do not count: it is typed from paper.
    """
    if len(text) > _MAX_TYPED_CHARS or not text.isascii():  # `upper` makes ASCII of some that is not
        return None
    code = text.translate(_IGNORED).upper()
    return hashlib.sha256(code.encode("ascii")).digest() if _CODE.fullmatch(code) else None


def find_recovery_code(left: Sequence[bytes], text: str) -> bytes:
    """Return which of the codes that are left (their digests) `text` is.

    Raises:
        CredentialRejected: It is none of them.
    """
    digest = digest_recovery_code(text)
    if digest is None or not any([hmac.compare_digest(digest, code) for code in left]):  # noqa: C419 - all are compared
        raise CredentialRejected
    return digest
