"""Bodies: where they end, what is payload, and nothing in between let through."""

import pytest

from nbgate.errors import ProtocolError, UpstreamProtocolError
from nbgate.http.framing import LAST_CHUNK, ChunkedBody, EofBody, LengthBody, NoBody, encode_chunk
from nbgate.reasons import Reason


def drain(body, data, step):
    payload = b""
    for at in range(0, len(data), step):
        piece, rest, finished = body.feed(data[at : at + step])
        payload += piece
        if finished:
            return payload, rest + data[at + step :], True
    return payload, b"", False


def test_no_body_ends_at_once():
    body = NoBody()
    assert (b"", b"next", True) == body.feed(b"next")
    assert (True, True) == (body.finished, body.eof())


@pytest.mark.parametrize("step", [1, 3, 100])
def test_a_length_body_ends_at_its_length(step):
    body = LengthBody(5)
    assert (False, False) == (body.finished, body.eof())
    assert (b"hello", b"GET", True) == drain(body, b"helloGET", step)
    assert (True, True, 0) == (body.finished, body.eof(), body.remaining)


def test_a_length_body_of_nothing_is_finished_before_it_is_fed():
    body = LengthBody(0)
    assert body.finished
    assert (b"", b"GET", True) == body.feed(b"GET")


@pytest.mark.parametrize("size", [3, 5])
def test_a_piece_inside_a_length_body_is_not_copied(size):
    data = bytes(size)
    payload, _, _ = LengthBody(5).feed(data)
    assert data is payload


def test_an_eof_body_ends_with_its_connection():
    body = EofBody()
    assert (b"any", b"", False) == body.feed(b"any")
    assert (False, True) == (body.finished, body.eof())


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("step", [1, 2, 5, 100])
@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    ],
)
def test_chunks_are_joined_and_the_rest_is_left(strict, step, data, payload):
    body = ChunkedBody(strict=strict)
    assert not body.eof()
    assert (payload, b"GET /", True) == drain(body, data + b"GET /", step)
    assert (True, True) == (body.finished, body.eof())
    assert (b"", b"more", True) == body.feed(b"more")


def test_a_piece_inside_a_chunk_is_not_copied():
    body = ChunkedBody(strict=True)
    body.feed(b"ff\r\n")
    data = bytes(10)
    payload, rest, finished = body.feed(data)
    assert data is payload
    assert (b"", False) == (rest, finished)


BAD_CHUNKS = [
    b"0x2\r\n",
    b"+2\r\n",
    b" 2\r\n",
    b"2 \r\n",
    b"0_2\r\n",
    b"-2\r\n",
    b"\r\n",
    b"\r",
    b"g\r\n",
    b"2\n",
    b"2\rX",
    b";a\r\n",
    b"00000000000000002\r\n",
    b"ffffffffffffffff\r\n",
    b"7fffffffffffffff",
    b"2\r\nabc\r\n",
    b"2\r\nab\n",
    b"2\r\nabX",
    b"2\r\nab\rX",
    b"2;a\nb\r\n",
]


@pytest.mark.parametrize("step", [1, 100])
@pytest.mark.parametrize("data", [*BAD_CHUNKS, b"2;a=b\r\n", b"2;"])
def test_a_request_with_a_bad_chunk_is_refused(step, data):
    with pytest.raises(ProtocolError) as caught:
        drain(ChunkedBody(strict=True), data, step)
    assert (Reason.BAD_CHUNK, 400) == (caught.value.reason, caught.value.status)


@pytest.mark.parametrize("step", [1, 100])
@pytest.mark.parametrize("data", [b"0\r\nX", b"0\r\nX-T: 1\r\n\r\n", b"0\r\n\n", b"0\r\n\rX"])
def test_a_request_with_a_trailer_is_refused(step, data):
    with pytest.raises(ProtocolError) as caught:
        drain(ChunkedBody(strict=True), data, step)
    assert Reason.BAD_TRAILER == caught.value.reason


@pytest.mark.parametrize("step", [1, 100])
@pytest.mark.parametrize(
    "data",
    [
        *BAD_CHUNKS,
        b"2;" + b"a" * 4097,
        b"2;" + b"a" * 4097 + b"\r\n",
        b"2;\x00\r\n",
        b"0\r\nX-T: 1\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n folded\r\n\r\n",
        b"0\r\nX-T: " + b"a" * 16384,
        b"0\r\nX-T: " + b"a" * 16384 + b"\r\n",
        b"0\r\n" + b"X-T: 1\r\n" * 2049,
    ],
)
def test_an_upstream_with_bad_chunks_is_refused(step, data):
    with pytest.raises(UpstreamProtocolError) as caught:
        drain(ChunkedBody(strict=False), data, step)
    assert Reason.UPSTREAM_BAD_RESPONSE == caught.value.reason


@pytest.mark.parametrize("step", [1, 100])
def test_an_upstream_s_extensions_and_trailers_are_left_out(step):
    data = b'2;a="b"\r\nab\r\n0;x\r\nX-T: 1\r\nExpires: never\r\n\r\nnext'
    assert (b"ab", b"next", True) == drain(ChunkedBody(strict=False), data, step)


@pytest.mark.parametrize(
    ("payload", "framed"), [(b"", b""), (b"a", b"1\r\na\r\n"), (b"a" * 26, b"1a\r\n" + b"a" * 26 + b"\r\n")]
)
def test_a_chunk_is_framed_and_an_empty_one_never_ends_the_body(payload, framed):
    assert framed == encode_chunk(payload)
    assert (payload, b"", True) == ChunkedBody(strict=True).feed(framed + LAST_CHUNK)
