"""The mutations themselves: the same number makes the same bytes, and there are enough kinds of them."""

import pytest
from mutations import GROUPS, drafts, mutation, mutations
from stub_saw import NotFramedError, read_framed

LINES = b"Cookie: a=b\r\nOrigin: https://gw.test\r\n"


def test_the_same_number_makes_the_same_bytes():
    first = [made.data for made in mutations(200, seed=1, lines=LINES)]
    assert first == [made.data for made in mutations(200, seed=1, lines=LINES)]
    assert first != [made.data for made in mutations(200, seed=2, lines=LINES)]
    assert mutation(150, seed=1, lines=LINES).data == first[150]


def test_nearly_all_are_different():
    assert 2300 < len({made.data for made in mutations(2400, lines=LINES)})
    assert 700 < sum(map(len, GROUPS.values()))


def test_what_is_not_spoilt_is_three_good_requests():
    assert [b"POST", b"GET", b"POST"] == [
        read_framed(draft.render())[0][0].split(b" ")[0] for _, draft in sorted(drafts(7, LINES).items())
    ]


def test_every_change_can_be_made_and_changes_something():
    """To each kind of request, and twice: none raises, and of one kind at least it makes another request."""
    for name, change in [item for group in GROUPS.values() for item in group.items()]:
        before, changed = drafts(7, LINES), drafts(7, LINES)
        for draft in changed.values():
            change(draft)
        assert [draft.render() for draft in before.values()] != [draft.render() for draft in changed.values()], name
        for draft in changed.values():
            change(draft)


GOOD = b"POST /x HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"GET /x HTTP/1.1\nHost: a\r\n\r\n",
        b"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get /x HTTP/1.1\r\nHost: a\r\n\r\n",
        GOOD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
        GOOD + b"Content-Length: 02\r\n\r\nab",
        GOOD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GOOD + b"Transfer-Encoding: chunked\r\n\r\n02\r\nab\r\n0\r\n\r\n",
        GOOD + b"Transfer-Encoding: chunked\r\n\r\n2;a\r\nab\r\n0\r\n\r\n",
        GOOD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        GOOD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
        GOOD + b"\r\nsmuggled\r\n\r\n",
    ],
)
def test_the_reader_of_the_stub_s_bytes_takes_one_framing_only(data):
    with pytest.raises(NotFramedError):
        read_framed(data)
