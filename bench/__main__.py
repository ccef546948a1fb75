"""Usage: python -m bench [--rounds N] [--seconds S] [--json FILE] [--sides A,B] [--rows A,B] [--check]."""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.cpu import cores, on_core
from bench.load import FailedRunError, check_small, run_small
from bench.measure import Figures, measure_download, measure_echo, measure_handshakes, measure_idle, measure_small
from bench.origin import running_origin, small_body
from bench.report import CROWD, TITLES, as_json, as_table, ratios
from bench.side import Side
from bench.sides import SIDES, start_milliseconds
from nbgate.testing.gateway import Certificate, make_certificate

WARM_UP_SECONDS = 1
LOADS = {load.name: load for load in TITLES}
ROWS = (*LOADS, "download", "echo", "idle", "handshakes", "start")
Measure = Callable[[Side, Figures], None]


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Return the options of one run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="nbgate beside other proxies, one table")
    parser.add_argument("--sides", type=_among(SIDES), default=tuple(SIDES), help=f"which of {','.join(SIDES)}")
    parser.add_argument("--rows", type=_among(ROWS), default=ROWS, help=f"which of {','.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side, in turns")
    parser.add_argument("--seconds", type=int, default=3, help="small requests a round, of each kind")
    parser.add_argument("--downloads", type=int, default=4, help="downloads of 256 MiB a round")
    parser.add_argument("--sockets", type=int, default=500, help="idle websockets")
    parser.add_argument("--starts", type=int, default=5, help="starts of nbgate")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--check", action="store_true", help="end with 1 when a limit does not hold")
    return parser.parse_args(words)


def _among(known: Sequence[str] | dict[str, object]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        wanted = tuple(text.split(","))
        if unknown := set(wanted) - set(known):
            raise argparse.ArgumentTypeError(f"{','.join(sorted(unknown))}: not among {','.join(known)}")
        return wanted

    return names


def measures(options: argparse.Namespace) -> list[Measure]:
    """Return what is measured of each side in each round."""
    every: dict[str, Measure] = {
        **{name: partial(measure_small, load=load, seconds=options.seconds) for name, load in LOADS.items()},
        "download": partial(measure_download, times=options.downloads),
        "echo": partial(measure_echo, seconds=options.seconds / 2),
        "handshakes": partial(measure_handshakes, seconds=options.seconds / 2),
    }
    return [measure for name, measure in every.items() if name in options.rows]


def main(words: list[str]) -> int:
    """Run all sides in turns and print the table."""
    options = parse_arguments(words)
    figures = {name: Figures() for name in options.sides}
    with tempfile.TemporaryDirectory(prefix="nbgate-bench-") as text, contextlib.ExitStack() as stack:
        folder = Path(text)
        certificate = make_certificate(folder)
        with on_core(cores()[1]):
            origin = stack.enter_context(running_origin(folder / "origin"))
        _run_fresh(options, folder, origin, certificate, figures)
        with on_core(cores()[0]):
            sides = [stack.enter_context(SIDES[name](folder / name, origin, certificate)) for name in options.sides]
        for side in sides:
            check_small(side, small_body())
            run_small(side, CROWD, WARM_UP_SECONDS)
        _run_rounds(options, sides, figures)
    print(as_table(figures), end="")
    if options.json:
        options.json.write_text(as_json(figures, {k: str(v) for k, v in vars(options).items()}))
    return 1 if options.check and not all(row["holds"] for row in ratios(figures)) else 0


def _run_fresh(
    options: argparse.Namespace, folder: Path, origin: int, certificate: Certificate, figures: dict[str, Figures]
) -> None:
    """Measure what is only true of a side that did nothing before: it is started for this alone."""
    if "start" in options.rows and "nbgate" in options.sides:
        for number in range(options.starts):
            taken = start_milliseconds(folder / f"start{number}", origin, certificate)
            figures["nbgate"].rounds["start_ms"].append(taken)
    for name in options.sides if "idle" in options.rows else ():
        with contextlib.ExitStack() as stack:
            with on_core(cores()[0]):
                side = stack.enter_context(SIDES[name](folder / f"idle-{name}", origin, certificate))
            check_small(side, small_body())
            measure_idle(side, figures[name], options.sockets)


def _run_rounds(options: argparse.Namespace, sides: list[Side], figures: dict[str, Figures]) -> None:
    for number in range(options.rounds):
        for side in sides[number % len(sides) :] + sides[: number % len(sides)]:
            for measure in measures(options):
                measure(side, figures[side.name])
            print(f"round {number + 1}: {side.name}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except FailedRunError as failed:
        print(f"failed run: {failed}", file=sys.stderr)
        sys.exit(1)
