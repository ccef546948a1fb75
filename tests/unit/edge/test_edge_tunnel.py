"""Websockets through a real worker: frames pass untouched, our own close goes in at a boundary."""

import socket
import struct

import pytest

from nbgate.audit.events import WebsocketClose, WebsocketOpen
from nbgate.link.messages import Activity, AuditState, OpenChannels, RevokeAck, SessionsRevoked
from nbgate.testing.edge_rig import HOST, edge_rig
from nbgate.testing.stub_upstream import ReadBytes, ReadRequest, ReadToEnd, Reset, Send
from nbgate.testing.wait import wait_until

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
SWITCH = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"
CHANNELS = "/api/kernels/0a/channels?session_id=1"


def handshake(cookie, *, path=CHANNELS, origin=f"https://{HOST}", extra=""):
    return (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n{extra}\r\n"
    ).encode()


def request_before(cookie):
    return f"GET /api/status HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n".encode()


def frame(opcode, payload=b"", *, fin=True, mask=True, rsv=0):
    first = (0x80 if fin else 0) | rsv | opcode
    size = len(payload)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + struct.pack(">H", size)
        if size < 65536
        else b"\x7f" + struct.pack(">Q", size)
    )
    if not mask:
        return bytes([first]) + length + payload
    key = b"\x3a\xc5\x17\x9e"  # the same in every run: what is sent is part of the tests' names
    length = bytes([length[0] | 0x80]) + length[1:]
    return bytes([first]) + length + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def close_code(data):
    """Return the code of the close frame that `data` begins with."""
    assert 0x88 == data[0]
    return struct.unpack(">H", data[2:4])[0]


def switched(client):
    client.read_until(b"\r\n\r\n")
    head, _, rest = bytes(client.received).partition(b"\r\n\r\n")
    client.received[:] = rest
    assert head.startswith(b"HTTP/1.1 101 ")
    return head


def read_close(client):
    client.read_to_end()
    return close_code(bytes(client.received))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 70_000, 1_000_000])
@pytest.mark.parametrize("opcode", [1, 2])
def test_messages_pass_byte_for_byte(rig, stub, opcode, size):
    cookie = rig.login()
    payload = bytes(65 + index % 26 for index in range(size))
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.send(frame(opcode, payload))
        client.read_until(frame(opcode, payload, mask=False))
        assert frame(opcode, payload, mask=False) == bytes(client.received)
        client.send(frame(8, struct.pack(">H", 1000)))
        client.read_to_end()
    (closed,) = rig.wait_for(WebsocketClose)
    assert (1000, size, size) == (closed.close_code, closed.request_bytes, closed.response_bytes)
    assert ["/api/kernels/0a/channels"] == [event.path for event in rig.of(WebsocketOpen)]


def test_extensions_are_not_offered_on_a_kernel_channel_and_the_subprotocol_is(rig, stub):
    cookie = rig.login()
    extra = (
        "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n"
    )
    with rig.client() as client:
        client.send(handshake(cookie, extra=extra))
        head = switched(client)
    assert [] == stub.requests[0].values("sec-websocket-extensions")
    assert b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org" in head


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        SWITCH.replace(ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=").encode() + b"\r\n",
        SWITCH.replace("Upgrade: websocket", "Upgrade: foo").encode() + b"\r\n",
        (SWITCH + "Sec-WebSocket-Protocol: unasked\r\n\r\n").encode(),
        (SWITCH + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").encode(),
    ],
)
def test_a_false_101_is_a_502_and_what_follows_reaches_nobody(rig, stub, raw):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(raw), ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie) + b"GET /admin HTTP/1.1\r\n\r\n")
        got = client.read_answer()
    assert 502 == got.status
    assert b"/admin" not in bytes(stub.connections[0].received)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"https://{HOST}.evil.example", f"http://{HOST}"])
def test_a_hijacked_handshake_is_refused(rig, stub, origin):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie, origin=origin))
        assert 403 == client.read_answer().status
    assert 0 == stub.received_bytes


def test_what_would_serve_the_next_head_is_let_go(rig, stub):
    """Thousands of websockets are idle: their head, and what was made of it for the upstream, would be held for ever."""
    cookie = rig.login()
    with rig.client() as client:
        client.send(request_before(cookie) + handshake(cookie))
        client.read_answer()
        switched(client)
        (connection,) = rig.core._context.connections
        assert (b"", None, None) == (connection._reader.last_block, connection.heads._access, connection._repeats)


def test_a_refused_handshake_passes_the_upstreams_404_on(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    with rig.client() as client:
        client.send(handshake(cookie))
        assert 404 == client.read_answer().status


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(1, b"x", mask=False), 1002),
        (frame(1, b"x", rsv=0x40), 1002),
        (frame(3, b"x"), 1002),
        (frame(9, b"x" * 126), 1002),
        (frame(0, b"x"), 1002),
        (frame(8, struct.pack(">H", 1006)), 1002),
        (frame(8, b"x"), 1002),
        (b"\x82\xff" + struct.pack(">Q", (16 << 20) + 1) + b"mask", 1009),
    ],
)
def test_a_frame_that_breaks_the_protocol_closes_the_socket(rig, stub, data, code):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.send(data)
        client.read_until(b"\x88")
        assert code == read_close(client)
    assert code == rig.wait_for(WebsocketClose)[0].close_code


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (frame(8, struct.pack(">H", 1001), mask=False), 1012),
        (frame(8, struct.pack(">H", 1000), mask=False), 1000),
        (frame(8, struct.pack(">H", 4000) + b"why", mask=False), 4000),
        (frame(8, b"", mask=False), None),
        (frame(8, struct.pack(">H", 1006), mask=False), 1002),
    ],
)
def test_an_upstreams_close_passes_and_only_1001_is_mapped(rig, stub, sent, got):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(SWITCH.encode() + b"\r\n" + sent), ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.read_until(b"\x88")
        client.send(frame(8, struct.pack(">H", got or 1000)))
        client.read_to_end()
        assert (b"\x88\x00" if got is None else struct.pack(">H", got)) in bytes(client.received)


@pytest.mark.parametrize("last", [(), (Reset(),)])
def test_an_upstream_lost_without_a_close_frame_is_a_1012(rig, stub, last):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(SWITCH.encode() + b"\r\n"), ReadBytes(7), *last)
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.send(frame(1, b"x"))
        client.read_until(b"\x88")
        assert 1012 == close_code(bytes(client.received))
    assert ("upstream-lost", 1012) == (
        rig.wait_for(WebsocketClose)[0].reason,
        rig.of(WebsocketClose)[0].close_code,
    )


def revoke(rig, reason="logged-out"):
    ids = tuple(rig.sessions)
    rig.sessions.clear()
    rig.send(SessionsRevoked(ack=7, ids=ids, generation=1 << 62, reason=reason))


def test_a_revoked_session_closes_its_websockets_with_4401_and_is_acknowledged(rig, stub):
    cookie = rig.login()
    with rig.client() as client, rig.client() as second:
        client.send(handshake(cookie))
        switched(client)
        second.send(handshake(cookie))
        switched(second)
        revoke(rig)
        assert [RevokeAck(ack=7, closed=2)] == rig.wait_for(RevokeAck)
        client.read_until(b"\x88")
        assert 4401 == close_code(bytes(client.received))
        client.send(frame(8, struct.pack(">H", 4401)))
        client.read_to_end()
        second.read_until(b"\x88")
        assert 4401 == read_close(second)  # it never echoes: the worker ends it all the same
    with rig.client() as client:
        client.send(handshake(cookie))
        assert 401 == client.read_answer().status
    assert {"logged-out"} == {event.reason for event in rig.wait_for(WebsocketClose, 2)}


def test_our_close_waits_for_the_end_of_the_frame_under_way(rig, stub):
    cookie = rig.login()
    whole = frame(2, b"abcdefghij", mask=False)
    with rig.client() as client:
        stub.script(
            ReadRequest(), Send(SWITCH.encode() + b"\r\n" + whole[:6]), ReadBytes(8), Send(whole[6:]), ReadToEnd()
        )
        client.send(handshake(cookie))
        switched(client)
        client.read_until(whole[:6])
        revoke(rig)
        client.read_until(b"\x88")
        data = bytes(client.received)
        assert data.startswith(whole)
        assert 4401 == close_code(data[len(whole) :])


def test_a_frame_that_never_ends_is_cut_after_half_a_second(rig, stub):
    cookie = rig.login()
    whole = frame(2, b"abcdefghij", mask=False)
    stub.script(ReadRequest(), Send(SWITCH.encode() + b"\r\n" + whole[:6]), ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.read_until(whole[:6])
        revoke(rig)
        client.read_to_end()
        assert whole[:6] == bytes(client.received)
    rig.wait_for(RevokeAck)


def test_a_session_that_is_gone_from_the_keepers_list_ends_too(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        rig.cut_link()
        rig.sessions.clear()
        rig.relink()
        client.read_until(b"\x88")
        assert 4401 == close_code(bytes(client.received))


def test_a_drain_closes_with_1012(stub):
    with edge_rig(stub.port) as rig:
        cookie = rig.login()
        with rig.client() as client:
            client.send(handshake(cookie))
            switched(client)
            rig.call(lambda: [c.tunnel.drain() for c in rig.core._context.connections])
            client.read_until(b"\x88")
            assert 1012 == close_code(bytes(client.received))


def test_typing_is_activity_and_a_ping_is_none(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.send(frame(9, b"p"))
        client.read_until(b"\x8a\x01p")
        assert () == rig.call(rig.core._sessions.take_active)
        client.send(frame(1, b"x"))
        client.read_until(b"\x81\x01x")
        assert tuple(rig.sessions) == rig.call(rig.core._sessions.take_active) or rig.of(Activity)


def test_presence_in_a_room_is_no_activity_and_an_edit_is(rig, stub):
    """A tab that everybody has left says for ever that it is there (T15)."""
    cookie = rig.login()
    deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    with rig.client() as client:
        client.send(handshake(cookie, path="/api/collaboration/room/json:notebook:1", extra=deflate))
        assert b"permessage-deflate" not in switched(client)
        for payload, active in ((b"\x01here", ()), (b"\x00\x02edit", tuple(rig.sessions)), (b"\x01here", ())):
            client.received.clear()
            client.send(frame(2, payload))
            client.read_until(payload)
            assert active == rig.call(rig.core._sessions.take_active)
    assert [] == stub.requests[-1].values("sec-websocket-extensions")


def test_what_is_sent_to_the_events_is_no_activity(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie, path="/api/events/subscribe"))
        switched(client)
        client.send(frame(1, b"x"))
        client.read_until(b"\x81\x01x")
        assert () == rig.call(rig.core._sessions.take_active)


def tells(rig, *sessions):
    """Wait until the worker has told that these sessions have so many channels open."""
    rig.call(rig.core._tell)
    wait_until(lambda: (told := rig.of(OpenChannels)) and sessions == told[-1].sessions, what=f"{sessions} is told")


def test_the_open_channels_of_each_session_are_counted(rig, stub):
    ada, bob = rig.login("ada"), rig.login("bob")
    ids = list(rig.sessions)
    with rig.client() as one, rig.client() as two, rig.client() as three:
        for client, cookie, path in (
            (one, ada, CHANNELS),
            (two, ada, "/terminals/websocket/1"),
            (three, bob, "/api/events/subscribe"),
        ):
            client.send(handshake(cookie, path=path))
            switched(client)
        tells(rig, (ids[0], 2))
    with rig.client() as client:
        client.send(handshake(bob))
        switched(client)
        wait_until(lambda: 1 == rig.core._context.websockets, what="the others are gone")
        tells(rig, (ids[1], 1))
        before = len(rig.of(OpenChannels))
        rig.call(rig.core._tell)
        rig.call(rig.core._tell)
        assert before == len(rig.of(OpenChannels))
    wait_until(lambda: 0 == rig.core._context.websockets, what="all are gone")
    tells(rig)


def test_the_open_channels_are_told_again_on_a_new_link(rig, stub):
    cookie = rig.login()
    (session_id,) = rig.sessions
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        tells(rig, (session_id, 1))
        rig.messages.clear()
        rig.relink()
        tells(rig, (session_id, 1))


def test_frames_sent_with_the_handshake_are_not_lost(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie) + frame(1, b"early"))
        switched(client)
        client.read_until(b"\x81\x05early")


def test_a_client_that_reads_nothing_stops_the_upstream_and_grows_no_buffer(rig, stub):
    cookie = rig.login()
    flood = frame(2, b"z" * 65_000, mask=False) * 64
    stub.script(ReadRequest(), Send(SWITCH.encode() + b"\r\n"), *([Send(flood)] * 16), ReadToEnd())
    with rig.client() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.send(handshake(cookie))
        switched(client)

        def held():
            return rig.call(lambda: max(c.transport.get_write_buffer_size() for c in rig.core._context.connections))

        wait_until(lambda: held() > 200_000, what="the buffer is full")
        assert held() < 2_000_000


def test_no_websocket_is_opened_while_the_audit_cannot_be_written(rig, stub):
    cookie = rig.login()
    rig.send(AuditState(failing_since_unix=rig.clock.unix()))
    with rig.client() as client:
        client.send(handshake(cookie))
        assert 503 == client.read_answer().status
    assert 0 == stub.received_bytes
