"""The bench itself runs: all sides, all rows, the table and the JSON; its figures are not judged here."""

import json
import subprocess
import sys

import pytest

from bench.proxies import chp_program
from bench.report import LIMITS, ROWS
from bench.sides import SIDES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

QUICK = ["--rounds", "1", "--seconds", "1", "--downloads", "1", "--starts", "1", "--sockets", "50"]
INSTALLED = [name for name in SIDES if name != "chp" or chp_program()]


def test_the_bench_gives_a_figure_for_every_cell(tmp_path):
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", *QUICK, "--sides", ",".join(INSTALLED), "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr if done.returncode else "")
    sides = json.loads(file.read_text())["sides"]
    assert INSTALLED == list(sides)
    assert all(side["records"] >= side["requests"] > 0 for name, side in sides.items() if name != "chp")
    every = {figure for figure, _, _ in ROWS}
    assert {"nbgate": every, **dict.fromkeys(INSTALLED[1:], every - {"start_ms"})} == {
        name: set(side["medians"]) for name, side in sides.items()
    }
    assert len(LIMITS) == done.stdout.count("at most")
