"""What people do in a room, told from what their tabs do alone."""

import pytest

from nbgate.websocket.frames import Data, FrameTracker, Opcode, build_frame
from nbgate.websocket.rooms import RoomTalk

MASK = b"\x01\x02\x03\x04"
HERE, EDIT = b"\x01where my cursor stands", b"\x00\x02what I typed"


def frame(payload, *, opcode=Opcode.BINARY, fin=True):
    built = build_frame(opcode, payload, mask=MASK)
    return built if fin else bytes([built[0] & 0x7F]) + built[1:]


def said(*pieces):
    """Feed as the tunnel does, by way of the tracker, and return what was said of each piece."""
    tracker, room = FrameTracker(from_client=True, extensions=False), RoomTalk()
    heard = []
    for data in pieces:
        answers = [room.feed(piece.raw) for piece in tracker.feed(data) if isinstance(piece, Data)]
        heard.append(any(answers))
    return heard


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([HERE], False),
        ([EDIT], True),
        ([HERE, HERE], False),
        ([HERE, EDIT], True),
        ([EDIT, HERE], True),
        ([b"\x01"], False),
        ([b"\x00"], True),
        ([b"\x7c room"], True),
        ([b""], False),
        ([b"", HERE], False),
        ([b"", EDIT], True),
    ],
)
@pytest.mark.parametrize("more", [0, 200, 70_000])
def test_only_awareness_is_no_activity(messages, expected, more):
    data = b"".join(frame(message + (b"\0" * more if message else b"")) for message in messages)
    assert [expected] == said(data)
    for size in (1, 2, 3, 7) if more < 70_000 else (4096, 30_011):
        assert expected == any(said(*(data[at : at + size] for at in range(0, len(data), size))))


def test_the_kind_of_a_message_stands_in_its_first_byte_however_it_is_cut():
    first, rest = frame(HERE[:5], fin=False), frame(b"\x00" + HERE[5:], opcode=Opcode.CONTINUATION)
    assert [False, False, True] == said(first, rest, frame(EDIT))
    empty = frame(b"", fin=False)
    assert [False, False] == said(empty, frame(HERE, opcode=Opcode.CONTINUATION))
    assert [False, True] == said(empty, frame(EDIT, opcode=Opcode.CONTINUATION))


def test_pings_between_its_pieces_change_nothing():
    data = frame(EDIT)
    ping = build_frame(Opcode.PING, b"\x00", mask=MASK)
    assert [False, True, False] == said(ping + frame(HERE) + data[:6], data[6:], ping)
