"""PROXY headers: both versions, in any pieces, and nothing that is almost one."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbgate.errors import ProtocolError
from nbgate.http.proxy_protocol import MAX_V1_BYTES, MAX_V2_BYTES, SIGNATURE, Proxied, ProxyHeader
from nbgate.reasons import Reason

V4 = bytes([192, 0, 2, 7, 10, 0, 0, 1]) + struct.pack("!HH", 40000, 8443)
V6 = ipaddress.IPv6Address("2001:db8::7").packed + ipaddress.IPv6Address("::1").packed + struct.pack("!HH", 40000, 443)
UNIX = b"/run/a.sock".ljust(108, b"\0") * 2
TLV = b"\x01\x00\x02h2"


def v2(command: int, family: int, body: bytes, length: int | None = None) -> bytes:
    """Return a header of version 2."""
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body) if length is None else length) + body


GOOD = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 8443\r\n", "192.0.2.7", 40000),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535),
    (b"PROXY TCP6 2001:DB8:0::7 ::1 0 8443\r\n", "2001:db8::7", 0),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 40000 8443\r\n", "::ffff:c000:207", 40000),
    (b"PROXY UNKNOWN\r\n", None, 0),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None, 0),
    (b"PROXY UNKNOWN ".ljust(MAX_V1_BYTES - 2, b"x") + b"\r\n", None, 0),
    (v2(0x21, 0x11, V4), "192.0.2.7", 40000),
    (v2(0x21, 0x11, V4 + TLV), "192.0.2.7", 40000),
    (v2(0x21, 0x21, V6), "2001:db8::7", 40000),
    (v2(0x21, 0x21, V6 + b"\0" * (MAX_V2_BYTES - 16 - 36)), "2001:db8::7", 40000),
    (v2(0x20, 0x00, b""), None, 0),
    (v2(0x20, 0x11, V4), None, 0),
    (v2(0x21, 0x00, b""), None, 0),
    (v2(0x21, 0x00, TLV), None, 0),
    (v2(0x21, 0x31, UNIX), None, 0),
]


@pytest.mark.parametrize(("header", "address", "port"), GOOD)
def test_a_header_says_who_is_at_the_far_end_and_how_long_it_is(header, address, port):
    assert Proxied(address, port, len(header)) == ProxyHeader().feed(header)


@pytest.mark.parametrize(("header", "address", "port"), GOOD)
def test_what_follows_a_header_is_no_part_of_it(header, address, port):
    assert Proxied(address, port, len(header)) == ProxyHeader().feed(header + b"\x16\x03\x01\r\n more")


@pytest.mark.parametrize(("header", "address", "port"), GOOD)
def test_a_header_may_come_byte_by_byte(header, address, port):
    parser = ProxyHeader()
    answers = [parser.feed(header[at : at + 1]) for at in range(len(header))]
    assert [None] * (len(header) - 1) + [Proxied(address, port, len(header))] == answers


BAD = [
    b"\x16\x03\x01\x02\x00",
    b"GET / HTTP/1.1\r\n",
    b"proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY  TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 1\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n",
    b"PROXY TCP4 192.0.2.007 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.256 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY TCP6 1:2:3 ::1 1 2\r\n",
    b"PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY UNKNOWNS\r\n",
    b"PROXY UNKNOWN \xff\r\n",
    b"PROXY \r\n",
    b"PROXY UNKNOWN ".ljust(MAX_V1_BYTES - 1, b"x") + b"\r\n",
    b"PROXY UNKNOWN ".ljust(MAX_V1_BYTES, b"x"),
    v2(0x11, 0x11, V4),  # version 1 in the binary form
    v2(0x31, 0x11, V4),
    v2(0x22, 0x11, V4),  # no such command
    v2(0x21, 0x12, V4),  # datagrams
    v2(0x21, 0x22, V6),
    v2(0x21, 0x32, UNIX),
    v2(0x21, 0x41, V4),
    v2(0x21, 0x11, V4[:-1]),
    v2(0x21, 0x21, V6[:-1]),
    v2(0x21, 0x21, V4),
    v2(0x20, 0x00, b"", MAX_V2_BYTES - 15),
    v2(0x20, 0x00, b"", 65535),
    b"\r\n\r\n\x00\r\nQUIT\r",
]


@pytest.mark.parametrize("data", BAD)
def test_what_is_almost_a_header_is_refused(data):
    with pytest.raises(ProtocolError) as caught:
        ProxyHeader().feed(data)
    assert (Reason.BAD_PROXY_HEADER, 400) == (caught.value.reason, caught.value.status)


@pytest.mark.parametrize("data", BAD)
def test_what_is_almost_a_header_is_refused_byte_by_byte_too(data):
    parser = ProxyHeader()
    pieces = (parser.feed(data[at : at + 1]) for at in range(len(data)))
    with pytest.raises(ProtocolError):
        list(pieces)


@given(
    st.one_of(st.binary(max_size=600), st.builds(bytes.__add__, st.sampled_from([SIGNATURE, b"PROXY "]), st.binary()))
)
def test_any_bytes_are_a_header_or_the_beginning_of_one_or_refused(data):
    parser = ProxyHeader()
    try:
        whole = parser.feed(data)
    except ProtocolError:
        return
    if whole is None:
        assert len(data) < MAX_V2_BYTES
    else:
        assert 0 < whole.length <= min(len(data), MAX_V2_BYTES)
