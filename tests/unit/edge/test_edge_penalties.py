"""What a worker refuses and reports, and rules on real sockets: nothing that is closed reaches the upstream."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from nbgate.audit.events import HttpRequest
from nbgate.clock import ManualClock
from nbgate.edge.penalties import FEW, MAX_PENDING, Penalties
from nbgate.link.messages import Offences, PenaltiesPut
from nbgate.model.penalty import Offence, Penalty
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.testing.edge_rig import HOST, edge_rig

NETBLOCK = "127.0.0.1/32"


class Loop:
    def __init__(self):
        self.due = []

    def call_later(self, _seconds, step):
        self.due.append(step)


class Parts:
    def __init__(self):
        self.loop, self.clock, self.sent = Loop(), ManualClock(), []
        self.penalties = Penalties(self.loop, self.clock, self.sent.append)

    def flush(self):
        due, self.loop.due = self.loop.due, []
        for step in due:
            step()


@pytest.fixture
def parts():
    return Parts()


def test_reports_are_gathered_into_one_message(parts):
    for netblock, rule in (("a", "r"), ("a", "r"), ("b", "r"), ("a", "s")):
        parts.penalties.report(netblock, rule)
    assert (1, []) == (len(parts.loop.due), parts.sent)
    parts.flush()
    assert [Offences(offences=(Offence("a", "r", 2), Offence("b", "r"), Offence("a", "s")))] == parts.sent
    parts.penalties.report("a", "r")
    parts.flush()
    assert Offences(offences=(Offence("a", "r"),)) == parts.sent[1]


def test_past_its_bound_the_newest_report_is_lost(parts):
    for number in range(MAX_PENDING + 10):
        parts.penalties.report(str(number), "r")
    parts.penalties.report("0", "r")
    parts.flush()
    offences = parts.sent[0].offences
    assert (MAX_PENDING, Offence("0", "r", 2)) == (len(offences), offences[0])


def test_a_penalty_ends_with_the_clock(parts):
    parts.penalties.load((Penalty("a", 1010.0),))
    assert (10.0, 0.0) == (parts.penalties.seconds_left("a"), parts.penalties.seconds_left("b"))
    parts.penalties.put((Penalty("a", 1020.0), Penalty("b", 1001.0)))
    parts.clock.advance(1.0)
    assert (19.0, 0.0) == (parts.penalties.seconds_left("a"), parts.penalties.seconds_left("b"))


def test_the_keepers_full_list_replaces_what_was_known(parts):
    parts.penalties.put((Penalty("a", 1010.0),))
    parts.penalties.load((Penalty("b", 1010.0),))
    assert (0.0, 10.0) == (parts.penalties.seconds_left("a"), parts.penalties.seconds_left("b"))


def test_what_ended_does_not_pile_up(parts):
    for number in range(10 * FEW):
        parts.penalties.put((Penalty(str(number), 1000.5 + number),))
        parts.clock.advance(1.0)
    assert len(parts.penalties._until) <= FEW + 1


# on real sockets


def ask(rig, line, *headers):
    """Send one request on a connection of its own; return the answer."""
    with rig.client() as client:
        return ask_on(client, line, *headers)


def ask_on(client, line, *headers):
    lines = "".join(f"{header}\r\n" for header in headers)
    client.send(f"{line} HTTP/1.1\r\nHost: {HOST}\r\nOrigin: https://{HOST}\r\n{lines}\r\n".encode())
    return client.read_answer(to_head=line.startswith("HEAD"))


def ask_all(rig, lines, *headers):
    """Send the requests one after the other on one connection; return the status of each."""
    with rig.client() as client:
        return {line: ask_on(client, line, *headers).status for line in lines}


CLOSED = [
    "POST /login",
    "POST /%6cogin/?next=/",
    "PUT /LoGiN",
    "POST /logout",
    "POST /%4Cogout",
    "POST /api/shutdown",
    "GET /api/shutdown/",
    "POST /api/%73hutdown",
    "POST /API/SHUTDOWN",
    "DELETE /%61pi/shutdown?x",
    "GET /proxy/22/",
    "GET /proxy",
    "GET /proxy/absolute/169.254.169.254:80/",
    "GET /proxy/absolute/8050/",
    "GET /proxy/[::1]:22/",
    "GET /proxy/localhost:8888/",
    "GET /proxy/localhost:8050/",
    "GET /proxy/8443/",
    "GET /proxy/test@evil.com/",
    "GET /proxy/8050@evil.com/",
    "GET /proxy/%38050/",
    "GET /proxy/08050/",
    "HEAD /PrOxY/8050/",
    "GET /%70%72%6f%78%79/22/x",
]
REFUSED_ANYWAY = [  # T31: no rule is needed, and none is asked
    "GET /proxy%2f22/",
    "GET //proxy/22/",
    "GET /a/../proxy/22/",
    "GET /a/%2e%2e/proxy/22/",
    "GET /proxy//22/",
    "POST /api%5cshutdown",
    "POST /./login",
    "POST /login%00",
]


@pytest.mark.parametrize("prefix", ["/", "/user/ada/"])
def test_not_one_byte_of_what_is_closed_reaches_the_upstream(stub, prefix):
    """THREATS T34, T31: with a session, in every spelling, on a mount at the root and on one below a prefix."""
    with edge_rig(stub.port, prefix=prefix, server_proxy_ports=(8050,)) as rig:
        cookie = f"Cookie: {rig.login()}"
        closed = [case.replace(" /", f" {prefix}", 1) for case in CLOSED]
        assert dict.fromkeys(closed, 403) == ask_all(rig, closed, cookie)
        statuses = {case: ask(rig, case.replace(" /", f" {prefix}", 1), cookie).status for case in REFUSED_ANYWAY}
        assert dict.fromkeys(REFUSED_ANYWAY, 400) == statuses
        assert 0 == stub.received_bytes
        records = rig.wait_for(HttpRequest, len(CLOSED))
        assert {"upstream-login", "upstream-logout", "upstream-shutdown", "server-proxy"} == {r.rule for r in records}
        assert {"rule"} == {record.reason for record in records}
        assert 200 == ask(rig, f"GET {prefix}proxy/8050/a", cookie).status
        assert [f"GET {prefix}proxy/8050/a HTTP/1.1"] == [request.line for request in stub.requests]


def test_strangers_meet_the_same_rules(rig, stub):
    assert dict.fromkeys(CLOSED, 403) == ask_all(rig, CLOSED)
    assert (0, []) == (stub.received_bytes, rig.of(Offences))


def test_an_answer_says_what_is_closed_and_by_which_rule(rig):
    page = ask(rig, "GET /proxy/22/", f"Cookie: {rig.login()}", "Accept: text/html").body.decode()
    assert "only if they are listed: server_proxy_ports" in page
    assert "rule server-proxy" in page
    answer = ask(rig, "POST /api/shutdown", f"Cookie: {rig.login()}").body
    assert b'"reason": "rule"' in answer
    assert b'"hint": "rule upstream-shutdown"' in answer


def test_a_repetition_opens_nothing(rig, stub):
    """The lane for repeated requests: same connection, same header block, another path."""
    cookie = rig.login()
    with rig.client() as client:
        for path, status in (
            ("/api/kernels", 200),
            ("/api/kernels", 200),
            ("/api/shutdown", 403),
            ("/api/%73hutdown", 403),
            ("/proxy/22/", 403),
            ("/api/kernels", 200),
            ("/proxy/22/", 403),
            ("/api/sessions", 200),
        ):
            client.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n".encode())
            assert (path, status) == (path, client.read_answer().status)
    assert ["/api/kernels"] * 3 + ["/api/sessions"] == [request.line.split(" ")[1] for request in stub.requests]


def test_a_rule_that_comes_into_force_ends_what_was_learnt(stub):
    with edge_rig(stub.port) as rig:
        rules, cookie = rig.rules, rig.login()
        rig.rules = in_force(shipped_pack(), disabled=("server-proxy",), server_proxy_ports=())
        rig.send(rig.snapshot())
        with rig.client() as client:

            def status():
                client.send(f"GET /proxy/22/ HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n".encode())
                return client.read_answer().status

            assert [200, 200, 200] == [status(), status(), status()]
            rig.rules = rules
            rig.send(rig.snapshot(version=2))
            assert [403, 403] == [status(), status()]
    assert 3 == len(stub.requests)


@pytest.mark.parametrize(
    "path", ["/proxy/22/ws", "/Proxy/absolute/8050/ws", "/%70roxy/localhost:8050/", "/api/shutdown"]
)
async def test_no_websocket_opens_what_is_closed(stub, path):
    with edge_rig(stub.port, server_proxy_ports=(8050,)) as rig:
        cookie = rig.login()

        async def handshake(target):
            async with connect(
                f"wss://{HOST}{target}",
                host="127.0.0.1",
                port=rig.port,
                ssl=rig.client_context(),
                origin=f"https://{HOST}",
                additional_headers={"Cookie": cookie},
            ) as websocket:
                await websocket.send("hello")
                return await websocket.recv()

        with pytest.raises(InvalidStatus) as caught:
            await handshake(path)
        assert 403 == caught.value.response.status_code
        assert 0 == stub.received_bytes
        assert "hello" == await asyncio.wait_for(handshake("/proxy/8050/ws"), 5)


def test_a_scanner_is_reported_and_a_person_is_not(rig, stub):
    cookie = f"Cookie: {rig.login()}"
    assert 200 == ask(rig, "GET /.env", cookie).status
    assert 401 == ask(rig, "GET /.env", "Sec-Fetch-Site: cross-site").status
    assert 401 == ask(rig, "GET /lab").status
    assert [] == rig.of(Offences)
    assert 401 == ask(rig, "GET /.%65nv").status
    assert [Offences(offences=(Offence(NETBLOCK, "scanner-secrets"),))] == rig.wait_for(Offences)
    rules = [getattr(record, "rule", None) for record in rig.wait_for(HttpRequest, 4)]
    assert "scanner-secrets" == rules[3]
    assert 1 == len(stub.requests)


def test_a_penalty_refuses_strangers_until_it_ends_and_no_session(rig, stub):
    cookie = f"Cookie: {rig.login()}"
    rig.send(PenaltiesPut(penalties=(Penalty(NETBLOCK, rig.clock.monotonic() + 20.0),)))
    for path in ("/lab", "/_nbgate/login", "/_nbgate/health", "/favicon.ico", "/proxy/22/"):
        answer = ask(rig, f"GET {path}")
        assert (429, ["20"]) == (answer.status, answer.values("retry-after"))
    assert 429 == ask(rig, "GET /lab", "Cookie: __Host-Http-nbgate=forged").status
    assert (200, 200) == (ask(rig, "GET /lab", cookie).status, ask(rig, "GET /api/kernels", cookie).status)
    assert 2 == len(stub.requests)
    rig.call(lambda: rig.clock.advance(19.5))
    assert ["1"] == ask(rig, "GET /lab").values("retry-after")
    rig.call(lambda: rig.clock.advance(0.5))
    assert (401, 200) == (ask(rig, "GET /lab").status, ask(rig, "GET /_nbgate/health").status)


def test_a_session_that_ends_on_a_refused_netblock_is_refused_too(rig):
    cookie = f"Cookie: {rig.login(absolute_seconds=10.0)}"
    rig.send(rig.snapshot(penalties=(Penalty(NETBLOCK, rig.clock.monotonic() + 60.0),)))
    assert 200 == ask(rig, "GET /api/kernels", cookie).status
    rig.call(lambda: rig.clock.advance(11.0))
    assert 429 == ask(rig, "GET /api/kernels", cookie).status
