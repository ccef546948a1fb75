"""The requests that an upstream read are exactly the requests that the gateway counted.

Behind the gateway stand Tornado, h11 and aiohttp. For every file of the corpus and for the mutations, the request ids
that a server read are those of the audit's records with an upstream; each with the same method, path and length of
body. While they run, somebody else's requests go over the same kept connections and never get a foreign answer.
"""

import asyncio
import contextlib
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from lanes import Door, in_lanes, read_answers
from mutations import mutations
from parsers import SERVE, running_parsers, text_of
from session_into import with_session
from talk import MUTATIONS, SEED

from nbgate.http.head import HeadLimits
from nbgate.rules.tables import shipped_tables
from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.replay import replay
from nbgate.testing.wait import wait_until

WIRE = Path(__file__).parent
EXPECTED = tomllib.loads((WIRE / "expected.toml").read_text(encoding="utf-8"))
TABLES = shipped_tables()
COUNT = MUTATIONS // 2
AT_THE_LIMIT = frozenset({"t37-64-headers", "t37-head-32768"})
"""Files that no further header fits into: with the lines of a session they are refused."""
NOT_WHOLE = frozenset({"bad-chunk", "bad-trailer", "body-timeout"})
"""A request whose body broke off was begun at the upstream, perhaps; whole it must never be there."""
SHORT = """
[limits]
head_seconds = 0.5
body_idle_seconds = 0.5
keepalive_seconds = 0.5
netblock_requests_per_second = 0
[probe]
interval_seconds = 86400.0
"""


CANARIES = 3
"""Connections of somebody else, which ask all the time."""


class Side:
    """One server and the gateway in front of it."""

    def __init__(self, server, gateway):
        self.server = server
        self.gateway = gateway
        self.door = Door(port=gateway.port, context=gateway.certificate.client_context())
        self.value, self.other = (gateway.login().partition("=")[2] for _ in range(2))
        self._read = self._written = 0

    @property
    def lines(self):
        """Return the header lines of a live session."""
        return f"Cookie: __Host-Http-nbgate={self.value}\r\nOrigin: https://gw.test\r\n".encode()

    def records(self):
        """Return the records of requests with an upstream that is not the gateway itself."""
        requests = [record for record in self.gateway.audit() if record["event.action"] == "http.request"]
        return [r for r in requests if "nbgate.upstream.name" in r and not r["url.path"].startswith("/_nbgate/")]

    def written(self):
        """Return the new records, all of them: those up to that of a last request, which is made here."""
        last = f"/last/{self._written}"
        asyncio.run(
            self.door.send(
                f"GET {last} HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n".encode() + self.lines + b"\r\n"
            )
        )

        def whole():
            records = self.records()
            return records if last in {record["url.path"] for record in records} else None

        records = wait_until(whole, what=f"the record of {last}")
        fresh, self._written = records[self._written :], len(records)
        return fresh

    def agrees(self):
        """Assert that both counted the same requests since the last time, each once; return how many."""
        whole = [record for record in self.written() if record.get("event.reason") not in NOT_WHOLE]
        counted = Counter(
            (r["http.request.id"], r["http.request.method"], r["url.path"], r.get("http.request.body.bytes", 0))
            for r in whole
        )
        read = [request for request in self.server.parsed[self._read :] if request.id]  # the keeper's probes have none
        self._read = len(self.server.parsed)
        parsed = Counter((r.id, r.method, recorded(r.target), len(r.body)) for r in read)
        assert counted == parsed
        assert {1} == set(parsed.values())
        return len(read) - 1


def recorded(target):
    """Return the path of `target` as records have it: without its query, and cut."""
    path = target.partition("?")[0]
    return path if len(path) <= 512 else f"{path[:496]}…[{len(path)} chars]"


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("invariant")
    with running_parsers() as servers, contextlib.ExitStack() as stack:
        options = {"flags": ("--allow-open-upstream",), "config": CHEAP_LOGIN + SHORT}
        yield [
            Side(server, stack.enter_context(running_gateway(folder / name, f"127.0.0.1:{server.port}", **options)))
            for name, server in servers.items()
        ]


async def canary(side, stop, place):
    """Ask, as somebody else, one thing after the other until `stop` is set; return how many answers were one's own."""
    cookie = f"Cookie: __Host-Http-nbgate={side.other}\r\n"
    number = 0
    while not stop.is_set():
        async with side.door.open() as (reader, writer):
            for _ in range(20):
                number += 1
                target = f"/canary/{place}/{number}"
                writer.write(f"GET {target} HTTP/1.1\r\nHost: gw.test\r\n{cookie}\r\n".encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                body = await asyncio.wait_for(reader.readexactly(len(text_of("GET", target))), 10)
                assert head.startswith(b"HTTP/1.1 200 ")
                assert text_of("GET", target) == body
    return number


async def send_all(side, work):
    """Send all of `work` and judge its answers while the canary sings; return how often it did."""
    stop = asyncio.Event()
    singing = [asyncio.create_task(canary(side, stop, place)) for place in range(CANARIES)]
    received = await in_lanes(work, side.door.send)
    stop.set()
    for data, answers in zip(work, received, strict=True):
        judge_answers(data, answers)
    return sum(await asyncio.gather(*singing))


def judge_answers(data, received):
    """Assert that the answers to `data` are those to its requests, in their order, and that there are no others."""
    outcome = replay(data, HeadLimits(), TABLES)
    heads = [request.head for request in outcome.requests]
    answers = read_answers(received, [head.method for head in heads])
    assert len(heads) + 1 >= len(answers)
    for head, answer in zip(heads, answers, strict=False):
        if answer.status == 200 and not head.target.path.startswith("/_nbgate/"):
            own = b"" if head.method == "HEAD" else text_of(head.method, head.target.raw.decode())
            assert own == answer.body


def corpus(side):
    for kind in ("valid", "invalid"):
        for name in sorted(EXPECTED[kind]):
            yield with_session((WIRE / kind / f"{name}.http").read_bytes(), side.value)


@pytest.mark.parametrize("place", range(len(SERVE)), ids=SERVE)
def test_the_corpus(sides, told, place):
    side = sides[place]
    work = list(corpus(side))
    sung = asyncio.run(send_all(side, work))
    count = side.agrees() - sung
    assert sum(len(row["requests"]) for name, row in EXPECTED["valid"].items() if name not in AT_THE_LIMIT) <= count
    told.count(f"invariant, {side.server.name}: {len(work)} files, {count} requests read = counted, {sung} of a canary")


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("place", range(len(SERVE)), ids=SERVE)
def test_the_mutations(sides, told, place):
    """What the gateway refuses is refused in front of any server: one in three goes to each, what passes to all."""
    side = sides[place]
    work = [
        mutation.data
        for mutation in mutations(COUNT, seed=SEED + 1, lines=side.lines)
        if mutation.number % len(SERVE) == place or replay(mutation.data, HeadLimits(), TABLES).requests
    ]
    sung = asyncio.run(send_all(side, work))
    count = side.agrees() - sung
    told.count(
        f"invariant, {side.server.name}: {len(work)} of {COUNT} mutations, {count} requests read = counted, {sung} of a canary"
    )
    assert 0 < min(count, sung)
