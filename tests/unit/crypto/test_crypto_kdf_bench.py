"""The advice on argon2's passes follows what was measured."""

import itertools

import pytest

from nbgate.crypto import kdf_bench
from nbgate.crypto.kdf_bench import bench_kdf
from nbgate.crypto.passwords import HashParameters


class Machine:
    """A stopwatch that each hash moves by what its passes take on this machine."""

    def __init__(self, seconds_each, noise=(0.0,)):
        self.seconds_each = seconds_each
        self.noise = itertools.cycle(noise)
        self.now = 5.0

    def hash_password(self, _password, *, salt, parameters):
        assert (16, 65536) == (len(salt), parameters.memory_kib)
        self.now += self.seconds_each * parameters.time_cost + next(self.noise)

    def stopwatch(self):
        return self.now


@pytest.mark.parametrize(
    ("milliseconds_each", "configured", "measured", "advised"),
    [
        (70, 3, [3], 3),
        (50, 3, [3], 3),
        (40, 3, [3, 4], 4),
        (10, 3, list(range(3, 16)), 15),
        (1, 60, [60, 61, 62, 63, 64], 64),
        (170, 3, [2, 3], 2),
        (400, 3, [1, 2, 3], 1),
        (900, 1, [1], 1),
    ],
)
def test_the_fewest_passes_that_are_slow_enough(monkeypatch, milliseconds_each, configured, measured, advised):
    machine = Machine(milliseconds_each / 1000)
    monkeypatch.setattr(kdf_bench, "hash_password", machine.hash_password)
    found = bench_kdf(HashParameters(time_cost=configured), machine.stopwatch, bytes(16))
    assert (65536, advised) == (found.memory_kib, found.advised_time_cost)
    assert measured == [passes for passes, _ in found.rows]
    assert [pytest.approx(passes * milliseconds_each) for passes in measured] == [took for _, took in found.rows]


def test_what_else_ran_meanwhile_does_not_count(monkeypatch):
    machine = Machine(0.07, noise=(0.5, 0.0, 0.9))
    monkeypatch.setattr(kdf_bench, "hash_password", machine.hash_password)
    found = bench_kdf(HashParameters(), machine.stopwatch, bytes(16))
    assert [(3, pytest.approx(210.0))] == list(found.rows)


def test_it_hashes_in_earnest():
    ticks = itertools.count(0.0, 0.2)
    found = bench_kdf(HashParameters(memory_kib=8, time_cost=1), lambda: next(ticks), b"s" * 16)
    assert (8, ((1, pytest.approx(200.0)),), 1) == (found.memory_kib, found.rows, found.advised_time_cost)
