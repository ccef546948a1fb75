"""Find out whether browsers everywhere trust a certificate: then, and only then, HTTPS can be promised for good (HSTS).

It asks what the programs of this machine trust, by a handshake in memory, and sends nothing. HSTS is for a name on all
its ports: for `localhost`, or a name of a home network, it would break the other servers there, so an authority that
was made by hand and installed on this machine is not enough.
"""

import ssl
from ipaddress import ip_address

from cryptography import x509

from nbgate.keeper.pem import shake_hands
from nbgate.link.tls_context import server_context
from nbgate.model.keys import TlsMaterial

# RFC 6761, 6762, 8375, 9476, and what home routers use; no public authority may issue for any of them.
_NOT_PUBLIC = frozenset(
    {"alt", "arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localhost", "onion", "test"}
)


def is_public(material: TlsMaterial) -> bool:
    """Say whether an authority that this machine trusts issued the certificate, for public names alone."""
    leaf = x509.load_pem_x509_certificate(material.chain_pem)
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    hosts = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    if not hosts or not all(map(_is_public_name, hosts)):
        return False
    return all(ip_address(str(address)).is_global for address in addresses) and _is_trusted(material, hosts[0])


def _is_public_name(name: str) -> bool:
    return "." in name and name.lower().rpartition(".")[2] not in _NOT_PUBLIC


def _is_trusted(material: TlsMaterial, name: str) -> bool:
    try:
        shake_hands(server_context(material), ssl.create_default_context(), name.replace("*", "any"))
    except (ssl.SSLError, ValueError):  # a name that no client could ask for is a ValueError
        return False
    return True
