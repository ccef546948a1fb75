"""Password hashes that Jupyter made and that are no argon2id: `sha1:salt:hex`, or any other name that hashlib knows.

Pure. They are taken over from a notebook server and good for one login, which stores an argon2id hash in their place;
no new password is ever hashed like this. A check costs what a check of argon2id costs, or a stranger could tell who has
such a hash.
"""

import contextlib
import hashlib
import hmac
import re
from typing import Final

from nbgate.crypto.passwords import MAX_PASSWORD_BYTES, parse_prepared_hash, verify_password
from nbgate.errors import CredentialRejected, InputRefused, StoreError

# As notebook.auth.passwd writes it: it splits at the first two colons, and its digest is in lower case.
_FORM: Final = re.compile(r"([A-Za-z0-9_-]{2,32}):([!-~]{0,128}):([0-9a-f]{32,128})", re.ASCII)
_ARGON2: Final = ("$", "argon2:")


def parse_imported_hash(text: str) -> str:
    """Return the hash that `text`, from a file of Jupyter's, is, checked to be one that may be stored.

    Args:
        text: `argon2:$argon2id$...`, `sha1:salt:hex`, or what `parse_prepared_hash` takes.

    Raises:
        InputRefused: It is something else, nothing here can compute it, or it would cost too much.
    """
    stored = text.strip()
    if stored.startswith(_ARGON2):
        return parse_prepared_hash(stored)
    found = _FORM.fullmatch(stored)
    if found is None or ":" in found[2]:
        raise InputRefused(
            "this is no password hash of Jupyter's",
            hint="it begins with argon2: or sha1: in jupyter_server_config.json",
        )
    name, salt, digest = found[1].lower(), found[2], found[3]
    if len(_digest(name, b"", salt)) != len(digest):
        raise InputRefused(f"this hash is no {name} digest, or {name} is not known here", hint="set a password instead")
    return f"{name}:{salt}:{digest}"


def is_foreign(stored: str) -> bool:
    """Say whether `stored` is a hash that the next login replaces, whatever its parameters."""
    return bool(stored) and not stored.startswith("$")


def verify_at_equal_cost(stored: str, offered: str, decoy: str) -> None:
    """Return if `offered`, exactly as received, is the password of `stored`.

    Args:
        stored: Any hash that an account may have; "" if there is none, which no password opens.
        offered: What somebody typed.
        decoy: As `decoy_hash` gives it; spent where `stored` is no argon2id hash.

    Raises:
        CredentialRejected: It is not.
        StoreError: `stored` is no hash that we could have stored.
    """
    if stored.startswith("$"):
        verify_password(stored, offered)
        return
    with contextlib.suppress(CredentialRejected):  # spent for the time it takes: its outcome opens nothing
        verify_password(decoy, offered)
    if not stored:
        raise CredentialRejected
    _verify(stored, offered)


def _verify(stored: str, offered: str) -> None:
    found = _FORM.fullmatch(stored)
    if found is None:
        raise StoreError("a stored password hash is damaged", hint="set the password anew: nbgate user passwd NAME")
    try:
        raw = offered.encode()
    except UnicodeEncodeError:
        raise CredentialRejected from None
    if len(raw) > MAX_PASSWORD_BYTES or not hmac.compare_digest(_digest(found[1], raw, found[2]), found[3]):
        raise CredentialRejected


def _digest(name: str, password: bytes, salt: str) -> str:
    """Return the digest in hex; "" of what hashlib does not know here, and of those of any length (shake)."""
    try:
        computed = hashlib.new(name, password + salt.encode("ascii"), usedforsecurity=False)
    except ValueError:
        return ""
    return computed.hexdigest() if computed.digest_size else ""
