"""What the gateway makes of an answer of a server that was told another base URL than the public prefix."""

from dataclasses import dataclass

from nbgate.crypto.sealing import Keyring
from nbgate.http.head import HeadLimits, HeadParser
from nbgate.http.response import parse_response_head
from nbgate.jupyter.paths import is_kernelspecs, is_untouched
from nbgate.model.keys import SealingKey
from nbgate.model.route import Route, Upstream, UpstreamState
from nbgate.pipeline.response import answer_head, body_rewriter
from nbgate.pipeline.verdict import Forward
from nbgate.rewrite.cookies import PURPOSE
from nbgate.rewrite.response import ClientHeads
from nbgate.routing.table import rest_of
from nbgate.rules.tables import shipped_tables

TOKEN = "5ekrettoken0123456789abcdef0123456789abcdef0123"
PREFIX = "/ipython/"
ROUTE = Route(name="moved", prefix=PREFIX, base_url="/", upstream=Upstream(host="127.0.0.1", port=8888))

_TABLES = shipped_tables()
_KEYRING = Keyring((SealingKey(id=0, secret=bytes(32)),), purpose=PURPOSE)


@dataclass(frozen=True)
class Page:
    """An answer of a server: `path` is what it was asked for, below its base URL."""

    path: str
    status: int
    content_type: str
    body: bytes


def rewriter_of(page, *, route=ROUTE, token=TOKEN):
    """Return what the gateway puts the body of `page` through, None for nothing."""
    request = HeadParser(HeadLimits(), _TABLES).parse(
        f"GET {route.prefix}{page.path} HTTP/1.1\r\nHost: gw.test\r\n\r\n".encode()
    )
    head = f"HTTP/1.1 {page.status} OK\r\nContent-Type: {page.content_type}\r\nContent-Length: {len(page.body)}\r\n\r\n"
    response = parse_response_head(head.encode(), method="GET")
    rest = rest_of(route, request.target.segments)
    state = UpstreamState(route=route.name, token=token)
    forward = Forward(route, state, b"", None, is_untouched(rest), kernelspecs=is_kernelspecs(rest))
    built = answer_head(
        response,
        request,
        forward,
        ClientHeads(_TABLES),
        user="ada",
        keyring=_KEYRING,
        random=bytes,
        request_id="id1",
        date=b"",
        close=False,
    )  # fmt: skip
    return body_rewriter(built, response, request, forward, b"")


def rewritten(page, sizes=(), **how):
    """Return the body of `page` as it leaves, fed in pieces of `sizes` and then whole."""
    rewriter, rest, out = rewriter_of(page, **how), page.body, b""
    if rewriter is None:
        return rest
    for size in sizes:
        out += rewriter.feed(rest[:size])
        rest = rest[size:]
    out += rewriter.feed(rest) + rewriter.finish()
    assert not rewriter.leaked
    return out


def random_sizes(generator, total):
    """Return sizes of pieces that make up at most about `total` bytes."""
    sizes = []
    while sum(sizes) < total and len(sizes) < 2000:
        sizes.append(generator.choice((1, 2, 3, 7, 40, 300, 3000)))
    return sizes
