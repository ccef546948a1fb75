"""Load the certificate and its key, and find out here, with one clear line, what OpenSSL would only fail at later.

The pair is tried in a handshake in memory before any worker gets it. A key that others may read is refused, not
repaired: it may have been read. Nothing of a key is ever part of a message.
"""

import os
import re
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from nbgate.errors import ExitCode, StartError
from nbgate.files import require_safe_parent
from nbgate.keeper.tls_profile import PROFILE, load_profile
from nbgate.link.tls_context import server_context
from nbgate.model.keys import TlsMaterial

MIN_RSA_BITS = 2048
MAX_FILE_BYTES = 1 << 20
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(?:(?!-----).)*-----END \1-----", re.DOTALL)
_ENCRYPTED = re.compile(rb"BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED")
_KEY_TYPES = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)
_MAKE_ONE = (
    "make one: openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost -keyout {0} -out {0}, "
    "or leave --cert away and nbgate makes one itself"
)


def load_material(
    cert: str,
    key: str = "",
    *,
    profile: str = PROFILE,
    now: datetime | None = None,
    may_have_ended: bool = False,
) -> TlsMaterial:
    """Return the chain and the key, tested.

    Args:
        cert: PEM file with the certificate first, then its chain; also with the key unless `key` is given.
        key: PEM file with the key.
        profile: The TLS profile to use it with.
        now: The time by which the certificate is judged; None for the clock's.
        may_have_ended: Take one whose time is over too.

    Raises:
        StartError: Something is wrong with one of the files (78).
    """
    chain_pem, found = _read(Path(cert), "certificate")
    key_path = Path(key or cert)
    key_pem, found = _read(key_path, "key") if key else (chain_pem, found)
    chain = _load_chain(cert, chain_pem)
    private = _load_key(key_path, key_pem)
    _require_private(key_path, found)
    _require_match(cert, str(key_path), chain, private)
    _require_strong(cert, chain[0].public_key())
    _require_in_force(cert, chain[0], now or datetime.now(UTC), may_have_ended=may_have_ended)
    rules = load_profile(profile)
    material = TlsMaterial(
        chain_pem=b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain),
        key_pem=b"\n".join(_key_blocks(key_pem)) + b"\n",
        minimum=rules.minimum,
        ciphers=rules.ciphers,
        groups=rules.groups,
    )
    try_handshake(material, cert)
    return material


def fingerprint(material: TlsMaterial) -> str:
    """Return the certificate's SHA-256 as browsers show it, for example `A1:B2:...`."""
    return x509.load_pem_x509_certificate(material.chain_pem).fingerprint(SHA256()).hex(":").upper()


def _read(path: Path, what: str) -> tuple[bytes, os.stat_result]:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _error(f"the {what} {path} is no regular file", f"give the path of a file with {_FLAGS[what]}")
            return file.read(MAX_FILE_BYTES), found
    except FileNotFoundError:
        raise _error(f"the {what} {path} does not exist", f"give its path with {_FLAGS[what]}") from None
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise _error(
            f"the {what} {path} cannot be read: {said}", "it must be readable for the user that runs nbgate"
        ) from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe to which nobody writes would be waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


_FLAGS = {"certificate": "--cert, or leave it away and nbgate makes one itself", "key": "--key"}


def _load_chain(cert: str, pem: bytes) -> list[x509.Certificate]:
    blocks = [block[0] for block in _BLOCK.finditer(pem) if block[1] == b"CERTIFICATE"]
    if not blocks:
        raise _error(
            f"{cert} holds no certificate in PEM form",
            f"a DER file is converted by: openssl x509 -inform der -in {cert} -out {cert}.pem",
        )
    try:
        return x509.load_pem_x509_certificates(b"\n".join(blocks))
    except ValueError as error:
        raise _error(f"a certificate in {cert} is damaged", "copy the file anew from where it was made") from error


def _key_blocks(pem: bytes) -> list[bytes]:
    return [block[0] for block in _BLOCK.finditer(pem) if block[1].endswith(b"PRIVATE KEY")]


def _load_key(path: Path, pem: bytes) -> PrivateKeyTypes:
    blocks = _key_blocks(pem)
    if not blocks:
        raise _error(
            f"{path} holds no private key", "give the key's own file with --key, or put key and certificate in one file"
        )
    if len(blocks) > 1:
        raise _error(f"{path} holds {len(blocks)} private keys", "leave only the one that belongs to the certificate")
    if _ENCRYPTED.search(blocks[0]):
        raise _error(
            f"the key in {path} is encrypted, and nobody is there to type its password at a restart",
            f"decrypt it: openssl pkey -in {path} -out key.pem, then chmod 600 key.pem and --key key.pem",
        )
    try:
        private = load_pem_private_key(blocks[0], password=None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _error(f"the key in {path} is damaged", "copy the file anew from where it was made") from error
    if not isinstance(private, _KEY_TYPES):
        raise _error(
            f"the key in {path} is of a kind that browsers do not take", f"use RSA or EC; {_MAKE_ONE.format(path)}"
        )
    return private


def _require_private(path: Path, found: os.stat_result) -> None:
    """Others could use the key for ever: its group may read it (Debian's ssl-cert), nobody else anything."""
    if found.st_uid not in {os.geteuid(), 0}:
        raise _error(
            f"the key {path} belongs to another user (uid {found.st_uid})",
            f"make it yours: chown {os.geteuid()} {path}",
        )
    if stat.S_IMODE(found.st_mode) & 0o037:
        raise _error(f"the key {path} can be read or changed by other users", f"close it: chmod 600 {path}")
    try:
        require_safe_parent(path)
    except FileNotFoundError:
        raise _error(f"the key {path} was moved away while it was read", "try again when it is back") from None
    except PermissionError as error:
        raise _error(
            f"the key {path} lies in a folder in which everybody may replace it",
            f"close it: chmod o-w {path.resolve().parent}",
        ) from error


def _require_match(cert: str, key: str, chain: list[x509.Certificate], private: PrivateKeyTypes) -> None:
    wanted = _spki(private.public_key())
    if _spki(chain[0].public_key()) == wanted:
        return
    if any(_spki(certificate.public_key()) == wanted for certificate in chain[1:]):
        raise _error(f"the certificate of the key is not the first one in {cert}", "put it first, its issuer after it")
    raise _error(
        f"the key in {key} does not belong to the certificate in {cert}",
        f"these two must print the same: openssl x509 -in {cert} -noout -pubkey; openssl pkey -in {key} -pubout",
    )


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _require_strong(cert: str, key: PublicKeyTypes) -> None:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise _error(
            f"the key of {cert} has {key.key_size} bits; less than {MIN_RSA_BITS} can be broken and are refused",
            _MAKE_ONE.format(cert),
        )
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < 256:
        raise _error(f"the key of {cert} has {key.curve.key_size} bits", "use the curve prime256v1")


def _require_in_force(cert: str, leaf: x509.Certificate, now: datetime, *, may_have_ended: bool) -> None:
    if leaf.not_valid_after_utc <= now and not may_have_ended:
        raise _error(
            f"the certificate {cert} ended on {leaf.not_valid_after_utc:%Y-%m-%d}",
            "renew it, or leave --cert away and nbgate makes one itself",
        )
    if leaf.not_valid_before_utc > now:
        raise _error(
            f"the certificate {cert} begins only on {leaf.not_valid_before_utc:%Y-%m-%d}",
            "is the clock of this machine right?",
        )


def try_handshake(material: TlsMaterial, name: str) -> None:
    """Use the pair once, as a listener would, with a client in memory.

    Raises:
        StartError: OpenSSL refuses it (78).
    """
    try:
        _shake_hands(material)
    except ssl.SSLError as error:
        said = str(getattr(error, "reason", "") or error.args[-1]).lower().replace("_", " ").rstrip(".")
        raise _error(f"OpenSSL cannot serve with {name}: {said}", _MAKE_ONE.format(name)) from error


def _shake_hands(material: TlsMaterial) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE  # whether a client trusts it is the client's to say
    shake_hands(server_context(material), client)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None = None) -> None:
    """Let a server and a client that asks for `name` meet in memory.

    Raises:
        ssl.SSLError: They come to no agreement.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(3):  # hello; hello and certificate; finished
        ends = [end for end in ends if not _is_done(end)]
    if ends:
        raise ssl.SSLError(ssl.SSL_ERROR_WANT_READ, "the handshake does not end")


def _is_done(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _error(text: str, hint: str) -> StartError:
    return StartError(text, hint=hint, exit_code=ExitCode.CONFIGURATION)
