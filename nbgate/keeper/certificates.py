"""The certificate nbgate serves with: the operator's, or one that is made, kept and renewed for who brought none.

The operator's is loaded and tested in `nbgate.keeper.pem`. Our own lies 0600 in the data folder, so that a browser that
was told once to trust it stays content.
"""

import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import structs

from nbgate.config.schema import Config
from nbgate.errors import ExitCode, StartError
from nbgate.files import make_private_folder, read_private, write_private
from nbgate.keeper.folder import prepare_folder
from nbgate.keeper.pem import load_material
from nbgate.keeper.tls_profile import PROFILE
from nbgate.keeper.trust import is_public
from nbgate.model.keys import TlsMaterial

NAME = "self-signed.pem"
LIFETIME = timedelta(days=397)  # browsers take no longer ones, even where they are trusted by hand
RENEW_BEFORE = timedelta(days=30)
_CLOCK_SLACK = timedelta(hours=1)
_ALWAYS = ("localhost", "127.0.0.1", "::1")


def load_certificate(config: Config, now: datetime | None = None, *, may_have_ended: bool = False) -> TlsMaterial:
    """Return the certificate to serve with, tested: the operator's, else our own.

    Args:
        config: Says whose, and with which TLS profile.
        now: The time by which it is judged; None for the clock's.
        may_have_ended: One whose time is over is taken too.

    Raises:
        StartError: Certificate or key cannot be used (78), or our own cannot be made (73, 77).
    """
    if config.cert:
        material = load_material(
            config.cert, config.key, profile=config.tls_profile, now=now, may_have_ended=may_have_ended
        )
        return structs.replace(material, is_public=is_public(material))
    prepare_folder(Path(config.data_dir))
    return self_signed(Path(config.data_dir), config.ip, profile=config.tls_profile, now=now)


def own_path(data_dir: Path) -> Path:
    """Return the file of our own certificate."""
    return data_dir / "tls" / NAME


def self_signed(data_dir: Path, ip: str, *, profile: str = PROFILE, now: datetime | None = None) -> TlsMaterial:
    """Return our own certificate, made or renewed where needed.

    It is renewed 30 days before its end, and when it does not name the address that is listened on.

    Raises:
        StartError: It cannot be kept (73), or what lies there is open to others (77) or cannot be used (78).
    """
    moment = now or datetime.now(UTC)
    path = own_path(data_dir)
    names = _names(ip)
    try:
        make_private_folder(path.parent)
        if not _is_good(path, names, moment):
            write_private(path, _make_pem(names, moment))
    except PermissionError as error:
        raise StartError(
            f"cannot keep the certificate: {error}",
            hint="correct its owner and mode, or remove it: a new one is made",
            exit_code=ExitCode.PERMISSION,
        ) from error
    except OSError as error:
        raise StartError(
            f"cannot keep the certificate {path}: {(error.strerror or str(error)).lower()}",
            hint="choose another folder with --data-dir, or bring a certificate with --cert",
            exit_code=ExitCode.CANNOT_CREATE,
        ) from error
    return load_material(str(path), profile=profile, now=moment)


def _names(ip: str) -> tuple[str, ...]:
    """Every name by which a browser may reach this machine as we know it."""
    own = () if ip in {"*", "localhost"} or ip_address(ip).is_unspecified else (ip,)
    return tuple(dict.fromkeys((*_ALWAYS, _hostname(), *own)))


def _hostname() -> str:
    """The machine's name, if it is one that a certificate can hold."""
    name = socket.gethostname()
    plain = name.isascii() and name.replace("-", "").replace(".", "").isalnum()
    return name if plain else "localhost"


def _is_good(path: Path, names: tuple[str, ...], now: datetime) -> bool:
    """False as well for what is not there, or cannot be read as a certificate: it is ours to replace."""
    try:
        certificate = x509.load_pem_x509_certificate(read_private(path))
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return certificate.not_valid_after_utc - now > RENEW_BEFORE and {*map(_general_name, names)} <= {*alternative}


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name)


def _make_pem(names: tuple[str, ...], now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nbgate")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now - _CLOCK_SLACK + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM) + private
