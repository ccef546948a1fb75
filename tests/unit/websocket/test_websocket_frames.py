"""Frames of one direction: boundaries known, bytes unchanged, faults found at the frame that has them (RFC 6455)."""

import math

import pytest

from nbgate.errors import FrameError
from nbgate.reasons import Reason
from nbgate.websocket.frames import (
    Control,
    Data,
    FrameLimits,
    FrameTracker,
    Opcode,
    build_close,
    build_frame,
    parse_close,
)

MASK = b"\x01\x02\x03\x04"
CAP = 1000


def tracker(*, from_client=True, cap=CAP, extensions=False, **limits):
    limits = FrameLimits(message_bytes=cap, **limits)
    return FrameTracker(from_client=from_client, extensions=extensions, limits=limits)


def frame(first, payload=b"", *, mask=MASK):
    """A frame with any first byte."""
    return bytes([first]) + build_frame(Opcode.TEXT, payload, mask=mask)[1:]


def feed_all(follower, data, step):
    """Feed in pieces; return the wire bytes of data, and the control frames."""
    raw, controls = b"", []
    for at in range(0, len(data), step):
        for piece in follower.feed(data[at : at + step]):
            raw += piece.raw
            if isinstance(piece, Control):
                controls.append((piece.opcode, piece.payload))
    return raw, controls


SMALL = frame(0x81, b"hello")
STREAM = b"".join(
    (
        SMALL,
        frame(0x89, b"ping"),
        frame(0x01, b"frag"),
        frame(0x8A, b""),
        frame(0x00, b""),
        frame(0x80, b"ment" * 50),
        frame(0x82, b""),
        frame(0x88, b"\x03\xe8bye"),
    )
)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 1000])
def test_a_stream_passes_byte_for_byte_however_it_is_cut(step):
    follower = tracker()
    raw, controls = feed_all(follower, STREAM, step)
    assert STREAM == raw
    assert [(9, b"ping"), (10, b""), (8, b"\x03\xe8bye")] == controls
    assert (8, 5 + 4 + 0 + 200 + 0, True, True) == (
        follower.frames,
        follower.payload_bytes,
        follower.closed,
        follower.at_boundary,
    )


def test_runs_of_data_are_coalesced_and_control_frames_stand_alone():
    ping = frame(0x89, b"p")
    assert [Data(SMALL + SMALL), Control(9, b"p", ping), Data(SMALL)] == tracker().feed(SMALL + SMALL + ping + SMALL)


@pytest.mark.parametrize("data", [SMALL, SMALL + SMALL, SMALL[:8], frame(0x82, b"a" * 300)])
def test_a_chunk_without_control_frames_is_the_same_object(data):
    (piece,) = tracker().feed(data)
    assert data is piece.raw


def test_a_chunk_inside_a_frame_is_the_same_object():
    follower = FrameTracker(from_client=False, extensions=False)
    follower.feed(build_frame(Opcode.BINARY, b"a" * 70000, mask=None)[:10])
    data = b"a" * 1000
    (piece,) = follower.feed(data)
    assert data is piece.raw


def test_incomplete_headers_and_control_frames_are_held_back():
    follower = tracker()
    assert [Data(SMALL)] == follower.feed(SMALL + SMALL[:5])
    assert follower.at_boundary
    assert [Data(SMALL[:7])] == follower.feed(SMALL[5:7])
    assert not follower.at_boundary
    assert [Data(SMALL[7:])] == follower.feed(SMALL[7:] + frame(0x89, b"ping")[:-1])
    assert follower.at_boundary
    assert [Control(9, b"ping", frame(0x89, b"ping"))] == follower.feed(frame(0x89, b"ping")[-1:])


def test_what_follows_a_close_is_discarded():
    follower = tracker()
    close = build_close(1000, mask=MASK)
    assert [Control(8, b"\x03\xe8", close)] == follower.feed(close + SMALL)
    assert [] == follower.feed(SMALL)
    assert follower.at_boundary


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 100000])
@pytest.mark.parametrize("mask", [None, MASK])
def test_built_frames_are_read_back(length, mask):
    payload = bytes(range(256)) * (length // 256 + 1)
    data = build_frame(Opcode.BINARY, payload[:length], mask=mask)
    follower = FrameTracker(from_client=mask is not None, extensions=False)
    assert (data, []) == feed_all(follower, data, 4096)
    assert (1, length, True) == (follower.frames, follower.payload_bytes, follower.at_boundary)


def test_masking_is_the_standard_s_example():
    """RFC 6455 section 5.7: a single-frame masked text message."""
    assert bytes.fromhex("818537fa213d7f9f4d5158") == build_frame(Opcode.TEXT, b"Hello", mask=bytes.fromhex("37fa213d"))


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    "data",
    [
        frame(0x81, b"a", mask=None),
        frame(0xA1, b"a"),
        frame(0x91, b"a"),
        frame(0xC1, b"a"),
        frame(0xC9, b"a"),
        frame(0x83, b"a"),
        frame(0x87, b"a"),
        frame(0x8B, b"a"),
        frame(0x8F, b"a"),
        frame(0x80, b"a"),
        frame(0x00, b"a"),
        frame(0x01, b"a") + frame(0x01, b"a"),
        frame(0x01, b"a") + frame(0x82, b"a"),
        frame(0x09, b"a"),
        frame(0x89, b"a" * 126),
        b"\x89\xfe\x00\x05",
        b"\x81\xfe\x00\x7d",
        b"\x81\xff" + (65535).to_bytes(8),
        b"\x81\xff" + (1 << 63).to_bytes(8),
        frame(0x88, b"\x03"),
        frame(0x88, b"\x03\xed"),
        frame(0x88, b"\x03\xee"),
        frame(0x88, b"\x03\xf7"),
        frame(0x88, b"\x00\x00"),
        frame(0x88, b"\x07\xd0"),
    ],
)
def test_a_broken_frame_is_a_protocol_error(step, data):
    with pytest.raises(FrameError) as caught:
        feed_all(tracker(cap=math.inf), data, step)
    assert (Reason.WEBSOCKET_FRAME, 1002) == (caught.value.reason, caught.value.close_code)


def test_a_server_may_not_mask():
    with pytest.raises(FrameError) as caught:
        tracker(from_client=False).feed(SMALL)
    assert 1002 == caught.value.close_code


def test_a_close_reason_must_be_utf_8():
    with pytest.raises(FrameError) as caught:
        tracker().feed(frame(0x88, b"\x03\xe8\xff"))
    assert 1007 == caught.value.close_code


def test_the_first_reserved_bit_is_an_extension_s_on_the_first_frame_of_a_message():
    follower = tracker(extensions=True)
    data = frame(0x41, b"a") + frame(0x80, b"b") + frame(0xC2, b"c")
    assert [Data(data)] == follower.feed(data)
    for bad in (frame(0xC9, b"a"), frame(0x41, b"a") + frame(0xC0, b"b")):
        with pytest.raises(FrameError):
            tracker(extensions=True).feed(bad)


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(
    ("data", "fits"),
    [
        (frame(0x82, b"a" * CAP), True),
        (frame(0x82, b"a" * (CAP + 1)), False),
        (frame(0x02, b"a" * 600) + frame(0x80, b"a" * 400), True),
        (frame(0x02, b"a" * 600) + frame(0x89, b"a" * 100) + frame(0x80, b"a" * 401), False),
        (frame(0x82, b"a" * CAP) + frame(0x82, b"a" * CAP), True),
        (b"\x82\xff" + (1 << 62).to_bytes(8), False),
    ],
)
def test_a_message_is_capped_by_its_headers(step, data, fits):
    if fits:
        assert data == feed_all(tracker(), data, step)[0]
        return
    with pytest.raises(FrameError) as caught:
        feed_all(tracker(), data, step)
    assert (Reason.WEBSOCKET_TOO_BIG, 1009) == (caught.value.reason, caught.value.close_code)


PING, PONG, CLOSE = frame(0x89, b"p"), frame(0x8A), frame(0x88)
DATA_PACE = {"data_per_second": 10.0, "data_burst": 3}
CONTROL_PACE = {"controls_per_second": 10.0, "control_burst": 3}
FIRST, MORE, LAST = frame(0x01, b"a"), frame(0x00, b"b"), frame(0x80, b"c")


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    ("limits", "passes", "then", "fault"),
    [
        ({"fragments": 3}, FIRST + MORE + LAST + FIRST + PING + MORE + PING, LAST, None),
        ({"fragments": 3}, FIRST + MORE + MORE + PING, MORE, (Reason.WEBSOCKET_FRAGMENTS, 1009)),
        ({"fragments": 3}, FIRST + MORE + MORE, LAST, (Reason.WEBSOCKET_FRAGMENTS, 1009)),
        ({"fragments": 1}, SMALL * 9, SMALL, None),
        (DATA_PACE, SMALL + PING * 9 + FIRST + LAST, CLOSE, None),
        (DATA_PACE, SMALL + FIRST + LAST, SMALL, (Reason.WEBSOCKET_FLOOD, 1008)),
        (DATA_PACE, FIRST + MORE * 2, MORE, (Reason.WEBSOCKET_FLOOD, 1008)),
        (CONTROL_PACE, PING * 2 + SMALL * 9 + PONG, CLOSE, None),
        (CONTROL_PACE, PING + PONG * 2, PONG, (Reason.WEBSOCKET_FLOOD, 1008)),
        (CONTROL_PACE, FIRST + PING + MORE + PING * 2, PING, (Reason.WEBSOCKET_FLOOD, 1008)),
    ],
)
def test_frames_are_limited_and_those_before_the_limit_pass(step, limits, passes, then, fault):
    follower = tracker(**limits)
    assert passes == feed_all(follower, passes, step)[0]
    if fault is None:
        assert then == feed_all(follower, then, step)[0]
        return
    with pytest.raises(FrameError) as caught:
        feed_all(follower, then, step)
    assert (fault, True) == ((caught.value.reason, caught.value.close_code), follower.at_boundary)


@pytest.mark.parametrize("begin", [0.0, 123456.789, 1e9])
@pytest.mark.parametrize(("seconds", "more"), [(0.0, 0), (0.04, 0), (0.1, 1), (0.24, 2), (0.3, 3), (100.0, 3)], ids=str)
@pytest.mark.parametrize(("pace", "sent"), [(DATA_PACE, SMALL), (CONTROL_PACE, PING)], ids=["messages", "pings"])
def test_time_lets_more_frames_in_up_to_the_burst(begin, seconds, more, pace, sent):
    follower = tracker(**pace)
    follower.feed(sent * 3, begin)
    with pytest.raises(FrameError):
        follower.feed(sent * (more + 1), begin + seconds)
    assert sent * more == b"".join(piece.raw for piece in follower.salvaged)


def test_without_a_cap_a_message_may_be_any_size():
    follower = FrameTracker(from_client=False, extensions=False)
    assert 10 == len(follower.feed(b"\x82\x7f" + (1 << 62).to_bytes(8))[0].raw)


@pytest.mark.parametrize(
    ("before", "pieces"),
    [
        (b"", ()),
        (SMALL, (Data(SMALL),)),
        (SMALL + frame(0x89, b"p"), (Data(SMALL), Control(9, b"p", frame(0x89, b"p")))),
    ],
)
def test_what_stood_before_a_fault_is_salvaged(before, pieces):
    follower = tracker()
    with pytest.raises(FrameError):
        follower.feed(before + frame(0x83, b""))
    assert (pieces, True) == (follower.salvaged, follower.at_boundary)


@pytest.mark.parametrize(
    ("code", "reason", "payload"),
    [
        (None, "ignored", b""),
        (1012, "", b"\x03\xf4"),
        (4401, "session-ended", b"\x11\x31session-ended"),
        (1000, "é" * 100, b"\x03\xe8" + "é".encode() * 61),
    ],
)
def test_a_close_is_built_within_its_bound(code, reason, payload):
    (piece,) = tracker(from_client=False).feed(build_close(code, reason, mask=None))
    assert (8, payload, code) == (piece.opcode, piece.payload, parse_close(piece.payload))


def test_a_masked_close_is_read_back():
    assert 1012 == parse_close(tracker().feed(build_close(1012, "x", mask=MASK))[0].payload)
