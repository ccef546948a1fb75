"""One measurement of one side, and what many of them amount to."""

import statistics
import time
from dataclasses import asdict, dataclass, field

from bench.cpu import cores, family_resident_bytes, family_seconds, on_core
from bench.load import FailedRunError, run_download, run_small
from bench.origin import BIG_BYTES, SMALL_PATH
from bench.sides import Side
from nbgate.testing.wait import wait_until

GIB = 1 << 30
RECORDS_SECONDS = 20.0


@dataclass(slots=True)
class Figures:
    """All runs of one side; each list has one number a round."""

    cpu_us_per_request: list[float] = field(default_factory=list)
    requests_per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_seconds_per_gib: list[float] = field(default_factory=list)
    mib_per_second: list[float] = field(default_factory=list)
    start_ms: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    requests: int = 0
    records: int = 0

    def medians(self) -> dict[str, float]:
        """Return the median of every list that has any number."""
        lists = {name: values for name, values in asdict(self).items() if isinstance(values, list) and values}
        return {name: statistics.median(values) for name, values in lists.items()}


def measure_small(side: Side, figures: Figures, seconds: float, connections: int) -> None:
    """Add one round of small requests; its CPU time ends when every request is in the side's log.

    Raises:
        FailedRunError: The log holds fewer records than there were requests.
    """
    before = side.count_records(SMALL_PATH)
    cpu = family_seconds(side.roots)
    with on_core(cores()[1]):
        run = run_small(side, seconds, connections)

    def written() -> int:
        count = side.count_records(SMALL_PATH) - before
        return count if count >= run.requests else 0

    try:
        records = wait_until(written, what="records", deadline_seconds=RECORDS_SECONDS)
    except TimeoutError:
        records = side.count_records(SMALL_PATH) - before
        raise FailedRunError(f"{side.name}: {records} records of {run.requests} requests") from None
    figures.cpu_us_per_request.append((family_seconds(side.roots) - cpu) / run.requests * 1e6)
    figures.requests_per_second.append(run.requests / run.seconds)
    figures.p50_ms.append(run.p50_ms)
    figures.p99_ms.append(run.p99_ms)
    figures.memory_mib.append(family_resident_bytes(side.roots) / (1 << 20))
    figures.requests += run.requests
    figures.records += records


def measure_download(side: Side, figures: Figures, times: int) -> None:
    """Add one round of `times` downloads."""
    cpu = family_seconds(side.roots)
    begun = time.monotonic()
    with on_core(cores()[1]):
        for _ in range(times):
            run_download(side)
    gib = times * BIG_BYTES / GIB
    figures.cpu_seconds_per_gib.append((family_seconds(side.roots) - cpu) / gib)
    figures.mib_per_second.append(gib * 1024 / (time.monotonic() - begun))
