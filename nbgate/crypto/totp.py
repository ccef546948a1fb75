"""Time-based one-time codes (RFC 6238): SHA-1, six digits, thirty seconds, as every authenticator app reads them.

Pure: the time, the random bytes and the window are passed in. It remembers no step: whoever accepts one stores it, so
that a code is good once (T04).
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Sequence
from typing import Final

import pyotp

from nbgate.crypto.sealing import Keyring
from nbgate.errors import CredentialRejected, StoreError

SECRET_BYTES: Final = 20  # RFC 4226 section 4, R6: 160 bits
STEP_SECONDS: Final = 30
PURPOSE: Final = "totp"
_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)


def new_totp_secret(random: bytes) -> str:
    """Return a TOTP secret: 32 characters of base32.

    Raises:
        ValueError: `random` is not `SECRET_BYTES` long.
    """
    if len(random) != SECRET_BYTES:
        raise ValueError("a TOTP secret is made of 20 random bytes")
    return b32encode(random).decode("ascii")


def totp_uri(secret: str, account: str, issuer: str) -> str:
    """Return the `otpauth:` URI that an authenticator app reads from a QR code.

    Args:
        secret: As `new_totp_secret` gives it.
        account: What the app shows as the account, for example "ada@gate.example".
        issuer: What the app shows above it.
    """
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def find_step(secret: str, code: str, now_unix: float, window: Sequence[int], *, after: int = 0) -> int:
    """Return the time step whose code `code` is.

    pyotp's own check is not used: it takes digits of other scripts for ASCII ones, and stops at the first match.

    Args:
        secret: As `new_totp_secret` gives it.
        code: Exactly as received.
        now_unix: Seconds since the epoch.
        window: Which steps count, relative to the present one: `(-1, 0)` is the present code and the one before.
        after: The last step that was used; neither it nor an earlier one counts.

    Raises:
        CredentialRejected: It is the code of none of them.
    """
    if not _CODE.fullmatch(code):
        raise CredentialRejected
    totp, present = pyotp.TOTP(secret), int(now_unix // STEP_SECONDS)
    found = 0
    for step in (present + offset for offset in window):
        if step > after and hmac.compare_digest(totp.generate_otp(step), code):
            found = max(found, step)  # goes on: how long it takes tells nothing
    if not found:
        raise CredentialRejected
    return found


def seal_totp_secret(keys: Keyring, secret: str, user: str, nonce: bytes) -> str:
    """Return `secret` as it is stored for the account `user` (its canonical name).

    Args:
        keys: A keyring of the purpose `PURPOSE`.
        secret: As `new_totp_secret` gives it.
        user: Nobody else's account can use what is sealed for this one.
        nonce: 12 random bytes, never used twice.
    """
    return keys.seal(secret.encode("ascii"), _context(user), nonce)


def unseal_totp_secret(keys: Keyring, sealed: str, user: str) -> str:
    """Return the secret that is stored for the account `user`.

    Raises:
        StoreError: It was not sealed with these keys for this account.
    """
    try:
        return keys.unseal(sealed, _context(user)).decode("ascii")
    except CredentialRejected:  # not theirs: nobody outside can have written it
        raise StoreError(
            "a stored TOTP secret cannot be read", hint="was its key replaced? set it up anew: nbgate totp enroll NAME"
        ) from None


def _context(user: str) -> bytes:
    return b"totp\0" + user.encode()
