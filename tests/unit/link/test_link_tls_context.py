"""The TLS context that keeper and workers make: what the profiles say is what a client meets."""

import socket
import ssl
import threading
import tomllib

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from nbgate.keeper.tls_profile import load_profile
from nbgate.link.tls_context import ALPN, server_context, set_groups
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


@pytest.mark.parametrize("name", ["intermediate", "modern"])
def test_the_context_is_what_the_shipped_profile_says(name):
    table = tomllib.loads(data_path("certs", "profiles", f"{name}.toml").read_text(encoding="utf-8"))
    rules = load_profile(name)
    context = server_context(material(minimum=rules.minimum, ciphers=rules.ciphers, groups=rules.groups))
    assert [row["value"] for row in table["alpn"]] == ALPN
    wanted = {f"OP_{row['value']}" for row in table["options"]}
    assert wanted == {name for name in wanted if context.options & getattr(ssl, name)}
    assert f"TLSv{table['minimum']['value'].replace('.', '_')}" == context.minimum_version.name


@pytest.mark.parametrize(
    ("known", "taken"),
    [("ABC", "A:B:C"), ("BC", "B:C"), ("C", "C")],
)
def test_groups_that_openssl_does_not_know_are_left_out(known, taken):
    context = GroupsOfPython315(known)
    set_groups(context, "A:B:C")
    assert taken == context.groups


def test_a_profile_of_which_openssl_knows_no_group_is_an_error():
    with pytest.raises(ssl.SSLError):
        set_groups(GroupsOfPython315("X"), "A:B:C")


class GroupsOfPython315:
    """`set_groups` as the documentation of Python 3.15 has it: all of them or an error."""

    def __init__(self, known):
        self.known = known
        self.groups = ""

    def set_groups(self, groups):
        if not {*groups.split(":")} <= {*self.known}:
            raise ssl.SSLError("unrecognized group")
        self.groups = groups


def test_groups_are_set_where_python_can(monkeypatch):
    seen = []
    monkeypatch.setattr(ssl.SSLContext, "set_groups", lambda _context, groups: seen.append(groups), raising=False)
    server_context(material(groups="X25519:P-256"))
    assert ["X25519:P-256"] == seen


def test_a_handshake_speaks_http_1_only():
    version, protocol, _ = shake(server_context(material()))
    assert ("TLSv1.3", "http/1.1") == (version, protocol)
    assert None is shake(server_context(material()), alpn=("h2",))[1]


@pytest.mark.parametrize(
    ("minimum", "maximum", "version"),
    [
        ("1.2", ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        ("1.2", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
        ("1.3", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
    ],
)
def test_the_minimum_version_holds(minimum, maximum, version):
    assert version == shake(server_context(material(minimum=minimum)), maximum=maximum)[0]


def test_below_the_minimum_there_is_no_handshake():
    with pytest.raises(OSError, match=r"(?i)version|reset|eof|alert"):
        shake(server_context(material(minimum="1.3")), maximum=ssl.TLSVersion.TLSv1_2)


def test_ciphers_are_those_of_the_profile():
    context = server_context(material(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"))
    assert shake(context, maximum=ssl.TLSVersion.TLSv1_2)[2].endswith("AES256-GCM-SHA384")
    with pytest.raises(OSError, match=r"(?i)handshake|reset|eof|alert"):
        shake(context, maximum=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE+AES128")


def test_renegotiation_and_compression_are_off():
    options = server_context(material()).options
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
        server_context(material(**changes))


def test_each_context_is_its_own():
    assert server_context(material()) is not server_context(material())
