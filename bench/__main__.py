"""Usage: python -m bench [--rounds N] [--seconds S] [--json FILE] [--sides nbgate,nginx,caddy] [--check]."""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

from bench.cpu import cores, on_core
from bench.load import FailedRunError, check_small, run_small
from bench.measure import Figures, measure_download, measure_small
from bench.origin import running_origin, small_body
from bench.report import CROWD, TITLES, as_json, as_table, ratios
from bench.sides import SIDES, start_milliseconds
from nbgate.testing.gateway import make_certificate

WARM_UP_SECONDS = 1


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Return the options of one run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="nbgate beside nginx and Caddy, one table")
    parser.add_argument("--sides", default=",".join(SIDES), help="which of nbgate,nginx,caddy")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side, in turns")
    parser.add_argument("--seconds", type=int, default=4, help="small requests a round, of each kind")
    parser.add_argument("--downloads", type=int, default=4, help="downloads of 256 MiB a round")
    parser.add_argument("--starts", type=int, default=5, help="starts of nbgate")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--check", action="store_true", help="end with 1 when a limit does not hold")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run all sides in turns and print the table."""
    options = parse_arguments(words)
    names = options.sides.split(",")
    figures = {name: Figures() for name in names}
    with tempfile.TemporaryDirectory(prefix="nbgate-bench-") as text, contextlib.ExitStack() as stack:
        folder = Path(text)
        certificate = make_certificate(folder)
        with on_core(cores()[1]):
            origin = stack.enter_context(running_origin(folder / "origin"))
        if "nbgate" in names:
            for number in range(options.starts):
                taken = start_milliseconds(folder / f"start{number}", origin, certificate)
                figures["nbgate"].rounds["start_ms"].append(taken)
        with on_core(cores()[0]):
            sides = [stack.enter_context(SIDES[name](folder / name, origin, certificate)) for name in names]
        for side in sides:
            check_small(side, small_body())
            run_small(side, CROWD, WARM_UP_SECONDS)
        for number in range(options.rounds):
            for side in sides[number % len(sides) :] + sides[: number % len(sides)]:
                for load in TITLES:
                    measure_small(side, figures[side.name], load, options.seconds)
                measure_download(side, figures[side.name], options.downloads)
                print(f"round {number + 1}: {side.name}", file=sys.stderr)
    print(as_table(figures), end="")
    if options.json:
        options.json.write_text(as_json(figures, {k: str(v) for k, v in vars(options).items()}))
    return 1 if options.check and not all(row["holds"] for row in ratios(figures)) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except FailedRunError as failed:
        print(f"failed run: {failed}", file=sys.stderr)
        sys.exit(1)
