"""nbgate beside nginx and HAProxy, the same bytes to each, in front of the same kind of upstream.

What nbgate reads must be forwarded alike (same method, target and body, in the same order) by each of the two, or not
at all. What only nbgate refuses is stricter, and is counted by its reason. What nbgate forwards and both refuse is a
finding. Run for every file of the corpus and for the mutations; counts are told at the end.
"""

import asyncio
import contextlib
import os
import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from lanes import Door, in_lanes
from mutations import HOST, Mutation, mutations, plain
from oracles import ORACLES, program, running_oracle
from session_into import with_session
from stub_saw import PROBE
from talk import MUTATIONS, SEED

from nbgate.http.head import HeadLimits
from nbgate.rules.tables import shipped_tables
from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway
from nbgate.testing.replay import replay
from nbgate.testing.stub_upstream import HEAD_END, StubUpstream, answer

WIRE = Path(__file__).parent
EXPECTED = tomllib.loads((WIRE / "expected.toml").read_text(encoding="utf-8"))
TABLES = shipped_tables()
SECONDS = 0.4
SHORT = f"""
[limits]
head_seconds = {SECONDS}
body_idle_seconds = {SECONDS}
keepalive_seconds = {SECONDS}
netblock_requests_per_second = 0
[probe]
interval_seconds = 86400.0
"""
MARK = re.compile(r"/(?:m|smug|end)/([0-9]+)|(?im:^(?:x-mark: |host: |x-forwarded-host: )([0-9]+)(?:\.tst)?\r$)")
NOBODY = -1

pytestmark = pytest.mark.skipif(not all(map(program, ORACLES)), reason="needs nginx and haproxy (Debian packages)")


def respond(request):
    whole = answer(request.line.encode("latin-1") + b"\n")
    return whole[: whole.find(HEAD_END) + len(HEAD_END)] if request.line.startswith("HEAD ") else whole


class Sides:
    """The three, each with its own upstream; "nbgate" is one of the names."""

    def __init__(self, stubs, doors, lines):
        self.stubs = stubs
        self.doors = doors
        self.lines = lines
        self._read = dict.fromkeys(stubs, 0)

    def send(self, work, lanes=20):
        """Send every mutation to all three; return what their upstreams got, by name and number."""

        async def one(mutation):
            await asyncio.gather(*(door.send(mutation.data) for door in self.doors.values()))

        asyncio.run(in_lanes(work, one, lanes=lanes))
        return {name: self._forwarded(name) for name in self.stubs}

    def _forwarded(self, name):
        requests = self.stubs[name].requests
        fresh, self._read[name] = requests[self._read[name] :], len(requests)
        found = defaultdict(list)
        for request in fresh:
            mark = MARK.search(request.head.decode("latin-1"))
            number = int(mark[1] or mark[2]) if mark else NOBODY
            if mark or not PROBE.fullmatch(request.head):
                found[number].append((request.line.split(" ")[0], request.target, request.body))
        assert name != "nbgate" or not found[NOBODY]
        return found


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracles")
    with contextlib.ExitStack() as stack:
        stubs = {name: stack.enter_context(StubUpstream(respond=respond).in_thread()) for name in ("nbgate", *ORACLES)}
        address = f"127.0.0.1:{stubs['nbgate'].port}"
        gateway = stack.enter_context(
            running_gateway(folder / "gateway", address, flags=("--allow-open-upstream",), config=CHEAP_LOGIN + SHORT)
        )
        doors = {"nbgate": Door(port=gateway.port, context=gateway.certificate.client_context())}
        for name in ORACLES:
            oracle = running_oracle(name, folder, stubs[name].port, seconds=SECONDS, root=os.geteuid() == 0)
            doors[name] = Door(path=stack.enter_context(oracle))
        value = gateway.login().partition("=")[2]
        yield Sides(stubs, doors, f"Cookie: __Host-Http-nbgate={value}\r\nOrigin: https://gw.test\r\n".encode())


def read_here(mutation):
    """Return what nbgate's own reader takes the bytes for: requests, and the reason of the fault that ends them."""
    outcome = replay(mutation.data, HeadLimits(), TABLES)
    requests = [(r.head.method, r.head.target.raw.decode(), r.body) for r in outcome.requests]
    return requests, outcome.fault[1].value if outcome.fault else "answered here"


def judge(read, reason, forwarded, classes):
    """Return what is wrong with one case, "" for nothing, and count what kind of case it is.

    What nbgate forwards is what it read, less what it answered itself; what it read is what the others forward, as far as
    either goes.
    """
    ours = forwarded["nbgate"]
    rest = iter(read)
    if not all(request in rest for request in ours):
        return f"nbgate forwards {ours!r:.300} where its reader reads {read!r:.300}"
    for name in ORACLES:
        theirs = forwarded[name]
        for mine, other in zip(read, theirs, strict=False):
            if mine != other:
                return f"{name} forwards {other!r:.300} where nbgate reads {mine!r:.300}"
        if len(theirs) == len(ours):
            classes[name, "forwarded alike" if ours else "refused alike"] += 1
        else:
            classes[name, f"{name} stricter" if len(theirs) < len(ours) else f"nbgate stricter: {reason}"] += 1
    if ours and read.index(ours[-1]) >= max(len(forwarded[name]) for name in ORACLES):
        return f"both refuse what nbgate forwards: {ours[-1]!r:.300}"
    return ""


def run(sides, work):
    """Return (findings, classes); what seems wrong is sent once more, alone, because all three have short deadlines."""
    classes = Counter()

    def wrong(mutation, forwarded):
        return judge(*read_here(mutation), {name: found[mutation.number] for name, found in forwarded.items()}, classes)

    forwarded = sides.send(work)
    suspects = [mutation for mutation in work if wrong(mutation, forwarded)]
    again = sides.send(suspects, lanes=1)
    findings = [(mutation.name, found, mutation.data) for mutation in suspects if (found := wrong(mutation, again))]
    return findings, classes


def tell(told, what, work, findings, classes):
    for name in ORACLES:
        own = [f"{kind} {count}" for (oracle, kind), count in classes.most_common() if oracle == name]
        told.count(f"{what} beside {name}: {len(work)} cases, {len(findings)} differences; {', '.join(own)}")


def corpus(lines):
    """Yield every file with a live session and its number as a mark, then a request that ends the connection."""
    value = re.search(rb"nbgate=([^\r]+)", lines)[1].decode()
    files = [(kind, name) for kind, rows in EXPECTED.items() for name in sorted(rows)]
    for number, (kind, name) in enumerate(files):
        host = b"%03d.tst" % number  # as long as gw.test, so that no length changes
        data = with_session((WIRE / kind / f"{name}.http").read_bytes().replace(HOST, host), value)
        marked = re.sub(rb"(?im)^(origin: [^\r]*\r\n)", rb"\1X-Mark: %d\r\n" % number, data)
        end = plain(b"end", number, lines + b"Connection: close\r\n").replace(HOST, host)
        yield Mutation(number, name, marked + end)


def test_the_corpus(sides, told):
    work = list(corpus(sides.lines))
    findings, classes = run(sides, work)
    tell(told, "corpus", work, findings, classes)
    assert [] == findings


@pytest.mark.timeout(7200)
def test_the_mutations(sides, told):
    work = list(mutations(MUTATIONS, seed=SEED, lines=sides.lines))
    findings, classes = run(sides, work)
    tell(told, f"mutations (seed {SEED})", work, findings, classes)
    assert [] == findings


ONE, TWO = ("GET", "/m/1", b""), ("POST", "/m/1", b"x")


@pytest.mark.parametrize(
    ("read", "nbgate", "nginx", "haproxy", "found"),
    [
        ([ONE], [ONE], [ONE], [ONE], ""),
        ([], [], [ONE], [], ""),
        ([ONE, TWO], [TWO], [ONE, TWO], [ONE, TWO], ""),
        ([ONE], [ONE], [], [ONE, TWO], ""),
        ([ONE], [ONE, TWO], [ONE, TWO], [ONE, TWO], "nbgate forwards"),
        ([ONE, TWO], [TWO, ONE], [ONE, TWO], [ONE, TWO], "nbgate forwards"),
        ([ONE], [ONE], [TWO], [ONE], "nginx forwards"),
        ([ONE], [], [ONE], [TWO], "haproxy forwards"),
        ([ONE, ONE], [ONE, ONE], [ONE, ONE], [ONE, TWO], "haproxy forwards"),
        ([ONE], [ONE], [], [], "both refuse"),
        ([ONE, TWO], [ONE, TWO], [ONE], [ONE], "both refuse"),
        ([ONE, TWO], [TWO], [ONE], [ONE], "both refuse"),
    ],
)
def test_what_counts_as_a_difference(read, nbgate, nginx, haproxy, found):
    forwarded = {"nbgate": nbgate, "nginx": nginx, "haproxy": haproxy}
    wrong = judge(read, "", forwarded, Counter())
    assert (found, bool(found)) == (wrong[: len(found)], bool(wrong))
