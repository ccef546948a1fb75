"""The authorities that vouch for an upstream reached by https: read from the file an operator named.

Only certificates are taken out of it: what comes of it goes to workers, and a private key beside them must not.
"""

import os
import stat
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nbgate.errors import ExitCode, StartError

MAX_BYTES: Final = 65536  # each route to such an upstream carries them to each worker


def load_authorities(path: Path) -> str:
    """Return the certificates in a PEM file, as PEM.

    Raises:
        StartError: It cannot be read, others may write it, or it holds none; with what to do about it.
    """
    pem = _read(path)
    if len(pem) > MAX_BYTES:
        raise _unfit(path, "holds too many certificates", "name the one authority that issued the server's certificate")
    try:
        return parse_authorities(pem)
    except ValueError as error:
        hint = "it is to hold one certificate or several in PEM form, -----BEGIN CERTIFICATE-----"
        raise _unfit(path, "holds no certificate", hint) from error


def parse_authorities(pem: bytes) -> str:
    """Return the certificates in a PEM text, as PEM and without anything else.

    Raises:
        ValueError: There is none, or one is damaged.
    """
    found = x509.load_pem_x509_certificates(pem)
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in found)


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        said = f"cannot be read: {(error.strerror or 'error').lower()}"
        raise _unfit(path, said, "name one that this user may read") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _unfit(path, "is no regular file", "name a file with certificates in PEM form")
        if status.st_mode & 0o022 or status.st_uid not in {os.geteuid(), 0}:
            hint = (
                f"who writes it says which server gets the token: chmod 644 {path}, or chown it to uid {os.geteuid()}"
            )
            raise _unfit(path, "can be changed by others", hint)
        return file.read(MAX_BYTES + 1)


def _unfit(path: Path, said: str, hint: str) -> StartError:
    return StartError(f"authority file {path} {said}", hint=hint, exit_code=ExitCode.CONFIGURATION)
