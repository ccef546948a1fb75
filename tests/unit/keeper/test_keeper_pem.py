"""Every way in which a certificate or its key can be wrong, each with one line and a hint."""

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from nbgate.errors import ExitCode, StartError
from nbgate.keeper import pem
from nbgate.keeper.pem import fingerprint, load_material, try_handshake
from nbgate.keeper.tls_profile import load_profile
from nbgate.model.keys import TlsMaterial

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key, *, begins=NOW - DAY, ends=NOW + DAY, public_key=None) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key or key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def private(key, password: bytes = b"", form=PrivateFormat.PKCS8) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption)


def write(path, data: bytes, mode: int = 0o600) -> str:
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def refused(*arguments, **options) -> StartError:
    with pytest.raises(StartError) as caught:
        load_material(*arguments, **options)
    assert ExitCode.CONFIGURATION == caught.value.exit_code
    assert caught.value.hint
    assert "PRIVATE KEY" not in caught.value.public + caught.value.hint
    return caught.value


def test_one_file_with_both_and_two_files_give_the_same_material(tmp_path, ec_key):
    both = write(tmp_path / "both.pem", private(ec_key) + certificate(ec_key))
    cert = write(tmp_path / "cert.pem", (tmp_path / "both.pem").read_bytes()[len(private(ec_key)) :], 0o644)
    key = write(tmp_path / "key.pem", private(ec_key), 0o640)

    assert load_material(both) == load_material(cert, key)
    assert private(ec_key) == load_material(both).key_pem
    profile = load_profile()
    assert (profile.minimum, profile.ciphers) == (load_material(both).minimum, load_material(both).ciphers)


def test_the_fingerprint_is_what_openssl_prints(tmp_path, ec_key):
    path = write(tmp_path / "both.pem", private(ec_key) + certificate(ec_key))
    printed = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"], capture_output=True, text=True
    )

    assert printed.stdout.strip().partition("=")[2] == fingerprint(load_material(path))


def test_a_chain_is_kept_in_order(tmp_path):
    authority = trustme.CA()
    child = authority.create_child_ca()
    issued = child.issue_cert("localhost")
    path = write(tmp_path / "chain.pem", issued.private_key_and_cert_chain_pem.bytes())

    assert 2 == load_material(path).chain_pem.count(b"BEGIN CERTIFICATE")


def test_openssl_output_with_its_comments_and_parameters_is_understood(tmp_path):
    script = (
        "openssl ecparam -name prime256v1 -genkey -out key.pem && "
        "openssl req -x509 -key key.pem -days 1 -subj /CN=localhost -text -out cert.pem"
    )
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "key.pem").chmod(0o600)

    assert load_material(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")).chain_pem.startswith(b"-----BEGIN")


def test_an_rsa_key_in_the_old_form_is_good(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    path = write(tmp_path / "rsa.pem", private(key, form=PrivateFormat.TraditionalOpenSSL) + certificate(key))

    assert load_material(path).key_pem.startswith(b"-----BEGIN RSA PRIVATE KEY")


def test_a_missing_certificate_and_a_missing_key_are_named(tmp_path, ec_key):
    cert = write(tmp_path / "cert.pem", certificate(ec_key))

    error = refused(str(tmp_path / "none.pem"))
    assert f"the certificate {tmp_path}/none.pem does not exist" == error.public
    assert "--cert" in error.hint
    error = refused(cert, str(tmp_path / "none.pem"))
    assert f"the key {tmp_path}/none.pem does not exist" == error.public
    assert "--key" in error.hint


def test_what_cannot_be_read_says_why(tmp_path):
    assert f"the certificate {tmp_path} cannot be read: is a directory" == refused(str(tmp_path)).public


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, ec_key):
    pipe = tmp_path / "pipe.pem"
    os.mkfifo(pipe, 0o600)
    cert = write(tmp_path / "cert.pem", certificate(ec_key))
    assert f"the certificate {pipe} is no regular file" == refused(str(pipe)).public
    assert f"the key {pipe} is no regular file" == refused(cert, str(pipe)).public


def test_a_wrong_file_does_not_keep_the_keeper_busy(tmp_path):
    """Its gateway would stand still: with a search for each end from each beginning this takes minutes."""
    many = write(tmp_path / "many.pem", b"-----BEGIN CERTIFICATE-----\n" * 35_000)
    began = time.process_time()
    assert "holds no certificate" in refused(many).public
    assert time.process_time() - began < 5


@pytest.mark.parametrize("content", [b"", b"junk", b"\x30\x82\x01\x0a"])
def test_a_file_without_a_certificate_says_how_to_convert_one(tmp_path, content):
    path = write(tmp_path / "cert.der", content)
    error = refused(path)

    assert f"{path} holds no certificate in PEM form" == error.public
    assert "openssl x509 -inform der" in error.hint


def test_a_damaged_certificate_is_said_to_be_damaged(tmp_path, ec_key):
    damaged = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    path = write(tmp_path / "cert.pem", damaged + private(ec_key))

    assert f"a certificate in {path} is damaged" == refused(path).public


def test_a_certificate_without_a_key_says_where_to_give_it(tmp_path, ec_key):
    path = write(tmp_path / "cert.pem", certificate(ec_key))
    error = refused(path)

    assert f"{path} holds no private key" == error.public
    assert "--key" in error.hint


def test_two_keys_are_one_too_many(tmp_path, ec_key):
    path = write(tmp_path / "cert.pem", certificate(ec_key) + private(ec_key) * 2)

    assert f"{path} holds 2 private keys" == refused(path).public


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_says_how_to_decrypt_it(tmp_path, ec_key, form):
    path = write(tmp_path / "cert.pem", certificate(ec_key) + private(ec_key, b"password", form))
    error = refused(path)

    assert error.public.startswith(f"the key in {path} is encrypted")
    assert f"openssl pkey -in {path}" in error.hint


def test_a_damaged_key_is_said_to_be_damaged(tmp_path, ec_key):
    broken = b"-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"
    path = write(tmp_path / "cert.pem", certificate(ec_key) + broken)

    assert f"the key in {path} is damaged" == refused(path).public


@pytest.mark.parametrize("make", [ed25519.Ed25519PrivateKey.generate, lambda: dsa.generate_private_key(1024)])
def test_a_kind_of_key_that_browsers_do_not_take_is_refused(tmp_path, ec_key, make):
    key = make()
    path = write(tmp_path / "cert.pem", certificate(ec_key, public_key=key.public_key()) + private(key))

    assert f"the key in {path} is of a kind that browsers do not take" == refused(path).public


def test_a_key_of_another_certificate_is_refused_with_the_command_that_shows_it(tmp_path, ec_key):
    cert = write(tmp_path / "cert.pem", certificate(ec_key))
    key = write(tmp_path / "key.pem", private(ec.generate_private_key(ec.SECP256R1())))
    error = refused(cert, key)

    assert f"the key in {key} does not belong to the certificate in {cert}" == error.public
    assert f"openssl pkey -in {key} -pubout" in error.hint


def test_a_chain_in_the_wrong_order_is_said_to_be(tmp_path, ec_key):
    other = ec.generate_private_key(ec.SECP256R1())
    path = write(tmp_path / "cert.pem", private(ec_key) + certificate(other) + certificate(ec_key))
    error = refused(path)

    assert f"the certificate of the key is not the first one in {path}" == error.public
    assert "put it first, its issuer after it" == error.hint


def test_a_1024_bit_key_is_refused_with_the_command_that_makes_a_longer_one(tmp_path):
    key = rsa.generate_private_key(65537, 1024)
    path = write(tmp_path / "mycert.pem", private(key) + certificate(key))
    error = refused(path)

    assert f"the key of {path} has 1024 bits; less than 2048 can be broken and are refused" == error.public
    assert "openssl req -x509 -newkey rsa:2048 -nodes" in error.hint


def test_the_command_of_the_hint_makes_a_certificate_that_is_taken(tmp_path):
    key = rsa.generate_private_key(65537, 1024)
    path = write(tmp_path / "mycert.pem", private(key) + certificate(key))
    command = refused(path).hint.removeprefix("make one: ").partition(", or")[0]
    (tmp_path / "mycert.pem").unlink()
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)

    assert b"RSA" not in load_material(path).chain_pem


def test_a_short_curve_is_refused(tmp_path):
    key = ec.generate_private_key(ec.SECP224R1())
    path = write(tmp_path / "cert.pem", private(key) + certificate(key))

    assert f"the key of {path} has 224 bits" == refused(path).public


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o610, 0o644, 0o666, 0o777])
def test_a_key_that_others_may_read_or_change_is_refused_with_the_command_that_closes_it(tmp_path, ec_key, mode):
    path = write(tmp_path / "cert.pem", private(ec_key) + certificate(ec_key), mode)
    error = refused(path)

    assert f"the key {path} can be read or changed by other users" == error.public
    assert f"close it: chmod 600 {path}" == error.hint


def test_the_mode_that_counts_is_that_of_what_a_link_points_to(tmp_path, ec_key):
    path = write(tmp_path / "real.pem", private(ec_key) + certificate(ec_key))
    link = tmp_path / "link.pem"
    link.symlink_to(path)

    assert load_material(path) == load_material(str(link))
    (tmp_path / "real.pem").chmod(0o644)
    assert "can be read or changed" in refused(str(link)).public


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(tmp_path, ec_key):
    path = write(tmp_path / "cert.pem", private(ec_key) + certificate(ec_key))
    os.chown(path, 65534, 65534)

    assert f"the key {path} belongs to another user (uid 65534)" == refused(path).public


def test_a_key_in_a_folder_where_everybody_may_replace_it_is_refused(tmp_path, ec_key):
    folder = tmp_path / "open"
    folder.mkdir()
    path = write(folder / "cert.pem", private(ec_key) + certificate(ec_key))
    folder.chmod(0o777)
    assert "in which everybody may replace it" in refused(path).public
    folder.chmod(0o1777)
    load_material(path)


def test_a_folder_that_is_gone_when_it_is_judged_is_no_fault_of_ours(tmp_path, ec_key, monkeypatch):
    """Kubernetes puts new files into a new folder and removes the old one; the watch looks again."""
    path = write(tmp_path / "cert.pem", private(ec_key) + certificate(ec_key))
    monkeypatch.setattr(pem, "require_safe_parent", lambda key: key.with_name("gone").stat())
    assert "was moved away while it was read" in refused(path).public


@pytest.mark.parametrize(
    ("begins", "ends", "text"),
    [
        (NOW - 3 * DAY, NOW - DAY, f"ended on {NOW - DAY:%Y-%m-%d}"),
        (NOW + DAY, NOW + 3 * DAY, f"begins only on {NOW + DAY:%Y-%m-%d}"),
    ],
)
def test_a_certificate_is_good_only_in_its_time(tmp_path, ec_key, begins, ends, text):
    path = write(tmp_path / "cert.pem", private(ec_key) + certificate(ec_key, begins=begins, ends=ends))

    assert f"the certificate {path} {text}" == refused(path).public
    load_material(path, now=begins + DAY)


def test_a_gateway_that_serves_goes_on_with_a_certificate_that_ended_but_with_none_that_has_not_begun(tmp_path, ec_key):
    path = write(tmp_path / "cert.pem", private(ec_key) + certificate(ec_key, begins=NOW - DAY, ends=NOW + DAY))
    load_material(path, now=NOW + 2 * DAY, may_have_ended=True)
    with pytest.raises(StartError, match="begins only on"):
        load_material(path, now=NOW - 2 * DAY, may_have_ended=True)


def test_what_only_openssl_refuses_is_told_in_its_words(tmp_path, ec_key):
    weak = rsa.generate_private_key(65537, 1024)
    path = write(tmp_path / "cert.pem", private(ec_key) + certificate(ec_key) + certificate(weak))
    error = refused(path)

    assert f"OpenSSL cannot serve with {path}: ca key too small" == error.public


def test_a_pair_that_no_client_can_agree_on_is_refused(ec_key):
    material = TlsMaterial(
        chain_pem=certificate(ec_key), key_pem=private(ec_key), minimum="1.3", ciphers="ECDHE+AESGCM"
    )
    try_handshake(material, "good.pem")
    with pytest.raises(StartError, match=r"OpenSSL cannot serve with none\.pem: no cipher can be selected$"):
        try_handshake(TlsMaterial(chain_pem=material.chain_pem, key_pem=material.key_pem, ciphers="NONE"), "none.pem")


def test_a_handshake_that_does_not_end_is_a_failure(ec_key, monkeypatch):
    monkeypatch.setattr("nbgate.keeper.pem._is_done", lambda end: False)
    material = TlsMaterial(chain_pem=certificate(ec_key), key_pem=private(ec_key))
    with pytest.raises(StartError, match="the handshake does not end"):
        try_handshake(material, "x.pem")
