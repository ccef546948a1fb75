"""The parts of the bench that can be wrong without anybody noticing: what is counted, and what is said of it."""

import itertools
import json
import os
import sys
from collections import defaultdict

import pytest

from bench import cpu, load, measure, origin, report
from bench.measure import Figures
from bench.sides import Side
from nbgate.testing.process import Program
from nbgate.testing.raw_client import RawClient


def side_figures(cpu_us, cpu_s_per_gib):
    rounds = defaultdict(list, {"browser.cpu_us": cpu_us, "download.cpu_s_per_gib": cpu_s_per_gib})
    return Figures(rounds, requests=10, records=12)


OURS = side_figures([60.0, 50.0, 70.0], [0.5])
FIGURES = {"nbgate": OURS, "nginx": side_figures([40.0], [0.4]), "caddy": side_figures([100.0], [1.0])}


@pytest.fixture
def auth_service(tmp_path):
    port = origin.free_port()
    program = Program([sys.executable, "-m", "bench.auth_service", str(port), "sid", "good"], tmp_path / "log")
    program.start()
    origin.wait_for_port(port, program)
    yield port
    program.end()


COOKIES = [
    ("sid=good", 200),
    ("a=b; sid=good; c=d", 200),
    ("sid=bad", 401),
    ("xsid=good", 401),
    ("", 401),
]


@pytest.mark.parametrize(("cookie", "status"), COOKIES)
def test_the_auth_service_knows_one_cookie(auth_service, cookie, status):
    request = f"GET /_auth HTTP/1.1\r\nHost: auth\r\nCookie: {cookie}\r\n\r\n".encode()
    with RawClient(auth_service) as client:
        for half in (request[:30], request[30:] + request):  # in pieces, and a second one on the same connection
            client.send(half)
        assert [status, status] == [client.read_answer().status for _ in range(2)]


def test_a_browser_sends_thirteen_headers():
    assert 13 == len(load.browser_headers(8443))


def test_the_small_answer_is_json_of_one_kibibyte():
    assert 1024 == len(origin.small_body())
    assert "small.json" == json.loads(origin.small_body())["name"]


def test_ratios_are_of_medians_and_know_their_limit():
    assert [
        ("browser.cpu_us", "nginx", 1.5, True),
        ("browser.cpu_us", "caddy", 0.6, False),
        ("download.cpu_s_per_gib", "nginx", 1.25, False),
    ] == [(row["figure"], row["other"], row["ratio"], row["holds"]) for row in report.ratios(FIGURES)]


def test_the_table_has_a_row_for_each_figure_and_a_column_for_each_side():
    lines = report.as_table(FIGURES).splitlines()
    assert "|  | nbgate | nginx | caddy | nbgate / nginx | nbgate / caddy |" == lines[0]
    cells = "60.0 [50.0 to 70.0] | 40.0 | 100.0 | **1.50** (holds: at most 1.6) | **0.60** (DOES NOT HOLD: at most 0.5)"
    assert f"| what JupyterLab polls, 6 connections: CPU µs per request | {cells} |" == lines[2]
    assert "10 / 12" in lines[-1]


def test_the_json_holds_every_round():
    document = json.loads(report.as_json(FIGURES, {"rounds": 3}))
    assert [60.0, 50.0, 70.0] == document["sides"]["nbgate"]["rounds"]["browser.cpu_us"]
    assert 60.0 == document["sides"]["nbgate"]["medians"]["browser.cpu_us"]
    assert {"rounds": 3} == document["options"]


def test_one_side_alone_has_no_ratio():
    assert [] == report.ratios({"nbgate": OURS})
    assert [] == report.ratios({"nginx": OURS})
    assert "nbgate /" not in report.as_table({"nginx": OURS})


def test_cpu_time_of_a_family_grows_with_its_work():
    before = cpu.family_seconds([os.getpid()])
    while cpu.family_seconds([os.getpid()]) < before + 0.03:
        sum(range(10_000))
    assert cpu.family_resident_bytes([os.getpid()]) > 1 << 20


def test_fewer_records_than_requests_fail_the_run(monkeypatch):
    monkeypatch.setattr(measure, "RECORDS_SECONDS", 0.01)
    monkeypatch.setattr(measure, "run_small", lambda *_: load.SmallRun(10, 1.0, 1.0, 1.0))
    counts = itertools.chain([0], itertools.repeat(9))
    side = Side("nbgate", 1, "", [os.getpid()], lambda: next(counts))
    with pytest.raises(load.FailedRunError, match="9 records of 10 requests"):
        measure.measure_small(side, Figures(), report.BROWSER, 1)
