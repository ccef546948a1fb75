"""The soak itself runs, in small: every scenario, every bound. What the bounds are for takes `make soak`."""

import pytest

from nbgate.config.schema import Limits
from soak.__main__ import main, parse_arguments, run_scenario, sizes_of
from soak.bounds import BOUNDS, Finding, as_table, judge
from soak.scenarios import SCENARIOS, Sizes
from soak.watch import grown, p99

SMALL = Sizes(
    seconds=5.0,
    idle=40,
    busy=10,
    message_seconds=0.2,
    per_second=50.0,
    requests=2000,
    slow=12,
    slow_seconds=4.0,
    drip_seconds=0.4,
    sockets=10,
    swaps=2,
    reloads=10,
    logins=40,
    idle_seconds=2.0,
    least_calm_seconds=0.01,
    limits=Limits(
        head_seconds=1.0,
        body_idle_seconds=1.0,
        body_grace_seconds=1.0,
        write_stall_seconds=2.0,
        keepalive_seconds=3.0,
    ),
)


@pytest.mark.e2e
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_runs_and_its_bounds_hold(name, tmp_path):
    findings = run_scenario(name, SMALL, tmp_path)
    assert [] == [it for it in findings if not it.holds]
    assert set(BOUNDS[name]) <= {it.what for it in findings}


def test_every_scenario_has_bounds():
    assert list(SCENARIOS) == list(BOUNDS)


def test_what_is_over_its_bound_does_not_hold_and_what_has_none_is_told():
    seen = dict.fromkeys(BOUNDS["mixed"], 0.0) | {"requests that failed": 1, "requests": 5}
    findings = judge("mixed", seen)
    assert ["requests that failed"] == [it.what for it in findings if not it.holds]
    assert Finding("mixed", "requests", 5, None) == findings[-1]
    table = as_table(findings)
    assert "| mixed | requests that failed | 1 | 0 | **DOES NOT HOLD** |\n" in table
    assert "| mixed | requests | 5 |  |  |\n" in table


def test_what_was_not_looked_at_does_not_pass():
    with pytest.raises(KeyError):
        judge("mixed", {"requests that failed": 0})


@pytest.mark.parametrize(
    ("values", "by"), [([5], 0), ([9, 9, 1, 1, 1, 1, 4, 4], 3), ([1, 2, 3, 4], 2), ([4, 3, 2, 1], -2)]
)
def test_growth_is_of_the_last_quarter_over_the_second(values, by):
    assert by == grown(values)


def test_one_in_a_hundred_is_above_p99():
    assert 99 == p99(list(range(101)))
    assert 7 == p99([7])


def test_a_bound_that_does_not_hold_is_the_exit_code(monkeypatch, capsys):
    failing = [Finding("mixed", "requests that failed", 1, 0)]
    monkeypatch.setattr("soak.__main__.run_scenario", lambda *_: failing)
    assert 1 == main(["--scenarios", "mixed"])
    assert "DOES NOT HOLD" in capsys.readouterr().out


def test_without_options_it_is_the_long_run():
    assert Sizes() == sizes_of(parse_arguments([]))
