"""Make the listener's TLS context of key material that the keeper has tested.

The worker may read no file of ours: the PEM bytes are loaded from an anonymous memory file (works under Landlock).
A context is made fresh for each policy; loading a wrong pair into a live one breaks the listener (THREATS fact 11).
"""

import os
import ssl

from nbgate.model.keys import TlsMaterial

ALPN = ["http/1.1"]  # this and the options below: `certs/profiles/intermediate.toml` says why


def make_context(material: TlsMaterial) -> ssl.SSLContext:
    """Return a server context for `material`.

    Raises:
        ssl.SSLError: OpenSSL does not take the pair, although the keeper's own test passed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if material.minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if material.ciphers:
        context.set_ciphers(material.ciphers)
    context.set_alpn_protocols(ALPN)
    _load(context, material)
    return context


def _load(context: ssl.SSLContext, material: TlsMaterial) -> None:
    fd = os.memfd_create("nbgate-tls", os.MFD_CLOEXEC)
    try:
        os.write(fd, material.key_pem + b"\n" + material.chain_pem)
        # An empty password: an encrypted key must fail here, never ask on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{fd}", password="")
    finally:
        os.close(fd)
