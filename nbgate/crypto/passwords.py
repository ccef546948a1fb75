"""Hash and verify passwords with argon2id.

Pure and slow on purpose: a call takes the memory and the time its parameters say. Salts are passed in; this file draws
no randomness, knows no user, and never answers with a bool.
"""

import re
from base64 import b64decode, b64encode
from enum import StrEnum
from typing import Final

import argon2
from argon2 import low_level
from msgspec import Struct

from nbgate.crypto.guessable import is_common
from nbgate.errors import CredentialRejected, InputRefused, StoreError

MIN_PASSWORD_BYTES: Final = 12
MAX_PASSWORD_BYTES: Final = 1024
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
MAX_MEMORY_KIB: Final = 1 << 20  # a stored hash that asks for more would be a way to stop the keeper

# What a hash that was made elsewhere may ask for: a login with the dearest takes about two seconds.
MAX_PREPARED_MEMORY_KIB: Final = 1 << 18
MAX_PREPARED_WORK_KIB: Final = 1 << 21  # memory x passes
MAX_PREPARED_LANES: Final = 16
_OF_JUPYTER: Final = "argon2:"
_PREPARED: Final = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,4})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})",  # 8 to 64 bytes of salt, 16 to 64 of digest
    re.ASCII,
)


class HashParameters(Struct, frozen=True, kw_only=True):
    """What a new hash costs. One lane: cores are better spent on a second login (measured: four lanes are slower)."""

    memory_kib: int = 65536
    time_cost: int = 3
    lanes: int = 1


class PasswordFault(StrEnum):
    """Why a new password is refused; the text is the hint a person reads."""

    TOO_SHORT = f"use at least {MIN_PASSWORD_BYTES} characters"
    TOO_LONG = f"use at most {MAX_PASSWORD_BYTES} bytes"
    NUL = "leave the NUL character out"
    NOT_TEXT = "use characters that can be written in UTF-8"
    COMMON = "this one stands in every list of common passwords: choose another"


def judge_new_password(password: str) -> PasswordFault | None:
    """Say why `password` may not be set; None means it may. Bytes count, as they do for argon2."""
    try:
        raw = password.encode()
    except UnicodeEncodeError:
        return PasswordFault.NOT_TEXT
    if len(raw) < MIN_PASSWORD_BYTES:
        return PasswordFault.TOO_SHORT
    if len(raw) > MAX_PASSWORD_BYTES:
        return PasswordFault.TOO_LONG
    if b"\0" in raw:
        return PasswordFault.NUL
    if is_common(password):
        return PasswordFault.COMMON
    return None


def hash_new_password(password: str, *, salt: bytes, parameters: HashParameters) -> str:
    """Return the argon2id string of a password that somebody chose.

    Args:
        password: As it was typed: not trimmed, not normalised.
        salt: `SALT_BYTES` random bytes.
        parameters: What the hash shall cost.

    Raises:
        InputRefused: `judge_new_password` finds a fault in it.
    """
    fault = judge_new_password(password)
    if fault is not None:
        raise InputRefused("this password cannot be set", hint=fault.value)
    return hash_password(password, salt=salt, parameters=parameters)


def hash_password(password: str, *, salt: bytes, parameters: HashParameters) -> str:
    """Return the argon2id string of a password that was just verified: yesterday's rules let it in."""
    return low_level.hash_secret(
        password.encode(),
        salt,
        time_cost=parameters.time_cost,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.lanes,
        hash_len=HASH_BYTES,
        type=low_level.Type.ID,
    ).decode()


def decoy_hash(random: bytes, parameters: HashParameters) -> str:
    """Return a hash that no known password has, to spend on an unknown user what a known one costs.

    Args:
        random: `SALT_BYTES` + 32 random bytes: the salt, and a digest of a password that nobody knows. Nothing is
            computed: a well-formed hash costs the same to check as a true one.
        parameters: Those of new hashes. An account whose hash has other parameters differs until its next login.
    """
    salt, digest = (b64encode(part).decode("ascii").rstrip("=") for part in (random[:SALT_BYTES], random[SALT_BYTES:]))
    cost = f"m={parameters.memory_kib},t={parameters.time_cost},p={parameters.lanes}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def verify_password(stored: str, offered: str) -> None:
    """Return if `offered`, exactly as received, is the password of the hash `stored`.

    Raises:
        CredentialRejected: It is not, or it is longer than any password can be (found before any hashing).
        StoreError: `stored` is no argon2id hash that we could have made.
    """
    try:
        raw = offered.encode()
    except UnicodeEncodeError:
        raise CredentialRejected from None
    if len(raw) > MAX_PASSWORD_BYTES:
        raise CredentialRejected
    _parse_hash(stored)
    try:
        low_level.verify_secret(stored.encode(), raw, low_level.Type.ID)
    except argon2.exceptions.VerifyMismatchError:
        raise CredentialRejected from None
    except argon2.exceptions.VerificationError as error:
        raise StoreError("a password could not be checked", hint="is there enough memory?") from error


def parse_prepared_hash(text: str) -> str:
    """Return the argon2id string that `text` is, checked to be one that may be stored.

    Args:
        text: `$argon2id$v=19$m=...`, as `nbgate.passwd()` makes it, or with Jupyter's `argon2:` before it.

    Raises:
        InputRefused: It is something else, or checking a password against it would cost too much.
    """
    stored = text.strip().removeprefix(_OF_JUPYTER)
    found = _PREPARED.fullmatch(stored)
    if found is None or not all(map(_is_canonical, found.group(4, 5))):
        raise InputRefused(
            "this is no argon2id hash", hint="make one: python -c 'from nbgate import passwd; print(passwd())'"
        )
    memory_kib, time_cost, lanes = map(int, found.group(1, 2, 3))
    if lanes > MAX_PREPARED_LANES or memory_kib < 8 * lanes:  # RFC 9106 section 3.1: at least 8 KiB a lane
        raise InputRefused(
            f"this hash has {lanes} lanes in {memory_kib} KiB",
            hint=f"at most {MAX_PREPARED_LANES} lanes, each of at least 8 KiB",
        )
    if memory_kib > MAX_PREPARED_MEMORY_KIB or memory_kib * time_cost > MAX_PREPARED_WORK_KIB:
        raise InputRefused(
            f"this hash costs too much to check: {memory_kib} KiB, {time_cost} times",
            hint=f"at most {MAX_PREPARED_MEMORY_KIB} KiB, and {MAX_PREPARED_WORK_KIB} KiB with all times together",
        )
    return stored


def _is_canonical(text: str) -> bool:
    """Say whether `text` is base64 without padding as argon2 reads it: no bit is left over."""
    try:
        return b64encode(b64decode(text + "=" * (-len(text) % 4))).decode().rstrip("=") == text
    except ValueError:
        return False


def needs_rehash(stored: str, parameters: HashParameters) -> bool:
    """Say whether `stored` was made with other parameters than `parameters`."""
    found = _parse_hash(stored)
    wanted = (parameters.memory_kib, parameters.time_cost, parameters.lanes, HASH_BYTES)
    return (found.memory_cost, found.time_cost, found.parallelism, found.hash_len) != wanted


def _parse_hash(stored: str) -> argon2.Parameters:
    broken = StoreError("a stored password hash is damaged", hint="set the password anew: nbgate user passwd NAME")
    try:
        found = argon2.extract_parameters(stored)
    except (argon2.exceptions.InvalidHash, ValueError):
        raise broken from None
    if found.type is not low_level.Type.ID or found.memory_cost > MAX_MEMORY_KIB or not stored.isascii():
        raise broken
    return found
