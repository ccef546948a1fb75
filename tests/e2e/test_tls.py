"""TLS of a running gateway as strangers meet it: a scanner, names that are not ours, the port of plain HTTP."""

import re
import shutil
import socket
import ssl
import subprocess

import pytest

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.raw_client import RawClient
from nbgate.testing.stub_upstream import StubUpstream
from nbgate.testing.wait import wait_until

pytestmark = pytest.mark.e2e

SSLSCAN = shutil.which("sslscan")
TLS_12 = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]
TLS_13 = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
SSLV2_HELLO = bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + bytes(16)


@pytest.fixture(scope="module")
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module", params=["intermediate", "modern"])
def gateway(request, tmp_path_factory, free_port):
    flags = ("--allow-open-upstream", "--tls-profile", request.param, "--hosts", "localhost,127.0.0.1", "--hsts",
             "--http-port", str(free_port))  # fmt: skip
    with (
        StubUpstream().in_thread() as stub,
        running_gateway(
            tmp_path_factory.mktemp("tls"), f"127.0.0.1:{stub.port}", flags=flags, config=CHEAP_LOGIN, workers=2
        ) as running,
    ):
        yield running


@pytest.fixture
def is_modern(request):
    return "modern" in request.node.callspec.id


@pytest.mark.skipif(SSLSCAN is None, reason="needs sslscan")
def test_a_scanner_finds_nothing_old(gateway, is_modern):
    done = subprocess.run(
        [SSLSCAN, "--no-colour", f"localhost:{gateway.port}"], capture_output=True, text=True, timeout=50
    )
    protocols = dict(re.findall(r"^((?:SSL|TLS)v[0-9.]+) +(enabled|disabled)$", done.stdout, re.MULTILINE))
    wanted = {"TLSv1.3"} if is_modern else {"TLSv1.2", "TLSv1.3"}
    assert wanted == {name for name, state in protocols.items() if state == "enabled"}
    assert {"SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} == set(protocols)
    suites = re.findall(r"^(?:Preferred|Accepted) +TLSv1\.[23] .* bits +(\S+)", done.stdout, re.MULTILINE)
    assert TLS_13 + ([] if is_modern else TLS_12) == suites
    assert "Session renegotiation not supported" in done.stdout
    assert [] == re.findall(r"^TLSv\S+ vulnerable", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "xn--lcalhost-n4a"])
def test_a_name_that_is_not_ours_gets_the_alert_and_a_record(gateway, name):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"),
        RawClient(gateway.port, context, server_name=name),
    ):
        raise AssertionError("let in")
    wait_until(lambda: "sni-unknown" in [record.get("event.reason") for record in gateway.audit()], what="a record")


def test_without_a_name_it_is_the_host_that_counts(gateway):
    for host, status in (("127.0.0.1", 200), ("evil.example", 421)):
        with RawClient(gateway.port, gateway.certificate.client_context(), server_name="127.0.0.1") as client:
            client.send(f"GET /_nbgate/health HTTP/1.1\r\nHost: {host}:{gateway.port}\r\n\r\n".encode())
            assert status == client.read_answer().status


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(SSLV2_HELLO, id="SSLv2 hello"),
        pytest.param(b"\x16\x03\x01\x00\x05hello", id="no handshake"),
        pytest.param(b"\x16\x03\x01\xff\xff" + b"\xff" * 300, id="too long a record"),
        pytest.param(b"\x00" * 64, id="zeros"),
    ],
)
def test_garbage_is_ended_and_said_by_no_traceback(gateway, sent):
    """F30."""
    with RawClient(gateway.port) as client:
        client.send(sent)
        client.read_to_end()
    assert "Traceback" not in gateway.program.said()


def test_a_name_of_strange_bytes_is_ended_and_said_by_no_traceback(gateway):
    """Python's ssl prints one for each: anybody could fill the log."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read().replace(b"localhost", b"local\xff\xfe\xfdt")
    for _ in range(5):
        with RawClient(gateway.port) as raw:
            raw.send(hello)
            assert b"\x15\x03" == raw.read_to_end()[:2]
    assert "Traceback" not in gateway.program.said()
    assert "UnicodeDecodeError" not in gateway.program.said()


def test_plain_http_is_sent_to_the_port_of_https_and_nothing_else_is_done_there(gateway, free_port):
    with RawClient(free_port) as client:
        client.send(b"GET /lab?a=b HTTP/1.1\r\nHost: localhost\r\nCookie: secret=1\r\n\r\n")
        answer = client.read_answer()
        client.read_to_end()
    assert 308 == answer.status
    assert [f"https://localhost:{gateway.port}/lab?a=b"] == answer.values("location")
    assert [] == answer.values("set-cookie") + answer.values("strict-transport-security")
    for line, host in (("POST /_nbgate/api/login", "localhost"), ("GET /", "evil.example")):
        with RawClient(free_port) as client:
            client.send(f"{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode())
            assert 403 == client.read_answer().status
    assert f"nbgate: plain HTTP on port {free_port} is sent on to HTTPS" in gateway.program.said()


def test_every_answer_over_tls_says_that_https_is_for_good(gateway):
    lines = ["GET /_nbgate/health", "GET /lab", "GET /_nbgate/nothing", "BAD"]
    for line in lines:
        with gateway.client() as client:
            client.send(f"{line} HTTP/1.1\r\nHost: localhost:{gateway.port}\r\n\r\n".encode())
            answer = client.read_answer()
        assert ["max-age=31536000"] == answer.values("strict-transport-security"), line
