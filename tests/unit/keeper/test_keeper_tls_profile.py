"""The TLS profile that is installed with the program."""

import shutil
import ssl

from nbgate.keeper.tls_profile import load_profile


def test_the_profile_is_one_that_openssl_knows():
    profile = load_profile()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(profile.ciphers)

    assert profile.minimum in {"1.2", "1.3"}
    assert shutil.which("openssl")
