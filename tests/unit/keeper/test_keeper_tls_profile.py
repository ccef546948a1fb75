"""The TLS profiles that are installed with the program."""

import ssl

import pytest

from nbgate.keeper.tls_profile import TlsProfile, load_profile

GROUPS = "X25519MLKEM768:X25519:P-256:P-384"


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("intermediate", TlsProfile("1.2", "ECDHE+AESGCM:ECDHE+CHACHA20", GROUPS)),
        ("modern", TlsProfile("1.3", "", GROUPS)),
    ],
)
def test_a_profile_is_what_its_file_says(name, profile):
    assert profile == load_profile(name)


def test_the_ciphers_are_ones_that_openssl_knows():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(load_profile().ciphers)
    assert context.get_ciphers()
