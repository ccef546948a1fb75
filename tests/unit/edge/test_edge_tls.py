"""The listener's TLS context."""

import socket
import ssl
import threading
import tomllib

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from nbgate.edge.tls import ALPN, make_context
from nbgate.model.keys import TlsMaterial
from nbgate.resources import data_path

AUTHORITY = trustme.CA()
ISSUED = AUTHORITY.issue_cert("gw.test")
CHAIN = b"".join(blob.bytes() for blob in ISSUED.cert_chain_pems)
KEY = ISSUED.private_key_pem.bytes()


def material(**changes):
    return TlsMaterial(**{"chain_pem": CHAIN, "key_pem": KEY, **changes})


def shake(context, *, maximum=None, alpn=("h2", "http/1.1"), ciphers=None):
    """Return (version, protocol, cipher) of a handshake, or raise what the client saw."""
    client = ssl.create_default_context()
    AUTHORITY.configure_trust(client)
    client.set_alpn_protocols(list(alpn))
    if maximum:
        client.maximum_version = maximum
    if ciphers:
        client.set_ciphers(ciphers)
    ours, theirs = socket.socketpair()

    def serve():
        try:
            with context.wrap_socket(theirs, server_side=True) as sock:
                sock.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname="gw.test") as sock:
            return sock.version(), sock.selected_alpn_protocol(), sock.cipher()[0]
    finally:
        ours.close()
        thread.join(5)


def test_the_listener_uses_the_shipped_profile():
    profile = tomllib.loads(data_path("certs", "profiles", "intermediate.toml").read_text(encoding="utf-8"))
    context = make_context(material())
    assert [row["value"] for row in profile["alpn"]] == ALPN
    wanted = {f"OP_{row['value']}" for row in profile["options"]}
    assert wanted == {name for name in wanted if context.options & getattr(ssl, name)}
    assert f"TLSv{profile['minimum']['value'].replace('.', '_')}" == context.minimum_version.name


def test_a_handshake_speaks_http_1_only():
    version, protocol, _ = shake(make_context(material()))
    assert ("TLSv1.3", "http/1.1") == (version, protocol)
    assert None is shake(make_context(material()), alpn=("h2",))[1]


@pytest.mark.parametrize(
    ("minimum", "maximum", "version"),
    [
        ("1.2", ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        ("1.2", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
        ("1.3", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
    ],
)
def test_the_minimum_version_holds(minimum, maximum, version):
    assert version == shake(make_context(material(minimum=minimum)), maximum=maximum)[0]


def test_below_the_minimum_there_is_no_handshake():
    with pytest.raises(OSError, match=r"(?i)version|reset|eof|alert"):
        shake(make_context(material(minimum="1.3")), maximum=ssl.TLSVersion.TLSv1_2)


def test_ciphers_are_those_of_the_profile():
    context = make_context(material(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"))
    assert shake(context, maximum=ssl.TLSVersion.TLSv1_2)[2].endswith("AES256-GCM-SHA384")
    with pytest.raises(OSError, match=r"(?i)handshake|reset|eof|alert"):
        shake(context, maximum=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE+AES128")


def test_renegotiation_and_compression_are_off():
    options = make_context(material()).options
    assert ssl.OP_NO_RENEGOTIATION & options
    assert ssl.OP_NO_COMPRESSION & options


def encrypted_key():
    key = serialization.load_pem_private_key(KEY, None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"key_pem": b""},
        {"key_pem": b"nonsense"},
        {"chain_pem": b""},
        {"key_pem": AUTHORITY.issue_cert("other.test").private_key_pem.bytes()},
        {"key_pem": encrypted_key()},
        {"ciphers": "NO-SUCH-CIPHER"},
    ],
)
def test_what_openssl_does_not_take_is_an_error_and_never_a_question(changes):
    with pytest.raises(ssl.SSLError):
        make_context(material(**changes))


def test_each_context_is_its_own():
    assert make_context(material()) is not make_context(material())
