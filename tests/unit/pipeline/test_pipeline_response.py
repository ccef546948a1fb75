"""The head a client gets: framing, keep-alive, cookies, and when the upstream does not take its credential."""

import pytest
from msgspec.structs import replace

from nbgate.crypto.sealing import Keyring
from nbgate.errors import UpstreamProtocolError
from nbgate.http.head import HeadLimits, HeadParser
from nbgate.http.response import parse_response_head
from nbgate.model.keys import SealingKey
from nbgate.model.route import Route, RouteKind, Upstream, UpstreamState
from nbgate.pipeline.response import answer_head, body_rewriter, judge_answer, switch_head
from nbgate.pipeline.verdict import Forward
from nbgate.reasons import Reason
from nbgate.rewrite.cookies import PURPOSE
from nbgate.rewrite.response import ClientHeads
from nbgate.rules.tables import shipped_tables

TABLES = shipped_tables()
KEYRING = Keyring((SealingKey(id=0, secret=bytes(32)),), purpose=PURPOSE)
LAB = Route(name="lab1", prefix="/lab1/", base_url="/lab1/", upstream=Upstream(host="127.0.0.1", port=8888))
MOVED = replace(LAB, base_url="/base/")
OWN = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/run/pages.sock"), kind=RouteKind.OWN)
OWN_BELOW = replace(OWN, prefix="/base/_nbgate/", base_url="/_nbgate/")


def request(method="GET", *, minor=1, extra=""):
    raw = f"{method} /lab1/x HTTP/1.{minor}\r\nHost: gw.test\r\n{extra}\r\n".encode()
    return HeadParser(HeadLimits(), TABLES).parse(raw)


def response(*lines, status="200 OK", method="GET"):
    return parse_response_head("\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode("latin-1"), method=method)


def forward(*, token="tok", cookie="", route=LAB, untouched=True, banner=False, kernelspecs=False):
    state = UpstreamState(route=route.name, token=token, cookie=cookie)
    return Forward(route, state, b"", socket=None, untouched=untouched, banner=banner, kernelspecs=kernelspecs)


def build(answer, *, of=None, by=None, close=False, date=b""):
    return answer_head(
        answer,
        of or request(),
        by or forward(),
        ClientHeads(TABLES),
        user="ada",
        keyring=KEYRING,
        random=bytes,
        request_id="id1",
        date=date,
        close=close,
    )


def lines_of(head):
    assert head.endswith(b"\r\n\r\n")
    assert 1 == head.count(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n")


CHUNKED, CLOSE, KEEP = "Transfer-Encoding: chunked", "Connection: close", "Connection: keep-alive"
LENGTH = "Content-Length: 5"
HTML, JSON = "Content-Type: text/html", "Content-Type: application/json"


@pytest.mark.parametrize(
    ("sent", "status", "method", "minor", "extra", "close", "framing", "keep"),
    [
        # a length stays a length
        ((LENGTH,), "200 OK", "GET", 1, "", False, [LENGTH], True),
        ((LENGTH,), "200 OK", "GET", 0, "", False, [LENGTH, CLOSE], False),
        ((LENGTH,), "200 OK", "GET", 0, "Connection: keep-alive\r\n", False, [LENGTH, KEEP], True),
        ((LENGTH,), "200 OK", "GET", 1, "Connection: close\r\n", False, [LENGTH, CLOSE], False),
        ((LENGTH,), "200 OK", "GET", 1, "", True, [LENGTH, CLOSE], False),
        ((LENGTH,), "200 OK", "HEAD", 1, "", False, [LENGTH], True),
        (("Content-Length: 0",), "200 OK", "GET", 1, "", False, ["Content-Length: 0"], True),
        # chunks are made anew, and left out for a client that does not know them
        ((CHUNKED,), "200 OK", "GET", 1, "", False, [CHUNKED], True),
        ((CHUNKED,), "200 OK", "GET", 0, "", False, [CLOSE], False),
        ((CHUNKED,), "200 OK", "GET", 0, "Connection: keep-alive\r\n", False, [CLOSE], False),
        # a body up to the end of the connection is chunked: the client's connection goes on
        ((), "200 OK", "GET", 1, "", False, [CHUNKED], True),
        ((), "200 OK", "GET", 0, "", False, [CLOSE], False),
        # no body
        ((), "204 No Content", "GET", 1, "", False, [], True),
        ((LENGTH,), "304 Not Modified", "GET", 1, "", False, [], True),
        ((), "200 OK", "HEAD", 1, "", False, [], True),
        # what the upstream wants for its own connection says nothing about ours
        ((LENGTH, "Connection: close"), "200 OK", "GET", 1, "", False, [LENGTH], True),
        ((LENGTH, "Connection: keep-alive", "Keep-Alive: timeout=5"), "200 OK", "GET", 1, "", False, [LENGTH], True),
    ],
)
def test_framing_and_connection(sent, status, method, minor, extra, close, framing, keep):
    built = build(
        response(*sent, status=status, method=method), of=request(method, minor=minor, extra=extra), close=close
    )
    names = ("content-length:", "transfer-encoding:", "connection:", "keep-alive:")
    assert framing == [line for line in lines_of(built.data) if line.lower().startswith(names)]
    assert (keep, CHUNKED in framing, False) == (built.keep_alive, built.chunked, built.rewrite)


@pytest.mark.parametrize(
    ("sent", "status", "token", "untouched", "rewrite"),
    [
        ((HTML, LENGTH), "200 OK", "tok", False, True),
        ((HTML, CHUNKED), "200 OK", "tok", False, True),
        ((HTML, LENGTH), "404 Not Found", "tok", True, True),
        ((HTML, LENGTH), "200 OK", "tok", True, False),
        ((HTML, LENGTH), "200 OK", "", False, False),
        (("Content-Type: text/plain", LENGTH), "200 OK", "tok", False, False),
    ],
)
def test_a_page_is_rewritten_where_there_is_a_token_to_hide(sent, status, token, untouched, rewrite):
    built = build(response(*sent, status=status), by=forward(token=token, untouched=untouched))
    assert (rewrite, rewrite or CHUNKED in sent) == (built.rewrite, built.chunked)
    assert rewrite == ("Cache-Control: no-store" in lines_of(built.data))


@pytest.mark.parametrize(
    ("sent", "status", "method", "token", "rewrite", "banner"),
    [
        ((HTML, LENGTH), "200 OK", "GET", "", True, True),
        ((HTML, LENGTH), "200 OK", "GET", "tok", True, True),
        ((HTML, LENGTH), "404 Not Found", "GET", "", False, False),
        ((HTML, LENGTH), "404 Not Found", "GET", "tok", True, False),
        ((HTML, LENGTH), "200 OK", "HEAD", "tok", False, False),
        ((HTML, LENGTH), "206 Partial Content", "GET", "", False, False),
        ((HTML, LENGTH, "Content-Encoding: gzip"), "200 OK", "GET", "", False, False),
        ((HTML, LENGTH, "Content-Encoding: identity"), "200 OK", "GET", "", True, True),
        (("Content-Type: text/plain", LENGTH), "200 OK", "GET", "", False, False),
        (("Content-Type: application/json", LENGTH), "200 OK", "GET", "tok", False, False),
    ],
)
def test_a_page_somebody_goes_to_gets_the_banner(sent, status, method, token, rewrite, banner):
    kept = (*sent, 'ETag: "x"')
    by = forward(token=token, untouched=False, banner=True)
    built = build(response(*kept, status=status, method=method), of=request(method), by=by)
    assert (rewrite, banner) == (built.rewrite, built.banner)
    lines = lines_of(built.data)
    assert (not rewrite, not rewrite, rewrite) == (
        'ETag: "x"' in lines,
        LENGTH in lines,
        "Cache-Control: no-store" in lines,
    )


def test_without_the_banner_a_page_without_a_token_passes_as_it_is():
    built = build(response(HTML, LENGTH), by=forward(token="", untouched=False))
    assert (False, False, True) == (built.rewrite, built.banner, LENGTH in lines_of(built.data))


@pytest.mark.parametrize("extra", [("Content-Encoding: gzip",), ("Content-Range: bytes 0-4/9",)])
@pytest.mark.parametrize(("route", "token"), [(LAB, "tok"), (MOVED, "tok"), (MOVED, "")])
def test_a_page_that_cannot_be_read_is_refused(extra, route, token):
    status = "206 Partial Content" if "Range" in extra[0] else "200 OK"
    with pytest.raises(UpstreamProtocolError):
        build(response(HTML, LENGTH, *extra, status=status), by=forward(untouched=False, route=route, token=token))


@pytest.mark.parametrize(
    ("route", "token", "content_type", "untouched", "kernelspecs", "rewrite"),
    [
        (MOVED, "", HTML, False, False, True),
        (MOVED, "tok", HTML, False, False, True),
        (MOVED, "", HTML, True, False, False),
        (MOVED, "", JSON, True, True, True),
        (MOVED, "tok", JSON, True, True, True),
        (MOVED, "", JSON, True, False, False),
        (OWN_BELOW, "", HTML, False, False, False),
        (LAB, "", HTML, False, False, False),
    ],
)
def test_what_names_addresses_is_rewritten_where_they_are_not_the_public_ones(
    route, token, content_type, untouched, kernelspecs, rewrite
):
    by = forward(route=route, token=token, untouched=untouched, kernelspecs=kernelspecs)
    built = build(response(content_type, LENGTH, 'ETag: "x"'), by=by)
    assert (rewrite, rewrite, rewrite and kernelspecs) == (built.rewrite, built.chunked, built.kernelspecs)
    assert rewrite == ("Cache-Control: no-store" in lines_of(built.data)) == ('ETag: "x"' not in lines_of(built.data))


def test_the_banner_is_added_to_pages_alone():
    by = forward(route=MOVED, untouched=True, banner=True, kernelspecs=True)
    assert not build(response(JSON, LENGTH), by=by).banner


@pytest.mark.parametrize(
    ("by", "content_type", "body", "left"),
    [
        (forward(untouched=False), HTML, b"<head><a href=/lab1/tree?token=tok>", b'<head>+<a href="/lab1/tree?token=">'),
        (forward(untouched=False, route=MOVED), HTML, b"<head><a href='/base/tree'>", b"<head>+<a href='/lab1/tree'>"),
        (forward(untouched=False, route=MOVED, token=""), HTML, b"<p><a href='/base/tree'>", b"<p><a href='/lab1/tree'>"),
        (
            forward(route=MOVED, kernelspecs=True),
            JSON,
            b'{"resources": {"x": "/base/kernelspecs/x"}}',
            b'{"resources": {"x": "/lab1/kernelspecs/x"}}',
        ),
        (forward(route=MOVED), JSON, b'{"resources": {"x": "/base/kernelspecs/x"}}', None),
    ],
)  # fmt: skip
def test_what_a_body_goes_through(by, content_type, body, left):
    by = Forward(by.route, by.state, b"", None, by.untouched, banner=True, kernelspecs=by.kernelspecs)
    answer = response(content_type, LENGTH)
    rewriter = body_rewriter(build(answer, by=by), answer, request(), by, b"+")
    assert left == (None if rewriter is None else rewriter.feed(body) + rewriter.finish())


@pytest.mark.parametrize(
    ("status", "location", "token", "reason"),
    [
        ("200 OK", None, "tok", None),
        ("403 Forbidden", None, "tok", Reason.UPSTREAM_REJECTED_CREDENTIAL),
        ("403 Forbidden", None, "", None),
        ("401 Unauthorized", None, "tok", None),
        ("302 Found", "/base/login", "tok", Reason.UPSTREAM_REJECTED_CREDENTIAL),
        ("302 Found", "/base/login?next=%2Fbase%2Flab", "tok", Reason.UPSTREAM_REJECTED_CREDENTIAL),
        ("303 See Other", "/base/login", "tok", Reason.UPSTREAM_REJECTED_CREDENTIAL),
        ("308 Permanent Redirect", "/base/login", "tok", Reason.UPSTREAM_REJECTED_CREDENTIAL),
        ("302 Found", "/base/login", "", None),
        ("302 Found", "/login", "tok", None),
        ("302 Found", "/base/login/x", "tok", None),
        ("302 Found", "/base/auth/login?next=%2F", "tok", Reason.UPSTREAM_REJECTED_CREDENTIAL),
        ("302 Found", "/auth/login", "tok", None),
        ("302 Found", "/base/lab", "tok", None),
        ("302 Found", None, "tok", None),
        ("201 Created", "/base/login", "tok", None),
    ],
)
def test_when_the_upstream_does_not_take_its_credential(status, location, token, reason):
    lines = ("Content-Length: 0",) if location is None else ("Content-Length: 0", f"Location: {location}")
    assert reason is judge_answer(response(*lines, status=status), forward(token=token, route=MOVED))


def test_an_upstreams_cookies_are_sealed_and_the_keepers_pass_as_they_are():
    answer = response("Set-Cookie: sid=secret; Path=/lab1/", "Set-Cookie: _xsrf=x", LENGTH)
    sealed = [line for line in lines_of(build(answer).data) if line.startswith("Set-Cookie:")]
    assert sealed[0].startswith("Set-Cookie: nbg-lab1-sid=")
    assert sealed[0].endswith("; Path=/lab1/; HttpOnly; Secure; SameSite=Lax")
    assert "secret" not in sealed[0]
    assert "Set-Cookie: _xsrf=x; Path=/lab1/; Secure; SameSite=Lax" == sealed[1]

    ours = "Set-Cookie: __Host-Http-nbgate=abc; Path=/; Secure; HttpOnly; SameSite=Lax"
    built = build(response(ours, LENGTH), by=forward(route=OWN, token=""))
    assert [ours] == [line for line in lines_of(built.data) if line.startswith("Set-Cookie:")]


def test_the_request_id_the_date_and_the_mapped_location_are_there():
    answer = response("Location: /base/tree", LENGTH, status="302 Found")
    lines = lines_of(build(answer, by=forward(route=MOVED), date=b"Date: now\r\n").data)
    assert "HTTP/1.1 302 Found" == lines[0]
    assert {"X-Request-ID: id1", "Date: now", "Location: /lab1/tree"} <= set(lines)


def test_the_head_of_a_switch():
    answer = response(
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: abc",
        "Set-Cookie: sid=secret",
        status="101 Switching Protocols",
    )
    head = switch_head(
        answer,
        request(),
        forward(),
        ClientHeads(TABLES),
        user="ada",
        keyring=KEYRING,
        random=bytes,
        request_id="id1",
    )
    lines = lines_of(head)
    assert "HTTP/1.1 101 Switching Protocols" == lines[0]
    assert {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: abc", "X-Request-ID: id1"} <= set(lines)
    assert not any("secret" in line or line.lower().startswith(("content-length", "transfer-")) for line in lines)


LONG = "0123456789abcdef/+"


@pytest.mark.parametrize("token", [LONG, "tok", ""])
@pytest.mark.parametrize(
    "line",
    [
        f"Location: /lab?token={LONG}",
        "Location: /lab?token=0123456789abcdef%2F%2B",
        f"Link: </x?token={LONG}>; rel=next",
        f"X-Echo: token {LONG} tok",
        f"Set-Cookie: _xsrf={LONG}",
    ],
)
def test_a_head_that_shows_the_token_reaches_nobody(line, token):
    answer = response(line, LENGTH)
    if token == LONG:
        with pytest.raises(UpstreamProtocolError) as raised:
            build(answer, by=forward(token=token))
        assert Reason.SECRET_IN_RESPONSE is raised.value.reason
    else:
        assert b"HTTP/1.1 200 OK\r\n" in build(answer, by=forward(token=token)).data


def test_a_head_that_shows_the_login_at_the_upstream_reaches_nobody():
    login = "_xsrf=2|a|b|c; username-localhost-8888=2|1:0|10:17|44:eyJ1c2Vy|0f3c"
    with pytest.raises(UpstreamProtocolError) as raised:
        build(response(f"X-Echo: {login}", LENGTH), by=forward(token="", cookie=login))
    assert Reason.SECRET_IN_RESPONSE is raised.value.reason
