"""What a login costs, and what to set."""

import json

import pytest

from nbgate.cli import bench_kdf as module
from nbgate.crypto.kdf_bench import KdfBench


@pytest.fixture
def measured(monkeypatch):
    """Have a pass take so many milliseconds."""

    def measuring(milliseconds: float, advised: int):
        def measure(parameters, seconds, salt):
            rows = tuple(
                (passes, passes * milliseconds)
                for passes in range(min(parameters.time_cost, advised), max(parameters.time_cost, advised) + 1)
            )
            return KdfBench(memory_kib=parameters.memory_kib, rows=rows, advised_time_cost=advised)

        monkeypatch.setattr("nbgate.crypto.kdf_bench.bench_kdf", measure)

    return measuring


@pytest.mark.parametrize(
    ("milliseconds", "advised", "said"),
    [
        (70.0, 3, "checking a password takes 210 ms; 150 to 500 ms are right\n  hint: nothing has to be changed"),
        (40.0, 4, "checking a password takes 120 ms; 150 to 500 ms are right\n  hint: set login.time_cost = 4; each"),
        (240.0, 2, "takes 720 ms; 150 to 500 ms are right\n  hint: set login.time_cost = 2; each hash is made anew"),
        (800.0, 1, "takes 2400 ms; 150 to 500 ms are right\n  hint: one pass takes too long here: set a lower login"),
        (1.0, 64, "takes 3 ms; 150 to 500 ms are right\n  hint: set login.time_cost = 64 and a higher login.memory"),
    ],
)
def test_it_is_said_what_to_set(run, folder, measured, milliseconds, advised, said):
    measured(milliseconds, advised)
    code, out, err = run("bench-kdf")

    assert 0 == code
    assert said in err
    rows = {line.split()[1]: line.split()[2:] for line in out.splitlines()[1:]}
    assert f"{3 * milliseconds:.0f}" == rows["3"][0]
    assert rows["3"][1:] == ["configured"]
    assert str(advised) in rows
    assert "1" in rows


def test_programs_get_numbers(run, folder, measured):
    measured(40.0, 4)
    out = run("bench-kdf", "--format", "json")[1]

    assert {
        "memory_kib": 65536,
        "time_cost": 3,
        "advised_time_cost": 4,
        "milliseconds": {"1": 40.0, "2": 80.0, "3": 120.0, "4": 160.0},
    } == json.loads(out)


def test_what_is_configured_is_what_is_measured(run, folder, monkeypatch):
    """Really, with the cheapest there is; how long that takes is not this test's business."""
    monkeypatch.setattr("nbgate.crypto.kdf_bench.MIN_MILLISECONDS", 0.0)
    code, out, _ = run("bench-kdf", "--config", "cheap.toml", "--format", "json")

    found = json.loads(out)
    assert (0, 8192, 1, ["1"]) == (code, found["memory_kib"], found["time_cost"], list(found["milliseconds"]))
    assert "bench_kdf" in dir(module)
