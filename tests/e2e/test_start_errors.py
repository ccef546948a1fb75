"""What is wrong at the start is said in one clear line with a hint, and in the exit code."""

import socket
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from nbgate.testing.gateway import prepare_gateway
from nbgate.testing.raw_client import RawClient
from nbgate.testing.stub_upstream import StubUpstream

USAGE, TRY_AGAIN, PERMISSION, CONFIGURATION = 2, 75, 77, 78
FIRST_UNPRIVILEGED = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))


def own_pair():
    issued = trustme.CA().issue_cert("localhost")
    return issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()


def key_pem(key, encryption=None):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )


def rsa_pair(bits, encryption=None):
    """Return a self-signed certificate and its RSA key; the key size is what the old recipes made."""
    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    template = trustme.CA()._certificate
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(template.not_valid_before_utc).not_valid_after(template.not_valid_after_utc)
    certificate = made.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), key_pem(key, encryption)


def encrypted():
    return rsa_pair(2048, serialization.BestAvailableEncryption(b"secret"))


PEMS = [
    pytest.param(lambda: b"this is no PEM", [], id="no certificate in it"),
    pytest.param(lambda: own_pair()[0], ["key"], id="no key in it"),
    pytest.param(lambda: own_pair()[0] + own_pair()[1], ["key"], id="key of another certificate"),
    pytest.param(lambda: b"".join(encrypted()), ["encrypted"], id="encrypted key"),
    pytest.param(lambda: b"".join(rsa_pair(1024)), ["1024", "2048"], id="1024 bits"),
]


def start_and_end(tmp_path, *, upstream="127.0.0.1:1", port=0, flags=(), pem=None):
    """Start a gateway that must not come up; return its exit code and its lines."""
    gateway = prepare_gateway(tmp_path, upstream, port=port, flags=flags)
    gateway.add_user()
    if pem is not None:
        gateway.certificate.pem.write_bytes(pem)
    gateway.program.start()
    try:
        code = gateway.program.wait(20)
    finally:
        gateway.program.end()
    return code, gateway.program.said().splitlines()


def check_lines(lines, *words):
    """See one line of error, then hints; every word somewhere, and no traceback."""
    errors = [line for line in lines if not line.lstrip().startswith("hint:")]
    assert 1 == len(errors), lines
    assert len(lines) > 1, lines
    assert [] == [word for word in words if word not in "\n".join(lines)]


@pytest.mark.parametrize(("make", "words"), PEMS)
def test_a_certificate_that_cannot_serve_is_refused(tmp_path, make, words):
    code, lines = start_and_end(tmp_path, pem=make())
    assert CONFIGURATION == code, lines
    check_lines(lines, "gateway.pem", *words)


def test_a_missing_certificate_is_refused(tmp_path):
    gateway = prepare_gateway(tmp_path, "127.0.0.1:1")
    gateway.certificate.pem.unlink()
    gateway.program.start()
    assert CONFIGURATION == gateway.program.wait(20)
    check_lines(gateway.program.said().splitlines(), "gateway.pem")


def test_an_occupied_port_says_try_again(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, lines = start_and_end(tmp_path, port=port)
    assert TRY_AGAIN == code, lines
    check_lines(lines, str(port))


def test_unknown_options_are_named_all_at_once(tmp_path):
    gateway = prepare_gateway(tmp_path, "127.0.0.1:1", config="upstrem = 1\n[limits]\nheaders = 64\nheadres = 1\n")
    gateway.program.start()
    assert CONFIGURATION == gateway.program.wait(20)
    said = gateway.program.said()
    assert [] == [text for text in ("nbgate.toml:1", "upstream", "nbgate.toml:4", "headers") if text not in said]


def test_a_mistyped_address_is_a_usage_error(tmp_path):
    code, lines = start_and_end(tmp_path, flags=("--ip", "127.0.0.1.5"))
    assert USAGE == code, lines
    check_lines(lines, "--ip", "127.0.0.1.5")


def test_a_mistyped_upstream_is_a_usage_error(tmp_path):
    code, lines = start_and_end(tmp_path, upstream="localhost:notaport")
    assert USAGE == code, lines
    check_lines(lines, "--upstream", "port", "localhost:8888")


def test_an_open_upstream_is_refused(tmp_path):
    with StubUpstream().in_thread() as stub:
        code, lines = start_and_end(tmp_path, upstream=f"127.0.0.1:{stub.port}")
    assert CONFIGURATION == code, lines
    check_lines(lines, "--allow-open-upstream")


def test_plain_http_is_told_the_https_address(stub_gateway):
    with RawClient(stub_gateway.port) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {stub_gateway.host}\r\n\r\n".encode())
        answer = client.read_answer()
    assert 400 == answer.status
    assert f"{stub_gateway.base_url}/".encode() in answer.body
