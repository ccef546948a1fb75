"""What a request costs with 10 routes and with 10,000, in instructions: callgrind counts them, whatever else runs.

Usage: python -m bench.routes_cost [--check] [--requests N]. It needs Debian's `valgrind`. What a worker does with the
head of a request until it is serialised for the upstream is counted, and nothing of the start: each figure is the
difference of two runs, of which one judges more requests. What a connection repeats (`nbgate.edge.repeats`) does not
come to the routing table at all.
"""

import argparse
import gc
import os
import re
import subprocess
import sys
from collections.abc import Sequence

from nbgate.access.paths import classify
from nbgate.config.schema import Limits
from nbgate.http.head import HeadParser
from nbgate.model.client import Client
from nbgate.model.keys import SealingKey
from nbgate.model.route import Condition, Route, RouteKind, Upstream, UpstreamState
from nbgate.model.session import Session
from nbgate.pipeline.claims import claim_of
from nbgate.pipeline.identity import Identity
from nbgate.pipeline.request import Asker, decide
from nbgate.pipeline.upstream_heads import ConnectionHeads
from nbgate.pipeline.verdict import Forward
from nbgate.policy import compile_policy
from nbgate.rules.pack import in_force, shipped_pack
from nbgate.rules.tables import shipped_tables

FEW, MANY = 10, 10_000
MOST = 1.05  # with many routes, of what it costs with few
FEWER, REQUESTS = 200, 2_000
NOW = 1_800_000_000.0
SESSION = Session(id=bytes(32), user="ada", created_unix=NOW, absolute_unix=NOW + 1e6)
CLIENT = Client("192.0.2.7", 50000, "192.0.2.7/32")
_COLLECTED = re.compile(r"Collected : ([0-9]+)")


class Crowd:
    """A worker's policy with `routes` routes, by prefixes of one host or by hosts, and its clients."""

    def __init__(self, routes: int, *, by_host: bool) -> None:
        self._by_host = by_host
        self._routes = tuple(self._route(number) for number in range(routes))
        self.policy = compile_policy(
            version=1,
            limits=Limits(),
            tables=shipped_tables(),
            routes=(
                Route(
                    name="own",
                    prefix="/_nbgate/",
                    base_url="/_nbgate/",
                    upstream=Upstream(path="/x"),
                    kind=RouteKind.OWN,
                ),
                *self._routes,
            ),
            upstreams=tuple(
                UpstreamState(route=route.name, condition=Condition.GUARDED, token="t") for route in self._routes
            ),
            sealing_keys=(SealingKey(id=0, secret=bytes(32)),),
            audit_failing_since_unix=0.0,
            rules=in_force(shipped_pack(), disabled=(), server_proxy_ports=()),
        )
        self._heads = ConnectionHeads()
        self._parser = HeadParser(self.policy.head_limits, self.policy.tables)

    def _route(self, number: int) -> Route:
        return Route(
            name=f"r{number:05}",
            prefix="/lab/" if self._by_host else f"/user/u{number:05}/",
            host=f"u{number:05}.example.org" if self._by_host else "",
            upstream=Upstream(host="127.0.0.1", port=20_000 + number),
        )

    def ask(self, number: int, *, again: bool) -> Forward:
        """Judge one request, of a path that came before or of one that never did.

        Each is for another route than the one before, by prefix; by host all are for one: a connection has one host.
        """
        step = number % 8 if again else number
        route = self._routes[0 if self._by_host else step * 7919 % len(self._routes)]
        host = route.host or "gw.test"
        target = f"{route.prefix}api/contents/{step:06}"
        raw = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nSec-Fetch-Site: same-origin\r\n\r\n".encode()
        head = self._parser.parse(raw)
        client = Identity(CLIENT).identify(head.fields, self.policy)
        claim = claim_of(head.fields, head.target.query)
        asker = Asker(client, SESSION, claim.reason)
        verdict = decide(head, classify("GET", head.fields), asker, self.policy, self._heads, "0123456789ab", NOW)
        if not isinstance(verdict, Forward) or verdict.route is not route:
            raise SystemExit(f"{target} on {host} was not forwarded: {verdict}")
        return verdict


def judge(crowd: Crowd, requests: int, *, again: bool) -> None:
    """Judge so many requests."""
    gc.set_threshold(50_000, 20, 50)  # as a worker does
    gc.freeze()
    for number in range(requests):
        crowd.ask(number, again=again)


def instructions(routes: int, requests: int, *, by_host: bool, again: bool) -> int:
    """Count the instructions of a whole run."""
    program = [sys.executable, "-m", __spec__.name, "run", "--routes", str(routes), "--requests", str(requests)]
    if by_host:
        program.append("--by-host")
    if again:
        program.append("--again")
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *program],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = _COLLECTED.search(done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"the run under valgrind failed:\n{done.stderr}")
    return int(found[1])


def per_request(routes: int, requests: int, *, by_host: bool, again: bool) -> float:
    """Return the instructions of one request."""
    fewer, more = (instructions(routes, number, by_host=by_host, again=again) for number in (FEWER, FEWER + requests))
    return (more - fewer) / requests


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the options of one run."""
    parser = argparse.ArgumentParser(prog="python -m bench.routes_cost", description="instructions per request")
    parser.add_argument("what", nargs="?", choices=("compare", "run"), default="compare")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="requests that are counted")
    parser.add_argument("--check", action="store_true", help=f"end with 1 above {MOST:.2f} times the cost")
    parser.add_argument("--routes", type=int, default=FEW, help=argparse.SUPPRESS)
    parser.add_argument("--by-host", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Run one side, or compare both and print the table; return the exit code."""
    options = parse_arguments(words)
    if options.what == "run":
        judge(Crowd(options.routes, by_host=options.by_host), options.requests, again=options.again)
        return 0
    print(f"| instructions per request | {FEW} routes | {MANY:,} routes | ratio |\n| --- | --- | --- | --- |")
    worst = 0.0
    for by_host in (False, True):
        for again in (True, False):
            few, many = (per_request(routes, options.requests, by_host=by_host, again=again) for routes in (FEW, MANY))
            worst = max(worst, many / few)
            what = f"by {'host' if by_host else 'prefix'}, {'a path that comes again' if again else 'a new path'}"
            print(f"| {what} | {few:,.0f} | {many:,.0f} | {many / few:.3f} |", flush=True)
    return int(options.check and worst > MOST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
