"""`nbgate bench-kdf`: what a login costs on this machine, and what to set so that it costs enough and not too much."""

import os
import time

from nbgate.cli.gateway import load_for
from nbgate.cli.output import print_json, print_table
from nbgate.cli.parser import Format, Where
from nbgate.errors import ExitCode
from nbgate.terminal import say


def bench_kdf(*, format: Format = "table", where: Where = Where()) -> int:  # noqa: A002 - the flag's name
    """Measure the configured parameters, and fewer and more passes."""
    from msgspec.structs import replace

    from nbgate.crypto.kdf_bench import bench_kdf as measure
    from nbgate.crypto.passwords import SALT_BYTES, HashParameters

    login = load_for(where).config.login
    configured = HashParameters(memory_kib=login.memory_kib, time_cost=login.time_cost)
    salt = os.urandom(SALT_BYTES)
    say("nbgate: measuring, for a few seconds")
    found = measure(configured, time.perf_counter, salt)
    fewer = measure(replace(configured, time_cost=1), time.perf_counter, salt)
    rows = dict(sorted((dict(fewer.rows) | dict(found.rows)).items()))
    advised = found.advised_time_cost
    if format == "json":
        print_json(
            {
                "memory_kib": found.memory_kib,
                "time_cost": configured.time_cost,
                "advised_time_cost": advised,
                "milliseconds": {str(passes): round(taken, 1) for passes, taken in rows.items()},
            }
        )
    else:
        notes = {advised: "advised", configured.time_cost: "configured"}
        print_table(
            ("memory_kib", "time_cost", "milliseconds", ""),
            [(found.memory_kib, passes, f"{taken:.0f}", notes.get(passes, "")) for passes, taken in rows.items()],
        )
    _advise(configured.time_cost, advised, rows)
    return ExitCode.DONE


def _advise(configured: int, advised: int, rows: dict[int, float]) -> None:
    from nbgate.crypto.kdf_bench import MAX_MILLISECONDS, MIN_MILLISECONDS

    right = f"{MIN_MILLISECONDS:.0f} to {MAX_MILLISECONDS:.0f} ms are right"
    say(f"nbgate: checking a password takes {rows[configured]:.0f} ms; {right}")
    if rows[advised] > MAX_MILLISECONDS:
        say("  hint: one pass takes too long here: set a lower login.memory_kib, and measure again")
    elif rows[advised] < MIN_MILLISECONDS:
        say(f"  hint: set login.time_cost = {advised} and a higher login.memory_kib, and measure again")
    elif advised != configured:
        say(f"  hint: set login.time_cost = {advised}; each hash is made anew when its owner signs in")
    else:
        say("  hint: nothing has to be changed")
