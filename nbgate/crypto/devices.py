"""Device cookies: proof that a person logged in from this browser before. They open nothing.

All they give is a throttling bucket of one's own, so that a stranger who guesses cannot lock the owner out (THREATS
5.2). Pure: keys, times and random bytes are passed in; nothing here knows a header or an account.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from typing import Final

from nbgate.errors import CredentialRejected

DEVICE_ID_BYTES: Final = 16
KEY_BYTES: Final = 32
LIFETIME_SECONDS: Final = 90 * 86400
# Base64url in its one spelling: the spare bits of the last characters are zero.
_COOKIE: Final = re.compile(
    r"v1\.([A-Za-z0-9_-]{21}[AQgw])\.([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])", re.ASCII
)


def new_device_id(random: bytes) -> str:
    """Return the name of a browser that had none: 22 characters of base64url.

    Raises:
        ValueError: `random` is not `DEVICE_ID_BYTES` long.
    """
    if len(random) != DEVICE_ID_BYTES:
        raise ValueError("a device id is made of 16 random bytes")
    return _base64url(random)


def new_device_cookie(key: bytes, user: str, device_id: str, expiry_unix: float, epoch: int) -> str:
    """Return the cookie that says `user` logged in from the browser `device_id`.

    Args:
        key: `KEY_BYTES` bytes.
        user: Canonical name.
        device_id: As `new_device_id` or `verify_device_cookie` gives it.
        expiry_unix: When it is good no more; the fraction of a second is dropped.
        epoch: The account's `cred_epoch`: a new password makes strangers of all browsers.
    """
    expiry = str(int(expiry_unix))
    return f"v1.{device_id}.{expiry}.{_mac(key, user, device_id, expiry, epoch)}"


def verify_device_cookie(key: bytes, user: str, offered: str, now_unix: float, epoch: int) -> str:
    """Return the device id in `offered`, if it is a device cookie of `user` that is good at `now_unix`.

    Raises:
        CredentialRejected: It is not.
    """
    found = _COOKIE.fullmatch(offered)
    if found is None:
        raise CredentialRejected
    device_id, expiry, mac = found.groups()
    expected = _mac(key, user, device_id, expiry, epoch)
    if not hmac.compare_digest(expected, mac) or now_unix >= int(expiry):
        raise CredentialRejected
    return str(device_id)


def is_shaped_as_device_cookie(text: str) -> bool:
    """Say whether `text` could be a device cookie; whether it is one, only the keeper can tell."""
    return _COOKIE.fullmatch(text) is not None


def _mac(key: bytes, user: str, device_id: str, expiry: str, epoch: int) -> str:
    fields = "\0".join(("nbgate-device-v1", user, device_id, expiry, str(epoch)))
    return _base64url(hmac.digest(key, fields.encode(), "sha256"))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
