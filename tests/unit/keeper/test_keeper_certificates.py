"""The certificate of those who brought none: made once, kept private, renewed in time."""

import errno
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509

from nbgate.config.schema import Config
from nbgate.errors import ExitCode, StartError
from nbgate.keeper import certificates
from nbgate.keeper.certificates import LIFETIME, RENEW_BEFORE, load_certificate, own_path, self_signed
from nbgate.model.keys import TlsMaterial

NOW = datetime.now(UTC)


@pytest.fixture
def data_dir(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


def names(material) -> list[str]:
    certificate = x509.load_pem_x509_certificate(material.chain_pem)
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in alternative]


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("127.0.0.1", ["localhost", "127.0.0.1", "::1", "box"]),
        ("*", ["localhost", "127.0.0.1", "::1", "box"]),
        ("localhost", ["localhost", "127.0.0.1", "::1", "box"]),
        ("0.0.0.0", ["localhost", "127.0.0.1", "::1", "box"]),
        ("::", ["localhost", "127.0.0.1", "::1", "box"]),
        ("192.0.2.7", ["localhost", "127.0.0.1", "::1", "box", "192.0.2.7"]),
        ("fe80::1%eth0", ["localhost", "127.0.0.1", "::1", "box", "fe80::1"]),
    ],
)
def test_it_names_this_machine_and_the_address_that_is_listened_on(data_dir, monkeypatch, ip, expected):
    monkeypatch.setattr(certificates.socket, "gethostname", lambda: "box")
    material = self_signed(data_dir, ip)

    assert expected == names(material)


@pytest.mark.parametrize("hostname", ["höst", "my_box", "", "a b"])
def test_a_machine_whose_name_no_certificate_can_hold_is_localhost(data_dir, monkeypatch, hostname):
    monkeypatch.setattr(certificates.socket, "gethostname", lambda: hostname)
    material = self_signed(data_dir, "*")

    assert ["localhost", "127.0.0.1", "::1"] == names(material)


def test_it_is_kept_private_and_stays_the_same(data_dir):
    first = self_signed(data_dir, "127.0.0.1")
    second = self_signed(data_dir, "*")
    path = data_dir / "tls" / "self-signed.pem"

    assert first == second
    assert [0o600, 0o700] == [path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777]
    assert ["self-signed.pem"] == [file.name for file in path.parent.iterdir()]


@pytest.mark.parametrize(
    ("after", "is_kept"),
    [
        (timedelta(), True),
        (LIFETIME - RENEW_BEFORE - timedelta(hours=2), True),
        (LIFETIME - RENEW_BEFORE, False),
        (LIFETIME + timedelta(days=1), False),
    ],
)
def test_it_is_renewed_thirty_days_before_its_end(data_dir, after, is_kept):
    first = self_signed(data_dir, "127.0.0.1", now=NOW)
    second = self_signed(data_dir, "127.0.0.1", now=NOW + after)

    assert is_kept == (first == second)


def test_another_address_needs_another_certificate(data_dir):
    first = self_signed(data_dir, "127.0.0.1")
    second = self_signed(data_dir, "192.0.2.7")

    assert first != second


@pytest.mark.parametrize("content", [b"", b"junk"])
def test_one_that_cannot_be_read_is_replaced(data_dir, content):
    self_signed(data_dir, "127.0.0.1")
    (data_dir / "tls" / "self-signed.pem").write_bytes(content)
    material = self_signed(data_dir, "127.0.0.1")

    assert "localhost" in names(material)


def test_one_without_names_is_replaced(data_dir, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(x509.CertificateBuilder, "add_extension", lambda builder, *_, **__: builder)
        self_signed(data_dir, "127.0.0.1")
    material = self_signed(data_dir, "127.0.0.1")

    assert "localhost" in names(material)


def full(path, data):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_in_which_it_cannot_be_kept_is_an_error_that_names_another_way(data_dir, monkeypatch):
    monkeypatch.setattr(certificates, "write_private", full)
    with pytest.raises(StartError, match=r"cannot keep the certificate .*: no space left on device") as caught:
        self_signed(data_dir, "127.0.0.1")

    assert ExitCode.CANNOT_CREATE == caught.value.exit_code
    assert "--data-dir" in caught.value.hint


def test_what_is_no_folder_of_ours_is_not_used(data_dir):
    (data_dir / "tls").write_text("a file")
    with pytest.raises(StartError, match="cannot keep the certificate") as caught:
        self_signed(data_dir, "127.0.0.1")

    assert ExitCode.PERMISSION == caught.value.exit_code


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.chmod(0o644), "is open to other users: chmod 600"),
        (lambda path: path.chmod(0o640), "is open to other users: chmod 600"),
        (lambda path: path.parent.chmod(0o755), "is open to other users: chmod 700"),
    ],
)
def test_one_that_others_could_read_is_not_used_any_more(data_dir, spoil, said):
    self_signed(data_dir, "127.0.0.1")
    spoil(own_path(data_dir))
    with pytest.raises(StartError, match=said) as caught:
        self_signed(data_dir, "127.0.0.1")

    assert ExitCode.PERMISSION == caught.value.exit_code
    assert caught.value.hint


def test_one_behind_a_link_is_not_ours(data_dir, tmp_path):
    self_signed(data_dir, "127.0.0.1")
    own_path(data_dir).rename(data_dir / "elsewhere.pem")
    own_path(data_dir).symlink_to(data_dir / "elsewhere.pem")
    with pytest.raises(StartError, match="cannot keep the certificate"):
        self_signed(data_dir, "127.0.0.1")


@pytest.mark.parametrize(("profile", "minimum"), [("intermediate", "1.2"), ("modern", "1.3")])
def test_the_profile_goes_with_either_certificate(data_dir, pem, profile, minimum):
    ours = load_certificate(Config(data_dir=str(data_dir), tls_profile=profile))
    theirs = load_certificate(Config(data_dir=str(data_dir), cert=str(pem), tls_profile=profile))

    assert [minimum, minimum] == [ours.minimum, theirs.minimum]
    assert not ours.is_public


@pytest.mark.parametrize("answer", [False, True])
def test_whether_browsers_everywhere_trust_it_is_found_out(data_dir, pem, monkeypatch, answer):
    asked = []
    monkeypatch.setattr(certificates, "is_public", lambda material: asked.append(material) or answer)
    material = load_certificate(Config(data_dir=str(data_dir), cert=str(pem)))

    assert answer == material.is_public
    assert [TlsMaterial] == [type(one) for one in asked]


@pytest.fixture
def pem(data_dir):
    path = data_dir / "gw.pem"
    path.touch(mode=0o600)
    trustme.CA().issue_cert("gw.test").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path
