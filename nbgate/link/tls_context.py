"""Make a server's TLS context of key material, the same one where the keeper tries a pair and where a worker uses it.

The PEM bytes are loaded from an anonymous memory file: a worker may read no file of ours (works under Landlock). A
context is made fresh each time; loading a wrong pair into a live one breaks the listener (THREATS fact 11). Nothing is
judged here but by OpenSSL.
"""

import os
import ssl
from typing import Any

from nbgate.model.keys import TlsMaterial

ALPN = ["http/1.1"]  # this and the options below: `certs/profiles/*.toml` say why


def server_context(material: TlsMaterial) -> ssl.SSLContext:
    """Return a server context for `material`.

    Raises:
        ssl.SSLError: OpenSSL does not take the pair or the profile.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if material.minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if material.ciphers:
        context.set_ciphers(material.ciphers)
    if material.groups and hasattr(context, "set_groups"):
        set_groups(context, material.groups)
    context.set_alpn_protocols(ALPN)
    _load(context, material)
    return context


def set_groups(context: Any, groups: str) -> None:
    """Offer `groups`, the newest first; those at the front that this OpenSSL does not know are left out.

    Python has it since 3.15. Before, `set_ecdh_curve` could set one alone and would shut out whoever lacks that one, so
    OpenSSL's own list holds: all of its groups are forward secret too.

    Raises:
        ssl.SSLError: OpenSSL knows none of them.
    """
    while True:
        try:
            context.set_groups(groups)
        except ssl.SSLError:
            _, _, groups = groups.partition(":")
            if not groups:
                raise
        else:
            return


def _load(context: ssl.SSLContext, material: TlsMaterial) -> None:
    fd = os.memfd_create("nbgate-tls", os.MFD_CLOEXEC)
    try:
        os.write(fd, material.key_pem + b"\n" + material.chain_pem)
        # An empty password: an encrypted key must fail here, never ask on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{fd}", password="")
    finally:
        os.close(fd)
