"""The port of plain HTTP: 308 for what can be had by HTTPS, 403 for the rest, and nothing else ever."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from nbgate.config.schema import Limits
from nbgate.edge.admission import Ticket
from nbgate.edge.redirects import Redirects
from nbgate.http.head import HeadLimits
from nbgate.model.exposure import Exposure
from nbgate.model.route import Route, Upstream
from nbgate.reasons import Reason
from nbgate.routing.table import RouteTable
from nbgate.rules.tables import shipped_tables

PORT = 8443
LAB = Route(name="lab", prefix="/", host="lab.example", upstream=Upstream(host="127.0.0.1", port=8888))
LIMITS = Limits(head_bytes=4096, line_bytes=2048, head_seconds=0.2)


class FakeGate:
    """A worker with `places` places."""

    def __init__(self, places=10):
        self.places = places
        self.tickets = []
        self.over = []

    def enter(self, client, end):
        if len(self.tickets) - len(self.over) >= self.places:
            return None
        self.tickets.append(Ticket(client, end))
        return self.tickets[-1]

    def make_room(self):
        return None

    def refused(self, ticket, reason, status):
        self.over.append((reason, status))


class Scene:
    def __init__(self, *, hosts=(), public_port=PORT, places=10):
        self.gate = FakeGate(places)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = self.listening.getsockname()
        policy = SimpleNamespace(
            limits=LIMITS,
            head_limits=HeadLimits(head_bytes=LIMITS.head_bytes, line_bytes=LIMITS.line_bytes),
            tables=shipped_tables(),
            exposure=Exposure(hosts=hosts),
            places=SimpleNamespace(routes=RouteTable((LAB,))),
        )
        self.redirects = Redirects(
            asyncio.get_running_loop(),
            [self.listening],
            self.gate,
            policy=lambda: policy,
            public_port=lambda: public_port,
        )
        self.redirects.start()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_exc):
        self.redirects.close()

    async def connect(self):
        return await asyncio.open_connection(*self.address)

    async def ask(self, *pieces):
        reader, writer = await self.connect()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        got = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), 5)
        return got

    async def until_over(self, count=1):
        async with asyncio.timeout(5):
            while len(self.gate.over) < count:
                self.redirects.expire(asyncio.get_running_loop().time())
                await asyncio.sleep(0.01)
        return self.gate.over


def get(target=b"/lab?a=b", host=b"gw.example", method=b"GET", more=b""):
    return method + b" " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + more + b"\r\n"


def location_in(answer):
    (line,) = [line for line in answer.split(b"\r\n") if line.startswith(b"Location: ")]
    return line.removeprefix(b"Location: ").decode()


@pytest.mark.parametrize(
    ("hosts", "public_port", "sent", "location"),
    [
        ((), PORT, get(), "https://gw.example:8443/lab?a=b"),
        ((), 443, get(), "https://gw.example/lab?a=b"),
        ((), PORT, get(host=b"GW.example:80"), "https://gw.example:8443/lab?a=b"),
        ((), 443, get(host=b"gw.example:8080"), "https://gw.example/lab?a=b"),
        ((), PORT, get(host=b"192.0.2.7"), "https://192.0.2.7:8443/lab?a=b"),
        ((), PORT, get(host=b"[2001:db8::1]:80"), "https://[2001:db8::1]:8443/lab?a=b"),
        ((), PORT, get(method=b"HEAD"), "https://gw.example:8443/lab?a=b"),
        ((), PORT, get(target=b"/"), "https://gw.example:8443/"),
        ((), PORT, get(target=b"/a%20b/%C3%BC?next=//evil.example"),
         "https://gw.example:8443/a%20b/%C3%BC?next=//evil.example"),
        ((), PORT, get(more=b"Upgrade-Insecure-Requests: 1\r\nCookie: a=b\r\n"), "https://gw.example:8443/lab?a=b"),
        ((), PORT, get().replace(b"1.1", b"1.0"), "https://gw.example:8443/lab?a=b"),
        (("gw.example",), PORT, get(), "https://gw.example:8443/lab?a=b"),
        (("gw.example:9443",), PORT, get(), "https://gw.example:9443/lab?a=b"),
        (("gw.example:443",), PORT, get(), "https://gw.example/lab?a=b"),
        (("other.example", "gw.example"), 443, get(), "https://gw.example/lab?a=b"),
        (("[2001:db8::1]:9443",), PORT, get(host=b"[2001:db8::1]"), "https://[2001:db8::1]:9443/lab?a=b"),
        (("gw.example",), PORT, get(host=b"lab.example"), "https://lab.example:8443/lab?a=b"),
        (("gw.example", "lab.example:9443"), PORT, get(host=b"LAB.example:80"), "https://lab.example:9443/lab?a=b"),
        ((), 443, get(host=b"lab.example"), "https://lab.example/lab?a=b"),
    ],
)  # fmt: skip
async def test_what_can_be_had_by_https_is_sent_there(hosts, public_port, sent, location):
    async with Scene(hosts=hosts, public_port=public_port) as scene:
        got = await scene.ask(sent)
        assert got.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
        assert location == location_in(got)
        assert got.endswith(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        assert [(Reason.CLEARTEXT, 308)] == await scene.until_over()


@pytest.mark.parametrize("name", ["set-cookie", "strict-transport-security", "server", "refresh"])
async def test_an_answer_says_nothing_more(name):
    """HSTS means nothing here (RFC 6797 section 7.2), and a cookie would be everybody's."""
    async with Scene() as scene:
        for sent in (get(), get(method=b"POST")):
            assert f"\r\n{name}:".encode() not in (await scene.ask(sent)).lower()


@pytest.mark.parametrize(
    ("hosts", "sent"),
    [
        ((), get(method=b"POST", more=b"Content-Length: 0\r\n")),
        ((), get(method=b"POST", more=b"Content-Length: 6\r\n") + b"secret"),
        ((), get(method=b"OPTIONS")),
        ((), get(method=b"CONNECT")),
        ((), get(method=b"TRACE")),
        ((), b"GET / HTTP/1.1\r\n\r\n"),
        ((), get(host=b"evil@gw.example")),
        ((), get(host=b"gw.example/evil")),
        ((), get(host=b"gw.example\r\nHost: evil.example")),
        ((), get(target=b"http://evil.example/")),
        ((), get(target=b"//evil.example/")),
        ((), get(target=b"/\\evil.example/")),
        ((), get(target=b"*")),
        ((), get(target=b"/a\rLocation:b")),
        ((), b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n\r\n"),
        ((), b"\x16\x03\x01\x02\x00\r\n\r\n"),
        ((), b"GET / HTTP/0.9\r\n\r\n"),
        ((), b"GET /" + b"a" * 5000),
        ((), get(more=b"X: y\r\n" * 100)),
        (("gw.example",), get(host=b"evil.example")),
        (("gw.example",), get(host=b"gw.example.evil.example")),
        (("gw.example:8443",), get(host=b"192.0.2.7")),
    ],
)
async def test_everything_else_is_refused_without_a_word_of_it(hosts, sent):
    async with Scene(hosts=hosts) as scene:
        got = await scene.ask(sent)
        assert got.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"evil" not in got
        assert b"Location" not in got
        assert [(Reason.CLEARTEXT, 403)] == await scene.until_over()


@pytest.mark.parametrize("size", [1, 7])
async def test_however_a_head_arrives_it_is_the_same(size):
    sent = get()
    async with Scene() as scene:
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert await scene.ask(sent) == await scene.ask(*pieces)


async def test_one_answer_ends_the_connection():
    async with Scene() as scene:
        got = await scene.ask(get() + get(target=b"/second"))
        assert 1 == got.count(b"HTTP/1.1 ")
        assert b"second" not in got


@pytest.mark.parametrize("sent", [b"", b"GET / HT", get()[:-2]])
async def test_no_whole_head_in_time_ends_the_connection(sent):
    async with Scene() as scene:
        reader, writer = await scene.connect()
        writer.write(sent)
        assert [(Reason.HEAD_TIMEOUT, 0)] == await scene.until_over()
        assert b"" == await reader.read()
        writer.close()


async def test_who_stays_after_the_answer_is_ended_by_the_deadline():
    async with Scene() as scene:
        reader, writer = await scene.connect()
        writer.write(get(method=b"POST", more=b"Content-Length: 1000000\r\n"))
        assert b" 403 " in await reader.read()
        writer.write(b"x" * 100_000)
        assert [(Reason.CLEARTEXT, 403)] == await scene.until_over()
        writer.close()


async def test_who_comes_and_goes_is_not_recorded():
    async with Scene() as scene:
        _, writer = await scene.connect()
        writer.close()
        assert [(None, 0)] == await scene.until_over()


async def test_without_a_place_there_is_no_connection():
    async with Scene(places=0) as scene:
        reader, writer = await scene.connect()
        assert b"" == await reader.read()
        writer.close()
        assert [] == scene.gate.over


async def test_a_visitor_whose_place_is_taken_is_ended_and_recorded():
    async with Scene() as scene:
        reader, writer = await scene.connect()
        while not scene.gate.tickets:
            await asyncio.sleep(0.005)
        scene.gate.tickets[0].end(Reason.STRANGER_CONNECTIONS)
        scene.gate.tickets[0].end(Reason.STRANGER_CONNECTIONS)
        assert [(Reason.STRANGER_CONNECTIONS, 0)] == scene.gate.over
        assert b"" == await reader.read()
        writer.close()


async def test_the_end_of_the_worker_waits_for_nobody():
    async with Scene() as scene:
        reader, writer = await scene.connect()
        while not scene.gate.tickets:
            await asyncio.sleep(0.005)
        scene.redirects.close()
        assert [(Reason.DRAINING, 0)] == scene.gate.over
        assert b"" == await reader.read()
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await scene.connect()
