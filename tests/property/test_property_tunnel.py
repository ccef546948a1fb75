"""A tunnel changes nothing: whatever is sent, however it is cut, another parser sees the same frames at the other end.

The tunnel is the real one; what surrounds it is recorded here. `websockets` reads what comes out.
"""

from types import SimpleNamespace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from websockets.frames import Opcode as Op
from websockets.protocol import Protocol, Side, State

from nbgate.config.schema import Limits
from nbgate.edge.tunnel import Tunnel
from nbgate.websocket.frames import NO_LIMITS, FrameLimits, build_frame

MARK = b"\xfe" * 8
MASK = b"\x5a\x00\xff\x21"
LIMITS = Limits(websocket_ping_seconds=1.0, websocket_silence_seconds=1e9)


class Wire:
    """The other side of the tunnel: keeps what is written to it."""

    def __init__(self):
        self.written = b""
        self.ended = False

    def write(self, data):
        self.written += data

    def finish(self):
        self.ended = True

    abort = close = finish

    def pause_reading(self):
        pass

    resume_reading = pause_reading

    def release(self, why):
        pass


def make_tunnel(frame_limits, limits=LIMITS):
    now = SimpleNamespace(seconds=0.0)
    loop = SimpleNamespace(time=lambda: now.seconds, call_later=lambda _seconds, _step: None)
    worker = SimpleNamespace(
        loop=loop,
        clock=SimpleNamespace(monotonic=loop.time),
        random=lambda count: (MARK * 2)[:count],
        sessions=SimpleNamespace(was_active=lambda _session: None),
        outbox=SimpleNamespace(record=lambda _kind, **_fields: None),
        websockets=0,
    )
    exchange = SimpleNamespace(
        session=None,
        session_id=b"s",
        request_id="",
        connection=Wire(),
        forward=None,
        uplink=SimpleNamespace(upstream=Wire()),
        worker=worker,
        policy=SimpleNamespace(limits=limits, frame_limits=frame_limits),
    )
    return Tunnel(exchange, extensions=False), exchange.connection, exchange.uplink.upstream, now


def read(side, data):
    """Return (frames, the fault) as `websockets` sees them, our own pings taken out."""
    protocol = Protocol(side, state=State.OPEN, max_size=None)
    protocol.receive_data(data)
    frames = [(frame.opcode, frame.fin, bytes(frame.data)) for frame in protocol.events_received()]
    return [frame for frame in frames if frame[0] is not Op.PING or frame[2] != MARK], protocol.parser_exc


def frame(first, payload, mask):
    return bytes([first]) + build_frame(1, payload, mask=mask)[1:]


PAYLOADS = st.binary(max_size=8) | st.sampled_from([125, 126, 300]).map(bytes)
CONTROLS = st.tuples(st.sampled_from([0x89, 0x8A]), st.binary(max_size=5))


@st.composite
def messages(draw):
    """Whole messages, in one frame or in several, with pings and pongs between and inside."""
    frames = []
    for count in draw(st.lists(st.integers(1, 4), max_size=4)):
        for number in range(count):
            first = (0 if number else draw(st.sampled_from([1, 2]))) | (0x80 if number == count - 1 else 0)
            frames.append((first, draw(PAYLOADS)))
            frames += draw(st.lists(CONTROLS, max_size=1))
    return frames


@st.composite
def cuts_of(draw, data):
    """Cut `data` anywhere."""
    places = draw(st.lists(st.integers(0, len(data)), max_size=12).map(sorted))
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True) if end > begin]


@st.composite
def traffic(draw, up, down):
    """Mix pieces of both directions with passing time."""
    pieces = {"up": draw(cuts_of(up)), "down": draw(cuts_of(down))}
    steps = ["up"] * len(pieces["up"]) + ["down"] * len(pieces["down"])
    steps = draw(st.permutations(steps + ["time"] * draw(st.integers(0, 6))))
    return [(step, pieces[step].pop(0) if step != "time" else b"") for step in steps]


def play(steps, frame_limits=NO_LIMITS):
    tunnel, client, upstream, now = make_tunnel(frame_limits)
    for step, data in steps:
        if step == "up":
            tunnel.client_data(data)
        elif step == "down":
            tunnel.upstream_data(data)
        else:
            now.seconds += 1.5
            tunnel.expire(now.seconds)
    return client.written, upstream.written


@settings(max_examples=400, deadline=None)
@given(data=st.data(), up=messages(), down=messages())
def test_another_parser_sees_the_same_frames_with_our_pings_taken_out(data, up, down):
    sent_up = b"".join(frame(first, payload, MASK) for first, payload in up)
    sent_down = b"".join(frame(first, payload, None) for first, payload in down)
    to_client, to_upstream = play(data.draw(traffic(sent_up, sent_down)))
    assert read(Side.SERVER, sent_up) == read(Side.SERVER, to_upstream)
    assert read(Side.CLIENT, sent_down) == read(Side.CLIENT, to_client)
    event(f"pings: {to_upstream.count(frame(0x89, MARK, (MARK * 2)[:4]))} up, {to_client.count(MARK)} down")


OUR_CLOSE = frame(0x88, b"\x03\xe9", MARK[:4])[:6]
OUR_PING = frame(0x89, MARK, MARK[:4])
CAPS = FrameLimits(
    message_bytes=12, fragments=3, controls_per_second=1.0, control_burst=4, data_per_second=1.0, data_burst=6
)


def without_ours(raw):
    """Take out the pings of ours, and the close at the end."""
    raw = raw.replace(OUR_PING, b"")
    return raw[:-8] if raw[-8:-2] == OUR_CLOSE else raw


@pytest.mark.parametrize(("full", "ended"), [("", True), ("client_full", False), ("upstream_full", False)])
def test_who_was_not_read_for_a_while_may_still_answer(full, ended):
    tunnel, client, _, now = make_tunnel(NO_LIMITS, Limits(websocket_ping_seconds=30.0, websocket_silence_seconds=60.0))
    for now.seconds in (30.0, 60.0):
        tunnel.expire(now.seconds)
    if full:
        now.seconds = 61.0
        getattr(tunnel, full)(full=True)
        now.seconds = 89.0
        getattr(tunnel, full)(full=False)
    now.seconds = 90.0
    tunnel.upstream_data(frame(0x8A, b"", None))
    tunnel.expire(now.seconds)
    assert ended == client.ended


ROUGH = st.lists(
    st.tuples(st.sampled_from([0x81, 0x02, 0x00, 0x80, 0x89, 0x8A, 0xC1, 0x83]), st.binary(max_size=6)), max_size=8
)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), rough=ROUGH, noise=st.binary(max_size=5))
def test_frames_that_break_the_protocol_or_a_limit_end_it_and_never_come_out(data, rough, noise):
    sent = b"".join(frame(first, payload, MASK) for first, payload in rough) + noise
    came, fault = read(Side.SERVER, without_ours(play(data.draw(traffic(sent, b"")), CAPS)[1]))
    assert (None, came) == (fault, read(Side.SERVER, sent)[0][: len(came)])


@settings(max_examples=400, deadline=None)
@given(data=st.data(), up=st.binary(max_size=40), down=st.binary(max_size=40))
def test_any_bytes_pass_up_to_a_fault_or_not_at_all(data, up, down):
    to_client, to_upstream = play(data.draw(traffic(up, down)), CAPS)
    assert up.startswith(without_ours(to_upstream))
    passed = to_client.replace(frame(0x89, MARK, None), b"").partition(b"\x88")[0]
    assert down.startswith(passed)
