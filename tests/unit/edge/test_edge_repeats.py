"""What a connection repeats goes the short way as long as all is the same, and the long way in every other case."""

import msgspec
import pytest

from nbgate.audit.events import HttpRequest
from nbgate.config.schema import Limits
from nbgate.edge import repeats as module
from nbgate.edge.exchange import Exchange
from nbgate.link.messages import AuditState, SessionPut, SessionsRevoked, UpstreamPut
from nbgate.model.route import Condition, UpstreamState
from nbgate.model.session import Role, Scope
from nbgate.testing.edge_rig import HOST, TOKEN, edge_rig
from nbgate.testing.stub_upstream import ReadRequest, ReadToEnd, Reset, Send, StubUpstream, answer
from nbgate.testing.wait import wait_until


@pytest.fixture
def judged(monkeypatch):
    """Count the requests that went the long way."""
    seen = []
    begin = Exchange.begin

    def counting(self):
        seen.append(self.head.target.raw)
        begin(self)

    monkeypatch.setattr(Exchange, "begin", counting)
    return seen


def get(path="/api/kernels", *, cookie, extra="", method="GET", version="1.1"):
    return f"{method} {path} HTTP/{version}\r\nHost: {HOST}\r\nAccept: */*\r\n{extra}Cookie: {cookie}\r\n\r\n".encode()


def ask(client, raw):
    client.send(raw)
    return client.read_answer()


def test_a_repetition_is_judged_once_and_everything_else_is_as_before(rig, stub, judged):
    cookie = rig.login()
    stub.default_answer = answer(
        b"[1]", content_type="application/json", extra=b"Date: Mon, 23 Nov 2026 07:38:05 GMT\r\n"
    )
    with rig.client() as client:
        first = ask(client, get(cookie=cookie))
        second = ask(client, get(cookie=cookie))
    assert [b"/api/kernels"] == judged
    assert (200, b"[1]") == (second.status, second.body)
    assert first.values("x-request-id") != second.values("x-request-id")
    assert ["Mon, 23 Nov 2026 07:38:05 GMT"] == second.values("date")
    ours = {"x-request-id"}
    drop = [line for line in first.head.split(b"\r\n") if line.split(b":")[0].decode().lower() not in ours]
    assert sorted(drop) == sorted(
        line for line in second.head.split(b"\r\n") if line.split(b":")[0].decode().lower() not in ours
    )
    assert 1 == len(stub.connections)
    one, two = stub.requests
    assert two.head.replace(two.values("x-request-id")[0].encode(), b"") == one.head.replace(
        one.values("x-request-id")[0].encode(), b""
    )
    assert [f"token {TOKEN}"] == two.values("authorization")


def test_each_repetition_has_its_own_event(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        ids = [ask(client, get(cookie=cookie)).values("x-request-id")[0] for _ in range(3)]
    events = rig.wait_for(HttpRequest, 3)
    assert ids == [event.request_id for event in events]
    assert [1, 2, 3] == [event.n for event in events]
    assert {("GET", "/api/kernels", 200, "ada", 2)} == {
        (event.method, event.path, event.status, event.user, event.response_bytes) for event in events
    }


def test_the_query_may_differ_and_a_token_in_it_is_taken_out(rig, stub, judged):
    cookie = rig.login()
    with rig.client() as client:
        for path in ("/api/kernels", "/api/kernels?1", "/api/kernels?2", "/api/kernels?token=x", "/api/kernels?a=%74"):
            assert 200 == ask(client, get(path, cookie=cookie)).status
    assert [b"/api/kernels"] == judged
    assert ["/api/kernels", "/api/kernels?1", "/api/kernels?2", "/api/kernels", "/api/kernels?a=%74"] == [
        request.line.split(" ")[1] for request in stub.requests
    ]


DIFFERENT = [
    ({"extra": "X-New: 1\r\n"}, 200),
    ({"path": "/lab"}, 200),
    ({"path": "/lab/api/settings"}, 200),
    ({"path": "/static/lab/main.js"}, 200),
    ({"path": "/logout"}, 503),
    ({"path": "/login"}, 303),
    ({"path": "/_nbgate/login"}, 503),
    ({"path": "/_nbgate/health"}, 200),
    ({"method": "HEAD"}, 200),
    ({"method": "POST", "extra": f"Origin: https://{HOST}\r\n"}, 200),
    ({"method": "POST"}, 403),
    ({"version": "1.0"}, 200),
    ({"extra": "Sec-Fetch-Site: cross-site\r\n"}, 403),
    ({"extra": "Origin: https://evil.example\r\n"}, 403),
    ({"path": "/api/kernels?" + "x" * 8200}, 414),
    ({"path": "/api/kernels#x"}, 400),
    ({"path": "/api/kernels/../x"}, 400),
]


@pytest.mark.parametrize(("change", "status"), DIFFERENT)
def test_what_differs_is_judged_anew(rig, stub, judged, change, status):
    cookie = rig.login()
    with rig.client() as client:
        for _ in range(2):
            assert 200 == ask(client, get(cookie=cookie)).status
        client.send(get(**{"path": "/api/kernels", **change}, cookie=cookie))
        got = client.read_answer(to_head=change.get("method") == "HEAD")
    assert status == got.status
    assert (1 if status in {400, 414} else 2) == len(judged)


def test_another_cookie_is_another_person(rig, stub, judged):
    ada, bob = rig.login("ada"), rig.login("bob")
    with rig.client() as client:
        for cookie in (ada, ada, bob, bob, ada):
            ask(client, get(cookie=cookie))
    assert ["ada", "ada", "bob", "bob", "ada"] == [event.user for event in rig.wait_for(HttpRequest, 5)]
    assert 3 == len(judged)


def test_a_token_goes_the_short_way_too(rig, stub, judged):
    token = rig.token(scope=Scope.READ)
    raw = f"GET /api/kernels HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/html\r\nAuthorization: token {token}\r\n\r\n".encode()
    with rig.client() as client:
        assert [200, 200, 200] == [ask(client, raw).status for _ in range(3)]
        assert 401 == ask(client, raw.replace(b"token nbgp_", b"token nbgp_x")).status
        assert 200 == ask(client, raw).status
    assert 3 == len(judged)
    assert [[f"token {TOKEN}"]] * 4 == [request.values("authorization") for request in stub.requests]


def test_what_reading_starts_is_no_repetition_of_what_it_does_not(rig, stub):
    cookie = rig.login(role=Role.VIEWER)
    with rig.client() as client:
        for _ in range(2):
            assert 200 == ask(client, get("/lab/api/x", cookie=cookie)).status
        assert 403 == ask(client, get("/voila/render/x", cookie=cookie)).status


def test_a_session_that_changed_is_judged_anew(rig, stub, judged):
    cookie = rig.login()
    (session,) = rig.sessions.values()
    with rig.client() as client:
        assert [200, 200] == [ask(client, get(cookie=cookie)).status for _ in range(2)]
        rig.rotate(session)
        assert [200, 200] == [ask(client, get(cookie=cookie)).status for _ in range(2)]
        ended = msgspec.structs.replace(rig.sessions[session.id], former=b"", generation=3)
        rig.sessions[session.id] = ended
        rig.send(SessionPut(session=ended))
        assert 401 == ask(client, get(cookie=cookie)).status
    assert 3 == len(judged)


def test_an_ended_session_is_noticed_at_once(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        for _ in range(2):
            assert 200 == ask(client, get(cookie=cookie)).status
        ids = tuple(rig.sessions)
        rig.sessions.clear()
        rig.send(SessionsRevoked(ack=1, ids=ids, generation=1 << 62, reason="logged-out"))
        assert 401 == ask(client, get(cookie=cookie)).status


def test_an_expired_session_is_noticed_at_once(rig, stub):
    cookie = rig.login(absolute_seconds=60)
    with rig.client() as client:
        for _ in range(2):
            assert 200 == ask(client, get(cookie=cookie)).status
        rig.clock.advance(61)
        assert 401 == ask(client, get(cookie=cookie)).status


def test_an_upstream_that_is_open_now_gets_nothing_more(rig, stub):
    cookie = rig.login()
    with rig.client() as client:
        for _ in range(2):
            assert 200 == ask(client, get(cookie=cookie)).status
        rig.send(UpstreamPut(state=UpstreamState(route="main", condition=Condition.OPEN, generation=9)))
        assert 503 == ask(client, get(cookie=cookie)).status
    assert 2 == len(stub.requests)


def test_an_upstreams_new_token_is_used_at_once(rig, stub):
    cookie = rig.login()
    state = UpstreamState(route="main", condition=Condition.GUARDED, token="new-token", generation=9)
    with rig.client() as client:
        for _ in range(2):
            ask(client, get(cookie=cookie))
        rig.send(UpstreamPut(state=state))
        ask(client, get(cookie=cookie))
    assert ["token new-token"] == stub.requests[2].values("authorization")


def test_an_audit_that_fails_is_judged_each_time(rig, stub, judged):
    cookie = rig.login()
    rig.send(AuditState(failing_since_unix=rig.clock.unix()))
    with rig.client() as client:
        for _ in range(3):
            assert 200 == ask(client, get(cookie=cookie)).status
        rig.clock.advance(601)
        assert 503 == ask(client, get(cookie=cookie)).status
    assert 4 == len(judged)


OTHER_ANSWERS = [
    (answer(b"[2]", content_type="application/json"), 200, b"[2]"),
    (answer(b"no", status="404 Not Found"), 404, b"no"),
    (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, b""),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    (answer(b"no", status="403 Forbidden"), 403, b"no"),
    (answer(b"ok", extra=b"Set-Cookie: a=1\r\n"), 200, b"ok"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, b"ok"),
    (b"HTTP/1.1 302 Found\r\nLocation: /login?next=x\r\nContent-Length: 0\r\n\r\n", 502, None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 502, None),
    (b"nonsense\r\n\r\nok", 502, None),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"ok"), 200, b"ok"),
]


@pytest.mark.parametrize(("other", "status", "body"), OTHER_ANSWERS)
def test_another_answer_is_passed_on_as_it_is(rig, stub, other, status, body):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer(b"ok")), ReadRequest(), Send(answer(b"ok")), ReadRequest(), Send(other))
    with rig.client() as client:
        for _ in range(2):
            assert b"ok" == ask(client, get(cookie=cookie)).body
        got = ask(client, get(cookie=cookie))
    assert status == got.status
    assert body is None or body == got.body
    assert [200, 200, status] == [event.status for event in rig.wait_for(HttpRequest, 3)]


@pytest.mark.parametrize("cut", range(1, len(answer(b"ok")), 9))
def test_an_answer_in_pieces_goes_the_long_way(rig, stub, cut):
    cookie = rig.login()
    whole = answer(b"ok")
    stub.script(ReadRequest(), Send(whole), ReadRequest(), Send(whole[:cut]), Send(whole[cut:]))
    with rig.client() as client:
        for _ in range(2):
            assert b"ok" == ask(client, get(cookie=cookie)).body
    assert 2 == len(rig.wait_for(HttpRequest, 2))


def test_bytes_behind_the_answer_belong_to_nobody(rig, stub):
    cookie = rig.login()
    whole = answer(b"ok")
    stub.script(ReadRequest(), Send(whole), ReadRequest(), Send(whole + answer(b"evil")), ReadToEnd())
    with rig.client() as client:
        for _ in range(3):
            assert b"ok" == ask(client, get(cookie=cookie)).body
    assert 2 == len(stub.connections)


def test_an_answer_that_ends_its_connection_is_not_repeated(rig, stub):
    cookie = rig.login()
    last = answer(b"ok", extra=b"Connection: close\r\n")
    stub.script(ReadRequest(), Send(answer(b"ok")), ReadRequest(), Send(last), ReadToEnd())
    stub.script(ReadRequest(), Send(last), ReadToEnd())
    with rig.client() as client:
        for path in ("/api/a", "/api/a", "/api/a"):
            assert b"ok" == ask(client, get(path, cookie=cookie)).body
        wait_until(stub.connections[0].ended.is_set, what="the first connection ends")
    assert 1 == len(stub.connections[1].requests)


@pytest.mark.parametrize("last", [(), (Reset(),)])
def test_a_stale_connection_is_replaced(rig, stub, last):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer(b"1")), ReadRequest(), *last)
    stub.script(ReadRequest(), Send(answer(b"2")))
    with rig.client() as client:
        assert [b"1", b"2"] == [ask(client, get(cookie=cookie)).body for _ in range(2)]


def test_an_upstream_that_goes_silent_gives_504():
    with StubUpstream().in_thread() as stub, edge_rig(stub.port, limits=Limits(upstream_answer_seconds=0.3)) as rig:
        cookie = rig.login()
        stub.script(ReadRequest(), Send(answer()), ReadRequest(), ReadToEnd())
        with rig.client() as client:
            assert [200, 504] == [ask(client, get(cookie=cookie)).status for _ in range(2)]


def test_a_client_that_goes_away_releases_the_upstream(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer()), ReadRequest(), ReadToEnd())
    with rig.client() as client:
        ask(client, get(cookie=cookie))
        client.send(get(cookie=cookie))
        wait_until(lambda: len(stub.requests) == 2, what="the repetition is there")
    wait_until(stub.connections[0].ended.is_set, what="the upstream leg ends")
    assert "client-gone" == rig.wait_for(HttpRequest, 2)[1].reason


def test_a_session_that_ends_while_a_repetition_waits_ends_it(rig, stub):
    cookie = rig.login()
    stub.script(ReadRequest(), Send(answer()), ReadRequest(), ReadToEnd())
    with rig.client() as client:
        ask(client, get(cookie=cookie))
        client.send(get(cookie=cookie))
        wait_until(lambda: len(stub.requests) == 2, what="the repetition is there")
        rig.send(SessionsRevoked(ack=1, ids=tuple(rig.sessions), generation=1 << 62, reason="logged-out"))
        client.read_to_end()
    assert "logged-out" == rig.wait_for(HttpRequest, 2)[1].reason


def test_pipelined_repetitions_are_answered_in_order(rig, stub, judged):
    cookie = rig.login()
    with rig.client() as client:
        client.send(b"".join(get(f"/api/kernels?{number}", cookie=cookie) for number in range(20)))
        assert [200] * 20 == [client.read_answer().status for _ in range(20)]
    assert [f"/api/kernels?{number}" for number in range(20)] == [r.line.split(" ")[1] for r in stub.requests]
    assert 1 == len(judged)


def test_places_of_one_kind_are_judged_once_and_the_memory_is_bounded(rig, stub, judged):
    cookie = rig.login()
    paths = [f"/api/contents/{number}%20.txt?{number}" for number in range(module.MAX_PATHS * 3)]
    with rig.client() as client:
        for path in paths:
            assert 200 == ask(client, get(path, cookie=cookie)).status
        (connection,) = rig.call(lambda: list(rig.core._context.connections))
        assert len(connection._repeats._paths) <= module.MAX_PATHS
    assert 1 == len(judged)
    assert paths == [request.line.split(" ")[1] for request in stub.requests]
    assert [path.partition("?")[0] for path in paths] == [event.path for event in rig.wait_for(HttpRequest, len(paths))]


def test_a_prefix_is_mapped_each_time(stub):
    with edge_rig(stub.port, prefix="/lab1/") as rig:
        cookie = rig.login()
        with rig.client() as client:
            for path in ("/lab1/api/a", "/lab1/api/b?1", "/lab1"):
                ask(client, get(path, cookie=cookie))
    assert ["/lab1/api/a", "/lab1/api/b?1"] == [request.line.split(" ")[1] for request in stub.requests]


def test_a_page_is_rewritten_each_time(rig, stub, judged):
    cookie = rig.login()
    page = f'<script id="jupyter-config-data" type="application/json">{{"token": "{TOKEN}"}}</script>'.encode()
    stub.default_answer = answer(page, content_type="text/html")
    with rig.client() as client:
        for path in ("/lab", "/lab", "/tree"):
            got = ask(client, get(path, cookie=cookie))
            assert (200, page.replace(TOKEN.encode(), b"")) == (got.status, got.body)
    assert [b"/lab"] == judged
