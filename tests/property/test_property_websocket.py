"""Any bytes as frames give pieces or a FrameError, the same bytes out as in, however they are cut."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nbgate.errors import FrameError
from nbgate.websocket.close_codes import may_be_sent
from nbgate.websocket.frames import (
    NO_LIMITS,
    Control,
    FrameLimits,
    FrameTracker,
    Opcode,
    build_close,
    build_frame,
    parse_close,
)

MASK = b"\x01\x80\xff\x00"
LIMITS = FrameLimits(
    message_bytes=200, fragments=3, data_per_second=1.0, data_burst=6, controls_per_second=1.0, control_burst=3
)


def rough_frame(first, payload):
    return bytes([first]) + build_frame(Opcode.TEXT, payload, mask=MASK)[1:]


FRAMES = st.builds(
    rough_frame,
    st.sampled_from([0x81, 0x82, 0x01, 0x80, 0x00, 0x89, 0x8A, 0x88, 0xC1, 0x83]),
    st.binary(max_size=20) | st.just(b"a" * 126) | st.just(b"\x03\xe8"),
)
BYTES = st.lists(FRAMES | st.binary(max_size=3), max_size=8).map(b"".join) | st.binary(max_size=60)
CUTS = st.lists(st.integers(1, 30), min_size=1, max_size=8)


def follow(data, cuts, *, extensions, limits=LIMITS):
    """Return (wire bytes handed out, control frames, fault, at a boundary)."""
    tracker = FrameTracker(from_client=True, extensions=extensions, limits=limits)
    raw, controls, fault = b"", [], None
    at = turn = 0
    while at < len(data) and fault is None:
        size = cuts[turn % len(cuts)]
        try:
            pieces = tracker.feed(data[at : at + size])
        except FrameError as error:
            pieces, fault = tracker.salvaged, (error.reason, error.close_code)
        raw += b"".join(piece.raw for piece in pieces)
        controls += [(piece.opcode, piece.payload) for piece in pieces if isinstance(piece, Control)]
        at, turn = at + size, turn + 1
    return raw, controls, fault, tracker.at_boundary, tracker.closed, tracker.frames, tracker.payload_bytes


@settings(max_examples=500, deadline=None)
@given(data=BYTES, cuts=CUTS, extensions=st.booleans())
def test_frames_come_to_the_same_however_they_are_cut(data, cuts, extensions):
    whole = follow(data, [max(len(data), 1)], extensions=extensions)
    assert whole == follow(data, [1], extensions=extensions) == follow(data, cuts, extensions=extensions)
    assert data.startswith(whole[0])


@settings(max_examples=200, deadline=None)
@given(
    messages=st.lists(
        st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING]), st.binary(max_size=100)), max_size=6
    ),
    cuts=CUTS,
)
def test_good_frames_all_pass(messages, cuts):
    data = b"".join(build_frame(opcode, payload, mask=MASK) for opcode, payload in messages)
    raw, controls, fault, at_boundary, *_ = follow(data, cuts, extensions=False, limits=NO_LIMITS)
    assert (data, None, True) == (raw, fault, at_boundary)
    assert [(9, payload) for opcode, payload in messages if opcode is Opcode.PING] == controls


@given(payload=st.binary(max_size=130))
def test_any_close_payload_gives_a_code_or_a_frame_error(payload):
    try:
        code = parse_close(payload)
    except FrameError as error:
        code = -error.close_code
    assert (code is None) is (payload == b"")
    assert code is None or code in {-1002, -1007} or may_be_sent(code)


@given(
    code=st.sampled_from([1000, 1012, 4401]),
    reason=st.text(max_size=200),
    mask=st.none() | st.binary(min_size=4, max_size=4),
)
def test_a_built_close_is_always_a_good_frame(code, reason, mask):
    tracker = FrameTracker(from_client=mask is not None, extensions=False)
    (piece,) = tracker.feed(build_close(code, reason, mask=mask))
    assert (code, True) == (parse_close(piece.payload), tracker.closed)
