"""Whom an upstream's certificate convinces: the authority that was named for it, or the pin, and nothing else."""

import contextlib
import ssl
from datetime import UTC, datetime

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from nbgate.link.upstream_tls import client_context, pin_of, require_pin
from nbgate.model.route import UpstreamTls

OURS, OTHER = trustme.CA(), trustme.CA()
NAME = "lab.example.org"
LONG_AGO, YESTERDAY = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
GOOD = OURS.issue_cert(NAME, "192.0.2.7")
FOREIGN = OTHER.issue_cert(NAME)
EXPIRED = OURS.issue_cert(NAME, not_before=LONG_AGO, not_after=YESTERDAY)


def ca(authority):
    return authority.cert_pem.bytes().decode("ascii")


def leaf(issued):
    return issued.cert_chain_pems[0].bytes()


def pin(issued):
    return pin_of(load_pem_x509_certificate(leaf(issued)).public_bytes(Encoding.DER))


def shake_hands(tls, issued, down=None):
    """Let a client that believes `tls` meet a server with this certificate; return both ends of the connection."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked = []
    server.sni_callback = lambda _end, name, _context: asked.append(name)
    issued.configure_cert(server)
    up, down = ssl.MemoryBIO(), down or ssl.MemoryBIO()
    ours = client_context(tls).wrap_bio(down, up, server_hostname=tls.server_name)
    theirs = server.wrap_bio(up, down, server_side=True)
    for end in (ours, theirs, ours, theirs, ours):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    require_pin(tls, ours)
    return ours, asked


@pytest.mark.parametrize(
    ("tls", "issued", "asked"),
    [
        (UpstreamTls(server_name=NAME, ca=ca(OURS)), GOOD, [NAME]),
        (UpstreamTls(server_name="192.0.2.7", ca=ca(OURS)), GOOD, [None]),
        (UpstreamTls(server_name=NAME, ca=ca(OTHER) + ca(OURS)), GOOD, [NAME]),
        (UpstreamTls(server_name=NAME, ca=leaf(GOOD).decode()), GOOD, [NAME]),
        (UpstreamTls(server_name=NAME, pin=pin(GOOD)), GOOD, [NAME]),
        (UpstreamTls(server_name="another.example.org", pin=pin(FOREIGN)), FOREIGN, ["another.example.org"]),
        (UpstreamTls(server_name="192.0.2.9", pin=pin(EXPIRED)), EXPIRED, [None]),
    ],
)
def test_who_is_believed(tls, issued, asked):
    ours, names = shake_hands(tls, issued)
    assert ("TLSv1.3", asked) == (ours.version(), names)


@pytest.mark.parametrize(
    ("tls", "issued", "why"),
    [
        (UpstreamTls(server_name=NAME, ca=ca(OTHER)), GOOD, "unable to get local issuer"),
        (UpstreamTls(server_name=NAME, ca=ca(OURS)), EXPIRED, "expired"),
        (UpstreamTls(server_name="other.example.org", ca=ca(OURS)), GOOD, "Hostname mismatch"),
        (UpstreamTls(server_name="192.0.2.8", ca=ca(OURS)), GOOD, "IP address mismatch"),
        (UpstreamTls(server_name=NAME, ca=leaf(GOOD).decode()), FOREIGN, "unable to get local issuer"),
        (UpstreamTls(server_name=NAME, pin=pin(FOREIGN)), GOOD, "not the one that is pinned"),
        (UpstreamTls(server_name=NAME, pin=pin(GOOD)[:-1]), GOOD, "not the one that is pinned"),
    ],
)
def test_who_is_not(tls, issued, why):
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        shake_hands(tls, issued)


def test_a_connection_that_showed_no_certificate_has_not_the_pinned_one():
    tls = UpstreamTls(server_name=NAME, pin=pin(GOOD))
    fresh = client_context(tls).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=NAME)
    fresh.getpeercert = lambda binary_form: None
    with pytest.raises(ssl.SSLCertVerificationError, match="not the one"):
        require_pin(tls, fresh)


@pytest.mark.parametrize(
    "tls", [UpstreamTls(server_name=NAME, pin="0" * 64), UpstreamTls(server_name=NAME, ca=ca(OURS))]
)
def test_nothing_older_than_tls_1_2_is_spoken_and_no_authority_of_the_system_is_believed(tls):
    context = client_context(tls)
    assert ssl.TLSVersion.TLSv1_2 is context.minimum_version
    assert bool(tls.ca) == len(context.get_ca_certs())


@pytest.mark.parametrize(
    "tls", [UpstreamTls(server_name=NAME, pin=pin(GOOD)), UpstreamTls(server_name=NAME, ca=ca(OURS))]
)
def test_an_end_that_the_upstream_has_not_said_is_an_error(tls):
    down = ssl.MemoryBIO()
    ours, _ = shake_hands(tls, GOOD, down)
    down.write_eof()
    with pytest.raises(ssl.SSLError, match=r"(?i)EOF"):
        ours.read(1)


@pytest.mark.parametrize("ca", ["", "no certificate"])
def test_without_authority_and_pin_nobody_is_believed(ca):
    with pytest.raises((ssl.SSLError, ValueError)):
        client_context(UpstreamTls(server_name=NAME, ca=ca))
