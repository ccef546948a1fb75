"""The name a client asks for: noted on its connection, and refused where it is none of ours."""

import asyncio
import contextlib
import socket
import ssl
import sys
from types import SimpleNamespace

import pytest
import trustme
import uvloop
from msgspec import structs

from nbgate.edge.tls import Handshake, failed_handshake, keep_names_out_of_the_log, make_context, names_asked_for
from nbgate.model.keys import TlsMaterial
from nbgate.reasons import Reason

AUTHORITY = trustme.CA()
ISSUED = AUTHORITY.issue_cert("gw.test", "other.test", "192.0.2.7")
MATERIAL = TlsMaterial(
    chain_pem=b"".join(blob.bytes() for blob in ISSUED.cert_chain_pems), key_pem=ISSUED.private_key_pem.bytes()
)
UNRECOGNIZED_NAME, PROTOCOL_VERSION, UNEXPECTED_MESSAGE = 112, 70, 10
PLACEHOLDER = "gw.test"


def hello(name, maximum=ssl.TLSVersion.MAXIMUM_SUPPORTED):
    """Return what a client sends first when it asks for `name`; None: it asks for none."""
    context = ssl.create_default_context()
    context.maximum_version = maximum
    context.check_hostname = False
    from_server, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(from_server, to_server, server_hostname=name).do_handshake()
    return to_server.read()


def answer(context, sent):
    """Return our end after it has read `sent`, its error, and what it answered."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(sent)
    with pytest.raises(ssl.SSLError) as caught:
        ours.do_handshake()
    return ours, caught.value, outgoing.read()


@pytest.mark.parametrize(
    ("hosts", "asked", "noted"),
    [
        ((), "gw.test", "gw.test"),
        ((), "GW.Test", "gw.test"),
        ((), "nobody.test", "nobody.test"),
        ((), None, None),
        (("gw.test",), "gw.test", "gw.test"),
        (("gw.test",), "GW.TEST", "gw.test"),
        (("gw.test",), None, None),
        (("gw.test:8443", "other.test"), "gw.test", "gw.test"),
        (("gw.test:8443", "other.test"), "other.test", "other.test"),
        (("192.0.2.7", "[2001:db8::1]:8443", "[2001:db8::2]"), None, None),
    ],
)
def test_the_name_is_noted_on_the_connection(hosts, asked, noted):
    ours, error, said = answer(make_context(MATERIAL, names_asked_for(hosts)), hello(asked))
    assert noted == ours.server_name
    assert isinstance(error, ssl.SSLWantReadError)
    assert b"\x16\x03\x03" == said[:3]


@pytest.mark.parametrize(
    ("hosts", "asked"),
    [
        (("gw.test",), "nobody.test"),
        (("gw.test",), "gw.test.nobody.test"),
        (("gw.test",), "sub.gw.test"),
        (("[2001:db8::1]:8443",), "gw.test"),
    ],
)
def test_a_name_that_is_none_of_ours_gets_the_alert_of_the_standard(hosts, asked):
    ours, error, said = answer(make_context(MATERIAL, names_asked_for(hosts)), hello(asked))
    assert None is ours.server_name
    assert b"\x15\x03\x03\x00\x02\x02" + bytes([UNRECOGNIZED_NAME]) == said
    assert Reason.SNI_UNKNOWN is failed_handshake(error)


@pytest.mark.parametrize(
    ("hosts", "names"),
    [
        ((), set()),
        (("gw.test:8443",), {"gw.test", "localhost"}),
        (("gw.test", "[2001:db8::1]", "lab1.gw.test"), {"gw.test", "2001:db8::1", "lab1.gw.test", "localhost"}),
    ],
)
def test_clients_ask_for_public_names(hosts, names):
    assert names == names_asked_for(hosts)


def test_a_name_that_is_added_later_counts_too():
    names = names_asked_for(("gw.test",))
    context = make_context(MATERIAL, names)
    assert Reason.SNI_UNKNOWN is failed_handshake(answer(context, hello("lab1.gw.test"))[1])
    names.add("lab1.gw.test")
    assert "lab1.gw.test" == answer(context, hello("lab1.gw.test"))[0].server_name


@pytest.mark.parametrize("error", [ssl.SSLError(1, "no"), ssl.SSLEOFError(8, "eof"), TimeoutError(), OSError()])
def test_another_failure_is_a_failed_handshake(error):
    assert Reason.HANDSHAKE_FAILED is failed_handshake(error)


def test_a_name_that_is_not_ascii_is_refused_and_not_printed(monkeypatch):
    printed = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: printed.append(unraisable.exc_value))
    keep_names_out_of_the_log()
    sent = hello(PLACEHOLDER).replace(PLACEHOLDER.encode(), b"gw.te\xff\xfe")
    ours, error, _ = answer(make_context(MATERIAL), sent)
    assert None is ours.server_name
    assert Reason.SNI_UNKNOWN is failed_handshake(error)
    assert [] == printed


def test_what_else_cannot_be_raised_is_printed_as_before(monkeypatch):
    printed = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: printed.append(unraisable.exc_value))
    keep_names_out_of_the_log()
    fault = ValueError("a fault of ours")
    sys.unraisablehook(SimpleNamespace(exc_value=fault, object=b"name"))
    assert [fault] == printed


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(
    ("sent", "alert"),
    [
        (lambda: hello("nobody.test"), UNRECOGNIZED_NAME),
        (lambda: hello("gw.test", ssl.TLSVersion.TLSv1_2), PROTOCOL_VERSION),
        (lambda: b"\x16\x03\x01\x00\x05hello", UNEXPECTED_MESSAGE),
    ],
)
def test_a_client_is_told_why_its_handshake_failed(new_loop, sent, alert):
    """Neither loop does that by itself: they close the socket on what OpenSSL has to say."""
    context = make_context(structs.replace(MATERIAL, minimum="1.3"), ("gw.test",))

    async def accept(sock):
        loop = asyncio.get_running_loop()
        with pytest.raises(ssl.SSLError):
            await loop.connect_accepted_socket(asyncio.Protocol, sock, ssl=Handshake(context, sock))
        await asyncio.sleep(0)

    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(5)
    theirs.send(sent())
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(accept(ours))
    assert bytes([0x15, 3, 3, 0, 2, 2, alert]) == theirs.recv(100)
    theirs.close()


def test_once_a_handshake_is_over_nothing_is_kept_for_its_failure():
    context = make_context(MATERIAL)
    sock, peer = socket.socketpair()
    client = ssl.create_default_context()
    AUTHORITY.configure_trust(client)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server, server_hostname="gw.test")
    ours = Handshake(context, sock).wrap_bio(to_server, to_client, server_side=True)
    for end in (theirs, ours, theirs, ours):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    assert ("TLSv1.3", "gw.test", None) == (ours.version(), ours.server_name, ours.farewell)
    sock.close()
    peer.close()


def test_a_client_that_is_gone_is_told_nothing():
    sock, peer = socket.socketpair()
    peer.close()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = Handshake(make_context(MATERIAL, ("gw.test",)), sock).wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello("nobody.test"))
    with pytest.raises(ssl.SSLError):
        ours.do_handshake()
    sock.close()


def test_each_context_is_its_own():
    assert make_context(MATERIAL) is not make_context(MATERIAL)
