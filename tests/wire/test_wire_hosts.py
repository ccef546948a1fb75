"""Rows about names: what Host and SNI may say to a gateway that was told its public names (T20, D28).

A gateway of its own, with `hosts`. Each test shows the bytes the STUB saw: of a name that is not ours, none.
"""

import ssl

import pytest
from stub_saw import Watch

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.raw_client import RawClient

HOSTS = 'hosts = ["localhost", "gw.example.test"]\n'
QUIET = "[probe]\ninterval_seconds = 86400.0\n"


@pytest.fixture(scope="module")
def named(stub, tmp_path_factory):
    options = {"flags": ("--allow-open-upstream",), "config": HOSTS + CHEAP_LOGIN + QUIET}
    with running_gateway(tmp_path_factory.mktemp("named"), f"127.0.0.1:{stub.port}", **options) as running:
        yield running


@pytest.fixture(scope="module")
def context(named):
    return named.certificate.client_context()


@pytest.fixture(scope="module")
def cookie(named):
    """Give the cookie lines of a live session, for the public port and for 443."""
    pair = named.login()
    name, _, value = pair.partition("=")
    return f"Cookie: {pair}; {name.rpartition('-')[0]}={value}\r\n"


CASES = [
    ("localhost", "localhost:{port}", 200),
    ("localhost", "localhost", 200),
    ("localhost", "LOCALHOST:{port}", 200),
    ("gw.example.test", "gw.example.test:{port}", 200),
    ("localhost", "evil.example", 421),
    ("localhost", "localhost.evil.example", 421),
    ("localhost", "gw.example.test:{port}", 421),
    ("gw.example.test", "localhost:{port}", 421),
    ("localhost", "127.0.0.1:{port}", 421),
    ("localhost", "", 400),
    ("localhost", "localhost, evil.example", 400),
    ("localhost", "localhost@evil.example", 400),
    ("localhost", "localhost/x", 400),
    ("localhost", "localhost:x", 400),
    ("localhost", "localhost\r\nHost: evil.example", 400),
]


@pytest.mark.parametrize(("server_name", "host", "status"), CASES)
def test_t20_only_our_own_names_are_served(named, context, stub, cookie, told, server_name, host, status):
    sent = f"GET /x HTTP/1.1\r\nHost: {host.format(port=named.port)}\r\n{cookie}\r\n".encode()
    watch = Watch(stub)
    with RawClient(named.port, context, server_name=server_name) as client:
        client.send(sent)
        got = client.read_answer()
    assert (status, ["GET /x 0"] if status == 200 else []) == (got.status, watch.lines())
    assert status == 200 or watch.size == 0
    told.row(
        f"t20 SNI {server_name}, Host {host.replace(chr(13) + chr(10), ' + ')}", sent, str(got.status), watch.told()
    )


def test_t20_no_header_stands_in_for_host(named, context, stub, cookie, told):
    sent = f"GET /x HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\n{cookie}\r\n".encode()
    watch = Watch(stub)
    with RawClient(named.port, context) as client:
        client.send(sent)
        assert 421 == client.read_answer().status
    assert 0 == watch.size
    told.row("t20 X-Forwarded-Host", sent, "421", watch.told())


def test_t20_the_other_of_our_names_is_another_host_on_one_connection(named, context, stub, cookie, told):
    lines = [
        f"GET /{n} HTTP/1.1\r\nHost: {host}:{named.port}\r\n{cookie}\r\n"
        for n, host in enumerate(("localhost", "gw.example.test"))
    ]
    watch = Watch(stub)
    with RawClient(named.port, context) as client:
        client.send("".join(lines).encode())
        assert [200, 421] == [client.read_answer().status, client.read_answer().status]
    assert ["GET /0 0"] == watch.lines()
    told.row("d28 two of our names", "".join(lines).encode(), "200, 421", watch.told())


def test_t41_a_name_that_is_not_ours_gets_no_handshake(named, context, stub, told):
    watch = Watch(stub)
    with pytest.raises(ssl.SSLError) as caught, RawClient(named.port, context, server_name="evil.example"):
        pass
    assert 0 == watch.size
    assert caught.value.reason in {"TLSV1_UNRECOGNIZED_NAME", "UNEXPECTED_EOF_WHILE_READING"}
    told.row("t41 SNI evil.example", b"a ClientHello", f"no handshake ({caught.value.reason})", watch.told())
