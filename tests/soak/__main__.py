"""Usage: PYTHONPATH=tests python -m soak [--scenarios A,B] [--minutes N] [--requests N] ... [--json FILE]."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import uvloop

from bench.origin import running_origin
from nbgate.testing.gateway import CHEAP_LOGIN
from soak.bounds import Finding, as_table, judge
from soak.scenarios import SCENARIOS, Sizes, gateway_of


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Return the options of one run."""
    sizes = Sizes()
    parser = argparse.ArgumentParser(prog="python -m soak", description="a gateway for many minutes")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help=f"which of {','.join(SCENARIOS)}")
    parser.add_argument("--minutes", type=float, default=sizes.seconds / 60, help="length of the steady run")
    parser.add_argument("--idle", type=int, default=sizes.idle, help="websockets that say nothing")
    parser.add_argument("--busy", type=int, default=sizes.busy, help="websockets that talk")
    parser.add_argument("--rate", type=float, default=sizes.per_second, help="requests per second")
    parser.add_argument("--requests", type=int, default=sizes.requests, help="requests of the mixed run")
    parser.add_argument("--slow", type=int, default=sizes.slow, help="slow clients of each kind")
    parser.add_argument("--slow-seconds", type=float, default=sizes.slow_seconds, help="how long they come")
    parser.add_argument("--swaps", type=int, default=sizes.swaps, help="changes of the certificate")
    parser.add_argument("--reloads", type=int, default=sizes.reloads, help="reloads under requests")
    parser.add_argument("--logins", type=int, default=sizes.logins, help="wrong logins at once")
    parser.add_argument("--json", type=Path, help="also write what was seen to this file")
    return parser.parse_args(words)


def sizes_of(options: argparse.Namespace) -> Sizes:
    """Return how much of everything was asked for."""
    return Sizes(
        seconds=options.minutes * 60,
        idle=options.idle,
        busy=options.busy,
        per_second=options.rate,
        requests=options.requests,
        slow=options.slow,
        slow_seconds=options.slow_seconds,
        swaps=options.swaps,
        reloads=options.reloads,
        logins=options.logins,
    )


def run_scenario(name: str, sizes: Sizes, folder: Path) -> list[Finding]:
    """Run one scenario against an origin and a gateway of its own; return what was seen, judged."""
    folder.mkdir(parents=True, exist_ok=True)
    login = "" if name == "logins" else CHEAP_LOGIN
    with (
        running_origin(folder / "origin") as origin,
        gateway_of(folder / "gateway", origin, sizes, login=login) as gateway,
    ):
        return judge(name, uvloop.run(SCENARIOS[name](gateway, sizes)))


def main(words: list[str]) -> int:
    """Run the scenarios one after the other and print the table; 1 when a bound does not hold."""
    options = parse_arguments(words)
    findings: list[Finding] = []
    for name in options.scenarios.split(","):
        print(f"{name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="nbgate-soak-") as folder:
            findings += run_scenario(name, sizes_of(options), Path(folder))
    print(as_table(findings), end="")
    if options.json:
        options.json.write_text(json.dumps([asdict(it) for it in findings], indent=2) + "\n")
    return 0 if all(it.holds for it in findings) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
