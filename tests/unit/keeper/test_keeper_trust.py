"""When HTTPS can be promised for good: an authority that this machine trusts, and public names alone."""

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nbgate.keeper.certificates import self_signed
from nbgate.keeper.trust import is_public
from nbgate.model.keys import TlsMaterial

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


def issued(*names, authority=AUTHORITY, **options):
    made = authority.issue_cert(*names, **options)
    return TlsMaterial(
        chain_pem=b"".join(blob.bytes() for blob in made.cert_chain_pems), key_pem=made.private_key_pem.bytes()
    )


@pytest.fixture(autouse=True)
def trusted(tmp_path, monkeypatch):
    """A machine that trusts `AUTHORITY` and nobody else."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("jupyter.example.org",), True),
        (("*.example.org",), True),
        (("jupyter.example.org", "www.example.org"), True),
        (("jupyter.example.org", "8.8.8.8"), True),
        (("jupyter.example.org", "192.168.1.4"), False),
        (("jupyter.example.org", "localhost"), False),
        (("box",), False),
        (("box.local",), False),
        (("box.home.arpa",), False),
        (("gw.example.test",), False),
        (("nas.LAN",), False),
        (("8.8.8.8",), False),
    ],
)
def test_the_names_decide_although_the_authority_is_trusted(names, expected):
    assert expected == is_public(issued(*names))


def test_a_chain_of_a_trusted_authority_is_followed():
    assert is_public(issued("jupyter.example.org", authority=AUTHORITY.create_child_ca()))


def test_a_certificate_of_nobody_known_is_not_public():
    assert not is_public(issued("jupyter.example.org", authority=STRANGER))


def test_a_certificate_that_has_ended_is_not_public():
    assert not is_public(issued("jupyter.example.org", not_after=datetime.now(UTC) - timedelta(days=1)))


def test_a_chain_without_its_middle_is_not_public():
    whole = issued("jupyter.example.org", authority=AUTHORITY.create_child_ca())
    leaf = whole.chain_pem[: whole.chain_pem.index(b"-----END") + 26]
    assert not is_public(TlsMaterial(chain_pem=leaf, key_pem=whole.key_pem))


def test_our_own_is_not_public(tmp_path):
    assert not is_public(self_signed(tmp_path, "*"))


def test_one_without_names_is_not_public(tmp_path):
    from test_keeper_pem import certificate, ec

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert not is_public(TlsMaterial(chain_pem=certificate(key), key_pem=private))
