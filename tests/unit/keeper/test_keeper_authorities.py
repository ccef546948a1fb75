import os

import pytest
import trustme

from nbgate.errors import ExitCode, StartError
from nbgate.keeper.authorities import MAX_BYTES, load_authorities, parse_authorities


@pytest.fixture
def pem():
    return trustme.CA().cert_pem.bytes()


def write(tmp_path, content):
    path = tmp_path / "ca.pem"
    path.touch(mode=0o644)
    path.write_bytes(content)
    return path


def test_certificates_are_read(tmp_path, pem):
    assert pem.decode() == load_authorities(write(tmp_path, pem))
    assert 2 == load_authorities(write(tmp_path, pem + b"a word\n" + trustme.CA().cert_pem.bytes())).count("BEGIN CERT")


def test_a_private_key_beside_them_stays_where_it_is(tmp_path, pem):
    key = trustme.CA().private_key_pem.bytes()

    assert pem.decode() == load_authorities(write(tmp_path, key + pem))
    assert "PRIVATE" not in parse_authorities(pem + key)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
        (b"\xff" * 40, "holds no certificate"),
        (b"x" * (MAX_BYTES + 1), "holds too many certificates"),
    ],
)
def test_what_holds_no_authority_is_refused(tmp_path, content, said):
    path = write(tmp_path, content)
    with pytest.raises(StartError) as caught:
        load_authorities(path)

    assert f"authority file {path} {said}" == caught.value.public
    assert caught.value.hint
    assert ExitCode.CONFIGURATION == caught.value.exit_code


def test_a_file_that_others_may_write_is_refused(tmp_path, pem):
    path = write(tmp_path, pem)
    path.chmod(0o664)
    with pytest.raises(StartError, match="can be changed by others") as caught:
        load_authorities(path)

    assert f"chmod 644 {path}" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "said"), [("missing", "cannot be read: no such file"), ("pipe", "is no regular file")]
)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, name, said):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StartError, match=said):
        load_authorities(tmp_path / name)
