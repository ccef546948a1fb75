"""The parts of the bench that can be wrong without anybody noticing: what is counted, and what is said of it."""

import itertools
import json
import os
import sys
from collections import defaultdict

import pytest

from bench import __main__ as command
from bench import cpu, load, measure, origin, proxies, report, websocket
from bench.measure import Figures
from bench.side import Side
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


@pytest.fixture
def echo_service(tmp_path):
    port = origin.free_port()
    program = Program([sys.executable, "-m", "bench.echo_service", str(port)], tmp_path / "log")
    program.start()
    origin.wait_for_port(port, program)
    yield port
    program.end()


HANDSHAKE = b"GET /terminals/websocket/1 HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3


def test_the_echo_sends_messages_back_unmasked_in_whatever_pieces_they_come(echo_service):
    with RawClient(echo_service) as client:
        client.send(HANDSHAKE)
        assert ACCEPT in client.read_until(b"\r\n\r\n")
        client.received.clear()
        two = websocket._SENT * 2
        client.send(two[:50])
        client.send(two[50:])
        client.read_until(websocket._ECHO * 2)
        assert websocket._ECHO * 2 == client.received


def test_the_echo_answers_a_proxys_ping(echo_service):
    with RawClient(echo_service) as client:
        client.send(HANDSHAKE)
        client.read_until(b"\r\n\r\n")
        client.received.clear()
        client.send(b"\x89\x82\x01\x02\x03\x04" + bytes((ord("h") ^ 1, ord("i") ^ 2)))
        assert b"\x8a\x02hi" == client.read_until(b"hi")


def test_the_echo_takes_no_mask(echo_service):
    with RawClient(echo_service) as client:
        client.send(HANDSHAKE + b"\x81\x81\1\2\3\4x")
        client.read_to_end()
        assert client.received.endswith(b"\r\n\r\n")


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


def test_a_side_without_a_log_of_requests_says_so():
    figures = Figures(defaultdict(list, {"browser.cpu_us": [1.0]}), requests=10)
    assert report.as_table({"chp": figures}).endswith("| 10 / no log |\n")
    assert json.loads(report.as_json({"chp": figures}, {}))["sides"]["chp"]["records"] is None


def test_what_a_side_cannot_do_is_left_blank():
    assert "| idle websockets: KiB each |  |\n" in report.as_table({"chp": Figures()})


def test_every_side_and_every_row_can_be_chosen_and_nothing_else(capsys):
    chosen = command.parse_arguments(["--sides", "nginx,chp", "--rows", "echo"])
    assert (("nginx", "chp"), ("echo",)) == (chosen.sides, chosen.rows)
    with pytest.raises(SystemExit):
        command.parse_arguments(["--sides", "apache"])
    assert "apache: not among nbgate,nginx,haproxy,caddy,chp" in capsys.readouterr().err


def test_only_the_rows_that_were_chosen_are_measured():
    counts = {rows: len(command.measures(command.parse_arguments(["--rows", rows]))) for rows in command.ROWS}
    assert {**dict.fromkeys(command.ROWS, 1), "idle": 0, "start": 0} == counts


def test_what_npm_installed_for_the_project_is_what_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(proxies, "TOP", tmp_path)
    monkeypatch.setattr(proxies.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "/usr/bin/configurable-http-proxy" == proxies.chp_program()
    ours = tmp_path / ".make" / "npm" / "node_modules" / ".bin" / "configurable-http-proxy"
    ours.parent.mkdir(parents=True)
    ours.touch()
    assert str(ours) == proxies.chp_program()


def test_what_is_counted_costs_its_share_of_the_sides_time(monkeypatch):
    seconds = iter([1.0, 1.5])
    monkeypatch.setattr(measure, "family_seconds", lambda _roots: next(seconds))
    monkeypatch.setattr(measure, "run_echo", lambda _side, _seconds: websocket.Counted(1000, 2.0))
    figures = Figures()
    measure.measure_echo(Side("chp", 1, "", [], None), figures, 1.0)
    assert {"echo.cpu_us": [500.0], "echo.rate": [500.0]} == figures.rounds


def test_idle_websockets_cost_what_they_add(monkeypatch):
    sizes = iter([1 << 20, 3 << 20])
    monkeypatch.setattr(measure, "family_resident_bytes", lambda _roots: next(sizes))
    monkeypatch.setattr(measure, "with_idle_sockets", lambda _side, _count, look: look())
    figures = Figures()
    measure.measure_idle(Side("chp", 1, "", [], None), figures, 64)
    assert {"idle.kib": [32.0]} == figures.rounds


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
