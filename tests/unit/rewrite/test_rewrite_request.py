import msgspec
import pytest

from nbgate.http.head import HeadLimits, HeadParser, RequestHead
from nbgate.http.headers import make_tables
from nbgate.http.target import parse_target
from nbgate.model.route import Route, Upstream, UpstreamTls
from nbgate.rewrite.request import UpstreamAccess, UpstreamHeads, strip_token

LAB = Route(name="lab", prefix="/", upstream=Upstream(host="127.0.0.1", port=8888))
DEEP = Route(name="ada", prefix="/user/ada/", upstream=Upstream(host="127.0.0.1", port=8888), base_url="/ipython/")
TABLES = make_tables(
    methods=frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}),
    stripped=(frozenset({"forwarded", "x-real-ip", "x-request-id"}), ("x-forwarded-",)),
)
ACCESS = UpstreamAccess(route=LAB, token="T0K3N", cookie=None, client_address="192.0.2.7")


def parse(*lines: str, start: str = "GET /lab HTTP/1.1", host: str = "GW.test:8443") -> RequestHead:
    text = "\r\n".join((start, f"Host: {host}", *lines, "", ""))
    return HeadParser(HeadLimits(), TABLES).parse(text.encode("latin-1"))


def build(head: RequestHead, access: UpstreamAccess = ACCESS, **changes: object) -> list[str]:
    access = msgspec.structs.replace(access, **changes)
    built = UpstreamHeads().build(head, head.target.raw, access, "0f3c")
    assert built.endswith(b"\r\n")
    assert not built.endswith(b"\r\n\r\n")
    return built.decode("ascii").split("\r\n")[:-1]


def test_the_credential_is_sent_as_its_server_knows_it() -> None:
    assert ["Authorization: Bearer T0K3N"] == [
        line for line in build(parse(), bearer=True) if line.startswith("Authorization")
    ]


def test_an_upstream_that_speaks_https_is_named_so() -> None:
    secure = msgspec.structs.replace(LAB.upstream, tls=UpstreamTls(server_name="lab.test", pin="0" * 64))
    head = parse("Origin: https://gw.test:8443", "Referer: https://gw.test:8443/x")
    lines = build(head, route=msgspec.structs.replace(LAB, upstream=secure))
    assert {"Origin: https://127.0.0.1:8888", "Referer: https://127.0.0.1:8888/x"} <= set(lines)


def test_the_upstream_gets_its_own_authority_our_credential_and_what_may_pass() -> None:
    head = parse(
        "User-Agent: Firefox",
        "Accept: text/html",
        "X-Forwarded-For: 203.0.113.9",
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 203.0.113.9",
        "X-Request-ID: mine",
        "Authorization: token STOLEN",
        "Cookie: __Host-Http-nbgate=secret; sid=1",
        "Accept-Encoding: gzip, br",
        'If-None-Match: "x"',
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "X-XSRFToken: 2|a|b",
    )
    assert build(head, cookie="_xsrf=2|a|b") == [
        "GET /lab HTTP/1.1",
        "Host: 127.0.0.1:8888",
        "User-Agent: Firefox",
        "Accept: text/html",
        "X-XSRFToken: 2|a|b",
        'If-None-Match: "x"',
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: gw.test:8443",
        "Accept-Encoding: gzip, br",
        "Cookie: _xsrf=2|a|b",
        "Authorization: token T0K3N",
        "X-Request-ID: 0f3c",
    ]


def test_a_possible_page_is_asked_for_whole_and_uncompressed() -> None:
    lines = build(
        parse("Accept-Encoding: gzip", 'If-None-Match: "x"', "If-Modified-Since: y", "Range: bytes=0-"), identity=True
    )
    assert "Accept-Encoding: identity" in lines
    assert not [line for line in lines if line.startswith(("If-", "Range", "Accept-Encoding: gzip"))]


def test_what_is_not_there_is_not_sent() -> None:
    lines = build(parse(), token="")
    assert not [line for line in lines if line.startswith(("Authorization", "Cookie", "Accept-Encoding", "Origin"))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Origin: https://gw.test:8443", "Origin: http://127.0.0.1:8888"),
        ("Origin: https://GW.TEST:8443", "Origin: http://127.0.0.1:8888"),
        ("Origin: https://evil.example", None),
        ("Origin: https://gw.test:8443/x", None),
        ("Origin: https://gw.test", None),
        ("Origin: null", None),
        ("Referer: https://gw.test:8443", "Referer: http://127.0.0.1:8888/ipython/"),
        ("Referer: https://gw.test:8443/user/ada/lab?token=x#y", "Referer: http://127.0.0.1:8888/ipython/lab"),
        ("Referer: https://gw.test:8443/user/ada/lab#y?x", "Referer: http://127.0.0.1:8888/ipython/lab"),
        ("Referer: https://gw.test:8443/_nbgate/login", "Referer: http://127.0.0.1:8888/ipython/"),
        ("Referer: https://evil.example/user/ada/", None),
        ("Referer: http://gw.test:8443/user/ada/", None),
    ],
)
def test_origin_and_referer_become_the_upstreams_own_or_go_nowhere(line: str, expected: str | None) -> None:
    lines = [sent for sent in build(parse(line), route=DEEP) if sent.startswith(("Origin", "Referer"))]
    assert ([expected] if expected else []) == lines


def test_port_443_is_the_same_said_or_not() -> None:
    head = parse("Origin: https://gw.test:443", "Referer: https://gw.test/x", host="gw.test")
    assert {"Origin: http://127.0.0.1:8888", "Referer: http://127.0.0.1:8888/x"} <= set(build(head))


def test_two_origins_are_not_passed() -> None:
    head = parse("Origin: https://gw.test:8443", "Origin: https://gw.test:8443")
    assert not [line for line in build(head) if line.startswith("Origin")]


HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
)


def test_a_handshake_is_written_anew() -> None:
    head = parse(*HANDSHAKE, "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org, x")
    assert build(head)[-8:] == [
        "Authorization: token T0K3N",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org, x",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "X-Request-ID: 0f3c",
    ]


def test_extensions_are_left_out_where_messages_are_judged() -> None:
    assert not [line for line in build(parse(*HANDSHAKE), extensions=False) if "Extensions" in line]
    assert not [line for line in build(parse(*HANDSHAKE[:-1])) if "Extensions" in line or "Protocol" in line]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/lab", b"/lab"),
        (b"/lab?", b"/lab?"),
        (b"/lab?reset&x=1", b"/lab?reset&x=1"),
        (b"/lab?token=abc", b"/lab"),
        (b"/lab?token", b"/lab"),
        (b"/lab?token=", b"/lab"),
        (b"/lab?access_token=abc&x=1", b"/lab?x=1"),
        (b"/lab?x=1&token=abc&y=%20&token=def", b"/lab?x=1&y=%20"),
        (b"/lab?%74oken=abc&x", b"/lab?x"),
        (b"/lab?t%6fken=abc", b"/lab"),
        (b"/lab?+token=abc", b"/lab"),
        (b"/lab?%20token+=abc", b"/lab"),
        (b"/lab?x=token", b"/lab?x=token"),
        (b"/lab?x=a%20b", b"/lab?x=a%20b"),
        (b"/lab?tokens=1&my_token=2&Token=3", b"/lab?tokens=1&my_token=2&Token=3"),
        (b"/lab?x=1?token=abc", b"/lab?x=1?token=abc"),
        (b"/token=abc", b"/token=abc"),
    ],
)
def test_a_clients_token_is_taken_out_of_the_query(target: bytes, expected: bytes) -> None:
    assert expected == strip_token(target)
    head = msgspec.structs.replace(parse(), target=parse_target(target))
    assert build(head)[0] == f"GET {expected.decode()} HTTP/1.1"


def test_a_line_that_could_split_the_head_is_never_written() -> None:
    for change in ({"token": "a\r\nX: y"}, {"cookie": "a=\n"}, {"client_address": "\u00e9"}):
        with pytest.raises(ValueError, match="printable"):
            build(parse(), **change)


def test_the_memo_gives_what_is_built_anew() -> None:
    heads = UpstreamHeads()
    first, second = parse("Accept: a"), parse("Accept: b")
    other = msgspec.structs.replace(ACCESS, cookie="a=b")
    for head, access, request_id in [
        (first, ACCESS, "1"),
        (first, ACCESS, "2"),
        (second, ACCESS, "3"),
        (second, other, "4"),
        (msgspec.structs.replace(second, method="POST"), other, "5"),
        (first, ACCESS, "6"),
    ]:
        expected = UpstreamHeads().build(head, b"/x?token=y", access, request_id)
        assert expected == heads.build(head, b"/x?token=y", access, request_id)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/files/x?_xsrf=a", b"/files/x"),
        (b"/files/x?download=1&%5fxsrf=a&+_xsrf=b", b"/files/x?download=1"),
        (b"/files/x?token=a&xsrf=b", b"/files/x?xsrf=b"),
    ],
)
def test_where_we_are_logged_in_a_clients_xsrf_is_taken_out_too(target: bytes, expected: bytes) -> None:
    assert expected == strip_token(target, logged_in=True)
    assert b"xsrf" in strip_token(target)


@pytest.mark.parametrize("lines", [(), ("X-XSRFToken: theirs",), ("x-xsrftoken: 1", "X-CSRFToken: 2")])
def test_where_we_are_logged_in_the_only_xsrf_token_is_ours(lines: tuple[str, ...]) -> None:
    built = build(parse("Accept: x", *lines, "User-Agent: y"), token="", cookie="username-x=1; _xsrf=2", xsrf="2")
    assert ["X-XSRFToken: 2"] == [line for line in built if "srftoken" in line.lower()]
    assert ["Accept: x", "User-Agent: y"] == built[2:4]
    assert "Cookie: username-x=1; _xsrf=2" in built
    assert not [line for line in built if line.startswith("Authorization")]
