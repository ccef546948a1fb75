"""What a websocket may do, and who must show life: floods, fragments, pings of ours, frames under way."""

import struct
import time

import pytest
from test_edge_tunnel import CHANNELS, SWITCH, close_code, frame, handshake, revoke, switched

from nbgate.audit.events import WebsocketClose
from nbgate.config.schema import Limits
from nbgate.edge.tunnel import ECHO_SECONDS
from nbgate.testing.edge_rig import edge_rig
from nbgate.testing.stub_upstream import ReadBytes, ReadRequest, ReadToEnd, Send
from nbgate.testing.wait import wait_until

MARK = bytes(range(8))  # the rig's randomness
OUR_PING = frame(9, MARK, mask=False)
OUR_PING_UP = frame(9, bytes(byte ^ index % 4 for index, byte in enumerate(MARK)), mask=False)
PING_SECONDS, SILENCE_SECONDS = 0.2, 0.5
QUICK = Limits(websocket_ping_seconds=PING_SECONDS, websocket_silence_seconds=SILENCE_SECONDS)
OPEN = Send(SWITCH.encode() + b"\r\n")
FAR = 1e6


@pytest.fixture
def rig(stub, request):
    """Give a worker with the limits that the test names."""
    with edge_rig(stub.port, limits=request.param) as running:
        yield running


def with_limits(*limits):
    return pytest.mark.parametrize("rig", limits, indirect=True)


def received(stub):
    """Return the frames that came on the last connection to the upstream."""
    connection = stub.connections[-1]
    return bytes(connection.received)[len(connection.requests[0].head) :]


def tunnel_of(rig):
    (connection,) = rig.core._context.connections
    return connection.tunnel


def let_pass(rig, seconds):
    """Let the tunnel believe that nothing came for so long."""

    def sweeps():
        for later in (0.0, seconds):
            tunnel_of(rig).expire(rig.core._loop.time() + later)

    rig.call(sweeps)


def unmasked(data):
    """Return (opcode, payload) of the short masked frames in `data`."""
    frames = []
    while data:
        size = data[1] & 0x7F
        key, payload = data[2:6], data[6 : 6 + size]
        frames.append((data[0] & 0x0F, bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))))
        data = data[6 + size :]
    return frames


# limits


@pytest.mark.parametrize(
    ("rig", "data", "code", "reason"),
    [
        (Limits(), frame(9, b"p") * 200, 1008, "websocket-flood"),
        (Limits(websocket_control_burst=2), (frame(9) + frame(10)) * 3, 1008, "websocket-flood"),
        (
            Limits(websocket_messages_per_second=1.0, websocket_message_burst=3),
            frame(1, b"x") * 9,
            1008,
            "websocket-flood",
        ),
        (
            Limits(websocket_fragments=3),
            frame(1, b"x", fin=False) + frame(0, b"x", fin=False) * 9,
            1009,
            "websocket-fragments",
        ),
        (Limits(websocket_message_bytes=1024), frame(1, b"x" * 1025), 1009, "websocket-too-big"),
    ],
    indirect=["rig"],
    ids=["pings", "pings and pongs", "messages", "fragments", "a long message"],
)
@pytest.mark.parametrize("path", [CHANNELS, "/api/events/subscribe"], ids=["channel", "elsewhere"])
def test_what_is_over_a_limit_closes_with_its_code_and_its_reason(rig, stub, path, data, code, reason):
    cookie = rig.login()
    stub.script(ReadRequest(), OPEN, ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie, path=path))
        switched(client)
        client.send(data)
        client.read_until(b"\x88")
        assert (code, reason) == (close_code(bytes(client.received)), bytes(client.received[4:]).decode())
        client.send(frame(8, struct.pack(">H", code)))
        client.read_to_end()
    (closed,) = rig.wait_for(WebsocketClose)
    assert (code, reason, "failure") == (closed.close_code, closed.reason, closed.outcome)
    wait_until(stub.connections[-1].ended.is_set, what="the upstream is let go")
    assert (8, struct.pack(">H", code)) == unmasked(received(stub))[-1]


@with_limits(Limits(websocket_control_burst=5, websocket_controls_per_second=100.0))
def test_pings_before_the_flood_pass_and_time_lets_more_pass(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        for _ in range(3):  # together three bursts
            client.send(frame(9, b"p") * 5)
            client.read_until(frame(10, b"p", mask=False) * 5)
            client.received.clear()
            wait_until(lambda: tunnel_of(rig)._up._controls_due < rig.core._loop.time(), what="a full burst again")
        client.send(frame(9, b"p") * 7)
        client.read_until(b"\x88")
    wait_until(stub.connections[-1].ended.is_set, what="the upstream is let go")
    assert 20 == sum(opcode == 9 for opcode, _ in unmasked(received(stub)))


# pings


@with_limits(QUICK, Limits(websocket_ping_seconds=PING_SECONDS))
def test_both_ends_are_pinged_again_and_again_and_their_pongs_stay_here(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        for _ in range(3):
            client.read_until(OUR_PING)
            client.received.clear()
            client.send(frame(10, MARK))
        client.send(frame(1, b"still here"))
        client.read_until(b"still here")
        assert frame(1, b"still here", mask=False) == bytes(client.received).replace(OUR_PING, b"")
    frames = unmasked(received(stub))
    assert {(9, MARK), (1, b"still here")} == set(frames)
    assert [] == rig.of(WebsocketClose) or "client-gone" == rig.of(WebsocketClose)[0].reason


@with_limits(Limits())
@pytest.mark.parametrize("payload", [b"", b"heartbeat", MARK[:7], MARK + b"x"], ids=repr)
def test_pongs_that_nobody_asked_for_pass(rig, stub, payload):
    """Browsers that send empty pongs as a heartbeat are real."""
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.send(frame(10, payload) + frame(1, b"x"))
        client.read_until(frame(1, b"x", mask=False))
    assert [(10, payload), (1, b"x")] == unmasked(received(stub))


@with_limits(QUICK)
def test_a_client_that_answers_no_ping_is_gone(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        assert OUR_PING == client.read_to_end()
    (closed,) = rig.wait_for(WebsocketClose)
    assert (1006, "websocket-silent", "failure") == (closed.close_code, closed.reason, closed.outcome)
    assert closed.frames_in == 0
    wait_until(stub.connections[-1].ended.is_set, what="the upstream is let go")


@with_limits(QUICK)
def test_an_upstream_that_answers_no_ping_is_a_1012(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), OPEN, ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        while b"\x88" not in client.received:
            client.read_until(b"\x89" if not client.received else b"\x88")
            client.send(frame(10, MARK))
        assert 1012 == close_code(bytes(client.received).replace(OUR_PING, b""))
    assert (1012, "websocket-silent") == (
        rig.wait_for(WebsocketClose)[0].close_code,
        rig.of(WebsocketClose)[0].reason,
    )


@with_limits(Limits(websocket_ping_seconds=0.0))
def test_pings_can_be_switched_off(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        let_pass(rig, FAR)
        client.send(frame(1, b"x"))
        client.read_until(frame(1, b"x", mask=False))
        assert frame(1, b"x", mask=False) == bytes(client.received)


@with_limits(Limits())
def test_no_ping_goes_into_a_frame_under_way_to_the_client(rig, stub):
    cookie = rig.login()
    whole = frame(2, b"abcdefghij", mask=False)
    stub.script(ReadRequest(), Send(SWITCH.encode() + b"\r\n" + whole[:6]), ReadBytes(14), Send(whole[6:]), ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.read_until(whole[:6])
        let_pass(rig, 31)  # pings the upstream, which then sends the rest
        client.read_until(whole)
        let_pass(rig, 31)
        client.read_until(OUR_PING)
        assert whole + OUR_PING == bytes(client.received)


@with_limits(Limits())
def test_no_ping_goes_into_a_frame_under_way_to_the_upstream(rig, stub):
    cookie = rig.login()
    whole = frame(2, b"abcdefghij")
    with rig.client() as client:
        client.send(handshake(cookie) + whole[:9])
        switched(client)
        wait_until(lambda: received(stub) == whole[:9], what="half a frame at the upstream")
        let_pass(rig, 31)
        client.read_until(OUR_PING)
        client.send(whole[9:])
        client.read_until(b"abcdefghij")
        let_pass(rig, 31)
        wait_until(lambda: len(received(stub)) > len(whole), what="the ping at the upstream")
    assert [(2, b"abcdefghij"), (9, MARK)] == unmasked(received(stub))


@with_limits(Limits(upstream_answer_seconds=FAR))
@pytest.mark.parametrize("full", ["client_full", "upstream_full"])
def test_who_is_not_read_is_not_silent(rig, stub, full):
    """Back-pressure: what the other end says, its pongs too, waits unread."""
    cookie = rig.login()
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        rig.call(lambda: getattr(tunnel_of(rig), full)(full=True))
        for seconds in (31, 91, 31):
            let_pass(rig, seconds)
        rig.call(lambda: getattr(tunnel_of(rig), full)(full=False))
        client.send(frame(1, b"x"))
        client.read_until(frame(1, b"x", mask=False))
        assert frame(1, b"x", mask=False) == bytes(client.received)


@with_limits(Limits(upstream_connect_seconds=FAR))
def test_a_closing_websocket_is_not_pinged(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), OPEN, ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.send(frame(8, struct.pack(">H", 1000)))
        wait_until(lambda: received(stub), what="the close at the upstream")
        let_pass(rig, 31)
        let_pass(rig, 2 * FAR)
        assert b"" == client.read_to_end()
    assert [(8, struct.pack(">H", 1000))] == unmasked(received(stub))


# a session that ends under a frame in flight


@with_limits(Limits())
def test_a_revocation_goes_in_behind_the_frame_under_way_however_much_follows_it(rig, stub):
    cookie = rig.login()
    whole = frame(2, b"abcdefghij", mask=False)
    flood = whole[6:] + whole * 1000 + whole[:5]
    stub.script(ReadRequest(), Send(SWITCH.encode() + b"\r\n" + whole[:6]), ReadBytes(8), Send(flood), ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.read_until(whole[:6])
        revoke(rig)
        client.read_until(b"\x88")
        assert (whole, 4401) == (bytes(client.received[: len(whole)]), close_code(bytes(client.received[len(whole) :])))


@with_limits(Limits())
def test_a_revocation_is_a_restart_to_the_upstream(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), OPEN, ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        revoke(rig)
        client.read_until(b"\x88")
        assert 4401 == close_code(bytes(client.received))
    wait_until(stub.connections[-1].ended.is_set, what="the upstream is let go")
    assert [(8, struct.pack(">H", 1012))] == unmasked(received(stub))


@with_limits(Limits())
def test_a_revocation_under_a_message_to_the_kernel_leaves_it_incomplete(rig, stub):
    """Half a message must not run: nothing may complete it, and no close may be written into it."""
    cookie = rig.login()
    whole = frame(1, b"import shutil")
    with rig.client() as client:
        client.send(handshake(cookie) + whole[:-3])
        switched(client)
        wait_until(lambda: received(stub) == whole[:-3], what="most of the frame at the upstream")
        revoke(rig)
        client.read_until(b"\x88")
        assert 4401 == close_code(bytes(client.received))
        client.send(whole[-3:] + frame(8, struct.pack(">H", 4401)))
        client.read_to_end()
    wait_until(stub.connections[-1].ended.is_set, what="the upstream is let go")
    assert whole[:-3] == received(stub)


@with_limits(Limits())
def test_a_client_that_was_closing_when_its_session_ended_is_not_waited_for(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), OPEN, ReadToEnd())
    with rig.client() as client:
        client.send(handshake(cookie))
        switched(client)
        client.send(frame(8, struct.pack(">H", 1000)))
        wait_until(lambda: received(stub), what="the close at the upstream")
        begun = time.monotonic()
        revoke(rig)
        assert b"\x88\x0c\x11\x31logged-out" == client.read_to_end()
        assert time.monotonic() - begun < ECHO_SECONDS
