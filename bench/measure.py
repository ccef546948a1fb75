"""One measurement of one side, and what many of them amount to."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.cpu import cores, family_resident_bytes, family_seconds, on_core
from bench.load import FailedRunError, SmallLoad, run_download, run_small
from bench.origin import BIG_BYTES
from bench.side import Side
from bench.websocket import Counted, run_echo, run_handshakes, with_idle_sockets
from nbgate.testing.wait import wait_until

GIB = 1 << 30
RECORDS_SECONDS = 20.0


@dataclass(slots=True)
class Figures:
    """All runs of one side: for each figure one number a round; and the requests and records of them all."""

    rounds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    requests: int = 0
    records: int = 0

    def median(self, figure: str) -> float | None:
        """Return the median of the rounds of `figure`, None when it was not measured."""
        values = self.rounds.get(figure)
        return statistics.median(values) if values else None


def measure_small(side: Side, figures: Figures, load: SmallLoad, seconds: int) -> None:
    """Add one round of small requests; its CPU time ends when every request is in the side's log.

    Raises:
        FailedRunError: The log holds fewer records than there were requests.
    """
    before = side.count_records() if side.count_records else 0
    cpu = family_seconds(side.roots)
    with on_core(cores()[1]):
        run = run_small(side, load, seconds)
    records = _wait_for_records(side.count_records, side.name, before, run.requests) if side.count_records else 0
    used = family_seconds(side.roots) - cpu
    figures.requests += run.requests
    figures.records += records
    for name, value in (
        ("cpu_us", used / run.requests * 1e6),
        ("rate", run.requests / run.seconds),
        ("p50_ms", run.p50_ms),
        ("p99_ms", run.p99_ms),
    ):
        figures.rounds[f"{load.name}.{name}"].append(value)
    figures.rounds["memory_mib"].append(family_resident_bytes(side.roots) / (1 << 20))


def _wait_for_records(count_records: Callable[[], int], name: str, before: int, requests: int) -> int:
    def written() -> int:
        count = count_records() - before
        return count if count >= requests else 0

    try:
        return wait_until(written, what="records", deadline_seconds=RECORDS_SECONDS)
    except TimeoutError:
        count = count_records() - before
        raise FailedRunError(f"{name}: {count} records of {requests} requests") from None


def measure_download(side: Side, figures: Figures, times: int) -> None:
    """Add one round of `times` downloads."""
    cpu = family_seconds(side.roots)
    begun = time.monotonic()
    with on_core(cores()[1]):
        for _ in range(times):
            run_download(side)
    gib = times * BIG_BYTES / GIB
    figures.rounds["download.cpu_s_per_gib"].append((family_seconds(side.roots) - cpu) / gib)
    figures.rounds["download.mib_per_s"].append(gib * 1024 / (time.monotonic() - begun))


def measure_echo(side: Side, figures: Figures, seconds: float) -> None:
    """Add one round of small websocket messages."""
    _measure_counted(side, figures, "echo", lambda: run_echo(side, seconds))


def measure_handshakes(side: Side, figures: Figures, seconds: float) -> None:
    """Add one round of full TLS handshakes."""
    _measure_counted(side, figures, "handshake", lambda: run_handshakes(side, seconds))


def _measure_counted(side: Side, figures: Figures, name: str, run: Callable[[], Counted]) -> None:
    cpu = family_seconds(side.roots)
    with on_core(cores()[1]):
        counted = run()
    figures.rounds[f"{name}.cpu_us"].append((family_seconds(side.roots) - cpu) / counted.count * 1e6)
    figures.rounds[f"{name}.rate"].append(counted.count / counted.seconds)


def measure_idle(side: Side, figures: Figures, count: int) -> None:
    """Add what `count` idle websockets take on a side that did nothing before."""
    before = family_resident_bytes(side.roots)
    with on_core(cores()[1]):
        after = with_idle_sockets(side, count, lambda: family_resident_bytes(side.roots))
    figures.rounds["idle.kib"].append((after - before) / count / 1024)
