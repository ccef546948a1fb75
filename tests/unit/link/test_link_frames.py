"""Any bytes give messages or a LinkError; whole = byte at a time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.config.schema import Limits
from nbgate.errors import LinkError
from nbgate.http.headers import HeaderTables
from nbgate.link.frames import Decoder, encode
from nbgate.link.messages import (
    MAX_TO_KEEPER_BYTES,
    Activity,
    Message,
    RecordsWritten,
    RevokeAck,
    SessionAnswer,
    SessionAsk,
    Snapshot,
    ToKeeper,
    ToWorker,
    WorkerHello,
)
from nbgate.model.keys import SealingKey, TlsMaterial
from nbgate.model.route import Route, Upstream, UpstreamState
from nbgate.model.session import Session

ids = st.binary(min_size=32, max_size=32)
numbers = st.integers(min_value=0, max_value=2**53)
messages = st.one_of(
    st.builds(SessionAsk, id=ids),
    st.builds(RevokeAck, ack=numbers, closed=numbers),
    st.builds(Activity, ids=st.lists(ids, max_size=4).map(tuple)),
    st.builds(WorkerHello, pid=numbers, boot=st.text(max_size=8), confinement=st.just(("landlock 7",))),
)

SNAPSHOT = Snapshot(
    worker=1,
    limits=Limits(),
    tables=HeaderTables(
        methods=frozenset({"GET"}),
        refused=frozenset(),
        stripped_names=frozenset({"forwarded"}),
        stripped_prefixes=("x-forwarded-",),
        upstream_stripped_names=frozenset({"server"}),
        upstream_stripped_prefixes=(),
        frequent={},
    ),
    tls=TlsMaterial(chain_pem=b"chain", key_pem=b"key"),
    routes=(Route(name="nb", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888)),),
    upstreams=(UpstreamState(route="nb", token="t"),),
    sessions=(Session(id=b"i" * 32, user="ada", created_unix=1.5, absolute_unix=2.5),),
    sealing_keys=(SealingKey(id=0, secret=b"s" * 32),),
)


def decode(data: bytes, receives=ToKeeper, max_bytes=MAX_TO_KEEPER_BYTES) -> list[Message]:
    return Decoder[Message](receives, max_bytes).feed(data)


def test_a_frame_is_a_big_endian_length_and_a_msgpack_array_that_begins_with_the_tag():
    frame = encode(RevokeAck(ack=7, closed=2))

    assert len(frame) - 4 == int.from_bytes(frame[:4], "big")
    assert ["RevokeAck", 7, 2] == msgspec.msgpack.decode(frame[4:])


@pytest.mark.parametrize("message", [SNAPSHOT, SessionAnswer(id=b"i" * 32, session=None), RecordsWritten(upto=3)])
def test_a_message_comes_out_as_it_went_in(message):
    assert [message] == decode(encode(message), ToWorker)


@given(st.lists(messages, max_size=6))
def test_whole_is_byte_at_a_time(sent):
    stream = b"".join(map(encode, sent))
    decoder = Decoder[Message](ToKeeper, MAX_TO_KEEPER_BYTES)
    one_by_one = [message for at in range(len(stream)) for message in decoder.feed(stream[at : at + 1])]

    assert sent == decode(stream)
    assert sent == one_by_one
    assert decoder.is_between_frames


def outcome(pieces: list[bytes]) -> list[Message] | str:
    decoder = Decoder[Message](ToKeeper, 4096)
    got: list[Message] = []
    try:
        for piece in pieces:
            got += decoder.feed(piece)
    except LinkError:
        return "LinkError"
    return got


@given(st.lists(st.one_of(messages.map(encode), st.binary(max_size=24)), max_size=5).map(b"".join))
def test_any_bytes_give_messages_or_a_link_error_and_nothing_else(data):
    assert outcome([data]) == outcome([data[at : at + 1] for at in range(len(data))])


@given(st.binary(max_size=64))
def test_a_frame_of_garbage_is_a_link_error_or_a_message(body):
    assert outcome([len(body).to_bytes(4, "big") + body]) is not None


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(framed(b""), id="empty frame"),
        pytest.param(framed(b"\xff"), id="not an array"),
        pytest.param(framed(msgspec.msgpack.encode(["Unknown", 1])), id="a tag outside the closed set"),
        pytest.param(encode(RecordsWritten(upto=1)), id="a message of the other direction"),
        pytest.param(framed(msgspec.msgpack.encode(["RevokeAck", 1, 2, 3])), id="a field too many"),
        pytest.param(framed(msgspec.msgpack.encode(["RevokeAck", 1])), id="a field too few"),
        pytest.param(framed(msgspec.msgpack.encode(["RevokeAck", "1", 2])), id="a text for a number"),
        pytest.param(framed(msgspec.msgpack.encode(["RevokeAck", 1, 2]) + b"\x00"), id="bytes after the array"),
        pytest.param(framed(b"\x92\xafUpstreamSuspect\xa1\xff"), id="text that is not UTF-8"),
        pytest.param(framed(b"\x91" * 100_000), id="nested without end"),
        pytest.param((MAX_TO_KEEPER_BYTES + 1).to_bytes(4, "big"), id="a length over the bound, before any body"),
    ],
)
def test_what_is_no_message_for_this_end_is_a_link_error(data):
    with pytest.raises(LinkError):
        decode(data)


def test_after_a_bad_frame_nothing_is_believed_any_more():
    decoder = Decoder[Message](ToKeeper, 4096)
    with pytest.raises(LinkError):
        decoder.feed(framed(b"\xff"))

    with pytest.raises(LinkError, match="broken"):
        decoder.feed(encode(RevokeAck(ack=1, closed=1)))


def test_an_incomplete_frame_waits():
    decoder = Decoder[Message](ToKeeper, 4096)

    assert [] == decoder.feed(encode(RevokeAck(ack=1, closed=1))[:-1])
    assert not decoder.is_between_frames


def test_a_message_over_the_bound_is_refused_by_its_sender():
    with pytest.raises(LinkError, match="over the bound of 8"):
        encode(SessionAsk(id=b"i" * 32), 8)
