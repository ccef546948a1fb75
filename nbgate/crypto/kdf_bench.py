"""Measure what a password costs to check on this machine, and say how many passes to configure.

Pure but for the time that passes: the stopwatch and the salt are passed in. It changes no configuration.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from nbgate.crypto.passwords import HashParameters, hash_password

MIN_MILLISECONDS: Final = 150.0  # quicker, and whoever has stolen the hashes guesses too fast
MAX_MILLISECONDS: Final = 500.0  # slower, and people wait, and few logins fill the machine
MAX_TIME_COST: Final = 64
_ROUNDS: Final = 3
_PASSWORD: Final = "a password to measure"  # noqa: S105 - nobody's


class KdfBench(Struct, frozen=True, kw_only=True):
    """What was measured.

    Attributes:
        memory_kib: Of all rows.
        rows: Pairs of passes (argon2's time cost) and milliseconds, fewest passes first.
        advised_time_cost: The fewest passes, not less than asked for, that take `MIN_MILLISECONDS`; fewer where those
            take more than `MAX_MILLISECONDS`.
    """

    memory_kib: int
    rows: tuple[tuple[int, float], ...]
    advised_time_cost: int


def bench_kdf(parameters: HashParameters, seconds: Callable[[], float], salt: bytes) -> KdfBench:
    """Measure `parameters` and its neighbours; takes some seconds.

    Args:
        parameters: Those that are configured; their time cost is where the search begins.
        seconds: A stopwatch. `time.process_time` counts the processor's time, so that a busy machine does not look
            like a slow one.
        salt: `SALT_BYTES` bytes.
    """
    rows: dict[int, float] = {}

    def measure(time_cost: int) -> float:
        if time_cost not in rows:
            rows[time_cost] = _measure(msgspec.structs.replace(parameters, time_cost=time_cost), seconds, salt)
        return rows[time_cost]

    advised = parameters.time_cost
    while measure(advised) < MIN_MILLISECONDS and advised < MAX_TIME_COST:
        advised += 1
    while measure(advised) > MAX_MILLISECONDS and advised > 1:
        advised -= 1
    return KdfBench(memory_kib=parameters.memory_kib, rows=tuple(sorted(rows.items())), advised_time_cost=advised)


def _measure(parameters: HashParameters, seconds: Callable[[], float], salt: bytes) -> float:
    """Return the milliseconds of the quickest of some rounds: what else ran meanwhile does not count."""
    taken = []
    for _ in range(_ROUNDS):
        began = seconds()
        hash_password(_PASSWORD, salt=salt, parameters=parameters)
        taken.append(seconds() - began)
    return min(taken) * 1000
