"""How an upstream that speaks HTTPS proves who it is, the same where the keeper looks at it and where a worker asks it.

Believed is what was named for it and nothing else: no authority of the system, no file, which a worker may not read.
Connects nothing. Whoever connects asks `require_pin` after the handshake and before the first byte of HTTP.
"""

import hashlib
import hmac
import ssl

from nbgate.link.tls_context import ALPN
from nbgate.model.route import UpstreamTls


def client_context(tls: UpstreamTls) -> ssl.SSLContext:
    """Return a context for connections to this upstream; it may be kept and used for all of them.

    With a pin neither an authority nor a name nor a date is asked: it is this certificate or none.

    Raises:
        ssl.SSLError: `ca` holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # Python before 3.11.4 sets it, and an answer that was cut off would look whole; OpenSSL before 3 does not know it.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.set_alpn_protocols(ALPN)
    if tls.pin:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the server's own certificate may be what is believed
    context.load_verify_locations(cadata=tls.ca)
    return context


def require_pin(tls: UpstreamTls, connection: ssl.SSLObject | ssl.SSLSocket) -> None:
    """Check the certificate that was shown on a connection against the pin, where there is one.

    Raises:
        ssl.SSLCertVerificationError: It is another one.
    """
    if tls.pin and not hmac.compare_digest(pin_of(connection.getpeercert(binary_form=True) or b""), tls.pin):
        raise ssl.SSLCertVerificationError("the upstream's certificate is not the one that is pinned")


def pin_of(certificate: bytes) -> str:
    """Return the pin of a certificate (DER)."""
    return hashlib.sha256(certificate).hexdigest()
