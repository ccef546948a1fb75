"""Any bytes of an upstream are one answer or one typed error, the same however they are cut: head and body together."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from nbgate.errors import UpstreamProtocolError
from nbgate.http.response import KnownHeads
from nbgate.testing.replay import Answer, AnswerReader, replay_answer

HEAD_BYTES = 300
LINES = st.sampled_from(
    [
        b"Content-Length: 3\r\n",
        b"Content-Length: 0\r\n",
        b"content-length: 5\r\n",
        b"Content-Length: 99999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: CHUNKED\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive, x-a\r\n",
        b"Date: Mon, 23 Nov 2026 00:00:00 GMT\r\n",
        b"Date: never\r\n",
        b"Content-Type: text/html\r\n",
        b"Set-Cookie: a=b\r\n",
        b"Upgrade: websocket\r\n",
        b"X-A: b\r\n",
        b"X-A: \xff\t\r\n",
        b"X-A: b\x00\r\n",
        b"X-A: b\rc\r\n",
        b"X-A: b\n",
        b" folded\r\n",
        b"X-A : b\r\n",
        b"A: " + b"a" * 290 + b"\r\n",
    ]
)
STATUS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 304\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"HTTP/1.1 404 \xe9\r\n",
        b"HTTP/1.1 600 X\r\n",
        b"HTTP/2 200\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
    ]
)
INTERIM = st.sampled_from(
    [b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 3]
)
BODIES = st.lists(
    st.sampled_from(
        [
            b"abc",
            b"3\r\nabc\r\n",
            b"3;x\r\nabc\r\n",
            b"0\r\n\r\n",
            b"0\r\nX: y\r\n\r\n",
            b"\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ]
    )
    | st.binary(max_size=4),
    max_size=5,
).map(b"".join)
ANSWERS = st.builds(
    lambda interim, status, lines, body: interim + status + b"".join(lines) + b"\r\n" + body,
    INTERIM,
    STATUS,
    st.lists(LINES, max_size=4),
    BODIES,
)
METHODS = st.sampled_from(["GET", "HEAD", "POST"])
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def read_cut(data, cuts, method):
    reader = AnswerReader(method=method, head_bytes=HEAD_BYTES, known=KnownHeads())
    at = turn = 0
    try:
        while at < len(data):
            size = cuts[turn % len(cuts)]
            reader.feed(data[at : at + size])
            at, turn = at + size, turn + 1
    except UpstreamProtocolError as error:
        return Answer(fault=error.reason)
    return reader.result()


@settings(max_examples=500, deadline=None)
@given(data=ANSWERS | st.binary(max_size=120), cuts=CUTS, method=METHODS)
def test_an_answer_comes_to_the_same_however_it_is_cut(data, cuts, method):
    whole = replay_answer(data, method=method, head_bytes=HEAD_BYTES)
    assert whole == replay_answer(data, method=method, head_bytes=HEAD_BYTES, step=1)
    assert whole == read_cut(data, cuts, method)


@settings(max_examples=300, deadline=None)
@given(data=ANSWERS, method=METHODS)
def test_what_is_passed_on_of_an_answer_ends_where_it_says(data, method):
    """No more payload than announced, none where none may be, and no byte that could begin another header."""
    answer = replay_answer(data, method=method, head_bytes=HEAD_BYTES)
    if answer.head is None:
        return
    bodiless = method == "HEAD" or answer.head.status in {101, 204, 304}
    assert b"" == answer.payload or not bodiless
    assert not (answer.finished and answer.head.length is not None and not bodiless) or answer.head.length == len(
        answer.payload
    )
    assert all(re.fullmatch(rb"[!-9;-~]+:[\t -~\x80-\xff]*\r\n", line) for _, line, _ in answer.head.lines)
    assert answer.may_end is (answer.finished or answer.head.framing.value == "eof")


@settings(max_examples=200, deadline=None)
@given(first=ANSWERS, second=ANSWERS, method=METHODS)
def test_what_was_read_before_changes_nothing(first, second, method):
    """The memory of heads gives what reading anew gives."""
    known = KnownHeads()
    for data in (first, second, first):
        reader = AnswerReader(method=method, head_bytes=HEAD_BYTES, known=known)
        try:
            reader.feed(data)
            outcome = reader.result()
        except UpstreamProtocolError as error:
            outcome = Answer(fault=error.reason)
        assert replay_answer(data, method=method, head_bytes=HEAD_BYTES) == outcome
