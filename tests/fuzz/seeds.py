"""Where a fuzzer begins: the corpus of tests/wire, and a few good inputs of each kind that is no request."""

import re
from pathlib import Path

from nbgate.http.proxy_protocol import SIGNATURE
from nbgate.websocket.frames import Opcode, build_close, build_frame

WIRE = Path(__file__).parents[1] / "wire"
MASK = b"\1\2\3\4"


def requests() -> list[bytes]:
    """Return every file of the corpus that is not mostly padding."""
    found = [path.read_bytes() for kind in ("invalid", "valid") for path in sorted((WIRE / kind).glob("*.http"))]
    return [data for data in found if len(data) < 1500]


def bodies() -> list[bytes]:
    """Return the bodies of the corpus, those that are chunked."""
    return [data.partition(b"\r\n\r\n")[2] for data in requests() if b"chunked" in data]


def targets() -> list[bytes]:
    """Return the targets of the corpus."""
    lines = (data.strip(b"\r\n").split(b"\r\n")[0].split(b" ") for data in requests())
    return [line[1] for line in lines if len(line) > 1]


def frames() -> list[bytes]:
    """Return frames of either side; the first byte says which, as `judges.judge_frames` reads it."""
    ups = [
        build_frame(opcode, payload, mask=MASK)
        for opcode in (Opcode.TEXT, Opcode.PING)
        for payload in (b"", b"hi", b"a" * 126)
    ]
    downs = [build_frame(Opcode.BINARY, b"a" * 70000, mask=None), build_close(1000, "bye", mask=None)]
    split = bytes((0x01, 0x82, *MASK, 0x69, 0x6A)) + bytes((0x80, 0x80, *MASK))
    return [b"\1" + data for data in [*ups, split, build_close(4401, "", mask=MASK)]] + [b"\0" + data for data in downs]


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 204 No Content\r\nConnection: close, x-a\r\nX-A: b\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x02hi",
    b"HTTP/1.1 302 Found\r\nLocation: /a\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n",
]
COOKIES = [
    b"__Host-Http-nbgate=abc; _xsrf=2|a|b|1; nbg-lab-x=y; a=b; a=c; =d; e",
    b"a=b; Path=/; Domain=x.test; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Max-Age=5; HttpOnly",
    b'username-localhost-8888="2|1:0|10:1|3:x|4:y"; Secure; SameSite=None',
    b"__HOST-HTTP-nbgate=x; Secure; Path=/",
]
PROXIES = [
    b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
    b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\nGET / HTTP/1.1\r\n",
    b"PROXY UNKNOWN ffff:f...f:ffff\r\n",
    SIGNATURE + b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb",
    SIGNATURE + b"\x21\x21\x00\x27" + bytes(36) + b"\x04\x00\x00",
    SIGNATURE + b"\x20\x00\x00\x00",
]


def seeds(name: str) -> list[bytes]:
    """Return the seeds of the harness `name`."""
    made = {"body": bodies, "frames": frames, "head": requests, "request": requests, "target": targets}
    data = {"answer": ANSWERS, "cookies": COOKIES, "proxy": PROXIES}
    return made[name]() if name in made else data[name]


def words() -> list[bytes]:
    """Return what inputs are made of, for a dictionary."""
    found = {word for data in requests() + ANSWERS for word in re.findall(rb"[A-Za-z][A-Za-z0-9/.-]{2,30}", data)}
    return sorted(
        found | {b"\r\n", b"\r\n\r\n", b"HTTP/1.1", b"0\r\n\r\n", b"%2e", b"%2f", b"\r\n ", b"PROXY TCP4 ", SIGNATURE}
    )
