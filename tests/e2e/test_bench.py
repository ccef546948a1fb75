"""The bench itself runs: all sides, both loads, the table and the JSON; its figures are not judged here."""

import json
import subprocess
import sys

import pytest

from bench.report import ROWS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

QUICK = ["--rounds", "1", "--seconds", "1", "--downloads", "1", "--starts", "1"]


def test_the_bench_gives_a_figure_for_every_cell(tmp_path):
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", *QUICK, "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr if done.returncode else "")
    sides = json.loads(file.read_text())["sides"]
    assert ["nbgate", "nginx", "caddy"] == list(sides)
    assert all(side["records"] >= side["requests"] > 0 for side in sides.values())
    assert {figure for figure, _, _ in ROWS} == set(sides["nbgate"]["medians"])
    assert 3 == done.stdout.count("at most")
