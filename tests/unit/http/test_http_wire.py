"""The corpus of raw requests in tests/wire, read by the pure core whole and byte by byte."""

import tomllib
from pathlib import Path

import pytest

from nbgate.http.head import HeadLimits
from nbgate.rules.tables import shipped_tables
from nbgate.testing.replay import replay

WIRE = Path(__file__).parents[2] / "wire"
EXPECTED = tomllib.loads((WIRE / "expected.toml").read_text(encoding="utf-8"))
INVALID = EXPECTED["invalid"]
VALID = EXPECTED["valid"]
TABLES = shipped_tables()
STEPS = (0, 1, 7)


def test_every_file_has_a_row_and_every_row_a_file():
    for kind in ("invalid", "valid"):
        assert sorted(EXPECTED[kind]) == sorted(path.stem for path in (WIRE / kind).iterdir())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", sorted(INVALID))
def test_an_invalid_request_is_refused_with_its_reason(name, step):
    data = (WIRE / "invalid" / f"{name}.http").read_bytes()
    outcome = replay(data, HeadLimits(), TABLES, step=step)
    assert (INVALID[name]["status"], INVALID[name]["reason"]) == outcome.fault


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", sorted(VALID))
def test_a_valid_file_is_read_as_its_requests(name, step):
    data = (WIRE / "valid" / f"{name}.http").read_bytes()
    outcome = replay(data, HeadLimits(), TABLES, step=step)
    seen = [
        f"{request.head.method} {request.head.target.raw.decode()[:80]} {len(request.body)}"
        for request in outcome.requests
    ]
    assert (None, False, VALID[name]["requests"]) == (outcome.fault, outcome.unfinished, seen)
