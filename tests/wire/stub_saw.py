"""What the STUB saw since a moment: its bytes, read by a reader of its own that takes only what is framed one way.

The gateway frames every request anew; so nothing but its own spelling may be here. `read_framed` raises for anything
else: a second length, a chunk extension, a bare line feed, a byte too many.
"""

import re

HEAD = re.compile(
    rb"(?P<method>[A-Z]+) (?P<target>/[!-~]*) HTTP/1\.1\r\n(?P<lines>(?:[!#$%&'*+.^`|~0-9A-Za-z-]+: ?[\t -~]*\r\n)+)\r\n"
)
PROBE = re.compile(
    rb"GET /(api(/contents(\?content=0)?)?|voila/static/voila\.js)? HTTP/1\.1\r\n(?:(?!X-Forwarded-)[^\r\n]+\r\n)+\r\n"
)
"""What the keeper asks an upstream of its own accord, whenever something there seems wrong."""
CHUNK = re.compile(rb"([1-9a-f][0-9a-f]*|0)\r\n")


class NotFramedError(Exception):
    """The upstream was sent bytes that are not exactly one row of requests in the gateway's own framing."""


def fields(head):
    """Return the names (lower case) and values of `head`, in order."""
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return [(name.lower().decode(), value.strip().decode()) for name, _, value in pairs]


def read_framed(data):
    """Return (head, body) of every request in `data`; what is cut short at its end is no request, and is dropped."""
    found = []
    while data:
        if b"\r\n\r\n" not in data:
            return found
        match = HEAD.match(data)
        if match is None:
            raise NotFramedError(data[:200])
        head, rest = match[0], data[match.end() :]
        framing = [pair for pair in fields(head) if pair[0] in {"content-length", "transfer-encoding"}]
        if len(framing) > 1:
            raise NotFramedError(head)
        read = _read_chunks(rest) if framing == [("transfer-encoding", "chunked")] else _read_length(framing, rest)
        if read is None:
            return found
        found.append((head, read[0]))
        data = read[1]
    return found


def _read_length(framing, rest):
    length = int(framing[0][1]) if framing else 0
    if framing and framing[0] != ("content-length", str(length)):
        raise NotFramedError(framing)
    return (rest[:length], rest[length:]) if len(rest) >= length else None


def _read_chunks(rest):
    body = b""
    while (match := CHUNK.match(rest)) is not None:
        size, start = int(match[1], 16), match.end()
        if rest[start + size : start + size + 2] != b"\r\n":
            if len(rest) >= start + size + 2:
                raise NotFramedError(rest[:200])
            return None
        body, rest = body + rest[start : start + size], rest[start + size + 2 :]
        if size == 0:
            return body, rest
    if rest and b"\r\n" in rest:
        raise NotFramedError(rest[:200])
    return None


class Watch:
    """What came to `stub` since this was made."""

    def __init__(self, stub):
        self.stub = stub
        self._before = [len(connection.received) for connection in stub.connections]

    @property
    def connections(self):
        """Return the new bytes of every connection on which something came, but the keeper's probes."""
        begun = self._before + [0] * (len(self.stub.connections) - len(self._before))
        pieces = [bytes(c.received[start:]) for c, start in zip(self.stub.connections, begun, strict=False)]
        return [piece for piece in pieces if piece and not PROBE.fullmatch(piece)]

    @property
    def size(self):
        """Return how many bytes came."""
        return sum(map(len, self.connections))

    @property
    def requests(self):
        """Return (head, body) of every whole request that came; all bytes must be framed as the gateway does."""
        return [request for piece in self.connections for request in read_framed(piece)]

    def lines(self):
        """Return every whole request as `METHOD TARGET BODYBYTES`."""
        split = ((head.split(b" ", 2), body) for head, body in self.requests)
        return [f"{method.decode()} {target.decode()[:80]} {len(body)}" for (method, target, _), body in split]

    def told(self):
        """Return a short text for the table."""
        if not self.size:
            return "0 bytes"
        lines = self.lines()
        return (
            f"exactly {len(lines)}: {'; '.join(lines)}"
            if lines
            else f"no whole request ({self.size} bytes, then the end)"
        )
