import pytest
from msgspec.structs import replace

from nbgate.http.headers import make_tables
from nbgate.http.response import ResponseHead, parse_response_head
from nbgate.model.route import Route, RouteKind, Upstream
from nbgate.policy import STRICT_TRANSPORT
from nbgate.rewrite.response import MAX_KNOWN_NAMES, BodyPlan, ClientHeads, is_document, plan_body
from nbgate.rules.tables import shipped_tables

LAB = Route(name="ada", prefix="/user/ada/", upstream=Upstream(host="127.0.0.1", port=8888))
TABLES = make_tables(
    methods=frozenset({"GET"}),
    upstream_stripped=(frozenset({"server", "service-worker-allowed"}), ("access-control-",)),
)


def parse(*lines: str, status: str = "200 OK", method: str = "GET") -> ResponseHead:
    text = "\r\n".join((f"HTTP/1.1 {status}", *lines, "", ""))
    return parse_response_head(text.encode("latin-1"), method=method)


def build(
    response: ResponseHead,
    *,
    rewritten: bool = False,
    set_cookies: bytes = b"",
    heads: ClientHeads | None = None,
    user_content: bool = False,
    route: Route = LAB,
) -> list[str]:
    built = (heads or ClientHeads(TABLES)).build(
        response,
        route=route,
        public_origin="https://gw.test:8443",
        rewritten=rewritten,
        set_cookies=set_cookies,
        request_id="0f3c",
        user_content=user_content,
    )
    assert built.endswith(b"\r\n")
    assert not built.endswith(b"\r\n\r\n")
    return built.decode("latin-1").split("\r\n")[:-1]


def test_lines_pass_as_spelled_but_for_what_is_stripped_mapped_and_ours() -> None:
    response = parse(
        "Server: TornadoServer/6.6.1",
        "CONTENT-type:  application/json",
        "Access-Control-Allow-Origin: https://evil.example",
        "Access-Control-Whatever: x",
        "Service-Worker-Allowed: /",
        "Set-Cookie: sid=abc",
        "X-Request-ID: theirs",
        "Content-Length: 5",
        "Connection: close, X-Hop",
        "X-Hop: 1",
        'Etag: "abc"',
        "Location: http://127.0.0.1:8888/api/kernels/1",
        "Content-Location:   /relative/../x",
        'Link: <http://127.0.0.1:8888/lab/api/extensions?page=1>; rel="last"',
        "X-Odd: caf\u00e9",
        status="201 Cr\u00e9ated",
    )
    assert build(response, set_cookies=b"Set-Cookie: nbg-ada-sid=x\r\n") == [
        "HTTP/1.1 201 Cr\u00e9ated",
        "CONTENT-type:  application/json",
        'Etag: "abc"',
        "Location: /user/ada/api/kernels/1",
        "Content-Location: /user/ada/relative/../x",
        'Link: <https://gw.test:8443/user/ada/lab/api/extensions?page=1>; rel="last"',
        "X-Odd: caf\u00e9",
        "X-Content-Type-Options: nosniff",
        "Set-Cookie: nbg-ada-sid=x",
        "X-Request-ID: 0f3c",
    ]


def test_an_address_that_leads_nowhere_clear_is_left_out() -> None:
    assert not [line for line in build(parse("Location: //evil.example/")) if "evil" in line]


def test_an_address_that_is_public_already_passes_as_spelled() -> None:
    assert "Location:  relative" in build(parse("Location:  relative"))


@pytest.mark.parametrize("theirs", ["nosniff", "none", "nosniff, nosniff", ""])
def test_nosniff_is_said_once_and_by_us(theirs: str) -> None:
    lines = build(parse(f"x-content-type-options: {theirs}"))
    assert [line for line in lines if "content-type-options" in line.lower()] == ["X-Content-Type-Options: nosniff"]


def test_a_document_in_user_content_gets_a_sandbox_and_only_there() -> None:
    heads, page = ClientHeads(TABLES), parse("Content-Type: text/html")
    line = "Content-Security-Policy: sandbox allow-scripts"
    assert [True, False, True] == [line in build(page, heads=heads, user_content=so) for so in (True, False, True)]
    assert line not in build(parse("Content-Type: text/plain"), user_content=True)


def test_what_every_answer_carries_is_in_each_also_where_the_server_says_otherwise() -> None:
    heads = ClientHeads(shipped_tables(), STRICT_TRANSPORT)
    for status in ("200 OK", "404 Not Found", "304 Not Modified", "101 Switching Protocols"):
        theirs = (
            "Strict-Transport-Security: max-age=0; includeSubDomains",
            "Connection: Upgrade",
            "Upgrade: websocket",
        )
        lines = build(parse(*theirs, status=status), heads=heads)
        assert [line for line in lines if "transport" in line.lower()] == [STRICT_TRANSPORT.decode().strip()]


def test_a_rewritten_page_keeps_nothing_that_was_true_of_the_old_bytes() -> None:
    old = [
        'Etag: "abc"',
        "Last-Modified: Mon, 23 Nov 2026 04:22:07 GMT",
        "Accept-Ranges: bytes",
        "Digest: sha-256=x",
        "Content-MD5: x",
        "Content-Encoding: identity",
        "Cache-Control: public, max-age=31536000",
        "Expires: 0",
    ]
    response = parse("Content-Type: text/html", *old, "X-Content-Type-Options: nosniff", "Content-Length: 7")
    assert build(response, rewritten=True) == [
        "HTTP/1.1 200 OK",
        "Content-Type: text/html",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "X-Request-ID: 0f3c",
    ]
    assert set(old) <= set(build(response))


def test_a_switch_to_websocket_says_so() -> None:
    response = parse(
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org",
        status="101 Switching Protocols",
    )
    assert build(response) == [
        "HTTP/1.1 101 Switching Protocols",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "X-Request-ID: 0f3c",
    ]


def test_what_is_remembered_of_names_is_bounded_and_changes_nothing() -> None:
    heads = ClientHeads(TABLES)
    for number in range(MAX_KNOWN_NAMES + 10):
        lines = build(parse(f"X-{number}: 1", "Server: x", "Content-Type: a/b"), heads=heads)
        assert lines[1:3] == [f"X-{number}: 1", "Content-Type: a/b"]
    assert len(heads._known) <= MAX_KNOWN_NAMES


HTML = "Content-Type: Text/HTML; charset=UTF-8"


@pytest.mark.parametrize(
    ("lines", "status", "method", "untouched", "plan"),
    [
        ((HTML,), "200 OK", "GET", False, BodyPlan.REWRITE),
        ((HTML,), "200 OK", "POST", False, BodyPlan.REWRITE),
        ((HTML,), "302 Found", "GET", False, BodyPlan.REWRITE),
        ((HTML,), "404 Not Found", "GET", False, BodyPlan.REWRITE),
        ((HTML,), "200 OK", "GET", True, BodyPlan.PASS),
        ((HTML,), "404 Not Found", "GET", True, BodyPlan.REWRITE),
        ((HTML,), "500 Oops", "GET", True, BodyPlan.REWRITE),
        ((HTML,), "200 OK", "HEAD", False, BodyPlan.PASS),
        ((HTML,), "204 No Content", "GET", False, BodyPlan.PASS),
        ((HTML,), "304 Not Modified", "GET", False, BodyPlan.PASS),
        ((HTML,), "103 Early Hints", "GET", False, BodyPlan.PASS),
        ((HTML,), "206 Partial Content", "GET", False, BodyPlan.REFUSE),
        ((HTML,), "206 Partial Content", "GET", True, BodyPlan.PASS),
        ((HTML, "Content-Encoding: gzip"), "200 OK", "GET", False, BodyPlan.REFUSE),
        ((HTML, "Content-Encoding: gzip"), "404 Not Found", "GET", True, BodyPlan.REFUSE),
        ((HTML, "Content-Encoding: Identity"), "200 OK", "GET", False, BodyPlan.REWRITE),
        ((HTML, "Content-Encoding: gzip"), "200 OK", "GET", True, BodyPlan.PASS),
        (("Content-Type: application/json",), "200 OK", "GET", False, BodyPlan.PASS),
        (("Content-Type: text/plain",), "404 Not Found", "GET", False, BodyPlan.PASS),
        ((), "200 OK", "GET", False, BodyPlan.PASS),
    ],
)
def test_pages_are_rewritten_and_nothing_else(
    lines: tuple[str, ...], status: str, method: str, untouched: bool, plan: BodyPlan
) -> None:
    response = parse(*lines, status=status, method=method)
    assert plan is plan_body(response, method=method, untouched=untouched)
    assert is_document(response, method=method, untouched=untouched) == (plan is not BodyPlan.PASS)


JSON = "Content-Type: Application/JSON; charset=UTF-8"


@pytest.mark.parametrize(
    ("lines", "status", "method", "plan"),
    [
        ((JSON,), "200 OK", "GET", BodyPlan.KERNELSPECS),
        ((JSON, f"Content-Length: {1 << 20}"), "200 OK", "GET", BodyPlan.KERNELSPECS),
        ((JSON, f"Content-Length: {(1 << 20) + 1}"), "200 OK", "GET", BodyPlan.PASS),
        ((JSON, "Content-Encoding: identity"), "200 OK", "GET", BodyPlan.KERNELSPECS),
        ((JSON, "Content-Encoding: gzip"), "200 OK", "GET", BodyPlan.PASS),
        ((JSON,), "200 OK", "HEAD", BodyPlan.PASS),
        ((JSON,), "206 Partial Content", "GET", BodyPlan.PASS),
        ((JSON,), "304 Not Modified", "GET", BodyPlan.PASS),
        ((JSON,), "404 Not Found", "GET", BodyPlan.PASS),
        (("Content-Type: text/plain",), "200 OK", "GET", BodyPlan.PASS),
        ((), "200 OK", "GET", BodyPlan.PASS),
        ((HTML,), "404 Not Found", "GET", BodyPlan.REWRITE),
    ],
)
def test_a_list_of_kernels_is_mapped_where_it_can_be_read(
    lines: tuple[str, ...], status: str, method: str, plan: BodyPlan
) -> None:
    """What cannot be read passes: a 502 in its place would cost more than a picture."""
    response = parse(*lines, status=status, method=method)
    assert plan is plan_body(response, method=method, untouched=True, kernelspecs=True)
    assert plan is BodyPlan.REWRITE or BodyPlan.PASS is plan_body(response, method=method, untouched=True)


def test_reports_about_a_policy_go_to_the_public_address() -> None:
    line = "Content-Security-Policy: frame-ancestors 'self'; report-uri /api/security/csp-report"
    assert line.replace("/api", "/user/ada/api") in build(parse(line))


def test_what_was_built_for_a_route_is_built_anew_when_it_has_another_base_url() -> None:
    """The same bytes of an upstream are one object, and a route keeps its name."""
    heads, response = ClientHeads(TABLES), parse("Location: /ipython/lab")
    assert "Location: /user/ada/ipython/lab" in build(response, heads=heads)
    assert "Location: /user/ada/lab" in build(response, heads=heads, route=replace(LAB, base_url="/ipython/"))
    assert "Location: /ipython/lab" in build(response, heads=heads, route=replace(LAB, base_url="/user/ada/"))


OPENER = "Cross-Origin-Opener-Policy"


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ([f"{OPENER}: same-origin"], "same-origin-allow-popups"),
        ([f"{OPENER}: Same-Origin; report-to=x"], "same-origin-allow-popups"),
        ([f"{OPENER}: same-origin", "Cross-Origin-Embedder-Policy: unsafe-none"], "same-origin-allow-popups"),
        ([f"{OPENER}: same-origin", "Cross-Origin-Embedder-Policy: require-corp"], "same-origin"),
        ([f"{OPENER}: same-origin", "Cross-Origin-Embedder-Policy: credentialless; x=1"], "same-origin"),
        ([f"{OPENER}: same-origin-allow-popups"], "same-origin-allow-popups"),
        ([f"{OPENER}: unsafe-none"], "unsafe-none"),
    ],
)
def test_no_page_shares_the_opener_policy_by_which_it_could_look_into_ours(sent: list[str], passed: str) -> None:
    """T22: pages of one origin that both say `same-origin` may read each other."""
    lines = build(parse("Content-Type: text/html", *sent))
    assert [f"{OPENER}: {passed}"] == [line for line in lines if line.startswith(OPENER)]


def test_our_own_pages_keep_their_opener_policy() -> None:
    own = Route(name="own", prefix="/_nbgate/", upstream=Upstream(path="/x"), kind=RouteKind.OWN)
    built = ClientHeads(TABLES).build(
        parse("Content-Type: text/html", f"{OPENER}: same-origin"),
        route=own,
        public_origin="https://gw.test",
        rewritten=False,
        set_cookies=b"",
        request_id="0f3c",
    )
    assert f"{OPENER}: same-origin\r\n".encode() in built
