"""A 101 is believed only as the answer to the handshake that was asked for (THREATS D23)."""

import pytest

from nbgate.errors import UpstreamProtocolError
from nbgate.http.fields import WebsocketOffer
from nbgate.http.response import parse_response_head
from nbgate.http.upgrade import Switch, accept_key, judge_switch
from nbgate.reasons import Reason

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
OFFER = WebsocketOffer(
    KEY, ("v1.kernel.websocket.jupyter.org", "b"), "permessage-deflate; client_max_window_bits", "13"
)
GOOD = (b"Upgrade: WebSocket", b"Connection: upgrade", b"Sec-WebSocket-Accept: " + ACCEPT)


def answer(*lines, status=b"HTTP/1.1 101 Switching Protocols"):
    return parse_response_head(b"\r\n".join((status, *lines, b"", b"")), method="GET")


def test_the_accept_key_is_the_one_of_the_standard():
    assert ACCEPT.decode() == accept_key(KEY)


@pytest.mark.parametrize(
    ("lines", "switch"),
    [
        ((), Switch(None, None)),
        ((b"Sec-WebSocket-Protocol: b",), Switch("b", None)),
        (
            (b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12",),
            Switch(None, "permessage-deflate; server_max_window_bits=12"),
        ),
    ],
)
def test_a_good_answer_says_what_was_chosen(lines, switch):
    assert switch == judge_switch(answer(*GOOD, *lines), OFFER)


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (b"HTTP/1.1 200 OK", GOOD),
        (b"HTTP/1.0 101 Switching Protocols", GOOD),
        (b"HTTP/1.1 101 Switching Protocols", ()),
        (b"HTTP/1.1 101 Switching Protocols", (*GOOD[:2],)),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                GOOD[0],
                GOOD[2],
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                GOOD[1],
                GOOD[2],
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                b"Upgrade: foo",
                *GOOD[1:],
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                *GOOD[:2],
                b"Sec-WebSocket-Accept: " + ACCEPT.lower(),
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                *GOOD,
                b"Sec-WebSocket-Protocol: c",
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                *GOOD,
                b"Sec-WebSocket-Protocol: ",
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                *GOOD,
                b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org, b",
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                *GOOD,
                b"Sec-WebSocket-Extensions: x-webkit-deflate-frame",
            ),
        ),
        (
            b"HTTP/1.1 101 Switching Protocols",
            (
                *GOOD,
                b"Sec-WebSocket-Extensions: permessage-deflate, other",
            ),
        ),
    ],
)
def test_any_other_answer_is_no_switch(status, lines):
    with pytest.raises(UpstreamProtocolError) as caught:
        judge_switch(answer(*lines, status=status), OFFER)
    assert Reason.UPSTREAM_BAD_RESPONSE == caught.value.reason


def test_an_extension_nobody_offered_is_no_switch():
    offer = WebsocketOffer(KEY, (), None, "13")
    with pytest.raises(UpstreamProtocolError):
        judge_switch(answer(*GOOD, b"Sec-WebSocket-Extensions: permessage-deflate"), offer)
